package ingest

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"tracksource/normalize"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// emitAlert sends an alert under its id: the same finding again is the same alert.
func emitAlert(codecs *avro.Codecs, topic string, a *avro.Alert, out Emitter) error {
	b, err := codecs.Alert.Append(nil, a)
	if err != nil {
		return err
	}
	out.Emit(topic, []byte(a.ID), b)
	return nil
}

// alertID names a finding of a kind about a subject by what was found.
func alertID(kind, subject string, found ...string) string {
	sum := sha256.Sum256(fmt.Append(nil, found))
	return fmt.Sprintf("%s/%s/%x", kind, subject, sum[:8])
}

// gap tells people that a source has lost changes of an object: nothing but an
// export of it can mend that.
func (f *Feed) gap(rec *stream.Record, p *normalize.Problem, out Emitter) error {
	subject := f.ID.Feed + "." + f.ID.Reporter
	return emitAlert(f.Codecs, f.Alerts, &avro.Alert{
		ID: alertID("data-gap", subject, p.Message), Kind: "data_gap", Severity: "warning", Subject: subject, Message: p.Message,
		Evidence: []string{fmt.Sprintf("%s/%d@%d", rec.Topic, rec.Partition, rec.Offset)}, RaisedAt: received(rec),
	}, out)
}

// unhashed tells people that a partner which agreed to send addresses hashed sends
// them plain. They were hashed at the door, and nothing of them is repeated.
func (f *Feed) unhashed(last *stream.Record, plain int, out Emitter) error {
	if f.Alerts == "" || f.Mappings == nil {
		return nil
	}
	campaign := f.Mappings.agreed(f.ID.Reporter)
	if campaign == "" {
		return nil
	}
	subject := f.ID.Feed + "." + f.ID.Reporter
	return emitAlert(f.Codecs, f.Alerts, &avro.Alert{
		ID: alertID("plain-address", subject), Kind: "plain_address", Severity: "warning", Campaign: campaign, Partner: f.ID.Reporter, Subject: subject, RaisedAt: received(last),
		Message: fmt.Sprintf("%d addresses of people came unhashed in one batch, and the contract of %s has %s send hashes; they were hashed on arrival: let the source hash them, with their domain beside",
			plain, campaign, f.ID.Reporter),
		Evidence: []string{fmt.Sprintf("%s/%d@%d", last.Topic, last.Partition, last.Offset)},
	}, out)
}

// HeaderReporter is a header by which senders name themselves. It decides
// nothing: a record's reporter is the owner of its feed.
const HeaderReporter = "tracksource.reporter"

// isClaim says of a member of an event whether it can mean only who reports it.
// Partners in tags, assets and fields of a CRM are whom something is credited to,
// never such a claim.
func isClaim(member string) bool {
	switch strings.ToLower(member) {
	case "reporter", "reporter_id", "reporterid":
		return true
	}
	return false
}

// claimsMax is how many names a batch tells of that events claim: whoever makes
// names up must not write alerts by the thousand.
const claimsMax = 8

// claims tells people of events that say somebody else reports them. Told holds
// what this batch has told already: one alert is enough for a feed that is
// configured wrongly.
func (f *Feed) claims(rec *stream.Record, payload normalize.Value, told map[string]bool, out Emitter) error {
	if f.Alerts == "" {
		return nil
	}
	claims := []string{string(rec.Header(HeaderReporter))}
	list, ok := payload.List()
	if !ok {
		list = []normalize.Value{payload}
	}
	for _, event := range list {
		for name, v := range event.Members() {
			if text, ok := v.Text(); ok && isClaim(name) {
				claims = append(claims, text)
			}
		}
	}
	slices.Sort(claims) // in whatever order an event has them
	for _, claim := range claims {
		if claim = strings.ToLower(strings.TrimSpace(claim)); claim == "" || claim == f.ID.Reporter {
			continue
		}
		who := "somebody else"
		if partnerID.MatchString(claim) {
			who = claim
		}
		if told[who] || len(told) >= claimsMax {
			continue
		}
		told[who] = true
		subject := f.ID.Feed + "." + f.ID.Reporter
		err := emitAlert(f.Codecs, f.Alerts, &avro.Alert{
			ID: alertID("reporter-claim", subject, who), Kind: "reporter_claim", Severity: "warning", Subject: subject, RaisedAt: received(rec),
			Message:  fmt.Sprintf("events of this feed say that %s reports them; they are taken as %s's, whose feed it is: look at who writes to it", who, f.ID.Reporter),
			Evidence: []string{fmt.Sprintf("%s/%d@%d", rec.Topic, rec.Partition, rec.Offset)},
		}, out)
		if err != nil {
			return err
		}
	}
	return nil
}

// partnerID is what an alert may repeat of what an event says.
var partnerID = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// collision tells people that a source gives one id to two events.
func (r *Resolver) collision(obs *avro.Observation, id string, out Emitter) error {
	if r.cfg.Alerts == "" {
		return nil
	}
	subject := obs.Feed + "." + obs.Reporter
	a := &avro.Alert{
		ID: alertID("id-collision", subject, obs.Source, id), Kind: "id_collision", Severity: "warning", Subject: subject, RaisedAt: obs.OccurredAt,
		Message: fmt.Sprintf("two events of %s with other content have the id %q: both are kept; let the source give each event an id of its own", obs.Source, id),
	}
	if o := obs.Origin; o != nil {
		a.Evidence = []string{fmt.Sprintf("%s/%d@%d", o.Topic, o.Partition, o.Offset)}
	}
	return emitAlert(r.cfg.Codecs, r.cfg.Alerts, a, out)
}

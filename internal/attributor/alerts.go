package attributor

import (
	"slices"
	"strings"

	"tracksource/attribution"
	"tracksource/schemas/avro"
)

// notice is something that somebody should know of an account.
type notice struct {
	mark
	kind, partner, message string
	evidence               []string
}

// notices are what the book of the account says that people have to act on, of each
// subject and reason one.
func notices(c *campaign, r attribution.Result) []notice {
	var list []notice
	for _, h := range r.Held {
		list = append(list, notice{
			mark{h.Conversion, h.Code},
			AlertHeld, c.rules.Newest().Contract.SystemOfRecord.Partner,
			h.Measure + " of " + h.Conversion + " is in no total (" + h.Code + "): " + h.Supply,
			[]string{h.Conversion},
		})
	}
	for _, d := range r.Disagreements {
		credited := "its credit is split among them"
		if d.Held {
			credited = "its credit is held until they agree"
		}
		evidence := make([]string, len(d.Evidence))
		for i, id := range d.Evidence {
			evidence[i] = id.String()
		}
		list = append(list, notice{
			mark{d.Touch.String(), AlertDisagreement},
			AlertDisagreement, "",
			"reporters credit the touch " + d.Touch.String() + " to " + strings.Join(d.Partners, " and ") + "; " + credited, evidence,
		})
	}
	for _, d := range r.Refusals {
		list = append(list, notice{
			mark{d.Dispute.String(), d.Code},
			d.Code, d.Partner,
			"the dispute " + d.Dispute.String() + " of " + d.Deal + " has no effect: " + d.Why,
			[]string{d.Dispute.String(), d.Deal},
		})
	}
	for _, s := range r.Suspicions {
		deal, other := s.Deal.String(), s.Other.String()
		list = append(list, notice{
			mark{deal, AlertSuspected},
			AlertSuspected, s.Deal.Reporter,
			deal + " is in no total, since it may be the business of " + other + ": decide with track-source overlap resolve",
			[]string{deal, other},
		})
	}
	return list
}

// alerts raises one alert for each notice that is new, settles those that are no
// longer so, and returns what all are about, in order: what is raised is not raised
// again until it was settled in between. Nobody is asked for what only a proposal lacks.
func (f *fold) alerts(c *campaign, a *account, raised, list []notice) ([]notice, error) {
	if c.proposed {
		return nil, nil
	}
	var now []notice
	for _, n := range list {
		if n.among(now) {
			continue // held under another measure as well
		}
		now = append(now, n)
		if n.among(raised) {
			continue
		}
		if err := f.alert(c, a, n, alertOpen); err != nil {
			return nil, err
		}
	}
	for _, n := range raised {
		if n.among(now) || a.movedOn(n.subject) {
			continue
		}
		if err := f.alert(c, a, n, alertSettled); err != nil {
			return nil, err
		}
	}
	return now, nil
}

// movedOn reports whether the item of that id went to another account, whose task
// raises what is still so under the same id: were it settled here as well, the one
// could hide the other, since nothing orders the two.
func (a *account) movedOn(id string) bool {
	return slices.ContainsFunc(a.changes, func(c change) bool {
		return c.after.Removed && c.after.Reason == "" && itemID(c.after).String() == id
	})
}

// The states of an alert.
const (
	alertOpen    = "open"
	alertSettled = "settled"
)

// among reports whether one of the list is about the same.
func (n notice) among(list []notice) bool {
	return slices.ContainsFunc(list, func(other notice) bool { return n.mark == other.mark })
}

// alert stages the alert of a notice, which goes to the first rung of the ladder.
func (f *fold) alert(c *campaign, a *account, n notice, state string) error {
	id := n.kind + "/" + c.id + "/" + n.subject
	if n.code != n.kind {
		id += "/" + n.code
	}
	rung := c.rules.Newest().Contract.Escalation.Ladder[0]
	b, err := f.cfg.Codecs.Alert.Append(nil, &avro.Alert{
		ID: id, Kind: n.kind, Severity: "warning", Campaign: c.id, Partner: n.partner, Subject: n.subject,
		Message: n.message, Evidence: n.evidence, RaisedAt: a.asOf,
		Rung: rung.Name, Owner: rung.Owner, Fallback: rung.Fallback, State: state,
	})
	if err != nil {
		return err
	}
	f.out.Emit(f.cfg.Topics.Alerts, []byte(id), b)
	return nil
}

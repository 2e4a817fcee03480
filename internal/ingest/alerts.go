package ingest

import (
	"crypto/sha256"
	"fmt"

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

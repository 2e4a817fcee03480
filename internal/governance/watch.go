package governance

import (
	"fmt"
	"strings"
	"time"

	"tracksource/contract"
	"tracksource/money"
	"tracksource/schemas/avro"
)

// NoData is the band of an evaluation that lacks what the value is made of.
const NoData contract.Band = "no_data"

// AlertGuardrail is the kind of the alert about a guardrail that is not kept.
const AlertGuardrail = "guardrail"

// Bounds of an evaluation.
const (
	detailMax   = 2000 // bytes
	evidenceMax = 20
	attemptsMax = 3 // once, and again as often as a contract may say
)

// watch is how one guardrail of one subject stands.
type watch struct {
	Day   string        `json:"day"`   // last evaluated; one without data is none
	Seen  string        `json:"seen"`  // last of any band, no_data included
	Band  contract.Band `json:"band"`  // of Day
	Since string        `json:"since"` // first day of the run of that band
	Reds  int           `json:"reds"`  // evaluated days of the run that are red
	// Told is what the alert that is out says, nil without one.
	Told *told `json:"told"`
	// Board is whether this run of red went to the board.
	Board bool `json:"board"`
}

// told is what of an alert is told again when it changes.
type told struct {
	Band     contract.Band `json:"band"`
	Since    string        `json:"since"`
	Rung     string        `json:"rung"`
	Owner    string        `json:"owner"`
	Fallback string        `json:"fallback"`
	Deadline string        `json:"deadline"`
	Severity string        `json:"severity"`
}

func watchKey(r *avro.EvaluationRecord) Key {
	return Key{Of: "watch", Campaign: r.Campaign, Name: r.Guardrail, Sub: r.Subject}
}

// GuardrailAlert names the alert of a guardrail.
func GuardrailAlert(campaign, guardrail, subject string) string {
	id := "guardrail/" + campaign + "/" + guardrail
	if subject != "" {
		id += "/" + subject
	}
	return id
}

// Band holds a value, as the guardrail's unit writes it, against the bounds. No value
// is no data.
func Band(g contract.Guardrail, value string) (contract.Band, error) {
	if value == "" {
		return NoData, nil
	}
	n, ok := g.Unit.ParseValue(value)
	if !ok {
		return "", fmt.Errorf("a value of %q; write one such as %s", cut(value), g.Unit.Text(g.Limit))
	}
	return g.Judge(n), nil
}

func (j *judge) evaluation(r *avro.EvaluationRecord) error {
	day, band, err := j.checkEvaluation(r)
	if err != nil {
		return err
	}
	var w watch
	if _, err := j.load(watchKey(r), &w); err != nil {
		return err
	}
	if w.Seen >= r.Day {
		j.out.Again = true // the first of a day counts, and no day comes back
		return nil
	}
	w.Seen = r.Day
	if band != NoData {
		if err := j.step(&w, r, day, band); err != nil {
			return err
		}
	}
	return j.store(watchKey(r), w)
}

// checkEvaluation refuses what does not follow from the contract's bounds.
func (j *judge) checkEvaluation(r *avro.EvaluationRecord) (day money.Day, band contract.Band, err error) {
	const what = "evaluation"
	if err := j.agreed(what, r.Campaign); err != nil {
		return 0, "", err
	}
	if day, err = dayFor(what, r.Day); err != nil {
		return 0, "", err
	}
	g := j.now.Agreed.Guardrail(r.Guardrail)
	if band, err = Band(g, r.Value); err != nil {
		return 0, "", Refuse("%s of %s: %w", what, cut(r.Guardrail), err)
	}
	switch {
	case g.Unit == "":
		err = Refuse("%s: there is no guardrail %q", what, cut(r.Guardrail))
	case len(r.Subject) > NameMax || len(r.Target) > NameMax || len(r.Limit) > NameMax:
		err = Refuse("%s of %s: a name of more than %d bytes", what, r.Guardrail, NameMax)
	case len(r.Detail) > detailMax || len(r.Evidence) > evidenceMax:
		err = Refuse("%s of %s: more than %d bytes of detail or %d pieces of evidence", what, r.Guardrail, detailMax, evidenceMax)
	case r.Attempts < 1 || r.Attempts > attemptsMax:
		err = Refuse("%s of %s: %d attempts, there are 1 to %d", what, r.Guardrail, r.Attempts, attemptsMax)
	case !timely(r.At):
		err = Refuse("%s of %s: it says when it was made", what, r.Guardrail)
	case day > j.now.Agreed.Day(r.At):
		err = Refuse("%s of %s: %s is to come", what, r.Guardrail, r.Day)
	case r.Revision != j.now.Revision:
		err = Refuse("%s of %s: the bounds of revision %d are stale, the newest is %d", what, r.Guardrail, r.Revision, j.now.Revision)
	case r.Target != bound(g, g.Target) || r.Limit != bound(g, g.Limit):
		err = Refuse("%s of %s: bounds of %s and %s, the contract has %s and %s", what, r.Guardrail, r.Target, r.Limit, bound(g, g.Target), bound(g, g.Limit))
	case r.Band != string(band):
		err = Refuse("%s of %s: a value of %q is %s and not %q", what, r.Guardrail, cut(r.Value), band, cut(r.Band))
	}
	return day, band, err
}

// step takes in an evaluated day.
func (j *judge) step(w *watch, r *avro.EvaluationRecord, day money.Day, band contract.Band) error {
	if band != w.Band {
		*w = watch{Band: band, Since: r.Day, Seen: w.Seen, Told: w.Told}
	}
	w.Day = r.Day
	if band == contract.BandRed {
		w.Reds++
	}
	if band == contract.BandGreen {
		if w.Told != nil {
			j.out.Alerts = append(j.out.Alerts, j.kept(r, w.Told))
			w.Told = nil
		}
		return nil
	}
	since, err := money.ParseDay(w.Since)
	if err != nil {
		return fmt.Errorf("read a watch: %w", err) // checked when it was evaluated
	}
	a := j.breach(w, r, since, day, band)
	if now := (told{band, w.Since, a.Rung, a.Owner, a.Fallback, a.Deadline, a.Severity}); w.Told == nil || *w.Told != now {
		w.Told = &now
		j.out.Alerts = append(j.out.Alerts, a)
	}
	return nil
}

// breach is the alert of a guardrail that is not kept on a day.
func (j *judge) breach(w *watch, r *avro.EvaluationRecord, since, day money.Day, band contract.Band) avro.Alert {
	e := &j.now.Agreed.Escalation
	a := j.guardrailAlert(r)
	a.State, a.Since, a.Evidence = AlertOpen, since.String(), r.Evidence
	rung := e.Ladder[0]
	switch {
	case band != contract.BandRed:
		a.Severity = severityWarning
	case w.Board || r.Guardrail == contract.GuardAccuracy && w.Reds > 1:
		w.Board, rung, a.Severity = true, e.Board, severityCritical
	default:
		at := min(int(day-since)/e.ClimbDays, len(e.Ladder)-1)
		if a.Severity = severityError; at > 0 {
			a.Severity = severityCritical
		}
		rung = e.Ladder[at]
		if at < len(e.Ladder)-1 {
			a.Deadline = since.Add((at + 1) * e.ClimbDays).String()
		}
	}
	a.Rung, a.Owner, a.Fallback = rung.Name, rung.Owner, rung.Fallback
	a.Message = fmt.Sprintf("%s is %s since %s: %s (%s)", named(r), band, since, j.value(r), j.rail(r).Bounds(r.Target, r.Limit))
	if r.Detail != "" {
		a.Message += "; " + r.Detail
	}
	return a
}

// kept is the alert of a guardrail that is kept again: it goes to whom it was with, as
// severe as it was, so that who is told by severity is told of the end as well.
func (j *judge) kept(r *avro.EvaluationRecord, was *told) avro.Alert {
	a := j.guardrailAlert(r)
	a.State, a.Severity, a.Since, a.Evidence = AlertSettled, was.Severity, was.Since, r.Evidence
	a.Rung, a.Owner, a.Fallback = was.Rung, was.Owner, was.Fallback
	a.Message = fmt.Sprintf("%s is kept again on %s: %s (%s)", named(r), r.Day, j.value(r), j.rail(r).Bounds(r.Target, r.Limit))
	return a
}

func (j *judge) guardrailAlert(r *avro.EvaluationRecord) avro.Alert {
	return avro.Alert{
		ID: GuardrailAlert(r.Campaign, r.Guardrail, r.Subject), Kind: AlertGuardrail, Campaign: r.Campaign, Partner: FeedOwner(r.Subject),
		Subject: r.Subject, RaisedAt: r.At.UTC().Truncate(time.Microsecond),
	}
}

// bound writes a bound as contracts do.
func bound(g contract.Guardrail, n int64) string { return g.Unit.Text(n) + string(g.Unit) }

// value is what was evaluated, with its unit.
func (j *judge) rail(r *avro.EvaluationRecord) contract.Guardrail {
	return j.now.Agreed.Guardrail(r.Guardrail)
}

func (j *judge) value(r *avro.EvaluationRecord) string { return r.Value + string(j.rail(r).Unit) }

func named(r *avro.EvaluationRecord) string {
	if r.Subject == "" {
		return r.Guardrail
	}
	return r.Guardrail + " of " + r.Subject
}

// FeedOwner is whose feed the subject of an alert or an evaluation is, such as crm.acme;
// empty for another subject.
func FeedOwner(subject string) string {
	kind, owner, _ := strings.Cut(subject, ".")
	switch kind {
	case "crm", "map", "analytics":
		return owner
	}
	return ""
}

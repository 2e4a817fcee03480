package check

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tracksource/schemas/avro"
)

// DrawUntil checks a property at least the given times, and as many times more as it takes
// until each of the words has been seen: how rare one is does not decide whether it comes.
// It is an error when one has not come after some hundred times as much. The few draws of
// -short promise nothing.
func DrawUntil(t *testing.T, times int, property func(*rapid.T), seen map[string]int, words ...string) {
	t.Helper()
	const more = 200
	missing := func() []string {
		if testing.Short() {
			return nil
		}
		return slices.DeleteFunc(slices.Clone(words), func(word string) bool { return seen[word] > 0 })
	}
	for n := 0; n < times || n < times+more && len(missing()) > 0; n++ {
		rapid.Check(t, property)
	}
	if m := missing(); len(m) > 0 {
		t.Errorf("never drawn were %q; drawn were %v", m, seen)
	}
}

// Decided returns the offsets of the records of control that are judged to go to every
// partition, and the state of each dispute by its campaign and id, with whom it went to.
func Decided(records []At[avro.Control]) (passed []int64, disputes map[[2]string][2]string) {
	d := decide(records, nil)
	for _, r := range d.passed {
		passed = append(passed, r.offset)
	}
	disputes = map[[2]string][2]string{}
	for name, s := range d.disputes {
		disputes[[2]string{name.campaign, name.id}] = [2]string{s.fields["state"], s.fields["to"]}
	}
	return passed, disputes
}

// Notices are the alerts that follow from records of control, as they stand.
func Notices(records []At[avro.Control]) (alerts []At[avro.Alert]) {
	d := decide(records, nil)
	for _, id := range slices.Sorted(maps.Keys(d.notices)) {
		n := d.notices[id]
		alerts = append(alerts, At[avro.Alert]{Offset: int64(len(alerts)), Value: avro.Alert{
			ID: id, Kind: n.kind, Severity: n.severity, State: n.state, Campaign: n.campaign, Partner: n.partner, Subject: n.subject,
			Rung: n.rung, Owner: n.owner, Fallback: n.fallback, Since: n.since, Deadline: n.deadline, RaisedAt: n.raised,
			Evidence: n.evidence, Message: strings.Join(n.words, " "),
		}})
	}
	return alerts
}

// WrongAlerts returns what is wrong with the alerts of a system, and how many were held
// against what they follow from.
func WrongAlerts(in Input) (problems []string, held int) {
	byPlace(in.Alerts)
	v := &verifier{in: in, decided: decide(in.Control, in.Spoilt)}
	v.alerts()
	return v.report.Problems, v.report.Alerts
}

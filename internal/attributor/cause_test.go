package attributor_test

import (
	"slices"
	"testing"

	"tracksource/internal/attributor"
	"tracksource/schemas/avro"
)

// removed is the tombstone of an item that is taken back for a reason.
func removed(ev *avro.JourneyEvent, placement int64, reason string) *avro.JourneyEvent {
	g := gone(ev, placement)
	g.Reason, g.EventID = reason, reason
	return g
}

// TestCauses: what changed the ledger is told apart where the totals alone do not.
func TestCauses(t *testing.T) {
	form := func(id, reporter, source string) *avro.JourneyEvent {
		ev := touch("a", id, 1, day(2), source, "email")
		ev.Reporter, ev.Touch.Type, ev.Touch.Asset = reporter, "form", "ai-buyers-guide"
		return ev
	}
	opportunity := deal("a", "006A", 1, "100", "USD", "Qualification")
	other := deal("a", "H1", 1, "70", "USD", "Qualification")
	other.Reporter, other.Source = "globex", "hubspot"
	decision := func(placement int64, word string) *avro.JourneyEvent {
		return object("a", "overlap_decision", "d", placement, map[string]string{
			"campaign": "ai-launch-tour", "deal": "acme/salesforce/opportunity/006A", "other": "globex/hubspot/opportunity/H1", "decision": word,
		})
	}
	twin := func(d *avro.JourneyEvent) *avro.JourneyEvent {
		setField(d, "deal", "globex/hubspot/opportunity/H1")
		setField(d, "partner", "acme")
		return d
	}
	first, second := form("t1", "acme", "acme"), form("t2", "globex", "globex")
	visit := touch("a", "v1", 1, day(3), "globex", "email")
	l := testLine(t)
	l.feed(agreement(1, 1, "sourced: {days: 30}", "sourced: {days: 30}\ndeals: {others: count}"))
	l.rest()
	for _, s := range []struct {
		name, cause string
		event       *avro.JourneyEvent
	}{
		{"a deal", attributor.CauseNewConversion, opportunity},
		{"a touch", attributor.CauseLateTouch, first},
		{"the same touch by another reporter, who credits another partner", attributor.CauseOverlap, second},
		{"a visit", attributor.CauseLateTouch, visit},
		{"who visited is to be forgotten", attributor.CauseErasure, removed(visit, 2, "erasure")},
		{"the other report is taken back", attributor.CauseDeletion, removed(second, 2, "retraction")},
		{"the first one moves away", attributor.CauseMove, gone(first, 2)},
		{"decided to be another business", "", decision(1, "different")},
		{"another CRM's deal", attributor.CauseNewConversion, other},
		{"decided to be the same", attributor.CauseOverlap, decision(2, "same")},
		{"the sourcing is disputed", attributor.CauseDispute, dispute("a", "d1", 1, "")},
		{"the dispute is withdrawn", attributor.CauseDispute, dispute("a", "d1", 2, "", "state", "withdrawn")},
		{"the other deal is disputed, which is the same business", attributor.CauseDispute, twin(dispute("a", "d2", 1, ""))},
		{"that is taken back", attributor.CauseDispute, removed(twin(dispute("a", "d2", 1, "")), 2, "retraction")},
		{"the deal is taken back", attributor.CauseDeletion, removed(opportunity, 2, "retraction")},
	} {
		var causes []string
		for _, e := range l.feed(s.event) {
			if e.Conversion == "globex/hubspot/opportunity/H1" && s.cause == attributor.CauseDeletion {
				continue // counts again
			}
			if !slices.Contains(causes, e.Cause) {
				causes = append(causes, e.Cause)
			}
		}
		if want := slices.DeleteFunc([]string{s.cause}, func(c string) bool { return c == "" }); !slices.Equal(causes, want) {
			t.Errorf("%s: causes %q, want %q", s.name, causes, want)
		}
		l.check()
	}
}

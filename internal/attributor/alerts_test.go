package attributor_test

import (
	"slices"
	"testing"

	"tracksource/internal/attributor"
	"tracksource/schemas/avro"
)

// TestOverlapAlerts: what somebody has to decide is told once, settled once it is
// decided, and told again only then.
func TestOverlapAlerts(t *testing.T) {
	l := testLine(t)
	l.feed(agreement(1, 1, "sourced: {days: 30}", "sourced: {days: 30}\ndeals: {others: count}\noverlap: {window: 1h, disagreement: hold}"))
	l.rest()
	form := func(id, reporter, utmSource string) *avro.JourneyEvent {
		ev := touch("a", id, 1, day(2), utmSource, "email")
		ev.Reporter, ev.Touch.Type, ev.Touch.Asset = reporter, "form", "ai-buyers-guide"
		return ev
	}
	other := deal("a", "H1", 1, "70", "USD", "Qualification")
	other.Reporter, other.Source = "globex", "hubspot"
	l.feed(deal("a", "006A", 1, "100", "USD", "Qualification"), other, form("t1", "acme", "acme"), form("t2", "globex", "globex"))
	want := []avro.Alert{
		{ID: "overlap_disagreement/ai-launch-tour/acme/ga4/t1", Kind: attributor.AlertDisagreement, Subject: "acme/ga4/t1", Evidence: []string{"acme/ga4/t1", "globex/ga4/t2"}},
		{
			ID: "overlap_suspected/ai-launch-tour/globex/hubspot/opportunity/H1", Kind: attributor.AlertSuspected, Partner: "globex",
			Subject: "globex/hubspot/opportunity/H1", Evidence: []string{"globex/hubspot/opportunity/H1", "acme/salesforce/opportunity/006A"},
		},
	}
	told := func(n int) {
		t.Helper()
		if len(l.alerts) != n {
			t.Fatalf("%d alerts, want %d: %+v", len(l.alerts), n, l.alerts)
		}
	}
	told(2)
	for i, w := range want {
		got := l.alerts[i]
		if got.State != "open" || got.Rung != "Co-marketing Analytics Lead" || got.Fallback != "Partner Marketer" || got.ID != w.ID || got.Kind != w.Kind || got.Partner != w.Partner || got.Subject != w.Subject || !slices.Equal(got.Evidence, w.Evidence) || got.Message == "" {
			t.Errorf("alert %+v, want %+v", got, w)
		}
	}
	for _, e := range l.entries {
		if e.Conversion == other.Reporter+"/hubspot/opportunity/H1" {
			t.Errorf("the suspected deal is booked: %+v", e)
		}
	}
	if !slices.ContainsFunc(l.entries, func(e avro.CreditEntry) bool { return e.Partner == "(held)" && e.Delta[0] == 10000 }) {
		t.Error("the touch in dispute is credited to somebody")
	}
	l.check()
	l.feed(touch("a", "t9", 1, day(3), "globex", "email"))
	told(2) // no news
	decision := object("a", "overlap_decision", "d", 1, map[string]string{
		"campaign": "ai-launch-tour", "deal": "acme/salesforce/opportunity/006A", "other": "globex/hubspot/opportunity/H1", "decision": "different",
	})
	l.feed(decision)
	told(3)
	if settled := l.alerts[2]; settled.ID != want[1].ID || settled.State != "settled" || settled.Message != l.alerts[1].Message || !slices.Equal(settled.Evidence, want[1].Evidence) {
		t.Errorf("settled is %+v, was raised as %+v", settled, l.alerts[1])
	}
	if !slices.ContainsFunc(l.entries, func(e avro.CreditEntry) bool { return e.Conversion == "globex/hubspot/opportunity/H1" }) {
		t.Error("decided to be another business, the deal is not booked")
	}
	l.check()
	l.feed(gone(decision, 2))
	told(4)
	l.check()
}

// TestAlertsMoveOn: a deal that is held and moves is settled by nobody but the account
// that it is in.
func TestAlertsMoveOn(t *testing.T) {
	l := testLine(t)
	held := deal("a", "d", 1, "100", "EUR", "Qualification")
	l.feed(agreement(1, 1), touch("a", "t", 1, day(2), "globex", "email"), held)
	l.rest()
	moved := *held
	moved.Account, moved.Placement = []byte("b"), 3
	l.feed(gone(held, 2))
	l.feed(&moved)
	l.rest()
	l.feed(rate(2, "EUR", "USD", "2026-03-10", "1.1"))
	l.rest()
	var states []string
	for _, a := range l.alerts {
		if a.ID != l.alerts[0].ID {
			t.Errorf("an alert %s beside %s", a.ID, l.alerts[0].ID)
		}
		states = append(states, a.State)
	}
	if !slices.Equal(states, []string{"open", "open", "settled"}) {
		t.Errorf("alerts are %q", states)
	}
}

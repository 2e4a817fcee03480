package gaps_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tracksource/contract"
	"tracksource/contract/example"
	"tracksource/identity"
	"tracksource/internal/gaps"
	"tracksource/money"
	"tracksource/schemas/avro"
)

var start = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func account(t *testing.T, level identity.Level, id string) []byte {
	t.Helper()
	scope := ""
	if level == identity.Anonymous {
		scope = "acme"
	}
	n, err := identity.NewNode(level, scope, id)
	if err != nil {
		t.Fatal(err)
	}
	return n.Bytes()
}

func object(kind, id string, fields ...string) *avro.ObjectState {
	o := &avro.ObjectState{Type: kind, ID: id}
	for i := 0; i < len(fields); i += 2 {
		o.Fields = append(o.Fields, avro.Field{Name: fields[i], Value: &fields[i+1]})
	}
	return o
}

// TestReport: each kind of gap is found once for what it is about, and what is in
// order is not.
func TestReport(t *testing.T) {
	c, err := contract.Parse(example.AILaunchTour())
	if err != nil {
		t.Fatal(err)
	}
	domain, nobody := account(t, identity.Domain, "bigco.com"), account(t, identity.Anonymous, "v")
	touch := func(item string, account []byte, f avro.TouchFacts) avro.JourneyEvent {
		f.Type = "visit"
		return avro.JourneyEvent{Kind: "touch", Account: account, Node: []byte("n"), Reporter: "acme", Feed: "analytics", Source: "ga4", Item: item, Placement: 1, OccurredAt: start, Touch: &f}
	}
	crm := func(o *avro.ObjectState) avro.JourneyEvent {
		return avro.JourneyEvent{Kind: "object", Account: domain, Node: []byte("n"), Reporter: "acme", Feed: "crm", Source: "salesforce", Item: o.Type + "/" + o.ID, Placement: 1, OccurredAt: start, Object: o}
	}
	gone := touch("5", domain, avro.TouchFacts{UTMCampaign: "was-taken-back"})
	back := gone
	back.Placement, back.Removed, back.Touch = 2, true, nil
	deal := []string{"stage", "Qualification", "created_at", "2026-03-02T10:00:00Z", "amount", "10", "currency"}
	events := []avro.JourneyEvent{
		touch("1", domain, avro.TouchFacts{UTMSource: "globex", UTMMedium: "email", UTMCampaign: "ai-launch-tour-2", Asset: "/webinars/ai-readiness"}),
		touch("2", domain, avro.TouchFacts{UTMSource: "globex", UTMMedium: "email", UTMCampaign: "ai-lunch-tour"}),
		touch("3", nobody, avro.TouchFacts{UTMSource: "globex", UTMMedium: "email", UTMCampaign: "ai-lunch-tour"}),
		touch("4", domain, avro.TouchFacts{UTMSource: "billboard", UTMMedium: "wall"}),
		gone, back,
		touch("6", domain, avro.TouchFacts{UTMCampaign: "of-a-bot", Bot: true}),
		crm(object("opportunity", "A", append(deal, "USD")...)),
		crm(object("opportunity", "B", append(deal, "EUR")...)),
		crm(object("opportunity", "C", append(deal, "GBP")...)),
		crm(object("opportunity", "D", "stage", "Thinking", "created_at", "2026-03-02T10:00:00Z")),
		crm(object("opportunity", "E", "stage", "Closed Won", "amount", "1")),
		crm(object("opportunity", "F", "stage", "Qualification", "created_at", "2026-03-02T10:00:00Z", "amount", "much", "currency", "USD")),
		crm(object("lead", "L", "stage", "Open - Not Contacted")),
		crm(object("lead", "M", "stage", "Nurture")),
		crm(object("contact", "N", "stage", "Nurture")),
		crm(object("campaign_member", "V", "stage", "Attended", "campaign_id", "701AILAUNCHTOUR")),
		crm(object("campaign_member", "W", "stage", "Wait", "campaign_id", "701AILAUNCHTOUR")),
	}
	decided := crm(object("overlap_decision", "A"))
	decided.Reporter, decided.Feed = "globex", "map" // which stays silent
	events = append(events, decided)
	var rates money.Rates
	if err := rates.Set("EUR", "USD", c.Day(start), "1.1"); err != nil {
		t.Fatal(err)
	}
	want := `agreed and never seen 0 asset /events/ai-launch
agreed and never seen 0 asset /guides/ai-buyers-guide
currency without a rate 1 GBP on 2026-03-02
deal with an amount that is none 1 F
deal without a day of creation 1 E
deal without an amount 1 D
silent feed 0 analytics.acme: nothing since 2026-03-02T12:00:00Z
silent feed 0 map.globex: nothing came
stage of deals without a rule 1 Thinking
stage of people without a milestone 1 contact of acme/salesforce: Nurture
stage of people without a milestone 1 lead of acme/salesforce: Nurture
status of members without a meaning 1 acme/salesforce: Wait
tags without a channel 1 utm_source "billboard", utm_medium "wall"
utm_campaign of no campaign 2 ai-lunch-tour`
	for _, backwards := range []bool{false, true} {
		if backwards {
			slices.Reverse(events)
		}
		f := gaps.New(gaps.Config{
			Contract: c, Document: example.AILaunchTour(), Rates: &rates, Now: start.Add(49 * time.Hour),
			Feeds: []gaps.Feed{{Feed: "analytics", Partner: "acme"}, {Feed: "crm", Partner: "acme"}, {Feed: "map", Partner: "globex"}},
		})
		for i := range events {
			f.Add(&events[i])
		}
		r, err := f.Report()
		if err != nil {
			t.Fatal(err)
		}
		lines := make([]string, 0, len(r.Gaps))
		for _, g := range r.Gaps {
			if g.Mend == "" {
				t.Errorf("%s does not say what to do", g.Kind)
			}
			if object, _, _ := strings.Cut(g.What, " of "); g.Kind == "stage of people without a milestone" && g.Mend != "map it under stages, with object: "+object {
				t.Errorf("%s: %s", g.What, g.Mend)
			}
			if strings.HasPrefix(g.What, "crm.acme") || g.Kind == "agreed and never seen" && !strings.Contains(g.What, "asset /events") && !strings.Contains(g.What, "asset /guides") {
				continue
			}
			lines = append(lines, fmt.Sprintf("%s %d %s", g.Kind, g.Count, g.What))
		}
		if got := strings.Join(lines, "\n"); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		if a := r.Feeds[0]; a.Feed != "analytics" || a.Items != 5 || a.Touches != 5 || a.Matched != 4 {
			t.Errorf("feed %+v", a)
		}
	}
	for _, g := range []struct{ term, text string }{{"ai-launch-tour*", "AI-Launch-Tour-2"}, {"a", "A "}} {
		if !contract.Matches(g.term, g.text) {
			t.Errorf("%q does not match %q", g.term, g.text)
		}
	}
}

// TestNothingMissing: a campaign that is in order has no gaps.
func TestNothingMissing(t *testing.T) {
	document := []byte(`
campaign: {id: tour, name: Tour}
zone: Europe/Berlin
currency: EUR
partners: [{id: acme, role: host, currency: EUR}]
system_of_record: {partner: acme, source: salesforce}
match: {utm_campaign: [tour]}
`)
	c, err := contract.Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	f := gaps.New(gaps.Config{Contract: c, Document: document, Feeds: []gaps.Feed{{Feed: "analytics", Partner: "acme"}}, Now: start})
	f.Add(&avro.JourneyEvent{
		Kind: "touch", Account: account(t, identity.Domain, "bigco.com"), Reporter: "acme", Feed: "analytics", Source: "ga4", Item: "1", Placement: 1, OccurredAt: start,
		Touch: &avro.TouchFacts{Type: "visit", UTMCampaign: "tour", UTMSource: "acme", UTMMedium: "email"},
	})
	if r, err := f.Report(); err != nil || len(r.Gaps) != 0 {
		t.Errorf("gaps %+v, %v", r.Gaps, err)
	}
}

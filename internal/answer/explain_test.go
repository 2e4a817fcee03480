package answer_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/contract/example"
	"tracksource/identity"
	"tracksource/internal/answer"
	"tracksource/internal/follow"
	"tracksource/money"
	"tracksource/report"
	"tracksource/schemas/avro"
)

var updateGolden = flag.Bool("update", false, "rewrite the golden files")

// golden compares text with a file that a reviewer can read.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *updateGolden {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func explainedTerms(t testing.TB, visibility string) *contract.Contract {
	t.Helper()
	document := string(example.AILaunchTour())
	c, err := contract.Parse([]byte(strings.ReplaceAll(document, "visibility: open", "visibility: "+visibility)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// explainedDeal is a deal of euros that two partners touched, one of them twice, with
// the ledger's entries of it.
func explainedDeal(t testing.TB, c *contract.Contract, disputes ...attribution.Dispute) (*report.Deal, []follow.Entry) {
	t.Helper()
	at := func(text string) time.Time {
		instant, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return instant
	}
	touch := func(reporter, source, item, when, typ, utmSource, campaign string) attribution.Touch {
		return attribution.Touch{
			ID: attribution.ItemID{Reporter: reporter, Source: source, Item: item}, At: at(when), Person: "person/" + reporter + "/p",
			Facts: contract.TouchInput{
				Reporter: reporter, Feed: "map", Source: source, Type: typ, UTMSource: utmSource, UTMMedium: "email", UTMCampaign: campaign,
				Asset: "AI Buyers Guide", At: at(when),
			},
		}
	}
	account, err := identity.NewNode(identity.Domain, "", "initech.example")
	if err != nil {
		t.Fatal(err)
	}
	rates := new(money.Rates)
	for _, day := range []string{"2026-03-05", "2026-03-20"} {
		d, err := money.ParseDay(day)
		if err != nil {
			t.Fatal(err)
		}
		if err := rates.Set("EUR", "USD", d, "1.1"); err != nil {
			t.Fatal(err)
		}
	}
	result := attribution.Book(attribution.Rules{{Number: 1, Contract: c}}, rates, attribution.Journey{
		Account: string(account.Bytes()), Disputes: disputes,
		Touches: []attribution.Touch{
			touch("globex", "marketo", "g1", "2026-02-01T15:00:00Z", "email_click", "globex", "ai-launch-tour-eu"),
			touch("acme", "marketo", "a1", "2026-02-10T15:00:00Z", "form", "acme", "ai-launch-tour"),
			touch("globex", "marketo", "g2", "2026-03-10T15:00:00Z", "email_click", "globex", "ai-launch-tour-eu"),
		},
		Deals: []attribution.Deal{{
			ID:         attribution.ItemID{Reporter: "acme", Source: "salesforce", Item: "opportunity/0065g00000AbCdEAAV"},
			ModifiedAt: at("2026-03-20T15:00:00Z"), Amount: "100.01", Currency: "EUR", Stage: "Closed Won", IsClosed: true, IsWon: true,
			CreatedAt: "2026-03-05T15:00:00Z", CloseDate: "2026-03-20",
			Stages: []attribution.StageChange{
				{Stage: "Qualification", At: at("2026-03-05T15:00:00Z"), EventID: "crm-1"},
				{Stage: "Closed Won", IsClosed: true, IsWon: true, At: at("2026-03-20T15:00:00Z"), EventID: "crm-2"},
			},
		}},
	})
	if len(result.Facts) != 1 {
		t.Fatalf("%d facts", len(result.Facts))
	}
	var entries []follow.Entry
	for i, p := range result.Postings() {
		e := follow.Entry{Partition: 0, Offset: int64(10 + i)}
		e.CreditEntry = avro.CreditEntry{
			Kind: "entry", Contract: c.Campaign, Revision: 1, Conversion: p.Conversion, Measure: p.Measure, Day: p.Day.String(),
			Partner: p.Partner, Channel: p.Channel, Asset: p.Asset, Region: p.Region, Segment: p.Segment, Source: p.Source, TouchCampaign: p.TouchCampaign, Escrow: p.Escrow, Booked: p.Day.String(), Confidence: p.Confidence,
			Currency: p.Currency, Exponent: p.Exponent, Models: result.Models, Delta: p.Minor, Running: p.Minor, Cause: "new_conversion", CauseEvent: "crm-1",
			ChangeID: "c1", AsOf: at("2026-03-05T15:00:01Z"),
		}
		if strings.HasPrefix(p.Measure, "revenue") || p.Measure == "won" {
			e.Cause, e.CauseEvent, e.ChangeID, e.AsOf = "stage", "crm-2", "c2", at("2026-03-20T15:00:01Z")
		}
		entries = append(entries, e)
	}
	return &report.Deal{Account: string(account.Bytes()), Parts: result.Facts}, entries
}

// TestChain: the chain of a deal has every step, agrees with the ledger, and says
// where it does not.
func TestChain(t *testing.T) {
	operator := report.Viewer{Operator: true}
	got := several(t, "open", "0065g00000AbCdEAAV").explain(operator, answer.Query{Opportunity: "0065g00000AbCdE"})
	if !got.Agrees || got.Withheld {
		t.Errorf("agrees %t, withheld %t", got.Agrees, got.Withheld)
	}
	golden(t, "chain.json", indented(t, got))
	for _, m := range got.Measures {
		for id, credits := range m.Credits {
			sum := report.Value{}
			for _, credit := range credits {
				v, err := report.ParseValue(credit.Amount)
				if err != nil {
					t.Fatal(err)
				}
				sum = sum.Add(v)
			}
			want, err := report.ParseValue(m.Value)
			if err != nil {
				t.Fatal(err)
			}
			if sum.Cmp(want) != 0 {
				t.Errorf("%s under %s: credits sum to %s of %s", m.Measure, id, sum.Text(2), m.Value)
			}
		}
	}
	// A cent too much in one entry, and an entry that is not there.
	off := newBooked(t, example.AILaunchTour())
	d, entries := explainedDeal(t, explainedTerms(t, "open"))
	entries[0].Delta = slices.Clone(entries[0].Delta)
	entries[0].Delta[0]++
	off.deal(d, entries[:len(entries)-1])
	got = off.explain(operator, answer.Query{Opportunity: "0065g00000AbCdE"})
	golden(t, "chain_differs.json", indented(t, got))
	differ := 0
	for _, l := range got.Lines {
		if !l.Agrees {
			differ++
		}
	}
	if got.Agrees || differ != 2 {
		t.Errorf("agrees %t, %d lines differ, want 2", got.Agrees, differ)
	}
}

// TestChainWithholds: what a partner did not report keeps credited partner, channel
// and day, and under the visibility own its own credit alone.
func TestChainWithholds(t *testing.T) {
	for _, tt := range []struct {
		name, visibility, partner string
		withheld                  []string // texts that must not be anywhere
		kept                      []string
	}{
		{"open, who reported touches", "open", "globex", []string{"acme/marketo", `"a1"`, "crm-1", "crm-2", "person/acme", "2026-02-10T"}, []string{`"g1"`, `"2026-02-10"`, `"acme"`, `"100.01"`}},
		{"open, who reported the deal", "open", "acme", []string{`"g1"`, `"g2"`, "person/globex", "2026-02-01T"}, []string{`"a1"`, "crm-1", `"globex"`, `"2026-02-01"`}},
		{"own, who reported the deal", "own", "acme", []string{`"g1"`, `"g2"`, "globex"}, []string{`"a1"`, "crm-1", `"sourced": "marketing-sourced"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := several(t, tt.visibility, "0065g00000AbCdEAAV").explain(report.Viewer{Partner: tt.partner}, answer.Query{Opportunity: "0065g00000AbCdE"})
			text := indented(t, got)
			if tt.partner == "globex" {
				golden(t, "chain_withheld.json", text)
			}
			for _, s := range tt.withheld {
				if strings.Contains(text, s) {
					t.Errorf("the chain has %s", s)
				}
			}
			for _, s := range tt.kept {
				if !strings.Contains(text, s) {
					t.Errorf("the chain lacks %s", s)
				}
			}
			if !got.Withheld || !got.Agrees {
				t.Errorf("withheld %t, agrees %t", got.Withheld, got.Agrees)
			}
		})
	}
}

func indented(t testing.TB, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "\n"
}

// several is a book with a few deals: the one of explainedDeal and others like it.
func several(t testing.TB, visibility string, ids ...string) *booked {
	t.Helper()
	document := strings.ReplaceAll(string(example.AILaunchTour()), "visibility: open", "visibility: "+visibility)
	b := newBooked(t, []byte(document))
	c := explainedTerms(t, visibility)
	for n, id := range ids {
		d, entries := explainedDeal(t, c)
		for i := range d.Parts {
			d.Parts[i].Deal.Item = "opportunity/" + id
		}
		for i := range entries {
			e := &entries[i]
			e.Conversion = d.Parts[0].Deal.String()
			e.Running = slices.Clone(e.Delta)
			for m := range e.Running {
				e.Running[m] *= int64(n + 1) // the rows have what was before as well
			}
		}
		b.deal(d, entries)
	}
	return b
}

// TestChainDisputed: a dispute that was upheld hands credit on, one that is open puts it
// into escrow, and what follows from the facts is what the ledger has. Who sees its own
// rows alone is not told who else disputes what, or why.
func TestChainDisputed(t *testing.T) {
	const deal = "acme/salesforce/opportunity/0065g00000AbCdEAAV"
	dispute := func(reporter, id string) attribution.Dispute {
		return attribution.Dispute{
			ID: attribution.ItemID{Reporter: reporter, Source: "control", Item: "dispute/ai-launch-tour/" + id}, Campaign: "ai-launch-tour", Deal: deal,
			Partner: reporter, OpenedAt: "2026-03-25T10:00:00Z", OpenedBy: "Partner Operations", OpenedWhy: "It was ours.",
		}
	}
	upheld, open := dispute("acme", "d-1"), dispute("globex", "d-2")
	upheld.About, upheld.Against, upheld.State, upheld.To = "credit", "globex", "upheld", "acme"
	upheld.SettledAt, upheld.SettledBy, upheld.SettledWhy = "2026-03-27T10:00:00Z", "Board", "The newsletter is acme's."
	open.About = "sourcing"
	for _, visibility := range []string{"open", "own"} {
		b := newBooked(t, []byte(strings.ReplaceAll(string(example.AILaunchTour()), "visibility: open", "visibility: "+visibility)))
		d, entries := explainedDeal(t, explainedTerms(t, visibility), upheld, open)
		b.deal(d, entries)
		got := b.explain(report.Viewer{Operator: true}, answer.Query{Opportunity: deal})
		if !got.Agrees || len(got.Deal.Disputes) != 2 || got.Deal.OpenDisputes != 1 {
			t.Errorf("agrees %t, %d disputes, %d open", got.Agrees, len(got.Deal.Disputes), got.Deal.OpenDisputes)
		}
		if visibility == "open" {
			golden(t, "chain_disputed.json", indented(t, got))
		}
		var judged, escrow int
		for _, m := range got.Measures {
			for _, c := range m.Credits["linear"] {
				if c.Judged == "globex" && c.Partner == "acme" {
					judged++
				}
				if c.Escrow == attribution.EscrowDisputed {
					escrow++
				}
				if c.Partner == "globex" || c.Escrow == attribution.EscrowDisputed != attribution.IsSourced(m.Measure) {
					t.Errorf("%s: %+v", m.Measure, c)
				}
			}
			if m.Confidence == nil || m.Confidence.Overall < "0.500000" || m.Confidence.Overall > "1.000000" {
				t.Errorf("%s has a confidence of %+v", m.Measure, m.Confidence)
			}
		}
		if judged == 0 || escrow != 2 {
			t.Errorf("%d credits were handed on, %d are in escrow", judged, escrow)
		}
		of := b.explain(report.Viewer{Partner: "acme"}, answer.Query{Opportunity: deal}).Deal.Disputes
		mine, others := of[0], of[1]
		if mine.ID != "d-1" || mine.SettledWhy != "The newsletter is acme's." || mine.State != "upheld" || mine.To != "acme" {
			t.Errorf("%s: acme is told of its dispute %+v", visibility, mine)
		}
		told := others.ID == "d-2" && others.Partner == "globex" && others.Why == "It was ours."
		if visibility == "open" != told || others.State != "open" || !told && (others.ID+others.Why+others.OpenedBy != "" || others.Partner != report.Other) {
			t.Errorf("%s: acme is told of another's dispute %+v", visibility, others)
		}
		list, err := b.answers().Deals(t.Context(), report.Viewer{Operator: true}, answer.Query{})
		if err != nil || len(list.Deals) != 1 || list.Deals[0].OpenDisputes != 1 {
			t.Errorf("deals: %v %+v", err, list.Deals)
		}
	}
}

// TestExplainOpportunity: a deal is found by each of its names, and of one that is not
// there the nearest are offered.
func TestExplainOpportunity(t *testing.T) {
	b := several(t, "open", "0065g00000AbCdEAAV", "0065g00000AbCdFAAV", "0065g00000XxXxXAAV", "7")
	operator := report.Viewer{Operator: true}
	const full = "acme/salesforce/opportunity/0065g00000AbCdEAAV"
	for _, name := range []string{full, "0065g00000AbCdEAAV", "0065g00000AbCdE", "0065G00000ABCDEAAV", "opportunity/0065g00000AbCdE"} {
		got, err := b.answers().Explain(t.Context(), operator, answer.Query{Opportunity: name})
		if err != nil || got.Subject.ID != full || !got.Agrees || len(got.Entries) == 0 {
			t.Errorf("%s: error %v, subject %s, agrees %t, %d entries", name, err, got.Subject.ID, got.Agrees, len(got.Entries))
		}
	}
	var refused *answer.Error
	_, err := b.answers().Explain(t.Context(), operator, answer.Query{Opportunity: "0065g00000AbCd"})
	if !errors.As(err, &refused) || !refused.Unknown || len(refused.Allowed) != 4 || !strings.HasSuffix(refused.Allowed[0], "AbCdEAAV") || !strings.HasSuffix(refused.Allowed[1], "AbCdFAAV") {
		t.Errorf("error %+v", err)
	}
	for _, q := range []answer.Query{{}, {Opportunity: full, Contribution: "x"}, {Contribution: "x"}, {Contribution: "W10"}} {
		if _, err := b.answers().Explain(t.Context(), operator, q); !errors.As(err, &refused) || refused.Unknown {
			t.Errorf("%+v: error %+v", q, err)
		}
	}
	if _, err := b.answers().Explain(t.Context(), report.Viewer{Partner: "nobody"}, answer.Query{Opportunity: full}); !errors.As(err, &refused) || refused.Parameter != "campaign" || len(refused.Allowed) != 0 {
		t.Errorf("who is no signatory is told %+v", err)
	}
}

// TestExplainPerson: what a person counts for is told by its entries, to the operator.
func TestExplainPerson(t *testing.T) {
	b := newBooked(t, example.AILaunchTour())
	_, entries := explainedDeal(t, explainedTerms(t, "open"))
	e := entries[0].CreditEntry
	e.Conversion = attribution.PersonID("person/acme/p")
	b.send(b.spec.Credits(), nil, encoded(t, b.codecs.Credit, e))
	if got := b.explain(report.Viewer{Operator: true}, answer.Query{Opportunity: e.Conversion}); got.Subject.Kind != "person" || len(got.Entries) != 1 || !got.Agrees {
		t.Errorf("%+v", got)
	}
	for _, tt := range []struct {
		v  report.Viewer
		id string
	}{{report.Viewer{Operator: true}, attribution.PersonID("nobody")}, {report.Viewer{Partner: "acme"}, e.Conversion}} {
		var refused *answer.Error
		if _, err := b.answers().Explain(t.Context(), tt.v, answer.Query{Opportunity: tt.id}); !errors.As(err, &refused) || !refused.Unknown {
			t.Errorf("%+v asks for %s: error %v", tt.v, tt.id, err)
		}
	}
}

// TestExplainContribution: the deals of a row sum to its value, and what is withheld
// is a sum of its own.
func TestExplainContribution(t *testing.T) {
	b := several(t, "open", "1", "2", "3")
	var keys []string
	revenue := ""
	if err := b.f.Scan(func(row avro.ContributionRow) error {
		keys = append(keys, answer.KeyText(rowKey(&row)))
		if row.Measure == attribution.MeasureRevenue && row.Model == "linear" && row.Partner == "globex" {
			revenue = keys[len(keys)-1]
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	sum := func(texts ...string) (all report.Value) {
		for _, text := range texts {
			v, err := report.ParseValue(text)
			if err != nil {
				t.Fatal(err)
			}
			all = all.Add(v)
		}
		return all
	}
	for _, v := range []report.Viewer{{Operator: true}, {Partner: "globex"}} {
		for _, key := range keys {
			got := b.explain(v, answer.Query{Contribution: key})
			r := got.Contribution
			amounts := []string{r.Others, r.WithheldSum}
			for _, d := range r.Deals {
				amounts = append(amounts, d.Amount)
			}
			if !got.Agrees || sum(amounts...).Cmp(sum(r.Value)) != 0 || len(r.Deals) != 3 {
				t.Errorf("%s: agrees %t, deals sum to %s: %+v", key, got.Agrees, sum(amounts...).Text(2), r)
			}
		}
	}
	golden(t, "row.json", indented(t, b.explain(report.Viewer{Operator: true}, answer.Query{Contribution: revenue})))
	// Who reported nothing of the deals is told of none, and of another's rows of nothing.
	own := several(t, "own", "1", "2", "3")
	got := own.explain(report.Viewer{Partner: "globex"}, answer.Query{Contribution: revenue})
	if len(got.Contribution.Deals) != 0 || sum(got.Contribution.WithheldSum).Cmp(sum(got.Contribution.Value)) != 0 || !got.Withheld || len(got.Entries) != 0 {
		t.Errorf("told %+v with %d entries", got.Contribution, len(got.Entries))
	}
	var refused *answer.Error
	if _, err := own.answers().Explain(t.Context(), report.Viewer{Partner: "acme"}, answer.Query{Contribution: revenue}); !errors.As(err, &refused) || !refused.Unknown {
		t.Errorf("another's row: error %+v", err)
	}
}

package attribution_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/identity"
	"tracksource/money"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func parseContract(t testing.TB, file string) *contract.Contract {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := contract.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// script is a journey as text.
type script struct {
	journey attribution.Journey
	rates   money.Rates
	// explain is a conversion and a measure, if the case asks for them.
	explain []string
	// rules are lines that the contract has in this case besides its own.
	rules    []string
	closings []attribution.Closing
	// facts and confidence are whether the case asks for them.
	facts, confidence bool
}

// contract is that of the tests with the case's own lines.
func (s *script) contract(t testing.TB) *contract.Contract {
	t.Helper()
	data, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := contract.Parse([]byte(string(data) + strings.Join(s.rules, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.UTC()
}

func day(t testing.TB, text string) money.Day {
	t.Helper()
	day, err := money.ParseDay(text)
	if err != nil {
		t.Fatal(err)
	}
	return day
}

// itemID reads "reporter/source/item"; a bare item is the system of record's.
func itemID(text, kind string) attribution.ItemID {
	parts := strings.SplitN(text, "/", 3)
	if len(parts) < 3 {
		parts = []string{"acme", "salesforce", text}
	}
	return attribution.ItemID{Reporter: parts[0], Source: parts[1], Item: kind + parts[2]}
}

// pairs reads key=value words; a bar stands for a space.
func pairs(words []string) map[string]string {
	fields := make(map[string]string)
	for _, word := range words {
		key, text, _ := strings.Cut(word, "=")
		fields[key] = strings.ReplaceAll(text, "|", " ")
	}
	return fields
}

// modified reads when an object was modified, if the line says so.
func modified(t testing.TB, fields map[string]string) time.Time {
	t.Helper()
	if fields["modified"] == "" {
		return time.Time{}
	}
	return instant(t, fields["modified"])
}

func (s *script) add(t testing.TB, line string) {
	t.Helper()
	words := strings.Fields(line)
	switch words[0] {
	case "touch":
		id, f := itemID(words[1], ""), pairs(words[3:])
		s.journey.Touches = append(s.journey.Touches, attribution.Touch{ID: id, At: instant(t, words[2]), Facts: contract.TouchInput{
			Reporter: id.Reporter, Source: id.Source, Feed: map[string]string{"ga4": "analytics", "marketo": "map"}[id.Source],
			Type: f["type"], Asset: f["asset"], UTMSource: f["utm_source"], UTMMedium: f["utm_medium"], UTMCampaign: f["utm_campaign"],
			Bot: f["bot"] == "true",
		}, Person: f["person"]})
	case "deal":
		f := pairs(words[2:])
		s.journey.Add(attribution.Object{ID: itemID(words[1], "opportunity/"), Type: "opportunity", ModifiedAt: modified(t, f), Fields: f, Deleted: f["deleted"] == "true"})
	case "stage":
		flags := strings.Join(words[4:], " ")
		for i := range s.journey.Deals {
			if d := &s.journey.Deals[i]; d.ID == itemID(words[1], "opportunity/") {
				d.Stages = append(d.Stages, attribution.StageChange{
					Stage: strings.ReplaceAll(words[3], "|", " "), At: instant(t, words[2]),
					// Event ids fall while time rises, so that a sort by id shows.
					EventID:  fmt.Sprint(9 - len(d.Stages)),
					IsClosed: strings.Contains(flags, "closed"), IsWon: strings.Contains(flags, "won"),
				})
			}
		}
	case "account":
		f := pairs(words[2:])
		s.journey.Add(attribution.Object{ID: itemID(words[1], "account/"), Type: "account", ModifiedAt: modified(t, f), Fields: f})
	case "order", "lead", "contact", "contact_role", "deal_registration", "overlap_decision", "campaign_member":
		f := pairs(words[2:])
		s.journey.Add(attribution.Object{
			ID: itemID(words[1], words[0]+"/"), Type: words[0], Feed: "crm", Person: f["person"], ModifiedAt: modified(t, f), Fields: f, Deleted: f["deleted"] == "true",
		})
	case "reached":
		for i := range s.journey.People {
			if p := &s.journey.People[i]; p.ID == itemID(words[1], p.Object+"/") {
				p.Stages = append(p.Stages, attribution.StageChange{Stage: strings.ReplaceAll(words[3], "|", " "), At: instant(t, words[2]), EventID: fmt.Sprint(9 - len(p.Stages))})
			}
		}
	case "status":
		for i := range s.journey.Members {
			if m := &s.journey.Members[i]; m.ID == itemID(words[1], "campaign_member/") {
				m.Statuses = append(m.Statuses, attribution.StageChange{
					Stage: strings.ReplaceAll(words[3], "|", " "), At: instant(t, words[2]), EventID: fmt.Sprint(9 - len(m.Statuses)),
				})
			}
		}
	case "dispute":
		f := pairs(words[2:])
		f["campaign"], f["deal"] = cmp.Or(f["campaign"], "tour"), itemID(f["deal"], "opportunity/").String()
		s.journey.Add(attribution.Object{
			ID: attribution.ItemID{Reporter: "acme", Source: "salesforce", Item: "dispute/" + f["campaign"] + "/" + words[1]}, Type: contract.ObjectDispute, ModifiedAt: modified(t, f), Fields: f, Deleted: f["deleted"] == "true",
		})
	case "close", "reopen":
		s.closings = append(s.closings, attribution.Closing{Close: words[0] == "close", Day: day(t, words[1]), At: instant(t, words[2])})
	case "name":
		s.journey.Name = words[1]
	case "account_of":
		node, err := identity.ParseText(words[1])
		if err != nil {
			t.Fatal(err)
		}
		s.journey.Account, s.journey.Name = string(node.Bytes()), node.AccountName()
	case "rate":
		if err := s.rates.Set(words[1], words[2], day(t, words[3]), words[4]); err != nil {
			t.Fatal(err)
		}
	case "contract":
		s.rules = append(s.rules, strings.TrimPrefix(line, "contract "))
	case "facts":
		s.facts = true
	case "confidence":
		s.confidence = true
	case "explain":
		s.explain = words[1:]
	default:
		t.Fatalf("unknown line %q", line)
	}
}

func vector(minor []int64, exponent int) string {
	texts := make([]string, len(minor))
	for m, value := range minor {
		texts[m] = money.Format(value, exponent)
	}
	return strings.Join(texts, " ")
}

// String leaves out that a line is in no escrow.
func (d dims) String() string {
	texts := []string{d.Partner, d.Channel, d.Asset, d.Region, d.Segment, d.Source, d.TouchCampaign}
	if d.Escrow != attribution.EscrowNone {
		texts = append(texts, d.Escrow)
	}
	return strings.Join(texts, ", ")
}

type dims attribution.Dimensions

func render(result attribution.Result) string {
	var out strings.Builder
	for _, c := range result.Conversions {
		fmt.Fprintf(&out, "%s %s %s %s", c.ID, c.Measure, c.Day, money.Format(c.Value, c.Exponent))
		if c.Currency != "" {
			fmt.Fprintf(&out, " %s", c.Currency)
		}
		if c.Basis.Via != "" && c.Basis.Via != money.ViaSame {
			fmt.Fprintf(&out, " = %s %s at %s of %s, %s", c.Basis.Amount, c.Basis.Currency, c.Basis.Rate, c.Basis.RateDay, c.Basis.Via)
		}
		out.WriteString("\n")
		for _, line := range c.Lines {
			fmt.Fprintf(&out, "  %s: %s\n", dims(line.Dimensions), vector(line.Minor, c.Exponent))
		}
	}
	for _, h := range result.Held {
		fmt.Fprintf(&out, "held %s %s %s: %s\n", h.Conversion, h.Measure, h.Code, h.Supply)
	}
	for _, d := range result.Disagreements {
		fmt.Fprintf(&out, "disagreement about %s: %s, held %t, by %v\n", d.Touch, strings.Join(d.Partners, " or "), d.Held, d.Evidence)
	}
	for _, x := range result.Suspicions {
		fmt.Fprintf(&out, "suspected: %s may be %s\n", x.Deal, x.Other)
	}
	for _, x := range result.Refusals {
		fmt.Fprintf(&out, "refused %s of %s about %s, %s: %s\n", x.Dispute.Item, x.Partner, x.Deal, x.Code, x.Why)
	}
	if out.Len() == 0 {
		return "nothing"
	}
	return strings.TrimSpace(out.String())
}

// renderConfidence shows how sure each conversion is, part by part.
func renderConfidence(result attribution.Result) string {
	var out strings.Builder
	for _, c := range result.Conversions {
		k := c.Confidence
		fmt.Fprintf(&out, "%s %s: identity %d taxonomy %d currency %d agreement %d spread %d, overall %d\n",
			c.ID, c.Measure, k.Identity, k.Taxonomy, k.Currency, k.Agreement, k.Spread, k.Overall)
	}
	return strings.TrimSpace(out.String())
}

func renderFacts(result attribution.Result) string {
	var out strings.Builder
	when := func(at time.Time) string {
		if at.IsZero() {
			return "-"
		}
		return at.Format(time.RFC3339)
	}
	for _, f := range result.Facts {
		fmt.Fprintf(&out, "%s %s excluded=%q created=%s known=%s %s %s sourced by %s (%s %s)\n", f.Deal, f.State, f.Excluded,
			when(f.CreatedAt), when(f.LeadAt), f.Amount, f.Currency, f.Sourced.Partner, f.Sourced.By, f.Sourced.Evidence.Item)
		if len(f.Merged)+len(f.Suspected) > 0 {
			fmt.Fprintf(&out, "  merged %v suspected %v\n", f.Merged, f.Suspected)
		}
		for _, s := range f.Stages {
			fmt.Fprintf(&out, "  stage %s %s %s %q\n", when(s.At), s.Stage, s.State, s.Milestone)
		}
		for i, t := range f.Touches {
			fmt.Fprintf(&out, "  touch %d %s %s %s: %s, %s, %s, %s, %s person %q of %v\n", i, when(t.At), t.ID, t.Type, t.Partner, t.Channel, t.Asset, t.Source, t.Campaign, t.Person, t.Evidence)
		}
		for _, m := range f.Measures {
			fmt.Fprintf(&out, "  %s %s %s %s%s to %s by %v influenced %v co-sell %v in scope %t\n",
				m.Measure, m.Day, money.Format(m.Value, m.Exponent), m.Currency, m.Held, when(m.At), m.Path, m.Influenced, m.CoSell, m.InScope)
		}
		for _, d := range f.Disputes {
			fmt.Fprintf(&out, "  dispute %s of %s about %s against %q %s to %q, opened %s %q %q, settled %s %q %q, from %s\n",
				d.ID, d.Partner, d.About, d.Against, d.State, d.To, when(d.OpenedAt), d.By, d.Why, when(d.SettledAt), d.SettledBy, d.SettledWhy, d.From)
		}
		if f.Truncated {
			out.WriteString("  truncated\n")
		}
	}
	return strings.TrimSpace(out.String())
}

func renderExplained(t *testing.T, c *contract.Contract, s *script) string {
	t.Helper()
	conversion, credits, ok := attribution.Explain(s.under(c), &s.rates, s.journey, itemID(s.explain[0], "opportunity/").String(), s.explain[1])
	if !ok {
		return "no such conversion"
	}
	out := render(attribution.Result{Conversions: []attribution.Conversion{conversion}})
	for _, credit := range credits {
		out += fmt.Sprintf("\n%s %s: %s\n  %s", credit.Touch.ID, credit.Touch.At.Format(time.RFC3339), vector(credit.Minor, conversion.Exponent), credit.Class.Rule)
	}
	return out
}

// TestJourneys shows whole books as text. Values are in the order of the
// contract's models: first-touch, last-touch, linear, position-based.
func TestJourneys(t *testing.T) {
	const file = "testdata/journeys.txt"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rewritten []string
	for part := range strings.SplitSeq(strings.TrimSpace(string(data)), "\n\n") {
		head, want, found := strings.Cut(part+"\n", "\n----\n")
		if !found {
			t.Fatalf("no rule of dashes in:\n%s", part)
		}
		lines := strings.Split(head, "\n")
		t.Run(lines[0], func(t *testing.T) {
			var s script
			for _, line := range lines[1:] {
				s.add(t, line)
			}
			c := s.contract(t)
			result := attribution.Book(s.under(c), &s.rates, s.journey)
			conserves(t, result)
			got := render(result)
			if s.confidence {
				got = renderConfidence(result)
			}
			if s.facts {
				got = renderFacts(result)
			}
			if s.explain != nil {
				got = renderExplained(t, c, &s)
			}
			if got != strings.TrimSpace(want) && !*update {
				t.Errorf("input:\n%s\ngot:\n%s\nwant:\n%s", head, got, want)
			}
			rewritten = append(rewritten, head+"\n----\n"+got+"\n")
		})
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(rewritten, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// failer is what conserves needs of a test, so that rapid's fits as well.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// conserves fails unless every conversion's lines sum to its value under each
// model, every dimension is set, and it is as sure as its parts say.
func conserves(t failer, result attribution.Result) {
	t.Helper()
	for _, c := range result.Conversions {
		k, sum := c.Confidence, 0
		for _, part := range [...]int{k.Identity, k.Taxonomy, k.Currency, k.Agreement, k.Spread} {
			if sum += part; part < 0 || part > attribution.ConfidenceWhole {
				t.Fatalf("%s %s has the confidence %+v", c.ID, c.Measure, k)
			}
		}
		if k.Overall != sum/5 {
			t.Fatalf("%s %s has the confidence %+v, whose mean is %d", c.ID, c.Measure, k, sum/5)
		}
		sums, due := make([]int64, len(result.Models)), c.Value
		if !attribution.IsAdditive(c.Measure) {
			due *= int64(len(c.Lines)) // each is the whole of it
		}
		for n, line := range c.Lines {
			if !attribution.IsAdditive(c.Measure) {
				atGrain(t, c, n)
			}
			if line.Escrow == "" || strings.Contains(", "+dims(line.Dimensions).String()+", ", ", , ") {
				t.Fatalf("%s %s: an empty dimension in %q", c.ID, c.Measure, dims(line.Dimensions))
			}
			for m, minor := range line.Minor {
				sums[m] += minor
			}
		}
		for m, sum := range sums {
			if sum != due {
				t.Fatalf("%s %s under %s: %d lines sum to %d, the value is %d", c.ID, c.Measure, result.Models[m], len(c.Lines), sum, c.Value)
			}
		}
	}
}

// atGrain holds a line of a measure that partners have whole: one for each partner,
// of the value under every model.
func atGrain(t failer, c attribution.Conversion, n int) {
	t.Helper()
	line := c.Lines[n]
	if slices.ContainsFunc(line.Minor, func(minor int64) bool { return minor != c.Value }) {
		t.Fatalf("%s %s of %s is %v, the value is %d", c.ID, c.Measure, line.Partner, line.Minor, c.Value)
	}
	want := attribution.Dimensions{
		Partner: line.Partner, Region: line.Region, Segment: line.Segment,
		Channel: attribution.All, Asset: attribution.All, Source: attribution.All, TouchCampaign: attribution.All, Escrow: line.Escrow,
	}
	if line.Dimensions != want || n > 0 && c.Lines[n-1].Partner >= line.Partner {
		t.Fatalf("%s %s has %+v behind %+v", c.ID, c.Measure, line.Dimensions, c.Lines[:n])
	}
}

// under makes a contract the only revision, with the closings of the case.
func (s *script) under(c *contract.Contract) attribution.Rules {
	return attribution.Rules{{Number: 1, Contract: c, Closings: s.closings}}
}

// under makes a contract the only revision.
func under(c *contract.Contract) attribution.Rules {
	return attribution.Rules{{Number: 1, Contract: c}}
}

package report_test

import (
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/contract"
	"tracksource/contract/example"
	"tracksource/report"
)

// told is a story as text that a reviewer can read.
func told(p *report.Package) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%s", p.Headline)
	line("\nSpine")
	for _, k := range p.Spine {
		value := report.Shown(k.Kind, k.Value, k.Currency)
		for _, of := range [][2]string{{"target", k.Target}, {"expected", k.Expected}, {"before", k.Previous}} {
			if of[1] != "" {
				value += ", " + of[0] + " " + report.Shown(k.Kind, of[1], k.Currency)
			}
		}
		line("  %-5s %s: %s\n        %s", k.Light, k.Title, value, k.Why)
	}
	findings := func(title string, list []report.Insight) {
		line("\n%s", title)
		for _, in := range list {
			line("  %s [%s, %s, stake %s]", in.Text, in.Rule, in.Tone, in.Stake)
			for _, e := range in.Evidence {
				line("      %s: %s", e.Name, report.Shown(e.Kind, e.Value, e.Currency))
			}
		}
	}
	findings("Drivers", p.Drivers)
	findings("Risks", p.Risks)
	findings("Opportunities", p.Opportunities)
	line("\nDecisions")
	for _, d := range p.Decisions {
		line("  %s\n      %s, by %s. %s", d.Text, d.Owner, d.Due, d.Why)
	}
	line("\nActions")
	for _, a := range p.Actions {
		line("  %s [%s, %s, by %s]\n      id %s", a.Text, a.Status, a.Owner, a.Due, a.ID)
		if a.Effect != "" {
			line("      %s", a.Effect)
		}
		for _, e := range a.Evidence {
			line("      %s: %s", e.Name, report.Shown(e.Kind, e.Value, e.Currency))
		}
	}
	return b.String()
}

// storyteller makes inputs of the demonstration campaign.
type storyteller struct {
	testing.TB
	contract *contract.Contract
}

func newStoryteller(t testing.TB) storyteller {
	c, err := contract.Parse(example.AILaunchTour())
	if err != nil {
		t.Fatal(err)
	}
	return storyteller{t, c}
}

func (s storyteller) pkg() *report.Package {
	return &report.Package{
		Campaign: "ai-launch-tour", Name: "AI Launch Tour", Currency: "USD",
		Question: report.PackageQuestion{Window: "30d", From: "2026-03-01", To: "2026-03-30", Model: "linear", ModelName: "Linear"},
	}
}

func (s storyteller) measure(name, currency, now, before string) report.StoryMeasure {
	m := report.StoryMeasure{Measure: name, Currency: currency}
	for text, to := range map[string]**report.Value{now: &m.Value, before: &m.Previous} {
		if text != "" {
			v := value(s, text)
			*to = &v
		}
	}
	return m
}

// pace is what a measure has reached of a target for the first quarter by 30 March, in
// equal parts on each day.
func (s storyteller) pace(measure, partner, currency, target, perDay string) report.Pace {
	quarter := report.Span{From: day(s, "2026-01-01"), To: day(s, "2026-03-31")}
	places := 0
	if currency != "" {
		places = 2
	}
	goal := report.Goal{Period: quarter, Amount: value(s, target)}
	return report.PaceOf(report.PaceQuestion{
		Measure: measure, Partner: partner, Currency: currency, Places: places, Goals: []report.Goal{goal},
		Day: day(s, "2026-03-30"), Daily: flat(quarter, value(s, perDay)),
	}, goal, report.OverPeriod)
}

func (s storyteller) guarded(name, subject string, v int64, since string) report.Guarded {
	rail := s.contract.Guardrail(name)
	return report.Guarded{
		Reading: report.Reading{Guardrail: name, Subject: subject, Value: v, Known: true, Detail: "as evaluated"},
		Day:     day(s, "2026-03-29"), Band: rail.Judge(v), Since: day(s, since),
	}
}

func (s storyteller) figures(won, lost int64, contractValue, payback *big.Rat) []report.Figure {
	return []report.Figure{
		{KPI: report.KPIWinRate, Unit: "%", Ratio: big.NewRat(won, won+lost), Detail: fmt.Sprintf("%d won, %d lost", won, lost)},
		{KPI: report.KPIContractValue, Unit: report.UnitMoney, Ratio: contractValue, Missing: "a deal with revenue"},
		{KPI: report.KPICACPayback, Unit: "mo", Ratio: payback, Missing: "costs", Detail: "spend USD 42,000.00, revenue USD 480,000.00, costs USD 96,000.00"},
	}
}

func (s storyteller) yield(d report.Dimension, key, spend, revenue string, won int) report.Yield {
	return report.Yield{Subject: report.Subject{Dimension: string(d), Key: key}, Spend: value(s, spend), Revenue: value(s, revenue), Won: won}
}

// goodWeek: ahead of the targets, content, and with something to do better.
func (s storyteller) goodWeek() (*report.Package, report.StoryInput) {
	p := s.pkg()
	p.Insights = []report.Insight{
		{Rule: "outlier", Tone: report.Good, About: []report.Subject{{Dimension: "asset", Key: "ai-roi-calculator"}}, Stake: "84000.00", Chance: "0.001", Text: "Of 60 deals that began with asset ai-roi-calculator, 30 (50%) were won within 40 days, of the rest 22%."},
		{Rule: "top", Tone: report.Good, About: []report.Subject{{Dimension: "channel", Key: "Events"}}, Stake: "120000.00", Text: "The channel with the most credit for revenue: Events with USD 120,000.00, 40% of all."},
		{Rule: "model_disagreement", Tone: report.Neutral, About: []report.Subject{{Dimension: "partner", Key: "globex"}}, Stake: "90000.00", Text: "Globex gets 20% of revenue by First touch and 50% by Last touch.", Evidence: []report.Evidence{
			{Name: "spread", Value: "90000.00", Kind: report.MoneyColumn, Currency: "USD"}, {Name: "total", Value: "300000.00", Kind: report.MoneyColumn, Currency: "USD"},
		}},
		{Rule: "bottom", Tone: report.Bad, About: []report.Subject{{Dimension: "channel", Key: "Events"}, {Dimension: "channel", Key: "Email"}}, Stake: "8000.00", Text: "The channel with the lowest return: Email."},
		{Rule: "anomaly", Tone: report.Good, About: []report.Subject{{Dimension: "measure", Key: "MQL"}}, Chance: "0.0001", Text: "MQL: 40 on Tuesday 2026-03-10, where 8.1 would be usual."},
	}
	p.Tables = []report.Table{{
		ID: report.TableOutliers, Columns: []report.Column{
			{ID: "dimension"}, {ID: "key"}, {ID: "of"}, {ID: "deals"}, {ID: "rest_deals"}, {ID: "won"}, {ID: "rest_won"}, {ID: "verdict"},
		},
		Rows: [][]string{
			{"asset", "ai-roi-calculator", "won", "60", "240", "0.5000", "0.2200", "better"},
			{"asset", "ai-buyers-guide", "won", "80", "220", "0.1500", "0.2600", "worse"},
			{"asset", "ai-launch-keynote", "won", "80", "220", "0.2600", "0.2500", "as baseline"},
			{"segment", "Enterprise", "won", "80", "220", "0.5600", "0.2500", "better"},
			{"asset", "ai-roi-calculator", "value", "60", "240", "", "", "better"},
		},
	}}
	contractValue := big.NewRat(12_500, 1)
	in := report.StoryInput{
		Contract: s.contract, Day: day(s, "2026-03-30"),
		Measures: []report.StoryMeasure{
			s.measure("inquiry", "", "420", "400"), s.measure("MQL", "", "160.5", "150"), s.measure("opportunities", "", "38", "31"),
			s.measure("pipeline_created", "USD", "900000.00", "810000.00"), s.measure("revenue", "USD", "300000.00", "250000.00"),
		},
		Paces:      []report.Pace{s.pace("revenue", "", "USD", "810000", "9500"), s.pace("revenue", "globex", "USD", "810000", "95"), s.pace("pipeline_created", "", "USD", "2700000", "28500")},
		Figures:    s.figures(24, 48, contractValue, big.NewRat(105, 8)),
		Guarded:    []report.Guarded{s.guarded("accuracy", "", 991_000, "2026-01-05"), s.guarded("pipeline_coverage", "", 3_200_000, "2026-01-05"), s.guarded("freshness", "crm.acme", 2, "2026-02-01")},
		Confidence: big.NewRat(91, 100), Adherence: report.Adherence{Days: 120, Kept: 118},
		Satisfaction: []report.PartnerSatisfaction{{"acme", report.Satisfaction{Surveys: 1, Newest: report.SurveyScore{Score: value(s, "9")}}}, {"globex", report.Satisfaction{Surveys: 2, Newest: report.SurveyScore{Score: value(s, "8.5")}}}},
		Yields: []report.Yield{
			s.yield(report.Channel, "Events", "20000", "160000", 40), s.yield(report.Channel, "Paid Social", "15000", "18000", 6), s.yield(report.Channel, "Email", "2000", "8000", 5),
			s.yield(report.Asset, "ai-launch-keynote", "9000", "20000", 4), s.yield(report.Asset, "ai-buyers-guide", "8000", "16000", 3),
		},
		Leaks: []report.Leak{
			{Subject: report.Subject{Dimension: "channel", Key: "Email"}, From: "SQL", To: "won", Entered: 80, Passed: 12, Baseline: big.NewRat(3, 10), Onward: big.NewRat(1, 1)},
			{Subject: report.Subject{Dimension: "partner", Key: "globex"}, From: "inquiry", To: "MQL", Entered: 200, Passed: 40, Baseline: big.NewRat(2, 5)},
		},
	}
	return p, in
}

// badWeek: behind, red, disputed and late.
func (s storyteller) badWeek() (*report.Package, report.StoryInput) {
	p := s.pkg()
	p.Insights = []report.Insight{
		{Rule: "pacing", Tone: report.Bad, About: []report.Subject{{Dimension: "measure", Key: "revenue"}}, Stake: "301000.00", Chance: "0.000001", Text: "Revenue reached USD 500,000.00 by 2026-03-30, 37.6% less than the USD 801,000.00 that the target expects by then."},
		{Rule: "top", Tone: report.Good, About: []report.Subject{{Dimension: "asset", Key: "ai-buyers-guide"}}, Stake: "900000.00", Text: "The asset with the most credit for revenue: ai-buyers-guide with USD 40,000.00, 25% of all."},
		{Rule: "outlier", Tone: report.Good, About: []report.Subject{{Dimension: "asset", Key: "ai-roi-calculator"}}, Stake: "700000.00", Chance: "0.001", Text: "Of 60 deals that began with asset ai-roi-calculator, 30 (50%) were won within 40 days, of the rest 22%."},
		{Rule: "change", Tone: report.Bad, About: []report.Subject{{Dimension: "partner", Key: "acme"}}, Stake: "80000.00", Text: "Acme is credited with USD 60,000.00 of revenue, USD 80,000.00 less than in the 30 days before (down 57.1%); the total fell by USD 90,000.00."},
	}
	p.Observed.Feeds = []report.FeedQA{
		{Feed: "crm", Partner: "acme", Fresh: true, Complete: true},
		{Feed: "map", Partner: "globex", AgeSeconds: 200_000, Complete: true},
		{Feed: "analytics", Partner: "globex", AgeSeconds: -1, Complete: true},
		{Feed: "map", Partner: "acme", Fresh: true, Completeness: "0.912"},
	}
	escrow := value(s, "52000.50")
	in := report.StoryInput{
		Contract: s.contract, Day: day(s, "2026-03-30"),
		Measures: []report.StoryMeasure{
			s.measure("inquiry", "", "300", "420"), s.measure("MQL", "", "90", "150"), s.measure("opportunities", "", "12", "31"),
			s.measure("pipeline_created", "USD", "300000.00", "810000.00"), s.measure("revenue", "USD", "160000.00", "250000.00"),
		},
		Paces:   []report.Pace{s.pace("revenue", "", "USD", "810000", "5600"), s.pace("pipeline_created", "", "USD", "2700000", "28500")},
		Figures: s.figures(4, 20, nil, nil),
		Guarded: []report.Guarded{
			s.guarded("accuracy", "", 940_000, "2026-03-28"), s.guarded("pipeline_coverage", "", 2_700_000, "2026-03-20"), s.guarded("win_rate", "", 166_666, "2026-03-02"),
			s.guarded("freshness", "map.globex", 55, "2026-03-29"), s.guarded("freshness", "analytics.globex", 71, "2026-03-28"),
			s.guarded("pacing", "revenue", 622_000, "2026-03-10"), s.guarded("pacing", "revenue/globex", 700_000, "2026-03-11"), s.guarded("pacing", "won/acme", 800_000, "2026-03-12"), s.guarded("pacing", "won/globex", 810_000, "2026-03-13"), s.guarded("pacing", "MQL", 950_000, "2026-03-13"),
		},
		Confidence: big.NewRat(55, 100), Adherence: report.Adherence{Days: 120, Kept: 90},
		Disputes: []report.StoryDispute{
			{ID: "g2", Partner: "globex", Deal: "acme/salesforce/0065g00000A", About: "credit", Against: "acme", Opened: day(s, "2026-03-25")},
			{ID: "g1", Partner: "globex", Deal: "acme/salesforce/0065g00000B", About: "sourcing", Opened: day(s, "2026-03-05"), Escrow: &escrow},
		},
		Pending: []report.Pending{
			{Of: report.PendingRevision, What: "2", Missing: []string{"globex"}, Since: day(s, "2026-03-20")},
			{Of: report.PendingReopening, What: "2026-02-01", Missing: []string{"acme"}, Refused: []string{"globex"}},
			{Of: report.PendingSignature, What: "February", Missing: []string{"acme", "globex"}},
		},
		Alerts: []report.StoryAlert{
			{ID: "conversion_held/1", Kind: "conversion_held", Severity: "warning", Message: "A deal is held: no rate for PLN.", Taken: "Revenue Operations"},
			{ID: "guardrail/ai-launch-tour/win_rate", Kind: "guardrail", Severity: "critical", Message: "win_rate is red since 2026-03-02: 16.6666%", Rung: "RevOps/Finance partners", Since: day(s, "2026-03-02"), Deadline: day(s, "2026-03-30")},
			{ID: "guardrail/ai-launch-tour/accuracy", Kind: "guardrail", Severity: "critical", Message: "accuracy is red since 2026-03-28: 94%", Rung: "Revenue/partner governance board", Board: true},
			{ID: "guardrail/ai-launch-tour/freshness/map.globex", Kind: "guardrail", Subject: "map.globex", Severity: "error", Message: "freshness of map.globex is red since 2026-03-29: 55h", Rung: "Co-marketing Analytics Lead", Deadline: day(s, "2026-04-12")},
		},
	}
	return p, in
}

// TestStories: what is told of a good week, of a bad one, of a campaign that has just begun,
// of nothing, to a partner that sees its own alone, and of a single deal.
func TestStories(t *testing.T) {
	s := newStoryteller(t)
	for name, make := range map[string]func() (*report.Package, report.StoryInput){
		"good_week": s.goodWeek, "bad_week": s.badWeek,
		"empty": func() (*report.Package, report.StoryInput) {
			p := s.pkg()
			p.Empty = "there are no rows of these days; there are some from 2026-01-05 to 2026-02-20"
			return p, report.StoryInput{Contract: s.contract, Day: day(t, "2026-03-30"), Measures: []report.StoryMeasure{s.measure("revenue", "USD", "0.00", "12000.00"), s.measure("inquiry", "", "0", "")}}
		},
		"own": func() (*report.Package, report.StoryInput) {
			p := s.pkg()
			p.MadeFor, p.Withheld = "globex", true
			return p, report.StoryInput{Contract: s.contract, Day: day(t, "2026-03-30"), Measures: []report.StoryMeasure{{Measure: "revenue", Currency: "USD"}}}
		},
		"young": func() (*report.Package, report.StoryInput) {
			p := s.pkg()
			p.Tables = []report.Table{{
				ID: "totals", Columns: []report.Column{{ID: "measure"}, {ID: "total"}, {ID: "unattributed"}},
				Rows: [][]string{{"won", "3", "1"}, {"revenue", "40719.89", "19176.20"}, {"pipeline_created", "1585903.86", "503220.29"}},
			}}
			return p, report.StoryInput{
				Contract: s.contract, Day: day(t, "2026-03-30"),
				Measures: []report.StoryMeasure{s.measure("revenue", "USD", "40719.89", "0.00"), s.measure("won", "", "3", "0"), s.measure("MQL", "", "23", "0")},
				Paces:    []report.Pace{s.pace("won", "", "", "45", "0.1"), s.pace("revenue", "", "USD", "400000", "500"), s.pace("revenue", "globex", "USD", "400000", "100"), s.pace("MQL", "", "", "90", "1")},
				Figures:  s.figures(3, 0, big.NewRat(4071989, 300), big.NewRat(1200, 1)),
				Yields:   []report.Yield{s.yield(report.Channel, "Partner", "8976.21", "21543.69", 2), s.yield(report.Channel, "Events", "12250", "0", 0)},
				Alerts:   []report.StoryAlert{{ID: "dispute/sample-2", Kind: "dispute", Severity: "critical", Message: "globex disputes the credit of acme", Rung: "Revenue/partner governance board", Board: true}},
			}
		},
		"single_deal": func() (*report.Package, report.StoryInput) {
			p := s.pkg()
			p.Question.From = p.Question.To
			payback := big.NewRat(1, 1)
			return p, report.StoryInput{
				Contract: s.contract, Day: day(t, "2026-03-30"),
				Measures:   []report.StoryMeasure{s.measure("opportunities", "", "1", ""), s.measure("won", "", "1", ""), s.measure("revenue", "USD", "0.00", "")},
				Figures:    s.figures(1, 0, big.NewRat(5000, 1), payback),
				Confidence: big.NewRat(1, 1), Adherence: report.Adherence{Days: 1, Kept: 1},
				Disputes: []report.StoryDispute{{ID: "g1", Partner: "globex", About: "credit", Opened: day(t, "2026-03-30")}},
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, in := make()
			before := fmt.Sprintf("%+v", p.Insights)
			report.Tell(p, in)
			if fmt.Sprintf("%+v", p.Insights) != before {
				t.Error("the insights are not what they were")
			}
			golden(t, "story_"+name+".txt", told(p))
		})
	}
}

// golden holds text against a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what it was; -update rewrites it. Got:\n%s", name, got)
	}
}

// TestStoryOrder: a story does not hang on the order of what it is told from.
func TestStoryOrder(t *testing.T) {
	s := newStoryteller(t)
	p, in := s.badWeek()
	report.Tell(p, in)
	q, in := s.badWeek()
	slices.Reverse(in.Measures)
	slices.Reverse(in.Paces)
	slices.Reverse(in.Guarded)
	slices.Reverse(in.Disputes)
	slices.Reverse(in.Alerts)
	report.Tell(q, in)
	if a, b := told(p), told(q); a != b {
		t.Errorf("one order tells\n%s\nanother one\n%s", a, b)
	}
}

// TestMeetings: decisions are due on the Thursday on or after the day, actions a week later.
func TestMeetings(t *testing.T) {
	s := newStoryteller(t)
	for i := range 14 {
		p, in := s.goodWeek()
		in.Day = day(t, "2026-03-23").Add(i)
		report.Tell(p, in)
		due := day(t, p.Decisions[0].Due)
		at, err := time.Parse(time.DateOnly, p.Decisions[0].Due)
		if err != nil || at.Weekday() != time.Thursday || due < in.Day || due-in.Day > 6 {
			t.Errorf("on %s a decision is due on %s", in.Day, due)
		}
		if got := day(t, p.Actions[0].Due); got != due.Add(7) {
			t.Errorf("on %s an action is due on %s", in.Day, got)
		}
	}
}

// TestStoriesHold: whatever a story is told from, it is one: a headline that is one
// sentence, three drivers at most of distinct subjects, decisions and proposals with
// somebody who answers and a day, ids that are used once, and the same from the same.
func TestStoriesHold(t *testing.T) {
	s := newStoryteller(t)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"", "acme", "globex", "%d%s", "A & B/C.d", "<b>\n"})
		amount := rapid.SampledFrom([]string{"", "0", "-5", "1", "999999999999", "x"})
		on := day(s, "2026-03-01")
		days := rapid.Map(rapid.IntRange(-40, 40), on.Add)
		p, in := s.pkg(), report.StoryInput{Contract: s.contract, Day: on}
		p.Empty, p.Withheld, p.Name = text.Draw(t, "empty"), rapid.Bool().Draw(t, "withheld"), text.Draw(t, "name")
		for range rapid.IntRange(0, 6).Draw(t, "insights") {
			p.Insights = append(p.Insights, report.Insight{
				Rule:  rapid.SampledFrom([]string{"top", "pacing", "change", "model_disagreement"}).Draw(t, "rule"),
				Tone:  rapid.SampledFrom([]report.Tone{report.Good, report.Bad, report.Neutral}).Draw(t, "tone"),
				About: []report.Subject{{Dimension: text.Draw(t, "dimension"), Key: text.Draw(t, "key")}}, Text: "It is so.",
				Stake: amount.Draw(t, "stake"), Chance: rapid.SampledFrom([]string{"", "0.01"}).Draw(t, "chance"),
			})
		}
		for range rapid.IntRange(0, 4).Draw(t, "measures") {
			m := report.StoryMeasure{Measure: rapid.SampledFrom([]string{"revenue", "pipeline_created", "MQL", "won"}).Draw(t, "measure")}
			if v, err := report.ParseValue(amount.Draw(t, "value")); err == nil {
				m.Value, m.Previous = &v, &v
			}
			in.Measures = append(in.Measures, m)
		}
		for range rapid.IntRange(0, 5).Draw(t, "guarded") {
			rail := rapid.SampledFrom(s.contract.Guardrails).Draw(t, "rail")
			in.Guarded = append(in.Guarded, report.Guarded{
				Reading: report.Reading{Guardrail: rail.Name, Subject: text.Draw(t, "subject"), Value: rapid.Int64Range(-1, 3_000_000).Draw(t, "value"), Known: true},
				Band:    rapid.SampledFrom([]contract.Band{"", contract.BandGreen, contract.BandAmber, contract.BandRed}).Draw(t, "band"), Since: days.Draw(t, "since"),
			})
		}
		for i := range rapid.IntRange(0, 14).Draw(t, "disputes") {
			in.Disputes = append(in.Disputes, report.StoryDispute{ID: fmt.Sprint(i), Partner: text.Draw(t, "partner"), Deal: text.Draw(t, "deal"), Opened: days.Draw(t, "opened")})
		}
		for i := range rapid.IntRange(0, 4).Draw(t, "alerts") {
			in.Alerts = append(in.Alerts, report.StoryAlert{ID: fmt.Sprint("guardrail/", i), Kind: "guardrail", Message: "It is so.", Rung: "Exec sponsors", Board: rapid.Bool().Draw(t, "board")})
		}
		for i := range rapid.IntRange(0, 4).Draw(t, "yields") {
			n := rapid.Int64Range(0, 50).Draw(t, "yield")
			in.Yields = append(in.Yields, report.Yield{
				Subject: report.Subject{Dimension: rapid.SampledFrom([]string{"channel", "asset"}).Draw(t, "of"), Key: fmt.Sprint(i)}, Spend: report.ValueOf(n, 0), Revenue: report.ValueOf(50-n, 0), Won: int(n),
			})
		}
		report.Tell(p, in)
		if strings.Contains(told(p), "%!") || !strings.HasSuffix(p.Headline, ".") {
			t.Fatalf("told\n%s", told(p))
		}
		subjects, ids := map[report.Subject]bool{}, map[string]bool{}
		for _, d := range p.Drivers {
			if subjects[d.About[0]] || d.Tone == report.Neutral {
				t.Fatalf("drivers are %+v", p.Drivers)
			}
			subjects[d.About[0]] = true
		}
		for _, d := range p.Decisions {
			if d.Owner == "" || d.Due == "" || d.Text == "" || d.Why == "" {
				t.Fatalf("a decision is %+v", d)
			}
		}
		for _, a := range p.Actions {
			if ids[a.ID] || a.Owner == "" || a.Due == "" || a.Status == "" || a.Rule != report.ActionAlert && a.Effect == "" {
				t.Fatalf("an action is %+v", a)
			}
			ids[a.ID] = true
		}
		again := *p
		report.Tell(&again, in)
		if len(p.Drivers) > 3 || told(p) != told(&again) {
			t.Fatalf("told\n%s\nand then\n%s", told(p), told(&again))
		}
	})
}

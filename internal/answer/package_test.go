package answer_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/attribution/model"
	"tracksource/deploy/kafka"
	"tracksource/internal/answer"
	"tracksource/internal/control"
	"tracksource/internal/follow"
	"tracksource/money"
	"tracksource/report"
	"tracksource/schemas/avro"
	"tracksource/state"
	"tracksource/stream"
)

// again reads the past of a rig: what it was given, once more, up to positions.
type again struct{ r *rig }

func (a again) Positions(context.Context, time.Time) (follow.Positions, error) {
	var at follow.Positions
	err := a.r.follow.Still(func(now follow.Positions) error {
		at = now
		return nil
	})
	return at, err
}

func (a again) Read(_ context.Context, positions follow.Positions, _ time.Time, fn func(*follow.Follow, answer.Line) error) error {
	dir, err := state.OpenDir(state.Config{Path: a.r.t.TempDir(), Log: quiet})
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	f, err := follow.Offline(follow.Config{Codecs: a.r.codecs, Spec: a.r.spec, Log: quiet, Clock: func() time.Time { return now }}, dir)
	if err != nil {
		return err
	}
	of := map[string][]stream.Record{}
	for _, record := range a.r.taken {
		if next := positions[record.Topic]; len(next) > 0 && record.Offset < next[0] {
			of[record.Topic] = append(of[record.Topic], record)
		}
	}
	for topic, records := range of {
		if err := f.Take(topic, records...); err != nil {
			return err
		}
	}
	f.Reached(positions)
	return fn(f, nil)
}

func packaged(t testing.TB, r *rig, v report.Viewer, q answer.Query) *report.Package {
	t.Helper()
	p, err := r.answers.Package(ctx, v, q)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	return p
}

// govern has the signatories of a world say something to it: money beside the contract, a
// closed period, a dispute, what was evaluated, scores, a signature and how feeds are read.
func (r *rig) govern() {
	r.t.Helper()
	for measure, amount := range map[string]string{"pipeline_created": "500000", "revenue": "90000", "quota": "400000"} {
		r.target(measure, "", amount, "USD")
	}
	r.target("revenue", "globex", "40000", "USD")
	r.target("revenue", "initech", "20000", "USD")
	r.target("won", "", "90", "")
	for i, channel := range []string{"Email", "Partner", "Paid Other"} {
		for _, payer := range []string{"acme", "globex", "initech"} {
			r.decide(avro.Control{Kind: control.Spend, Amount: &avro.AmountRecord{
				Campaign: campaign, Day: "2026-04-01", Payer: payer, Channel: channel, Asset: "ai-readiness-webinar", Amount: fmt.Sprint(1000 * (i + 1)), Currency: "USD", RecordedAt: now,
			}})
		}
	}
	r.close("2026-03-31", 3, now.Add(-time.Hour))
	if err := r.follow.Deals(campaign, func(d *follow.Deal) (bool, error) {
		f := d.Newest()
		if f.State != "won" || len(f.Touches) < 2 {
			return true, nil
		}
		id := f.Deal.Item[strings.LastIndexByte(f.Deal.Item, '/')+1:]
		r.dispute([]byte(d.Account), 4, avro.DisputeRecord{ID: "d-1", Partner: "globex", Deal: avro.DealName{Reporter: "acme", Source: "salesforce", ID: id}, About: "credit", Against: "acme", At: now})
		return false, nil
	}); err != nil {
		r.t.Fatal(err)
	}
	for day := 1; day <= 20; day++ {
		r.decide(evaluation("accuracy", "", day, "96", "amber"))
		r.decide(evaluation("freshness", "crm.acme", day, fmt.Sprint(20+day), map[bool]string{true: "green", false: "amber"}[day <= 4]))
	}
	r.decide(evaluation("pacing", "revenue/initech", 20, "50", "red"))
	for partner, score := range map[string]string{"globex": "7.5", "initech": "3"} {
		r.decide(avro.Control{Kind: control.Survey, Survey: &avro.SurveyRecord{Campaign: campaign, Partner: partner, Day: "2026-05-01", Score: score, By: "RevOps", Why: "asked", At: now}})
	}
	r.decide(avro.Control{Kind: control.Signature, Signature: &avro.SignatureRecord{
		Campaign: campaign, Partner: "globex", Hash: strings.Repeat("ab", 32), Title: "March", Decision: "approved", By: "CFO office", Why: "it adds up", At: now,
	}})
	r.remap("crm", "acme", "id", 0, "", "")
	r.remap("crm", "acme", "key", 1, "Marketing Operations", "the CRM's stages were renamed")
}

// goldenTables are those that are put together here; what findings make is tested where
// they are found.
func goldenTables() []string {
	return []string{
		"totals", "contributions", "partners", "adjustments", "timeseries", "funnel", "funnel_channels", "worksheet", "models", "kpis", "guardrails", "disputes",
		"signatures", "revisions", "mappings", "spend", "deals",
	}
}

const goldenRows = 12

// TestPackageTables: the tables of a small campaign, as text.
func TestPackageTables(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.world(11, 25)
	r.govern()
	p := packaged(t, r, operator, answer.Query{Window: "campaign", By: []string{"partner", "channel", "month"}})
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nmade for %q as of %s\n", p.Title, p.MadeFor, p.AsOf.Time.Format(time.RFC3339))
	for _, n := range p.Method {
		fmt.Fprintf(&b, "%s: %s\n", n.Title, n.Text)
	}
	for _, id := range goldenTables() {
		table := p.Table(id)
		if table == nil {
			t.Fatalf("there is no table %s", id)
		}
		fmt.Fprintf(&b, "\n%s: %s. %s\n", id, table.Title, table.Note)
		for i, c := range table.Columns {
			fmt.Fprintf(&b, "%s%s:%s", map[bool]string{true: " | "}[i > 0], c.ID, strings.TrimSpace(string(c.Kind)+" "+c.Currency))
		}
		b.WriteString("\n")
		for _, row := range table.Rows[:min(len(table.Rows), goldenRows)] {
			b.WriteString(strings.TrimRight(strings.Join(row, " | "), " ") + "\n")
		}
		if more := len(table.Rows) - goldenRows + table.LeftOut; more > 0 {
			fmt.Fprintf(&b, "and %d more\n", more)
		}
	}
	const file = "testdata/package.txt"
	if *updateGolden {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != string(want) {
		t.Errorf("the tables are others, see what -update changes in %s: %s", file, firstDifference(string(want), got))
	}
}

// TestPackageGoverned: what signatories said is in tables and in the story: for each as
// far as it is told of it.
func TestPackageGoverned(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.world(11, 60)
	r.govern()
	p := packaged(t, r, operator, answer.Query{Window: "all"})
	for table, rows := range map[string]int{"guardrails": 10, "disputes": 1, "signatures": 1, "targets": 4, "targets_counts": 1, "spend": 9, "escalations": 1, "kpis": 7, "confidence": 6} {
		if got := len(p.Table(table).Rows); got < rows {
			t.Errorf("%s has %d rows, want %d at least", table, got, rows)
		}
	}
	texts := func(p *report.Package) string {
		var out []string
		for _, in := range slices.Concat(p.Risks, p.Insights) {
			out = append(out, in.Rule+": "+in.Text)
		}
		for _, d := range p.Decisions {
			out = append(out, "decide: "+d.Text)
		}
		return strings.Join(out, "\n")
	}
	told := texts(p)
	for _, want := range []string{"guardrail: ", "escrow: ", "decide: Resolve dispute d-1", "decide: Sign or dispute the package March"} {
		if !strings.Contains(told, want) {
			t.Errorf("the story does not tell %q:\n%s", want, told)
		}
	}
	own := packaged(t, r, initech, answer.Query{Window: "all"})
	if got := column(t, own, "targets", "partner"); len(got) == 0 || slices.ContainsFunc(got, func(of string) bool { return of != "initech" }) {
		t.Errorf("initech is told of targets of %q", got)
	}
	if got := column(t, own, "spend", "partner"); !slices.Equal(slices.Compact(got), []string{"initech"}) {
		t.Errorf("initech is told what %q spent", got)
	}
	for _, secret := range []string{"d-1", "crm.acme", "40000", "CFO office"} {
		if text := encodedPackage(t, own); strings.Contains(text, secret) {
			t.Errorf("initech is told %q", secret)
		}
	}
}

// column is a column of a table by its ids.
func column(t testing.TB, p *report.Package, table, id string) []string {
	t.Helper()
	of := p.Table(table)
	if of == nil || of.Column(id) < 0 {
		t.Fatalf("there is no column %s of %s", id, table)
	}
	var out []string
	for _, row := range of.Rows {
		out = append(out, row[of.Column(id)])
	}
	return out
}

func summed(t testing.TB, values []string) report.Value {
	t.Helper()
	var sum report.Value
	for _, v := range values {
		if v != "" {
			sum = sum.Add(number(t, v))
		}
	}
	return sum
}

// TestPackageAddsUp: whatever the model, the dimensions, the window and the view, each
// column of contributions, and of the worksheet, sums to its total; and the totals of a
// ledger's model are those of the overview.
func TestPackageAddsUp(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.world(11, 40)
	r.govern()
	r.adjust()
	dims := []string{"partner", "channel", "asset", "region", "segment", "campaign", "source", "day", "week", "month"}
	models := []string{"first-touch", "linear", "full-path", "time-decay", "position-based", "j-shaped", "last-non-direct", ""}
	some := false
	rapid.Check(t, func(rt *rapid.T) {
		q := answer.Query{
			Window: rapid.SampledFrom([]string{"all", "90d", "45d", "campaign"}).Draw(rt, "window"), Model: rapid.SampledFrom(models).Draw(rt, "model"),
			View: rapid.SampledFrom([]string{"", "restated"}).Draw(rt, "view"),
			By:   rapid.SliceOfNDistinct(rapid.SampledFrom(dims), 0, 6, rapid.ID[string]).Draw(rt, "by"),
		}
		p := packaged(t, r, operator, q)
		if err := p.CheckSums(); err != nil {
			rt.Fatalf("%+v: %v", q, err)
		}
		totals := map[string]string{}
		for i, measure := range column(t, p, "totals", "measure") {
			totals[measure] = column(t, p, "totals", "total")[i]
		}
		for _, measure := range []string{"pipeline_created", "pipeline_open", "revenue", "opportunities", "won", "lost"} {
			if got := summed(t, column(t, p, "contributions", measure)); got.Cmp(number(t, totals[measure])) != 0 {
				rt.Fatalf("%+v: contributions of %s sum to %s, total %s", q, measure, got.Text(0), totals[measure])
			}
		}
		worksheet := map[string]string{"revenue": "revenue", "pipeline": "pipeline_created"}
		for id, measure := range worksheet {
			if got := summed(t, column(t, p, "worksheet", id)); got.Cmp(number(t, totals[measure])) != 0 {
				rt.Fatalf("%+v: the worksheet's %s sums to %s, total %s", q, id, got.Text(0), totals[measure])
			}
			some = some || number(t, totals[measure]).Sign() != 0
		}
		if q.Model != "" && !slices.Contains(parsed(t).Models, q.Model) {
			return
		}
		asBreakdown(rt, r, p)
		q.View, q.By = string(p.Question.View), nil
		if q.Window == "campaign" {
			q.Window, q.From, q.To = "", p.Question.From, p.Question.To
		}
		overview, err := r.answers.Report(ctx, operator, q)
		if err != nil {
			rt.Fatal(err)
		}
		for _, tile := range overview.Tiles {
			if deref(tile.Total) != totals[tile.Measure] {
				rt.Fatalf("%+v: %s is %s in the package, %s in the overview", q, tile.Measure, totals[tile.Measure], deref(tile.Total))
			}
		}
	})
	if !some {
		t.Error("no package had a value")
	}
}

// asBreakdown wants contributions of revenue to be what a breakdown by the same dimensions
// has, where one is answered by these.
func asBreakdown(t *rapid.T, r *rig, p *report.Package) {
	of := answer.Query{Measure: "revenue", Model: p.Question.Model, View: string(p.Question.View), From: p.Question.From, To: p.Question.To, Limit: 5000}
	if of.From == "" {
		of.Window = "all"
	}
	for _, d := range p.Question.Dimensions {
		of.By = append(of.By, map[string]string{"campaign": "touch_campaign"}[d])
		if of.By[len(of.By)-1] == "" {
			of.By[len(of.By)-1] = d
		}
	}
	if len(of.By) > report.ByMax || slices.Contains(of.By, "week") || slices.Contains(of.By, "month") {
		return
	}
	b, err := r.answers.Breakdown(ctx, operator, of)
	if err != nil {
		t.Fatalf("%+v: %v", of, err)
	}
	want, got := map[string]string{}, map[string]string{}
	for _, g := range b.Groups {
		want[fmt.Sprintf("%q", g.Key)] = g.Value
	}
	table := p.Table("contributions")
	for _, row := range table.Rows {
		if v := row[table.Column("revenue")]; v != "0.00" || want[fmt.Sprintf("%q", row[:len(of.By)])] != "" {
			got[fmt.Sprintf("%q", row[:len(of.By)])] = v
		}
	}
	if !maps.Equal(got, want) {
		t.Fatalf("%+v: contributions %v, the breakdown %v", of, got, want)
	}
}

// TestPackageOfJourneys: a model that looks at whole journeys gives what it gives when
// models are compared, and its contributions sum to the same totals.
func TestPackageOfJourneys(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.world(11, 40)
	r.adjust()
	for _, id := range []string{"markov", "shapley"} {
		for _, by := range []string{"partner", "channel", "asset", "segment"} {
			p := packaged(t, r, operator, answer.Query{Window: "all", Model: id, By: []string{by}})
			if err := p.CheckSums(); err != nil {
				t.Errorf("%s by %s: %v", id, by, err)
			}
			compared, err := r.answers.Models(ctx, operator, answer.Query{Window: "all", Measure: "revenue", By: []string{by}})
			if err != nil {
				t.Fatal(err)
			}
			of := compared.Models[slices.IndexFunc(compared.Models, func(m answer.ModelLine) bool { return m.ID == id })]
			got := map[string]string{}
			for i, key := range column(t, p, "contributions", by) {
				got[key] = column(t, p, "contributions", "revenue")[i]
			}
			for _, g := range of.Groups {
				if got[g.Key] != g.Value {
					t.Errorf("%s by %s: %s has %q, compared with others %s", id, by, g.Key, got[g.Key], g.Value)
				}
			}
			if len(of.Groups) < 3 || p.Question.Model != id {
				t.Errorf("%s by %s: %d groups, the question is %+v", id, by, len(of.Groups), p.Question)
			}
		}
	}
}

// TestComputedIsTheLedger: the rows that are computed from facts of a model that the
// ledger has are its rows, what of them is certain included.
func TestComputedIsTheLedger(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.world(7, 45)
	var deals []report.Deal
	if err := r.follow.Deals(campaign, func(d *follow.Deal) (bool, error) {
		deals = append(deals, d.Deal)
		return true, nil
	}); err != nil {
		t.Fatal(err)
	}
	c := parsed(t)
	compared := 0
	for i, id := range c.Models {
		cubes, err := report.Computed(report.Listed(deals), func(int64) model.Spec { return c.Specs[i] })
		if err != nil {
			t.Fatal(err)
		}
		for _, measure := range report.ModelMeasures() {
			for _, by := range [][]report.Dimension{{report.Partner, report.Channel, report.Asset}, {report.Region, report.Segment, report.Source, report.TouchCampaign, report.Escrow, report.Day}} {
				var got []report.Breakdown
				if cubes[measure] != nil {
					if got, err = cubes[measure].Sum(report.Ask{By: by}); err != nil {
						t.Fatal(err)
					}
				}
				want := r.plain(measure, id, report.Ask{By: by})
				if len(got) == 0 {
					got = []report.Breakdown{{}}
				}
				if a, b := confidentText(got[0].Groups), confidentText(want.Groups); a != b {
					t.Errorf("%s of %s by %v: computed\n%s\nof the ledger\n%s", id, measure, by, a, b)
				}
				compared += len(want.Groups)
			}
		}
	}
	if compared < 500 {
		t.Errorf("%d groups were compared: the world is too small", compared)
	}
	if _, err := report.Computed(report.Listed(deals), func(int64) model.Spec { return model.Spec{Model: model.Shapley} }); !errors.Is(err, report.ErrWhole) {
		t.Errorf("a model of whole journeys: %v", err)
	}
}

func confidentText(groups []report.Group) string {
	var out []string
	for _, g := range groups {
		out = append(out, fmt.Sprintf("%q %s of which %s", g.Key, g.Value.Text(0), g.Confident.Text(0)))
	}
	return strings.Join(out, "\n")
}

// TestPackageMadeAgain: a package that is made from the positions of another is the same,
// byte by byte, however much came since, whoever looks at it.
func TestPackageMadeAgain(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.world(5, 20)
	r.govern()
	viewers := []report.Viewer{operator, initech, globex}
	questions := []answer.Query{{}, {Window: "all", Model: "position-based", By: []string{"asset", "week"}}, {Window: "campaign", Detail: "summary", View: "restated"}}
	if testing.Short() {
		viewers, questions = viewers[:2], questions[1:2]
	}
	for _, v := range viewers {
		for _, q := range questions {
			first := packaged(t, r, v, q)
			r.adjust() // while the answers have their sums in memory
			q.AsOf, q.Positions = first.AsOf.Time.Format(time.RFC3339), follow.Positions(first.AsOf.Positions).String()
			second := packaged(t, r, v, q)
			if a, b := encodedPackage(t, first), encodedPackage(t, second); a != b {
				t.Errorf("%+v for %+v: made again it is another: %s", q, v, firstDifference(a, b))
			}
			q.Positions = ""
			if later := packaged(t, r, v, q); encodedPackage(t, later) == encodedPackage(t, first) {
				t.Errorf("%+v for %+v: what came later is not seen", q, v)
			}
		}
	}
}

// TestPackageOfLessSight: what a newer contract has taken from a partner, no moment and no
// positions of before give back, and whoever is told as much as then is answered.
func TestPackageOfLessSight(t *testing.T) {
	for _, tt := range []struct{ name, was, is, parameter string }{
		{"own", "role: partner, currency: EUR, visibility: open", "role: partner, currency: EUR, visibility: own", "as_of"},
		{"no signatory", "globex", "hooli", "campaign"},
		{"as before", "name: Globex", "name: Globex Inc", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, 0)
			r.agree()
			r.world(5, 10)
			first := packaged(t, r, globex, answer.Query{Window: "all"})
			text := strings.ReplaceAll(string(document()), tt.was, tt.is)
			if text == string(document()) {
				t.Fatalf("the contract has no %q", tt.was)
			}
			c, err := control.Revise([]byte(text), 1, now.AddDate(0, -2, 0))
			if err != nil {
				t.Fatal(err)
			}
			r.decide(c)
			q := answer.Query{Window: "all", AsOf: first.AsOf.Time.Format(time.RFC3339), Positions: follow.Positions(first.AsOf.Positions).String()}
			p, err := r.answers.Package(ctx, globex, q)
			var refused *answer.Error
			switch {
			case tt.parameter == "" && (err != nil || encodedPackage(t, p) != encodedPackage(t, first)):
				t.Errorf("made again it is another, or none: %v", err)
			case tt.parameter != "" && (!errors.As(err, &refused) || refused.Parameter != tt.parameter || p != nil):
				t.Errorf("%v, want one of %s", err, tt.parameter)
			}
			if again := packaged(t, r, operator, q); again.Revision != first.Revision {
				t.Errorf("the operator gets revision %d, want %d", again.Revision, first.Revision)
			}
		})
	}
}

func encodedPackage(t testing.TB, p *report.Package) string {
	t.Helper()
	b, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d: %s and %s", i, x[i], y[i])
		}
	}
	return "one is longer"
}

// feedLine is a line of two feeds, of which one is late.
type feedLine struct{}

func (feedLine) State(context.Context) (*answer.LineState, error) {
	return &answer.LineState{Feeds: []answer.FeedState{
		{Feed: kafka.Feed{Kind: "crm", Partner: "acme"}, Topic: "raw.crm.acme", Ends: []int64{7, 2}, Records: 9, Newest: now.Add(-time.Hour), Dead: 1},
		{Feed: kafka.Feed{Kind: "analytics", Partner: "globex"}, Topic: "raw.analytics.globex", Newest: now.Add(-90 * time.Hour), Records: 3},
		{Feed: kafka.Feed{Kind: "crm", Partner: "stranger"}, Records: 1},
	}}, nil
}

// TestPackageObserved: how the feeds of the signatories stand is in a package, and what
// became of their events as far as it is told, for a partner that of its own; nothing else
// of the package follows from it.
func TestPackageObserved(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.world(3, 15)
	without := packaged(t, r, operator, answer.Query{Window: "all"})
	r.counts(avro.FeedRow{Feed: "crm", Reporter: "acme", Accepted: 8, Duplicates: 1, Touches: 6, Unmatched: 2})
	seeing := func(v report.Viewer, line answer.Line) *report.Package {
		answers, err := answer.New(answer.Config{Follow: r.follow, Clock: func() time.Time { return now }, Line: line})
		if err != nil {
			t.Fatal(err)
		}
		p, err := answers.Package(ctx, v, answer.Query{Window: "all"})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := seeing(operator, feedLine{})
	var got []string
	for _, f := range p.Observed.Feeds {
		got = append(got, fmt.Sprint(f.Feed, ".", f.Partner, " ", f.Topic, " ", f.Offsets, " ", f.Records, " ", f.AgeSeconds, " ", f.Fresh, " ", f.DeadLetters))
	}
	if want := []string{"analytics.globex raw.analytics.globex [] 3 324000 false 0", "crm.acme raw.crm.acme [7 2] 9 3600 true 1"}; !slices.Equal(got, want) {
		t.Errorf("observed is %q, want %q", got, want)
	}
	rates := func(p *report.Package) (out []string) {
		for _, f := range p.Observed.Feeds {
			rate, known := f.MatchRate()
			out = append(out, fmt.Sprint(f.Feed, " ", rate, " ", known, " ", f.Counts))
		}
		return out
	}
	if got, want := rates(p), []string{"analytics  false <nil>", "crm 0.6667 true &{8 1 0 0 0 6 2}"}; !slices.Equal(got, want) {
		t.Errorf("match rates are %q, want %q", got, want)
	}
	if got := p.Table("feeds").Rows[1]; !slices.Contains(got, "0.6667") {
		t.Errorf("the table of feeds has %q", got)
	}
	if own := seeing(globex, feedLine{}).Observed.Feeds; len(own) != 1 || own[0].Partner != "globex" {
		t.Errorf("globex is told of %+v", own)
	}
	away := seeing(operator, noLine{})
	if away.Observed.BehindWhy == "" || strings.Contains(encodedPackage(t, away), "secret") {
		t.Errorf("with brokers that are away it says %q", away.Observed.BehindWhy)
	}
	for _, other := range []*report.Package{p, away} {
		other.Observe(without.Observed)
		if a, b := encodedPackage(t, without), encodedPackage(t, other); a != b {
			t.Errorf("more than what was observed is another: %s", firstDifference(a, b))
		}
	}
}

// TestPackageOfDay: a package as of a day is of its last instant, and its window ends
// with the day.
func TestPackageOfDay(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.world(3, 5)
	p := packaged(t, r, operator, answer.Query{Window: "7d", AsOf: "2026-04-02"})
	if p.Question.From != "2026-03-27" || p.Question.To != "2026-04-02" || p.AsOf.Time.Format(time.RFC3339Nano) != "2026-04-03T03:59:59.999Z" {
		t.Errorf("%s to %s as of %s", p.Question.From, p.Question.To, p.AsOf.Time.Format(time.RFC3339Nano))
	}
	today := packaged(t, r, operator, answer.Query{Window: "7d", AsOf: "2026-05-20"})
	if !today.AsOf.Time.Equal(now) {
		t.Errorf("as of today it is of %s, want %s", today.AsOf.Time, now)
	}
}

// TestPackageRefused: what there is not is refused with what there is.
func TestPackageRefused(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.world(3, 5)
	for name, c := range map[string]struct {
		q         answer.Query
		parameter string
		allowed   string // among what is allowed
	}{
		"campaign":           {answer.Query{Campaign: "winter"}, "campaign", "ai-launch-tour (AI Launch Tour)"},
		"model":              {answer.Query{Model: "best"}, "model", "position-based"},
		"model of wholes":    {answer.Query{Model: "participation"}, "model", "shapley"},
		"model of journeys":  {answer.Query{Model: "shapley", By: []string{"partner", "channel"}}, "by", "asset"},
		"days of journeys":   {answer.Query{Model: "markov", By: []string{"week"}}, "by", "partner"},
		"dimension":          {answer.Query{By: []string{"colour"}}, "by", "week"},
		"too many":           {answer.Query{By: []string{"partner", "channel", "asset", "region", "segment", "campaign", "source"}}, "by", "month"},
		"window":             {answer.Query{Window: "fortnight"}, "window", "campaign"},
		"view":               {answer.Query{View: "adjustments"}, "view", "as_known"},
		"detail":             {answer.Query{Detail: "some"}, "detail", "summary"},
		"future":             {answer.Query{AsOf: "2030-01-01"}, "as_of", ""},
		"no instant":         {answer.Query{AsOf: "yesterday"}, "as_of", ""},
		"positions alone":    {answer.Query{Positions: "a:1"}, "as_of", ""},
		"positions of sorts": {answer.Query{AsOf: "2026-05-01", Positions: "a"}, "positions", ""},
	} {
		_, err := r.answers.Package(ctx, operator, c.q)
		var refused *answer.Error
		if !errors.As(err, &refused) || refused.Parameter != c.parameter || c.allowed != "" && !slices.Contains(refused.Allowed, c.allowed) {
			t.Errorf("%s: %+v", name, err)
		}
	}
	if _, err := r.answers.Package(ctx, stranger, answer.Query{Campaign: campaign}); err == nil {
		t.Error("a stranger is given a package")
	}
}

// TestPackageOfNothing: a window without rows is a package that says which days have
// some, with all its tables.
func TestPackageOfNothing(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	if p := packaged(t, r, operator, answer.Query{}); p.Empty != "There are no contributions yet." {
		t.Errorf("before anything came: %q", p.Empty)
	}
	r.world(3, 20)
	full := packaged(t, r, operator, answer.Query{Window: "all"})
	p := packaged(t, r, operator, answer.Query{From: "2020-01-01", To: "2020-01-31"})
	if !strings.HasPrefix(p.Empty, "There are no contributions from 2020-01-01 to 2020-01-31; there are some from 2026-0") || full.Empty != "" {
		t.Errorf("%q, and of all days %q", p.Empty, full.Empty)
	}
	for i := range full.Tables {
		if p.Table(full.Tables[i].ID) == nil {
			t.Errorf("there is no table %s", full.Tables[i].ID)
		}
	}
}

// TestPackageWindow: the campaign's days are those of its contract, as far as they are
// over, and its name finds it.
func TestPackageWindow(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.world(3, 20)
	p := packaged(t, r, operator, answer.Query{Campaign: "ai launch TOUR", Window: "campaign"})
	if p.Campaign != campaign || p.Question.From != "2026-02-02" || p.Question.To != "2026-05-02" || p.Title != "AI Launch Tour, 2026-02-02 to 2026-05-02" {
		t.Errorf("%s of %s: %+v", p.Title, p.Campaign, p.Question)
	}
	if got := p.Question; got.Model != "linear" || got.ModelName != "Linear" || got.View != report.AsKnown || got.Detail != report.Full || !slices.Equal(got.Dimensions, []string{"partner", "channel"}) {
		t.Errorf("the question is %+v", got)
	}
	for i, week := range column(t, packaged(t, r, operator, answer.Query{Window: "all", By: []string{"week"}}), "contributions", "week") {
		if day, err := money.ParseDay(week); err != nil || report.ByWeek.Start(day) != day {
			t.Errorf("row %d is of %q, which is no Monday", i, week)
		}
	}
}

// TestPackageOfOwn: who sees its own rows alone has no number of another in any table.
func TestPackageOfOwn(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.world(11, 40)
	r.govern()
	p := packaged(t, r, initech, answer.Query{Window: "all"})
	if !p.Withheld || p.MadeFor != "initech" {
		t.Errorf("withheld %v, made for %q", p.Withheld, p.MadeFor)
	}
	others, own := map[string]bool{}, map[string]bool{}
	for _, row := range r.rows {
		v, err := follow.RowOf(&row)
		if err != nil {
			t.Fatal(err)
		}
		of := others
		if row.Partner == "initech" {
			of = own
		}
		of[v.Value.Text(2)] = true
	}
	told := *p
	told.Partners = nil // who takes part and who signed what is no secret
	told.Tables = slices.DeleteFunc(slices.Clone(p.Tables), func(t report.Table) bool { return t.ID == "signatures" })
	for _, other := range []string{"globex", "umbrella", "Globex", "Umbrella"} {
		if text := encodedPackage(t, &told); strings.Contains(text, other) {
			t.Errorf("%s is told of: %.200s", other, text[strings.Index(text, other)-100:])
		}
	}
	for i := range told.Tables {
		table := &told.Tables[i]
		for _, row := range table.Rows {
			for n, cell := range row {
				kind := table.Columns[n].Kind
				if kind == report.MoneyColumn && others[cell] && !own[cell] || kind == report.TextColumn && slices.Contains([]string{"globex", "umbrella"}, cell) && table.ID != "totals" {
					t.Errorf("%s tells %q: %q", table.ID, cell, row)
				}
			}
		}
	}
}

// TestPackageChanges: what changed is told by what the packages of the window and of as many
// days before have, to who sees its own rows alone by these.
func TestPackageChanges(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.world(11, 40)
	for _, v := range []report.Viewer{operator, initech} {
		measures := map[string]string{"revenue": "revenue", "pipeline_created": "pipeline created"}
		credits := map[string]map[report.Subject][2]string{"revenue": {}, "pipeline_created": {}}
		for side, days := range [][2]string{{"2026-04-28", "2026-05-27"}, {"2026-03-29", "2026-04-27"}} {
			for _, d := range []string{"partner", "channel", "asset"} {
				p := packaged(t, r, v, answer.Query{From: days[0], To: days[1], By: []string{d}, Detail: string(report.Summary)})
				for measure := range measures {
					values := column(t, p, "contributions", measure)
					for i, key := range column(t, p, "contributions", d) {
						of := credits[measure][report.Subject{Dimension: d, Key: key}]
						of[side] = values[i]
						credits[measure][report.Subject{Dimension: d, Key: key}] = of
					}
				}
			}
		}
		told := 0
		for _, in := range packaged(t, r, v, answer.Query{From: "2026-04-28", To: "2026-05-27"}).Insights {
			if in.Rule != report.RuleChange {
				continue
			}
			told++
			measure := "revenue"
			if !strings.Contains(in.Text, measures[measure]) {
				measure = "pipeline_created"
			}
			want := credits[measure][in.About[0]]
			for i, name := range []string{"credit", "credit before"} {
				if e := in.Evidence[i]; e.Name != name || e.Value != cmp.Or(want[i], "0.00") {
					t.Errorf("%s: %s is %s, want %s", in.Text, e.Name, e.Value, want[i])
				}
			}
			if v == initech && (strings.Contains(in.Text, "the total") || in.About[0].Dimension == "partner" && in.About[0].Key != "initech") {
				t.Errorf("initech is told: %s", in.Text)
			}
		}
		if told == 0 {
			t.Errorf("%q is told of nothing that changed", v.Partner)
		}
	}
	for _, in := range packaged(t, r, operator, answer.Query{Window: "all"}).Insights {
		if in.Rule == report.RuleChange && !strings.Contains(in.Text, "its target") {
			t.Errorf("of all days: %s", in.Text)
		}
	}
}

// TestPackageOfTooMany: a package is made of as many deals as there is room for, and of one
// more is refused, saying how many there is room for; other questions are answered.
func TestPackageOfTooMany(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.world(3, 20)
	deals := 0
	if err := r.follow.ScanDeals(campaign, func(*follow.Deal) (bool, error) { deals++; return true, nil }); err != nil {
		t.Fatal(err)
	}
	refusal := func(room int) string {
		a, err := answer.New(answer.Config{Follow: r.follow, Clock: func() time.Time { return now }, DealBytes: int64(room)})
		if err != nil {
			t.Fatal(err)
		}
		q := answer.Query{Campaign: campaign, Window: "all", Detail: "summary"}
		if _, err = a.Package(ctx, operator, q); err == nil {
			return ""
		}
		var refused *answer.Error
		if !errors.As(err, &refused) || refused.Parameter != "campaign" {
			t.Fatalf("with room for %d bytes: %v", room, err)
		}
		if _, err := a.Cohorts(ctx, operator, q); err != nil {
			t.Error(err)
		}
		return refused.Detail
	}
	const most = 1 << 16
	least := 1 + sort.Search(most, func(less int) bool { return refusal(1+less) == "" })
	if least > most {
		t.Fatalf("%d deals do not fit into %d bytes", deals, most)
	}
	want := fmt.Sprintf("a package has 0 MiB for its deals, and the first %d deals take more: of so many ask for cohorts, models and lists one at a time", deals)
	if got := refusal(least - 1); got != want {
		t.Errorf("%d deals fit into %d bytes; with one byte less:\n%q, want\n%q", deals, least, got, want)
	}
}

// TestPackageOfAMebibyte: who asks for a package of more deals than there is room for is told
// of the room in MiB and of the deals that fill it. It is a thousandth of both that it is by
// default: a GiB, which two million deals of six touches fit into.
func TestPackageOfAMebibyte(t *testing.T) {
	if testing.Short() {
		t.Skip("packs thousands of deals")
	}
	const deals, room = 3000, 1 << 20
	r := newRig(t, 0)
	c, err := control.Revise(document(), 0, now.AddDate(0, -3, 0))
	if err != nil {
		t.Fatal(err)
	}
	r.decide(c)
	l := &large{r, rand.New(rand.NewPCG(1, 2)), parsed(t)}
	l.fillFacts(deals)
	for _, c := range []struct {
		room int64
		want string
	}{
		{room, "a package has 1 MiB for its deals, and the first 2,093 deals take more: of so many ask for cohorts, models and lists one at a time"},
		{2 * room, ""},
	} {
		a, err := answer.New(answer.Config{Follow: r.follow, Clock: func() time.Time { return now }, DealBytes: c.room})
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.Package(ctx, operator, answer.Query{Campaign: campaign, Window: "all", Detail: "summary"})
		var refused *answer.Error
		switch {
		case c.want == "" && err != nil:
			t.Errorf("with %d bytes: %v", c.room, err)
		case c.want != "" && (!errors.As(err, &refused) || refused.Detail != c.want):
			t.Errorf("with %d bytes: %v, want %s", c.room, err, c.want)
		}
	}
}

// TestPackageOfBooksInMemory: a package comes out the same whether the deals of the book
// are in memory already, or are read from disk for it.
func TestPackageOfBooksInMemory(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.world(5, 40)
	r.govern()
	for _, v := range []report.Viewer{operator, initech} {
		q := answer.Query{Window: "all"}
		read := encodedPackage(t, packaged(t, r, v, q))
		if err := r.follow.Deals(campaign, func(*follow.Deal) (bool, error) { return true, nil }); err != nil {
			t.Fatal(err)
		}
		if kept := encodedPackage(t, packaged(t, r, v, q)); kept != read {
			t.Errorf("%+v: in memory\n%.2000s\nfrom disk\n%.2000s", v, kept, read)
		}
	}
}

package answer_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/attribution"
	"tracksource/internal/answer"
	"tracksource/internal/control"
	"tracksource/money"
	"tracksource/report"
	"tracksource/schemas/avro"
)

var ctx = context.Background()

func groupsText(groups []report.Group, places int) string {
	var out []string
	for _, g := range groups {
		out = append(out, fmt.Sprintf("%q %s", g.Key, g.Value.Text(places)))
	}
	return strings.Join(out, "\n")
}

func answered(groups []answer.Group) string {
	var out []string
	for _, g := range groups {
		out = append(out, fmt.Sprintf("%q %s", g.Key, g.Value))
	}
	return strings.Join(out, "\n")
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// TestModelsAreTheLedger: what is computed from facts under a model of the ledger is
// what its rows sum to, by every dimension, in every window, for every measure.
func TestModelsAreTheLedger(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.world(7, 45)
	compared := 0
	measures := report.ModelMeasures()
	if testing.Short() {
		measures = measures[:2]
	}
	for _, measure := range measures {
		for _, d := range report.Dimensions() {
			if d == report.Day {
				continue
			}
			for _, q := range []answer.Query{{}, {Window: "all"}, {From: "2026-03-10", To: "2026-04-05", Filter: map[string][]string{"channel": {"Email", "(unattributed)"}, "region": {"EMEA"}}}} {
				q.Measure, q.By = measure, []string{string(d)}
				got, err := r.answers.Models(ctx, operator, q)
				if err != nil {
					t.Fatal(err)
				}
				ask := report.Ask{By: []report.Dimension{d}, Any: map[report.Dimension][]string{}}
				for name, values := range q.Filter {
					ask.Any[report.Dimension(name)] = values
				}
				if got.Window.From != "" {
					from, _ := money.ParseDay(got.Window.From)
					to, _ := money.ParseDay(got.Window.To)
					ask.Within = &report.Span{From: from, To: to}
				}
				for _, m := range got.Models {
					if !m.InLedger {
						continue
					}
					want := r.plain(measure, m.ID, ask)
					places := 2
					if got.Currency == "" {
						places = 0
					}
					var groups []answer.Group
					for _, g := range m.Groups {
						groups = append(groups, answer.Group{Key: []string{g.Key}, Value: g.Value})
						compared++
					}
					// A row of nothing is none, and a group of nothing may be left here.
					groups = slices.DeleteFunc(groups, func(g answer.Group) bool { return number(t, g.Value).Sign() == 0 })
					if got, want := answered(groups), groupsText(want.Groups, places); got != want {
						t.Errorf("%s of %s by %s, %+v:\ngot\n%s\nwant\n%s", m.ID, measure, d, q, got, want)
					}
					if *m.Total != want.Total.Text(places) || *m.Unattributed != want.Unattributed.Text(places) && d == report.Partner {
						t.Errorf("%s of %s by %s: total %s, unattributed %s; want %s, %s", m.ID, measure, d, *m.Total, *m.Unattributed, want.Total.Text(places), want.Unattributed.Text(places))
					}
				}
			}
		}
	}
	if compared < 300 {
		t.Errorf("%d groups were compared: the world is too small", compared)
	}
}

// TestModels: every model is there, additive ones share out the same total, and those
// of many journeys too.
func TestModels(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.world(3, 50)
	got, err := r.answers.Models(ctx, operator, answer.Query{Measure: "pipeline_created"})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, m := range got.Models {
		ids = append(ids, m.ID)
		var sum report.Value
		for _, g := range m.Groups {
			sum = sum.Add(number(t, g.Value))
		}
		if m.Additive != (m.Total != nil) || m.Additive && (*m.Total != sum.Text(2) || *m.Total != *got.Models[0].Total || *m.Unattributed != *got.Models[0].Unattributed) {
			t.Errorf("%s: groups sum to %s, total %v, unattributed %v; want those of all", m.ID, sum.Text(2), m.Total, m.Unattributed)
		}
		if len(m.Groups) < 4 {
			t.Errorf("%s has %d groups", m.ID, len(m.Groups))
		}
	}
	want := []string{
		"first-touch", "last-touch", "last-non-direct", "linear", "position-based", "j-shaped", "inverse-j", "time-decay",
		"u-milestones", "w-shaped", "full-path", "participation", "markov", "shapley",
	}
	if !slices.Equal(ids, want) {
		t.Errorf("models %v, want %v", ids, want)
	}
	narrowed, err := r.answers.Models(ctx, operator, answer.Query{Filter: map[string][]string{"channel": {"Email"}}})
	if err != nil {
		t.Fatal(err)
	}
	if last := narrowed.Models[len(narrowed.Models)-1]; last.Total != nil || !strings.Contains(last.Note, "narrowed by channel") {
		t.Errorf("shapley narrowed by channel: %+v", last)
	}
}

// TestPlain draws questions and wants what a plain sum over the rows gives; steps of
// time and rows sum to the same.
func TestPlain(t *testing.T) {
	for _, room := range []int64{0, 1} {
		r := newRig(t, room)
		r.agree()
		r.world(11, 40)
		r.adjust()
		names := map[string]bool{}
		for _, row := range r.rows {
			names[row.Measure] = true
		}
		rapid.Check(t, func(t *rapid.T) {
			q := answer.Query{
				Measure: rapid.SampledFrom(sorted(names)).Draw(t, "measure"), Model: rapid.SampledFrom(parsed(r.t).Models).Draw(t, "model"),
				Filter: map[string][]string{}, Window: rapid.SampledFrom([]string{"all", "90d", "45d", "1d"}).Draw(t, "window"),
				View: rapid.SampledFrom([]string{"", "restated", "as_known", "adjustments"}).Draw(t, "view"),
			}
			m := attribution.MeasureNamed(q.Measure)
			q.By = append(q.By, rapid.SliceOfNDistinct(rapid.SampledFrom(m.Grain), 0, 3, rapid.ID[string]).Draw(t, "by")...)
			if !m.Additive() && !slices.Contains(q.By, "partner") {
				q.By = append([]string{"partner"}, q.By[:min(len(q.By), 2)]...)
			}
			if rapid.Bool().Draw(t, "narrowed") {
				q.Filter["partner"] = rapid.SliceOfN(rapid.SampledFrom([]string{"acme", "globex", "initech", report.Unattributed, "nobody"}), 1, 3).Draw(t, "partners")
			}
			if rapid.Bool().Draw(t, "narrowed by region") {
				q.Filter["region"] = []string{"EMEA", "APAC"}
			}
			if m.Additive() && rapid.Bool().Draw(t, "in escrow") {
				q.Filter["escrow"] = []string{"disputed"}
			}
			got, err := r.answers.Breakdown(ctx, operator, q)
			if err != nil {
				t.Fatalf("%+v: %v", q, err)
			}
			ask := report.Ask{View: report.View(q.View), Any: map[report.Dimension][]string{}}
			for name, values := range q.Filter {
				ask.Any[report.Dimension(name)] = values
			}
			for _, d := range q.By {
				ask.By = append(ask.By, report.Dimension(d))
			}
			if got.Window.From != "" {
				from, _ := money.ParseDay(got.Window.From)
				to, _ := money.ParseDay(got.Window.To)
				ask.Within = &report.Span{From: from, To: to}
			}
			want := r.plain(q.Measure, q.Model, ask)
			places := 2
			if m.Count {
				places = 0
			}
			if got, want := answered(got.Groups), groupsText(want.Groups, places); got != want || got != "" && len(q.By) == 0 && want == "" {
				t.Fatalf("%+v:\ngot\n%s\nwant\n%s", q, got, want)
			}
			for i, g := range got.Groups {
				if want, _ := report.Certainty(want.Groups[i].Confident, want.Groups[i].Value); deref(g.Confidence) != want {
					t.Fatalf("%+v: %q has a confidence of %q, want %q", q, g.Key, deref(g.Confidence), want)
				}
			}
			if !m.Additive() {
				return
			}
			total := value(r.t, got.Total)
			if certain, _ := report.Certainty(want.Confident, want.Total); deref(got.Confidence) != certain {
				t.Fatalf("%+v: confidence %q, want %q", q, deref(got.Confidence), certain)
			}
			if total.Cmp(want.Total) != 0 || value(r.t, got.Attributed).Add(value(r.t, got.Unattributed)).Cmp(total) != 0 {
				t.Fatalf("%+v: total %s = %s + %s, want %s", q, *got.Total, *got.Attributed, *got.Unattributed, want.Total.Text(places))
			}
			for _, margin := range got.Margins {
				var sum report.Value
				for _, g := range margin.Groups {
					sum = sum.Add(number(r.t, g.Value))
				}
				if sum.Cmp(total) != 0 {
					t.Fatalf("%+v: the margin by %s sums to %s, want %s", q, margin.Dimension, sum.Text(places), *got.Total)
				}
			}
			over := q
			over.By, over.Step, over.Top = nil, rapid.SampledFrom([]string{"day", "week", "month"}).Draw(t, "step"), 2
			if len(q.By) > 0 && q.By[0] != "day" {
				over.By = q.By[:1]
			}
			line, err := r.answers.Timeseries(ctx, operator, over)
			if err != nil {
				t.Fatal(err)
			}
			var steps, series report.Value
			for _, v := range line.Total {
				steps = steps.Add(number(r.t, v))
			}
			for _, s := range line.Series {
				for _, v := range s.Values {
					series = series.Add(number(r.t, v))
				}
			}
			if steps.Cmp(total) != 0 || len(over.By) > 0 && series.Cmp(total) != 0 || len(line.Total) != len(line.Starts) || len(line.Series) > 3 {
				t.Fatalf("%+v: steps sum to %s, series to %s, want %s", over, steps.Text(places), series.Text(places), *got.Total)
			}
			var rows, certain report.Value
			list := q
			list.Limit = rapid.IntRange(1, 60).Draw(t, "limit")
			for {
				page, err := r.answers.Contributions(ctx, operator, list)
				if err != nil {
					t.Fatal(err)
				}
				for _, row := range page.Rows {
					rows, certain = rows.Add(number(r.t, row.Value)), certain.Add(number(r.t, row.ConfidentValue))
					if k, err := answer.ParseKey(row.Key); err != nil || k.Day != row.Day || k.Asset != row.Asset || k.Booked != row.Booked || k.Escrow != row.Escrow {
						t.Fatalf("key %s of %+v reads as %+v, %v", row.Key, row, k, err)
					}
				}
				if page.Next == nil {
					break
				}
				list.Cursor = *page.Next
			}
			if rows.Cmp(total) != 0 || certain.Cmp(want.Confident) != 0 {
				t.Fatalf("%+v: the rows sum to %s, of which %s is certain, want %s and %s", q, rows.Text(places), certain.Text(places), *got.Total, want.Confident.Text(places))
			}
		})
	}
}

// adjust adds to some of the rows what came later: in escrow, booked on another day,
// of another confidence.
func (r *rig) adjust() {
	r.t.Helper()
	for i, key := range slices.Sorted(maps.Keys(r.rows)) {
		row := r.rows[key]
		exponent := 2
		if row.Currency == "" {
			exponent = attribution.CountExponent
		}
		minor := int64(100*i) - 3000
		if err := errors.Join(row.SetValue(minor, exponent), row.SetConfident(minor/3, exponent)); err != nil {
			r.t.Fatal(err)
		}
		day, err := money.ParseDay(row.Day)
		if err != nil {
			r.t.Fatal(err)
		}
		switch i % 5 {
		case 0:
			row.Escrow = attribution.EscrowDisputed
		case 1:
			row.Booked = day.Add(i % 40).String()
		case 2:
			row.Booked, row.Escrow = "2026-05-20", attribution.EscrowDisputed
		default:
			continue
		}
		r.publish(row)
	}
}

// TestConfidence: what rows and facts say of it is the same, in total and narrowed: the
// deals sum to the total, and what of them is certain to what is certain of it, but for
// what each line rounds off.
func TestConfidence(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.world(13, 45)
	told := 0
	for _, measure := range report.ModelMeasures() {
		for _, filter := range []map[string][]string{nil, {"partner": {"globex"}}, {"partner": {"acme", report.Unattributed}, "region": {"EMEA"}}, {"escrow": {attribution.EscrowDisputed}}} {
			q := answer.Query{Measure: measure, Window: "all", Filter: filter, Limit: 7}
			var sum, doubt report.Value
			var before *report.Value
			var first answer.ConfidenceAnswer
			for page := 0; ; page++ {
				got, err := r.answers.Confidence(ctx, operator, q)
				if err != nil {
					t.Fatal(err)
				}
				if page == 0 {
					first = got
				}
				for _, d := range got.Deals {
					v := number(t, d.Doubt)
					if before != nil && before.Cmp(v) < 0 {
						t.Errorf("%s %v: a doubt of %s behind one of %s", measure, filter, d.Doubt, before.Text(2))
					}
					before, sum, doubt = &v, sum.Add(number(t, d.Value)), doubt.Add(v)
					told++
				}
				if got.Next == nil {
					break
				}
				q.Cursor = *got.Next
			}
			if total := value(t, first.Total); total.Cmp(sum) != 0 {
				t.Errorf("%s %v: deals sum to %s, rows to %s", measure, filter, sum.Text(2), *first.Total)
			}
			// Each line of a deal is rounded toward zero by itself.
			certain := value(t, first.ConfidentValue)
			if off := sum.Sub(doubt).Sub(certain); off.Sign() < 0 || off.Cmp(number(t, "2")) > 0 {
				t.Errorf("%s %v: %s of the deals is certain, %s of the rows", measure, filter, sum.Sub(doubt).Text(2), *first.ConfidentValue)
			}
			if (first.Parts == nil) != (sum.Sign() == 0) || deref(first.Joined) != deref(first.Confidence) {
				t.Errorf("%s %v: parts %+v, joined %q with complete feeds, confidence %q", measure, filter, first.Parts, deref(first.Joined), deref(first.Confidence))
			}
			if p := first.Parts; p != nil {
				mean := number(t, p.Identity).Add(number(t, p.Taxonomy)).Add(number(t, p.Currency)).Add(number(t, p.Agreement)).Add(number(t, p.Spread))
				five := number(t, p.Overall).Times(number(t, "5"))
				if off := mean.Sub(five); off.Sign() < 0 && off.Cmp(number(t, "-0.00001")) < 0 || off.Cmp(number(t, "0.00001")) > 0 {
					t.Errorf("%s %v: parts %+v are not five times the overall", measure, filter, p)
				}
			}
		}
	}
	if told < 100 {
		t.Errorf("%d deals were told: the world is too small", told)
	}
	own, err := r.answers.Confidence(ctx, initech, answer.Query{Measure: "pipeline_created", Window: "all"})
	if err != nil {
		t.Fatal(err)
	}
	if !own.Withheld || len(own.Deals) != 0 || len(own.Partners) != 1 || own.Joined != nil {
		t.Errorf("who sees its own rows and reported no deal is told %+v", own)
	}
}

func sorted(set map[string]bool) []string {
	var out []string
	for k := range set {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// ask is every question by its name, as the API has them.
func (r *rig) ask(name string, v report.Viewer, q answer.Query) (any, error) {
	all := map[string]func() (any, error){
		"contracts":     func() (any, error) { return r.answers.Contracts(ctx, v, q) },
		"contract":      func() (any, error) { return r.answers.Contract(ctx, v, q) },
		"report":        func() (any, error) { return r.answers.Report(ctx, v, q) },
		"breakdown":     func() (any, error) { return r.answers.Breakdown(ctx, v, q) },
		"contributions": func() (any, error) { return r.answers.Contributions(ctx, v, q) },
		"timeseries":    func() (any, error) { return r.answers.Timeseries(ctx, v, q) },
		"funnel":        func() (any, error) { return r.answers.Funnel(ctx, v, q) },
		"cohorts":       func() (any, error) { return r.answers.Cohorts(ctx, v, q) },
		"models":        func() (any, error) { return r.answers.Models(ctx, v, q) },
		"confidence":    func() (any, error) { return r.answers.Confidence(ctx, v, q) },
		"deals":         func() (any, error) { return r.answers.Deals(ctx, v, q) },
		"alerts":        func() (any, error) { return r.answers.Alerts(ctx, v, q) },
		"freshness":     func() (any, error) { return r.answers.Freshness(ctx, v, q) },
	}
	return all[name]()
}

// TestRefused: what does not exist is refused with what there is, and what was asked
// is not repeated.
func TestRefused(t *testing.T) {
	r := newRig(t, 0)
	if _, err := r.ask("report", operator, answer.Query{}); !strings.Contains(fmt.Sprint(err), "no contract yet") {
		t.Errorf("without a contract: %v", err)
	}
	r.agree()
	const evil = "<evil>"
	for _, tt := range []struct {
		name, of  string
		q         answer.Query
		parameter string
		allowed   string
	}{
		{"campaign", "report", answer.Query{Campaign: evil}, "campaign", campaign},
		{"campaign of a contract", "contract", answer.Query{Campaign: evil}, "campaign", campaign},
		{"model", "breakdown", answer.Query{Model: evil}, "model", "time-decay"},
		{"model beside the ledger", "breakdown", answer.Query{Model: "shapley"}, "model", "linear"},
		{"measure", "timeseries", answer.Query{Measure: evil}, "measure", "pipeline_co_sell"},
		{"milestone", "breakdown", answer.Query{Measure: evil}, "measure", "MQL"},
		{"window", "report", answer.Query{Window: "0d"}, "window", "90d"},
		{"long window", "report", answer.Query{Window: "3661d"}, "window", "all"},
		{"window twice", "report", answer.Query{Window: "7d", From: "2026-01-01", To: "2026-01-02"}, "window", ""},
		{"half a span", "report", answer.Query{From: "2026-01-01"}, "from", ""},
		{"span backwards", "report", answer.Query{From: "2026-01-02", To: "2026-01-01"}, "from", ""},
		{"dimension", "breakdown", answer.Query{By: []string{evil}}, "by", "touch_campaign"},
		{"dimension twice", "breakdown", answer.Query{By: []string{"day", "day"}}, "by", ""},
		{"four dimensions", "breakdown", answer.Query{By: []string{"day", "asset", "region", "source"}}, "by", ""},
		{"filter", "breakdown", answer.Query{Filter: map[string][]string{evil: {"x"}}}, "", "partner"},
		{"grain", "breakdown", answer.Query{Measure: "revenue_influenced", By: []string{"region"}}, "by", "partner"},
		{"grain of a filter", "breakdown", answer.Query{Measure: "revenue_influenced", By: []string{"partner"}, Filter: map[string][]string{"channel": {"Email"}}}, "by", "segment"},
		{"grain over time", "timeseries", answer.Query{Measure: "pipeline_co_sell"}, "by", "partner"},
		{"step", "timeseries", answer.Query{Step: evil}, "step", "week"},
		{"top", "timeseries", answer.Query{Top: 1000}, "top", ""},
		{"measure of confidence", "confidence", answer.Query{Measure: "revenue_sourced"}, "measure", "pipeline_open"},
		{"view", "breakdown", answer.Query{View: evil}, "view", "adjustments"},
		{"measure of models", "models", answer.Query{Measure: "MQL"}, "measure", "orders"},
		{"limit", "contributions", answer.Query{Limit: 5001}, "limit", ""},
		{"cursor", "contributions", answer.Query{Cursor: evil}, "cursor", ""},
		{"cursor of a list", "breakdown", answer.Query{Cursor: "LTE"}, "cursor", ""},
		{"cohort", "cohorts", answer.Query{Cohort: evil}, "cohort", "won_month"},
		{"cohort value", "cohorts", answer.Query{Value: evil}, "value", "pipeline"},
		{"cohort by", "cohorts", answer.Query{By: []string{"asset"}}, "by", "sourced"},
		{"funnel by", "funnel", answer.Query{By: []string{"asset"}}, "by", "segment"},
		{"state", "deals", answer.Query{State: evil}, "state", "won"},
		{"severity", "alerts", answer.Query{Severity: evil}, "severity", "critical"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := r.ask(tt.of, operator, tt.q)
			var refused *answer.Error
			if !errors.As(err, &refused) {
				t.Fatalf("error %v, want an *Error", err)
			}
			if refused.Parameter != tt.parameter || tt.allowed != "" && !slices.Contains(refused.Allowed, tt.allowed) || refused.Allowed == nil {
				t.Errorf("%+v, want parameter %s and %s among allowed", refused, tt.parameter, tt.allowed)
			}
			if strings.Contains(fmt.Sprintf("%+v", refused), evil) {
				t.Errorf("%+v repeats what was asked", refused)
			}
		})
	}
}

// TestSight: who is no signatory is told the same as of a campaign that does not exist,
// who sees its own rows is told of nobody else's, and totals only of three.
func TestSight(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.world(5, 40)
	names := []string{"contract", "report", "breakdown", "contributions", "timeseries", "funnel", "cohorts", "models", "confidence", "deals", "alerts"}
	for _, name := range names {
		_, err := r.ask(name, stranger, answer.Query{Campaign: campaign})
		_, other := r.ask(name, stranger, answer.Query{Campaign: "nothing"})
		if fmt.Sprintf("%#v", err) != fmt.Sprintf("%#v", other) && fmt.Sprint(err) != fmt.Sprint(other) || err == nil {
			t.Errorf("%s: a stranger is told %v of a campaign that there is, and %v of none", name, err, other)
		}
	}
	if got, err := r.answers.Contracts(ctx, stranger, answer.Query{}); err != nil || len(got.Contracts) != 0 {
		t.Errorf("a stranger is told of contracts %+v, %v", got.Contracts, err)
	}
	// Whatever the question, no answer names another partner, but for the contract's.
	for _, name := range names[1:] {
		for _, by := range []string{"", "partner"} {
			q := answer.Query{}
			if by != "" && !slices.Contains([]string{"contributions", "deals", "alerts", "report", "cohorts"}, name) {
				q.By = []string{by}
			}
			got, err := r.ask(name, initech, q)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			text := show(t, got)
			for _, other := range []string{"globex", "acme", "Umbrella", "umbrella", "marketing-sourced"} {
				if strings.Contains(text, other) {
					t.Errorf("%s names %s to who sees its own rows:\n%s", name, other, text)
				}
			}
		}
	}
	whole, err := r.answers.Breakdown(ctx, initech, answer.Query{By: []string{"partner"}, Window: "all"})
	if err != nil || whole.Total == nil || len(whole.Groups) != 1 || whole.Groups[0].Key[0] != "initech" || !whole.Withheld {
		t.Errorf("the total of four partners: %s, %v", show(t, whole), err)
	}
	full, err := r.answers.Breakdown(ctx, operator, answer.Query{By: []string{"partner"}, Window: "all"})
	if err != nil || *full.Total != *whole.Total {
		t.Errorf("the total is %s to the operator and %s to a partner", *full.Total, *whole.Total)
	}
	for _, partners := range [][]string{{"globex"}, {"globex", "initech"}, {"acme", "globex"}} {
		few, err := r.answers.Breakdown(ctx, initech, answer.Query{By: []string{"partner"}, Window: "all", Filter: map[string][]string{"partner": partners}})
		if err != nil || few.Total != nil || few.Attributed != nil || few.Unattributed != nil || !few.Withheld {
			t.Errorf("the total of %v: %s, %v", partners, show(t, few), err)
		}
	}
	own, err := r.answers.Breakdown(ctx, initech, answer.Query{Window: "all", Filter: map[string][]string{"partner": {"initech"}}})
	if err != nil || own.Total == nil || *own.Total != whole.Groups[0].Value || own.Withheld {
		t.Errorf("its own total is %s, %v", show(t, own), err)
	}
	models, err := r.answers.Models(ctx, initech, answer.Query{})
	if err != nil || len(models.Models[0].Groups) != 1 || models.Models[0].Groups[0].Key != "initech" {
		t.Errorf("models: %+v, %v", models.Models[0], err)
	}
	// Signatories with open sight see what the operator sees by partner.
	for _, name := range []string{"breakdown", "timeseries", "funnel", "models", "report", "contributions"} {
		a, err := r.ask(name, operator, answer.Query{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := r.ask(name, globex, answer.Query{})
		if err != nil {
			t.Fatal(err)
		}
		if show(t, a) != show(t, b) {
			t.Errorf("%s differs between the operator and an open signatory", name)
		}
	}
}

// TestDeals: a deal is told to who has a part in it.
func TestDeals(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	day := func(n int) time.Time { return time.Date(2026, 4, n, 15, 0, 0, 0, time.UTC) }
	open := avro.StageChange{Stage: "Qualification", At: day(10), EventID: "q"}
	won := avro.StageChange{Stage: "Closed Won", IsClosed: true, IsWon: true, At: day(20), EventID: "w"}
	r.feed(
		touch(company(1), "globex", "t1", day(1), "globex", "email", "/guides/ai-buyers-guide"),
		deal(company(1), "acme", "TOUCHED", "100", "USD", day(10), "2026-04-20", open, won),
		deal(company(2), "acme", "ALONE", "50", "USD", day(12), "2026-04-20", open),
	)
	list := func(v report.Viewer, q answer.Query) string {
		t.Helper()
		got, err := r.answers.Deals(ctx, v, q)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, d := range got.Deals {
			out = append(out, fmt.Sprintf("%s %s %s %d", d.ID[strings.LastIndex(d.ID, "/")+1:], d.State, d.Sourced, d.Touches))
		}
		return strings.Join(out, ", ")
	}
	const touched, alone = "TOUCHED won globex 1", "ALONE open unsourced 0"
	for _, tt := range []struct {
		v    report.Viewer
		q    answer.Query
		want string
	}{
		{operator, answer.Query{}, alone + ", " + touched},
		{acme, answer.Query{}, alone + ", " + touched},
		{globex, answer.Query{}, touched},
		{initech, answer.Query{}, ""},
		{operator, answer.Query{Prefix: "tou"}, touched},
		{operator, answer.Query{Prefix: "acme/salesforce/opportunity/A"}, alone},
		{operator, answer.Query{Prefix: "OUCHED"}, ""},
		{operator, answer.Query{State: "open"}, alone},
		{operator, answer.Query{Partner: "globex"}, touched},
		{operator, answer.Query{Limit: 1}, alone},
	} {
		if got := list(tt.v, tt.q); got != tt.want {
			t.Errorf("%+v to %+v: %q, want %q", tt.q, tt.v, got, tt.want)
		}
	}
	first, err := r.answers.Deals(ctx, operator, answer.Query{Limit: 1})
	if err != nil || first.Next == nil {
		t.Fatalf("%+v, %v", first, err)
	}
	if got := list(operator, answer.Query{Limit: 1, Cursor: *first.Next}); got != touched {
		t.Errorf("the second part is %q, want %q", got, touched)
	}
	// One that sees its own rows is told of the deals that it reported, and not who else
	// sourced them.
	r.feed(deal(company(1), "initech", "OTHER", "100", "USD", day(10), "2026-04-20", open))
	for _, by := range []string{"", "partner", "channel", "region"} {
		q := answer.Query{}
		if by != "" {
			q.By = []string{by}
		}
		for _, name := range []string{"funnel", "deals"} {
			got, err := r.ask(name, initech, q)
			if err != nil || strings.Contains(show(t, got), "globex") {
				t.Errorf("%s by %s to initech: %s, %v", name, by, show(t, got), err)
			}
		}
	}
	for _, q := range []answer.Query{{By: []string{"sourced"}}, {Cohort: "partner"}, {Cohort: "lead_source"}} {
		if got, err := r.answers.Cohorts(ctx, initech, q); err != nil || strings.Contains(show(t, got), "globex") {
			t.Errorf("cohorts to initech: %s, %v", show(t, got), err)
		}
	}
	d, err := r.answers.Deals(ctx, operator, answer.Query{State: "won"})
	if err != nil || d.Deals[0].Account != "company1.com" || !slices.Contains(d.Deals[0].Measures, answer.DealMeasure{Measure: "revenue", Day: "2026-04-20", Value: "100.00", Currency: "USD"}) {
		t.Errorf("%s, %v", show(t, d), err)
	}
	cohorts, err := r.answers.Cohorts(ctx, operator, answer.Query{Cohort: "created_month", Value: "revenue"})
	if err != nil || len(cohorts.Cohorts) != 1 {
		t.Fatalf("%s, %v", show(t, cohorts), err)
	}
	text := func(s string) *string { return &s }
	want := answer.Cohort{
		Cohort: "2026-04", Size: "2", Decided: "1", Won: "1", Lost: "0", WinRate: text("1.0000"), ContractValue: text("100.00"), Revenue: "100.00",
		MedianDays: text("10"), P90Days: text("10"), Pipeline: "150.00", PipelineOpen: "50.00",
		Cells: []answer.CohortCell{{0, "2", "1", "100.00", "0.5000"}, {1, "2", "1", "100.00", "0.5000"}},
	}
	if !reflect.DeepEqual(cohorts.Cohorts[0], want) {
		t.Errorf("cohort %+v, want %+v", cohorts.Cohorts[0], want)
	}
	funnel, err := r.answers.Funnel(ctx, operator, answer.Query{})
	if err != nil {
		t.Fatal(err)
	}
	last := funnel.Stages[len(funnel.Stages)-1]
	if last.Measure != "won" || last.Count != "1" || *last.FromPrevious != "0.5000" || *last.DropOff != "0.5000" {
		t.Errorf("won is %+v", last)
	}
}

// TestMoney: spend and targets stand beside what is attributed, within the window and
// the viewer's sight.
func TestMoney(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	amount := func(kind string, a avro.AmountRecord) {
		a.Campaign, a.RecordedAt = campaign, now
		r.decide(avro.Control{Kind: kind, Amount: &a})
	}
	amount(control.Spend, avro.AmountRecord{Day: "2026-05-01", Payer: "globex", Amount: "40", Currency: "USD"})
	amount(control.Spend, avro.AmountRecord{Day: "2026-05-01", Payer: "initech", Channel: "Email", Amount: "7.5", Currency: "USD"})
	amount(control.Spend, avro.AmountRecord{Day: "2025-05-01", Payer: "globex", Amount: "1000", Currency: "USD"})
	amount(control.Spend, avro.AmountRecord{Day: "2026-05-02", Payer: "acme", Amount: "9", Currency: "EUR"})
	amount(control.Spend, avro.AmountRecord{Day: "2026-05-03", Payer: "acme", Amount: "10", Currency: "GBP"})
	r.decide(avro.Control{Kind: control.Rate, Rate: &avro.RateRecord{Base: "GBP", Quote: "USD", Day: "2026-05-02", Rate: "1.25", Source: "test"}})
	amount(control.Target, avro.AmountRecord{Day: "2026-03-31", Measure: "pipeline_created", Amount: "900", Currency: "USD"})
	amount(control.Target, avro.AmountRecord{Day: "2026-06-30", Measure: "pipeline_created", Amount: "910", Currency: "USD"})
	amount(control.Target, avro.AmountRecord{Day: "2026-06-30", Measure: "pipeline_created", Partner: "globex", Amount: "91", Currency: "USD"})
	at := time.Date(2026, 5, 10, 15, 0, 0, 0, time.UTC)
	r.feed(
		touch(company(1), "globex", "t1", at.AddDate(0, 0, -9), "globex", "email", ""),
		deal(company(1), "acme", "D", "480", "USD", at, "2026-05-15", avro.StageChange{Stage: "Closed Won", IsClosed: true, IsWon: true, At: at, EventID: "w"}),
	)
	tile := func(v report.Viewer, q answer.Query) (answer.ReportAnswer, string) {
		t.Helper()
		got, err := r.answers.Report(ctx, v, q)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(got.Tiles, func(t answer.Tile) bool { return t.Measure == "pipeline_created" })
		one := got.Tiles[i]
		show := func(p *string) string {
			if p == nil {
				return "-"
			}
			return *p
		}
		return got, strings.Join([]string{show(one.Total), show(one.Target), one.TargetFrom, show(one.Expected), show(one.Reached), show(one.Progress), one.Status}, " ")
	}
	// 50 of the quarter's 91 days are over.
	got, text := tile(operator, answer.Query{})
	if want := "480.00 910.00 2026-04-01 500.00 480.00 0.5275 on_track"; text != want {
		t.Errorf("tile %s, want %s", text, want)
	}
	if _, text := tile(operator, answer.Query{View: "adjustments"}); text != "0.00 -  - - - none" {
		t.Errorf("tile of adjustments %s", text)
	}
	if s := got.Spend; s.Total != "60.00" || len(s.Others) != 1 || s.Others[0] != (answer.CurrencyTotal{Currency: "EUR", Total: "9.00"}) {
		t.Errorf("spend %+v", s)
	}
	if p := got.Partners[1]; p.Partner != "globex" || p.Spend != "40.00" || p.Return == nil || *p.Return != "12.0000" || p.Credited["revenue"] != "480.00" || p.Share["revenue"] != "1.0000" || p.Sourced["revenue"] != "480.00" {
		t.Errorf("globex %+v", p)
	}
	if _, text := tile(operator, answer.Query{Filter: map[string][]string{"partner": {"globex"}}}); text != "480.00 91.00 2026-04-01 50.00 480.00 5.2747 ahead" {
		t.Errorf("tile of globex alone %s", text)
	}
	if _, text := tile(operator, answer.Query{From: "2026-03-01", To: "2026-03-31"}); text != "0.00 900.00 2026-01-01 900.00 0.00 0.0000 behind" {
		t.Errorf("tile of the quarter before %s", text)
	}
	if got, _ := tile(initech, answer.Query{}); got.Spend.Total != "7.50" || len(got.Partners) != 1 || !got.Withheld {
		t.Errorf("to a partner that sees its own: %s", show(t, got))
	}
	line, err := r.answers.Timeseries(ctx, operator, answer.Query{Measure: "pipeline_created", Step: "month", From: "2026-04-01", To: "2026-06-30"})
	if err != nil || !slices.Equal(line.Target, []string{"300.00", "310.00", "300.00"}) {
		t.Errorf("targets of the steps %v, %v", line.Target, err)
	}
}

// TestNamesAreData: what is HTML in an asset or a name is text in every answer.
func TestNamesAreData(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.world(2, 30)
	got, err := r.answers.Breakdown(ctx, operator, answer.Query{By: []string{"asset"}, Measure: "opportunities", Window: "all"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(string(b), "<>") {
		t.Errorf("the answer has characters of HTML: %s", b)
	}
	var back answer.BreakdownAnswer
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(back.Groups, func(g answer.Group) bool { return strings.Contains(g.Key[0], "<script>") }) {
		t.Errorf("no asset is what it was called: %+v", back.Groups)
	}
}

// TestAlerts: a partner is told of its own feeds and deals, and not of others'.
func TestAlerts(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	for i, a := range []avro.Alert{
		{ID: "1", Kind: "conversion_held", Severity: "warning", Campaign: campaign, Partner: "acme"},
		{ID: "2", Kind: "conversion_held", Severity: "warning", Campaign: campaign, Partner: "globex"},
		{ID: "3", Kind: "overlap_disagreement", Severity: "warning", Campaign: campaign},
		{ID: "4", Kind: "data_gap", Severity: "warning", Subject: "crm.globex"},
		{ID: "5", Kind: "data_gap", Severity: "warning", Subject: "crm.acme"},
		{ID: "6", Kind: "ledger_gap", Severity: "critical", Subject: "source partition 3"},
		{ID: "7", Kind: "conversion_held", Severity: "warning", Campaign: "another", Partner: "globex"},
	} {
		a.RaisedAt = now.Add(time.Duration(i) * time.Minute)
		value, err := r.codecs.Alert.Append(nil, &a)
		if err != nil {
			t.Fatal(err)
		}
		r.Emit(r.spec.Alerts(), []byte(a.ID), value)
	}
	for _, tt := range []struct {
		v             report.Viewer
		q             answer.Query
		want, actions string
	}{
		{operator, answer.Query{}, "6 5 4 3 2 1", "conversion_held 2, data_gap 2, ledger_gap 1, overlap_disagreement 1"},
		{globex, answer.Query{}, "4 3 2", "conversion_held 1, data_gap 1, overlap_disagreement 1"},
		{initech, answer.Query{}, "", ""},
		{operator, answer.Query{Severity: "critical"}, "6", "conversion_held 2, data_gap 2, ledger_gap 1, overlap_disagreement 1"},
		{operator, answer.Query{Kind: "data_gap", Limit: 1}, "5", "conversion_held 2, data_gap 2, ledger_gap 1, overlap_disagreement 1"},
	} {
		got, err := r.answers.Alerts(ctx, tt.v, tt.q)
		if err != nil {
			t.Fatal(err)
		}
		var ids, actions []string
		for _, a := range got.Alerts {
			ids = append(ids, a.ID)
		}
		for _, a := range got.Actions {
			actions = append(actions, a.Kind+" "+a.Count)
			if a.What == "" || a.Why == "" {
				t.Errorf("action %+v says nothing", a)
			}
		}
		if strings.Join(ids, " ") != tt.want || strings.Join(actions, ", ") != tt.actions {
			t.Errorf("%+v to %+v: %v and %v, want %s and %s", tt.q, tt.v, ids, actions, tt.want, tt.actions)
		}
		if (got.Next != nil) != (cmp.Or(tt.q.Limit, 100) < 2) {
			t.Errorf("%+v goes on at %v", tt.q, got.Next)
		}
	}
}

package plan_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/internal/plans"
	"tracksource/report"
	"tracksource/report/plan"
)

// node is the part of JSON Schema that says of what fields a plan is.
type node struct {
	Type                 string           `json:"type"`
	Description          string           `json:"description"`
	Properties           map[string]*node `json:"properties"`
	AdditionalProperties *bool            `json:"additionalProperties"`
	Items                *node            `json:"items"`
	Required             []string         `json:"required"`
	AnyOf                []*node          `json:"anyOf"`
}

// absentBefore is whether a plan may lack a field: one that was written before there was it.
func absentBefore(name string) bool { return name == "mapping" }

// TestSchemaHasEveryField: schema and code know the same fields, of the same types, and
// the schema says what each is and asks for all of them but what older plans lack.
func TestSchemaHasEveryField(t *testing.T) {
	var root node
	if err := json.Unmarshal(plan.Schema(), &root); err != nil {
		t.Fatal(err)
	}
	compare(t, "", &root, reflect.TypeFor[plan.Plan]())
}

func compare(t *testing.T, at string, s *node, typ reflect.Type) {
	t.Helper()
	if s.Description == "" {
		t.Errorf("%s is not described", at)
	}
	if typ.Kind() == reflect.Pointer {
		if len(s.AnyOf) != 2 || s.AnyOf[1].Type != "null" {
			t.Errorf("%s may be null, and not by the schema", at)
			return
		}
		described := *s.AnyOf[0]
		described.Description = s.Description
		s, typ = &described, typ.Elem()
	}
	want := map[reflect.Kind]string{
		reflect.Struct: "object", reflect.Slice: "array", reflect.String: "string", reflect.Int: "integer", reflect.Int64: "integer", reflect.Bool: "boolean",
	}[typ.Kind()]
	if typ == reflect.TypeFor[time.Time]() {
		want = "string"
	}
	if s.Type != want {
		t.Errorf("%s is a %q in the schema, a %v in the code", at, s.Type, typ)
		return
	}
	switch want {
	case "array":
		compare(t, at+"[]", s.Items, typ.Elem())
	case "object":
		if s.AdditionalProperties == nil || *s.AdditionalProperties {
			t.Errorf("%s takes unknown fields", at)
		}
		var known []string
		for i := range typ.NumField() {
			name := typ.Field(i).Tag.Get("json")
			known = append(known, name)
			if s.Properties[name] == nil {
				t.Errorf("the schema has no %s.%s", at, name)
				continue
			}
			compare(t, at+"."+name, s.Properties[name], typ.Field(i).Type)
		}
		slices.Sort(known)
		if has := slices.Sorted(maps.Keys(s.Properties)); !slices.Equal(has, known) {
			t.Errorf("%s has %v in the schema, %v in the code", at, has, known)
		}
		always := slices.DeleteFunc(known, absentBefore)
		if required := slices.Sorted(slices.Values(s.Required)); !slices.Equal(required, always) {
			t.Errorf("%s requires %v, not %v", at, required, always)
		}
	}
}

// TestSchemaRefuses: no field of a plan may be missing or of another type, none is
// unknown, and each status asks for what belongs to it.
func TestSchemaRefuses(t *testing.T) {
	schema, err := plans.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	changes := 0
	all := examples(t)
	names := []string{"completed", "failed"}
	if testing.Short() {
		names = names[:1]
	}
	for _, name := range names {
		text, err := all[name].Encode()
		if err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		refused := func(what string) {
			changes++
			if text, err := json.Marshal(doc); err != nil || schema.Check(text) == nil {
				t.Errorf("%s is taken with %s", name, what)
			}
		}
		everyField(doc, "", refused)
	}
	if changes < 500 {
		t.Errorf("only %d changes were tried", changes)
	}
}

// everyField changes one field after another, tells what is done, and mends it. Of the
// items of a list the first stands for all.
func everyField(v any, at string, told func(string)) {
	switch v := v.(type) {
	case []any:
		if len(v) > 0 {
			everyField(v[0], at+"[]", told)
		}
	case map[string]any:
		v["surprise"] = "?"
		told("an unknown field in " + at)
		delete(v, "surprise")
		for _, name := range slices.Sorted(maps.Keys(v)) {
			was := v[name]
			delete(v, name)
			if !absentBefore(name) {
				told("no " + at + "." + name)
			}
			for _, other := range []any{nil, "\n", -7, 0.5, true, []any{1}, map[string]any{"a": 1}} {
				if mayBe(name, was, other) {
					continue
				}
				v[name] = other
				told(fmt.Sprintf("%s.%s of %v", at, name, other))
			}
			v[name] = was
			everyField(was, at+"."+name, told)
		}
	}
}

// mayBe is whether a field that was something else may be that, too.
func mayBe(name string, was, other any) bool {
	switch other.(type) {
	case nil:
		return was == nil || name == "newest" || name == "counts" || name == "mapping" // of a feed without records, or that nothing is told of
	case []any:
		return name == "offsets"
	case string, bool:
		return reflect.TypeOf(was) == reflect.TypeOf(other)
	}
	return false
}

// TestSchemaByStatus: what a status asks for cannot be left out, and what belongs to
// another is refused.
func TestSchemaByStatus(t *testing.T) {
	schema, err := plans.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, of string
		change   func(*plan.Plan)
	}{
		{"planned with a package", "planned", func(p *plan.Plan) { p.TrackSource.Package = first(t).TrackSource.Package }},
		{"planned with a measured metric", "planned", func(p *plan.Plan) {
			p.TrackSource.SuccessMetrics[0].State = "met"
			p.TrackSource.SuccessMetrics[0].Value = "1"
		}},
		{"running without an attempt", "planned", func(p *plan.Plan) { p.Status = plan.Running }},
		{"completed without a package", "completed", func(p *plan.Plan) { p.TrackSource.Package = nil }},
		{"completed with a metric that is pending", "completed", func(p *plan.Plan) {
			p.TrackSource.SuccessMetrics[0].State = "pending"
			p.TrackSource.SuccessMetrics[0].Value = ""
		}},
		{"completed without confidence", "completed", func(p *plan.Plan) { p.TrackSource.SuccessMetrics[0].Metric = "survey_score" }},
		{"completed from memory", "completed", func(p *plan.Plan) { p.TrackSource.DataSources[0].Source = "plan-20261119-120000" }},
		{"completed without an end", "completed", func(p *plan.Plan) { p.TrackSource.FinishedAt = nil }},
		{"failed without a reason", "failed", func(p *plan.Plan) { p.TrackSource.Failure = nil }},
		{"completed with a failure", "completed", func(p *plan.Plan) { p.TrackSource.Failure = &plan.Failing{Outcome: plan.Mismatch, Reason: "?"} }},
		{"refused and escalated", "failed", func(p *plan.Plan) { p.TrackSource.Failure.Outcome = plan.Refused }},
		{"failed without an escalation", "failed", func(p *plan.Plan) { p.TrackSource.Escalations = []plan.Escalation{} }},
		{"four attempts", "failed", func(p *plan.Plan) { p.TrackSource.Attempts = append(p.TrackSource.Attempts, p.TrackSource.Attempts[0]) }},
		{"an attempt that failed without an error", "failed", func(p *plan.Plan) { p.TrackSource.Attempts[0].Error = "" }},
		{"met without a target", "completed", func(p *plan.Plan) { p.TrackSource.SuccessMetrics[0].Target = "" }},
		{"no data with a value", "completed", func(p *plan.Plan) { p.TrackSource.SuccessMetrics[0].State = "no_data" }},
		{"a diamond without groups", "completed", func(p *plan.Plan) { p.Parallelization.ParallelGroups = []plan.ParallelGroup{} }},
		{"a diamond without a merge gate", "completed", func(p *plan.Plan) { p.Stages = p.Stages[:3] }},
		{"a pipeline with groups", "completed", func(p *plan.Plan) { p.Strategy = "pipeline" }},
		{"an id of another form", "completed", func(p *plan.Plan) { p.PlanID = "plan-1" }},
		{"a hash of another form", "completed", func(p *plan.Plan) { p.TrackSource.Package.Manifest = strings.Repeat("B1", 32) }},
		{"a value that is no number", "completed", func(p *plan.Plan) { p.TrackSource.SuccessMetrics[0].Value = "high" }},
		{"a mapping of another form", "completed", func(p *plan.Plan) { p.TrackSource.DataSources[0].Mapping.Hash = "3f" }},
		{"a mapping of no revision", "completed", func(p *plan.Plan) { p.TrackSource.DataSources[0].Mapping.Revision = -1 }},
		{"more retries", "completed", func(p *plan.Plan) { p.ErrorHandling.MaxRetries = 3 }},
	} {
		p := examples(t)[c.of]
		c.change(p)
		text, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if schema.Check(text) == nil {
			t.Errorf("%s is taken", c.name)
		}
	}
}

// TestEveryPlanIsValid: whatever is asked, was known, happens and is answered, a plan is
// what its schema asks for at each step, and reads back as it was written.
func TestEveryPlanIsValid(t *testing.T) {
	schema, err := plans.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z]{0,8}`), rapid.Just(strings.Repeat("ü\u2028", 600)), rapid.Just("\xff<script>\x00|=1+1"))
	count := rapid.Int64()
	at := rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "seconds"), 999).In(time.FixedZone("", 3600))
	})
	feeds := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) report.FeedQA {
		f := report.FeedQA{
			Feed: rapid.OneOf(rapid.SampledFrom([]string{"crm.a", "map.a", "analytics.b", "crm.b"}), text).Draw(t, "feed"), Partner: rapid.OneOf(rapid.SampledFrom([]string{"a", "b", ""}), text).Draw(t, "partner"),
			Topic: text.Draw(t, "topic"), Records: count.Draw(t, "records"), Offsets: rapid.SliceOfN(count, 0, 3).Draw(t, "offsets"), AgeSeconds: count.Draw(t, "age"), LimitSeconds: count.Draw(t, "limit"),
			Fresh: rapid.Bool().Draw(t, "fresh"), Complete: rapid.Bool().Draw(t, "complete"), Completeness: text.Draw(t, "completeness"), DeadLetters: count.Draw(t, "dead"),
		}
		if newest := at.Draw(t, "newest"); rapid.Bool().Draw(t, "has") {
			f.Newest = &newest
		}
		if rapid.Bool().Draw(t, "told") {
			f.Counts = &report.FeedCounts{
				Accepted: count.Draw(t, "accepted"), Duplicates: count.Draw(t, "duplicates"), Late: count.Draw(t, "late"), Suppressed: count.Draw(t, "suppressed"),
				Unmatchable: count.Draw(t, "unmatchable"), Touches: count.Draw(t, "touches"), Unmatched: count.Draw(t, "unmatched"),
			}
		}
		return f
	}), 0, 6)
	packages := rapid.Custom(func(t *rapid.T) *report.Package {
		p := answer()
		p.Campaign, p.Name, p.Revision, p.Contract = rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "id"), text.Draw(t, "name"), count.Draw(t, "revision"), text.Draw(t, "contract")
		p.Currency, p.Zone, p.Headline, p.Empty = text.Draw(t, "currency"), text.Draw(t, "zone"), text.Draw(t, "headline"), text.Draw(t, "empty")
		p.Question = report.PackageQuestion{
			Window: text.Draw(t, "window"), From: text.Draw(t, "from"), To: "2026-02-30", Detail: report.Detail(text.Draw(t, "detail")), Dimensions: rapid.SliceOfN(text, 0, 3).Draw(t, "dimensions"),
			Model: text.Draw(t, "model"), View: report.View(text.Draw(t, "view")),
		}
		p.AsOf.Time = at.Draw(t, "as of")
		p.Observed = report.Observed{BehindSeconds: count.Draw(t, "behind"), BehindWhy: text.Draw(t, "why"), Feeds: feeds.Draw(t, "feeds")}
		for i := range p.Tables {
			row := rapid.SliceOfN(text, len(p.Tables[i].Columns), len(p.Tables[i].Columns))
			p.Tables[i].Rows = append(p.Tables[i].Rows, row.Draw(t, "row"))
		}
		p.Tables = rapid.Permutation(p.Tables).Draw(t, "tables")[rapid.IntRange(0, 3).Draw(t, "without"):]
		return p
	})
	rapid.Check(t, func(t *rapid.T) {
		now := at.Draw(t, "now")
		var past plan.Past
		check := func(p *plan.Plan) {
			written, err := p.Encode()
			if err == nil {
				err = schema.Check(written)
			}
			if err != nil {
				t.Fatalf("%s: %v", p.Status, err)
			}
			again, edited, err := plan.Decode(written)
			if err != nil || edited || again.Seal != p.Seal {
				t.Fatalf("read back it is edited %v, %v", edited, err)
			}
		}
		for n := range rapid.IntRange(1, 3).Draw(t, "plans") {
			q := plan.Question{
				Campaign: text.Draw(t, "campaign"), Window: text.Draw(t, "window"), Detail: rapid.SampledFrom([]string{"", "full", "summary"}).Draw(t, "detail"),
				Dimensions: rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,8}`), 0, 6).Draw(t, "dimensions"), Model: text.Draw(t, "model"), AsOf: text.Draw(t, "as of"), Reporter: text.Draw(t, "reporter"),
			}
			past.Notes = rapid.SliceOfN(rapid.Map(text, func(s string) plan.Note { return plan.Note{PlanID: s, What: "unreadable", Why: s + "!"} }), 0, 2).Draw(t, "notes")
			past.Failed = rapid.IntRange(0, 9).Draw(t, "failed")
			p := plan.New(plan.ID(now, n+1), q, past, now)
			check(p)
			var err error
			for {
				try, ok := p.Next(err, 0, now)
				if !ok {
					break
				}
				err = rapid.SampledFrom([]error{nil, errReset, fmt.Errorf("%s", text.Draw(t, "error")), &plan.Failure{Outcome: plan.Mismatch, Err: errReset}, &plan.Failure{Outcome: plan.Refused, Err: errReset}, &plan.Failure{Outcome: plan.Busy, RetryAfter: time.Hour, Err: errReset}}).Draw(t, "outcome")
				now = now.Add(try.Wait + time.Second)
				p.Attempt(try, now, now.Add(time.Second), err)
				check(p)
				if err == nil {
					break
				}
			}
			if err != nil {
				p.Fail(err, now)
				check(p)
				continue
			}
			d := done(now)
			if rapid.Bool().Draw(t, "governed") {
				d.Governance = governance()
			}
			p.Complete(packages.Draw(t, "package"), d, past)
			check(p)
			past = plan.Past{Last: p, Edited: rapid.Bool().Draw(t, "edited")}
			now = now.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "days")) * 24 * time.Hour)
		}
	})
}

package model_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/attribution/model"
	"tracksource/money"
)

// additiveSpecs has each additive model, and those with settings once more.
func additiveSpecs() []model.Spec {
	var specs []model.Spec
	for _, n := range model.Names() {
		if n.IsAdditive() && n != model.Custom {
			specs = append(specs, model.Spec{Model: n})
		}
	}
	return append(
		specs,
		model.Spec{Model: model.Custom, Shares: &model.Shares{First: 50_000, Middle: 200_000, Last: 750_000}},
		model.Spec{Model: model.Custom, Shares: &model.Shares{Middle: model.WholeShare}},
		model.Spec{Model: model.Custom, Types: []model.TypeWeight{{Type: "form", Weight: 3_000_001}, {Type: "visit", Weight: 1}}},
		model.Spec{Model: model.PositionBased, Shares: &model.Shares{First: 333_333, Middle: 333_334, Last: 333_333}},
		model.Spec{Model: model.JShaped, Variant: model.VariantAmplitude},
		model.Spec{Model: model.InverseJ, Variant: model.VariantAmplitude},
		model.Spec{Model: model.TimeDecay, HalfLife: time.Hour},
		model.Spec{Model: model.WShaped, Rest: model.RestBetween},
		model.Spec{Model: model.Linear, Transforms: []model.Transform{{Name: model.Exposure}, {Name: model.Trim, Keep: 5}}},
		model.Spec{Model: model.TimeDecay, Exclude: []model.Exclusion{{Key: model.KeyChannel, Value: "Direct"}}},
	)
}

func drawTouches(t *rapid.T, most int) []model.Touch {
	n := rapid.IntRange(1, most).Draw(t, "touches")
	touches := make([]model.Touch, n)
	for i := range touches {
		touches[i] = model.Touch{
			ID: fmt.Sprint(i), At: conversion.Add(-time.Duration(rapid.IntRange(0, 90*8).Draw(t, "age")) * 3 * time.Hour),
			Channel: rapid.SampledFrom([]string{"Direct", "Search", "Email"}).Draw(t, "channel"),
			Type:    rapid.SampledFrom([]string{"form", "visit"}).Draw(t, "type"),
		}
	}
	return touches
}

// TestConservation: under every additive model the parts of any amount, be it yen
// or dinars, sum to it, and no part has another sign than the whole.
func TestConservation(t *testing.T) {
	specs := additiveSpecs()
	rapid.Check(t, func(t *rapid.T) {
		p := model.Path{Touches: drawTouches(t, 40), At: conversion}
		model.Sort(p.Touches)
		p.Lead = p.Touches[rapid.IntRange(0, len(p.Touches)-1).Draw(t, "lead")].At
		p.Opportunity = p.Lead.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "opportunity")) * time.Hour)
		amount := rapid.OneOf(rapid.Int64Range(-1000, 1000), rapid.Int64Range(math.MinInt64+1, math.MaxInt64)).Draw(t, "amount")
		for _, s := range specs {
			weights := model.Weights(s, p)
			if weights == nil {
				if len(s.Remaining(p)) > 0 {
					t.Fatalf("%+v credits nobody in %+v", s, p)
				}
				continue
			}
			var sum int64
			for _, part := range money.Allocate(amount, weights) {
				sum += part
				if part != 0 && part > 0 != (amount > 0) {
					t.Fatalf("%+v: a part of %d is %d", s, amount, part)
				}
			}
			if sum != amount {
				t.Fatalf("%+v: the parts of %d sum to %d", s, amount, sum)
			}
		}
	})
}

// TestEveryLength: the weights sum to the whole at any number of touches; Allocate
// panics if they do not.
func TestEveryLength(t *testing.T) {
	for _, s := range additiveSpecs() {
		if got := model.Weights(s, model.Path{}); got != nil {
			t.Errorf("%+v of no touch: %v", s, got)
		}
		for n := 1; n <= 1000; n += 1 + n/20 {
			p := pathOf(n)
			for i := range p.Touches {
				p.Touches[i].Type = "form"
			}
			p.Lead, p.Closed = p.Touches[n/2].At, p.Touches[n-1].At
			weights := model.Weights(s, p)
			if len(weights) != n {
				t.Fatalf("%+v of %d touches: %d weights", s, n, len(weights))
			}
			money.Allocate(1, weights)
		}
	}
}

// TestArrivalOrder: whatever order touches came in, each gets what it got.
func TestArrivalOrder(t *testing.T) {
	specs := append(additiveSpecs(), model.Spec{Model: model.Participation})
	rapid.Check(t, func(t *rapid.T) {
		touches := drawTouches(t, 12)
		s := rapid.SampledFrom(specs).Draw(t, "spec")
		credit := func(arrived []model.Touch) map[string]uint64 {
			p := model.Path{Touches: slices.Clone(arrived), At: conversion, Lead: touches[0].At}
			model.Sort(p.Touches)
			got := map[string]uint64{}
			for i, w := range model.Weights(s, p) {
				got[p.Touches[i].ID] = w
			}
			return got
		}
		want := credit(touches)
		for id, w := range credit(rapid.Permutation(touches).Draw(t, "arrival")) {
			if want[id] != w {
				t.Fatalf("%+v: touch %s gets %d in one order, %d in another", s, id, want[id], w)
			}
		}
	})
}

// TestTransforms shows what each leaves of one path.
func TestTransforms(t *testing.T) {
	for _, c := range []struct{ path, transform, want string }{
		{"D A B B C D C C", "unique", "D A B B C D C C"},
		{"D A B B C D C C", "exposure", "D A B C D C"},
		{"D A B B C D C C", "first", "D A B C"},
		{"A B A A", "remove-if-last-and-not-all=A", "A B"},
		{"A A", "remove-if-last-and-not-all=A", "A A"},
		{"A B", "remove_if_last_and_not_all=A", "A B"},
		{"A B A A", "remove-if-not-all=A", "B"},
		{"A A", "remove-if-not-all=A", "A A"},
		{"D A B B C D C C", "trim=3", "D C C"},
		{"D A", "trim=3", "D A"},
		{"D A B B C D C C", "exposure trim=3", "C D C"},
		{"D A B B C D C C", "trim=3 exposure", "D C"},
		{"D A B B", "exposure@partner", "D"},
		{"", "exposure", ""},
	} {
		var p model.Path
		for i, channel := range strings.Fields(c.path) {
			p.Touches = append(p.Touches, model.Touch{ID: fmt.Sprint(i), At: conversion.Add(time.Duration(i)), Channel: channel, Partner: "acme"})
		}
		s := model.Spec{Model: model.Linear}
		for text := range strings.FieldsSeq(c.transform) {
			transform, err := model.ParseTransform(text)
			if err != nil {
				t.Fatal(err)
			}
			s.Transforms = append(s.Transforms, transform)
		}
		var got []string
		for _, place := range s.Remaining(p) {
			got = append(got, p.Touches[place].Channel)
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%s of %s leaves %s, want %s", c.transform, c.path, text, c.want)
		}
	}
}

// TestChoices names what vendors leave silent, each with its answer, as percentages
// of the touches in order.
func TestChoices(t *testing.T) {
	at := func(place int) func(*model.Path) time.Time {
		return func(p *model.Path) time.Time { return p.Touches[place-1].At }
	}
	type instants struct{ lead, opportunity, closed func(*model.Path) time.Time }
	before := func(p *model.Path) time.Time { return p.Touches[0].At.Add(-time.Second) }
	between := func(p *model.Path) time.Time { return p.Touches[1].At.Add(time.Hour) }
	for _, c := range []struct {
		name string
		spec model.Spec
		n    int
		when instants
		want string
	}{
		{"a milestone that never was leaves its share to the others", model.Spec{Model: model.WShaped}, 4, instants{lead: at(3)}, "45 5 45 5"},
		{"a milestone before the first touch never was", model.Spec{Model: model.WShaped}, 4, instants{lead: before, opportunity: at(4)}, "45 5 5 45"},
		{"no milestone but the first touch", model.Spec{Model: model.WShaped}, 3, instants{}, "90 5 5"},
		{"one touch of all milestones, and no other", model.Spec{Model: model.FullPath}, 1, instants{at(1), at(1), at(1)}, "100"},
		{"a touch of two milestones has both shares", model.Spec{Model: model.FullPath}, 4, instants{at(2), at(2), at(4)}, "22.5 45 10 22.5"},
		{"without others the milestones share the rest", model.Spec{Model: model.WShaped}, 3, instants{lead: at(2), opportunity: at(3)}, "33.3333 33.3333 33.3333"},
		{"a milestone between two touches belongs to the earlier", model.Spec{Model: model.UMilestones}, 3, instants{lead: between}, "50 50 0"},
		{"the rest up to the last milestone", model.Spec{Model: model.WShaped, Rest: model.RestBetween}, 5, instants{lead: at(2), opportunity: at(4)}, "30 30 10 30 0"},
		{"the last milestone may not be the last in name", model.Spec{Model: model.WShaped, Rest: model.RestBetween}, 5, instants{lead: at(4), opportunity: at(2)}, "30 30 10 30 0"},
		{"the rest of all", model.Spec{Model: model.WShaped}, 5, instants{lead: at(2), opportunity: at(4)}, "30 30 5 30 5"},
		{"two touches without shares of the ends", model.Spec{Model: model.Custom, Shares: &model.Shares{Middle: model.WholeShare}}, 2, instants{}, "50 50"},
		{"a touch at the conversion counts", model.Spec{Model: model.LastTouch}, 2, instants{}, "0 100"},
		{"or not", model.Spec{Model: model.LastTouch, ConversionTouchExcluded: true}, 2, instants{}, "100 0"},
		{"types that nobody has", model.Spec{Model: model.Custom, Types: []model.TypeWeight{{Type: "form", Weight: 1}}}, 2, instants{}, ""},
		{"all touches are excluded", model.Spec{Model: model.Linear, Exclude: []model.Exclusion{{Key: model.KeyChannel, Value: "Search"}}}, 2, instants{}, ""},
		{"a half-life a day", model.Spec{Model: model.TimeDecay, HalfLife: day}, 3, instants{}, "14.2857 28.5714 57.1429"},
		{"participation counts a value once", model.Spec{Model: model.Participation}, 3, instants{}, "100 0 0"},
		{"participation by touch", model.Spec{Model: model.Participation, Key: model.KeyTouch}, 3, instants{}, "100 100 100"},
		{"only direct", model.Spec{Model: model.LastNonDirect, Direct: "search"}, 3, instants{}, "0 0 100"},
		{"a model of many journeys", model.Spec{Model: model.Shapley}, 3, instants{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := pathOf(c.n)
			for instant, pick := range map[*time.Time]func(*model.Path) time.Time{&p.Lead: c.when.lead, &p.Opportunity: c.when.opportunity, &p.Closed: c.when.closed} {
				if pick != nil {
					*instant = pick(&p)
				}
			}
			if err := c.spec.Check(); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, w := range model.Weights(c.spec, p) {
				millionths := (w + money.Whole/2_000_000) / (money.Whole / 1_000_000)
				got = append(got, strings.TrimSuffix(model.Share(millionths).String(), "%"))
			}
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("got %s, want %s", text, c.want)
			}
		})
	}
}

// TestCheck: a setting that is wrong is named.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		spec  model.Spec
		field string
	}{
		{model.Spec{}, "model"},
		{model.Spec{Model: model.MultiTouch}, "model"},
		{model.Spec{Model: model.Custom}, "model"},
		{model.Spec{Model: model.Linear, HalfLife: day}, "half_life"},
		{model.Spec{Model: model.TimeDecay, HalfLife: -day}, "half_life"},
		{model.Spec{Model: model.TimeDecay, HalfLife: math.MaxInt64}, "half_life"},
		{model.Spec{Model: model.PositionBased, Shares: &model.Shares{First: 500_000, Last: 400_000}}, "first"},
		{model.Spec{Model: model.PositionBased, Shares: &model.Shares{First: 1 << 63, Middle: 1 << 63, Last: model.WholeShare}}, "first"},
		{model.Spec{Model: model.PositionBased, Variant: "mixpanel"}, "variant"},
		{model.Spec{Model: model.WShaped, Rest: "none"}, "rest"},
		{model.Spec{Model: model.Participation, Key: "color"}, "key"},
		{model.Spec{Model: model.Custom, Types: []model.TypeWeight{{Type: "form"}}}, "types"},
		{model.Spec{Model: model.Custom, Types: []model.TypeWeight{{Type: "form", Weight: 1}, {Type: "form", Weight: 1}}}, "types"},
		{model.Spec{Model: model.Custom, Types: []model.TypeWeight{{Type: "form", Weight: model.TypeWeightMax + 1}}}, "types"},
		{model.Spec{Model: model.Linear, Exclude: []model.Exclusion{{Key: "color", Value: "red"}}}, "exclude"},
		{model.Spec{Model: model.Linear, Exclude: make([]model.Exclusion, model.ExcludesMax+1)}, "exclude"},
		{model.Spec{Model: model.Linear, Transforms: []model.Transform{{Name: model.Trim}}}, "transforms"},
		{model.Spec{Model: model.Linear, Transforms: []model.Transform{{Name: model.Exposure, Value: "x"}}}, "transforms"},
		{model.Spec{Model: model.Linear, Transforms: make([]model.Transform, model.TransformsMax+1)}, "transforms"},
	} {
		var field *model.FieldError
		if err := c.spec.Check(); !errors.As(err, &field) || field.Field != c.field {
			t.Errorf("%+v: %v, want it to name %s", c.spec, err, c.field)
		}
	}
}

func TestSet(t *testing.T) {
	for text, want := range map[string]string{
		"first=30%":             "",
		"first=30% last=60%":    "",
		"first=70%":             "first: first 70%, middle 20% and last 40% do not sum to 100%",
		"last=101%":             `last: "101%" is not a share; write a percentage from 0% to 100% with at most 4 decimals, such as 22.5%`,
		"half_life=7d":          "half_life: is a setting of time-decay, not of position-based",
		"half_life=-1h":         `half_life: "-1h" is not a length of time; write days such as 7d or hours such as 36h, over zero and at most 36500d`,
		"conversion_touch=skip": `conversion_touch: "skip"; write include or exclude`,
		"size=3":                "size: there is no such setting",
		"rest=all":              "rest: is a setting of w-shaped, full-path, not of position-based",
	} {
		s := model.Spec{Model: model.PositionBased}
		var err error
		for setting := range strings.FieldsSeq(text) {
			name, value, _ := strings.Cut(setting, "=")
			if err == nil {
				err = s.Set(name, value)
			}
		}
		if err == nil {
			err = s.Check()
		}
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func BenchmarkWeights(b *testing.B) {
	for _, s := range []model.Spec{{Model: model.Linear}, {Model: model.PositionBased}, {Model: model.TimeDecay}, {Model: model.FullPath}} {
		for _, n := range []int{10, 100, 1000} {
			b.Run(fmt.Sprintf("%s/%d", s.Model, n), func(b *testing.B) {
				p := pathOf(n)
				for i := range p.Touches {
					p.Touches[i].At = p.Touches[i].At.Add(time.Duration(i*i) * time.Second)
				}
				p.Lead, p.Opportunity = p.Touches[n/3].At, p.Touches[n/2].At
				b.ReportAllocs()
				for b.Loop() {
					model.Weights(s, p)
				}
			})
		}
	}
}

package check

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/attribution/model"
	"tracksource/money"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// drawSpec draws any valid additive model with any of its settings.
func drawSpec(t *rapid.T) model.Spec {
	var additive []model.Name
	for _, n := range model.Names() {
		if n.IsAdditive() {
			additive = append(additive, n)
		}
	}
	s := model.Spec{
		Model:                   rapid.SampledFrom(additive).Draw(t, "model"),
		ConversionTouchExcluded: rapid.IntRange(0, 5).Draw(t, "conversion touch") == 0,
	}
	shares := func() *model.Shares {
		first := rapid.Uint64Range(0, 1_000_000).Draw(t, "first")
		last := rapid.Uint64Range(0, 1_000_000-first).Draw(t, "last")
		return &model.Shares{First: model.Share(first), Last: model.Share(last), Middle: model.Share(1_000_000 - first - last)}
	}
	switch s.Model {
	case model.Custom:
		if rapid.Bool().Draw(t, "by type") {
			for _, typ := range []string{"form", "visit"} {
				s.Types = append(s.Types, model.TypeWeight{Type: typ, Weight: model.Share(rapid.Uint64Range(1, 9_000_000).Draw(t, typ))})
			}
			break
		}
		s.Shares = shares()
		s.Variant = rapid.SampledFrom([]model.Variant{"", "amplitude"}).Draw(t, "variant")
	case model.PositionBased:
		if rapid.Bool().Draw(t, "shares") {
			s.Shares = shares()
		}
		s.Variant = rapid.SampledFrom([]model.Variant{"", "amplitude"}).Draw(t, "variant")
	case model.JShaped, model.InverseJ:
		s.Variant = rapid.SampledFrom([]model.Variant{"", "amplitude"}).Draw(t, "variant")
	case model.TimeDecay:
		s.HalfLife = time.Duration(rapid.Int64Range(0, int64(20*24*time.Hour)).Draw(t, "half-life"))
	case model.WShaped, model.FullPath:
		s.Rest = rapid.SampledFrom([]model.Rest{"", "between"}).Draw(t, "rest")
	default:
	}
	for range rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "transforms") {
		change := model.Transform{
			Name: rapid.SampledFrom(model.TransformNames()).Draw(t, "transform"),
			Key:  rapid.SampledFrom([]model.Key{"", model.KeyPartner, model.KeyType}).Draw(t, "key"),
		}
		switch change.Name {
		case model.Trim:
			change.Keep = rapid.IntRange(1, 6).Draw(t, "keep")
		case model.RemoveIfLastAndNotAll, model.RemoveIfNotAll:
			change.Value = rapid.SampledFrom([]string{"Direct", "acme", "form"}).Draw(t, "removed")
		default:
		}
		s.Transforms = append(s.Transforms, change)
	}
	if rapid.IntRange(0, 4).Draw(t, "exclude") == 0 {
		s.Exclude = []model.Exclusion{{Key: model.KeyChannel, Value: "Email"}, {Key: model.KeyPartner, Value: "acme"}}
	}
	return s
}

// drawPath draws from few instants and values, so that ties are common, and
// sometimes to the nanosecond.
func drawPath(t *rapid.T) model.Path {
	instant := func(name string) time.Time {
		at := noon.Add(-time.Duration(rapid.IntRange(0, 40).Draw(t, name)) * 12 * time.Hour)
		if rapid.IntRange(0, 3).Draw(t, name+" is fine") == 0 {
			at = at.Add(time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, name+" nanoseconds")))
		}
		return at
	}
	maybe := func(name string) (at time.Time) {
		if rapid.Bool().Draw(t, name+" is there") {
			at = instant(name)
		}
		return at
	}
	p := model.Path{At: maybe("conversion"), Lead: maybe("lead"), Opportunity: maybe("opportunity"), Closed: maybe("closed")}
	for i := range rapid.IntRange(0, 12).Draw(t, "touches") {
		p.Touches = append(p.Touches, model.Touch{
			ID: fmt.Sprint(i), At: instant("touch"),
			Channel: rapid.SampledFrom([]string{"Direct", "Search", "Email"}).Draw(t, "channel"),
			Partner: rapid.SampledFrom([]string{"acme", "globex"}).Draw(t, "partner"),
			Type:    rapid.SampledFrom([]string{"form", "visit", "meeting"}).Draw(t, "type"),
		})
	}
	model.Sort(p.Touches)
	return p
}

// TestWeightsAgree: the models and the judge, which share no code, give the same
// parts of 10^18 to every touch, for every model and setting.
func TestWeightsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, p := drawSpec(t), drawPath(t)
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		got, want := model.Weights(s, p), weights(s, p.Touches, milestones{p.At, p.Lead, p.Opportunity, p.Closed})
		if len(got) != len(want) {
			t.Fatalf("%+v\n%+v\nmodel %v, judge %v", s, p, got, want)
		}
		var sum uint64
		for i := range got {
			sum += got[i]
			if !want[i].IsUint64() || want[i].Uint64() != got[i] {
				t.Fatalf("%+v\n%+v\nmodel %v, judge %v", s, p, got, want)
			}
		}
		if got != nil && sum != money.Whole {
			t.Fatalf("%+v: %v sum to %d", s, got, sum)
		}
	})
}

// TestDecayOverLongPaths: sums over 2^64 and ages of many half-lives.
func TestDecayOverLongPaths(t *testing.T) {
	for _, halfLife := range []time.Duration{1, time.Second, time.Hour, 7 * 24 * time.Hour, model.HalfLifeMax} {
		p := model.Path{}
		for i := range 60 {
			at := noon.Add(-time.Duration(i*i*i) * 7 * time.Minute)
			p.Touches = append(p.Touches, model.Touch{At: at}, model.Touch{At: at.Add(-time.Duration(i))})
		}
		slices.Reverse(p.Touches)
		model.Sort(p.Touches)
		s := model.Spec{Model: model.TimeDecay, HalfLife: halfLife}
		got, want := model.Weights(s, p), weights(s, p.Touches, milestones{})
		for i := range got {
			if want[i].Uint64() != got[i] {
				t.Fatalf("half-life %v, touch %d: model %d, judge %v", halfLife, i, got[i], want[i])
			}
		}
	}
}

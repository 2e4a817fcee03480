package answer_test

import (
	"reflect"
	"testing"

	"tracksource/attribution"
	"tracksource/attribution/model"
	"tracksource/internal/follow"
	"tracksource/report"
)

// TestModelsTogether: many questions at once are answered as each alone, though what a
// model makes of a journey is worked out once for several of them.
func TestModelsTogether(t *testing.T) {
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
	var asks []report.ModelAsk
	for _, measure := range []string{attribution.MeasureRevenue, attribution.MeasurePipelineCreated} {
		for _, s := range report.Specs(parsed(t)) {
			for _, by := range []report.Dimension{report.Partner, report.Channel, report.Asset, report.Segment} {
				spec := s.Spec
				if spec.Model == model.Participation {
					spec.Key = model.Key(by)
				}
				asks = append(asks, report.ModelAsk{
					ModelQuestion: report.ModelQuestion{Measure: measure, Currency: "USD", Exponent: 2, By: by},
					ID:            s.ID, Key: spec.Key, SpecOf: func(int64) model.Spec { return spec },
				})
			}
		}
	}
	together, err := report.Models(report.Listed(deals), asks)
	if err != nil {
		t.Fatal(err)
	}
	groups := 0
	for i := range asks {
		alone, err := report.Model(report.Listed(deals), asks[i].ModelQuestion, asks[i].SpecOf)
		if err != nil {
			t.Fatal(err)
		}
		if groups += len(alone.Groups); !reflect.DeepEqual(alone, together[i]) {
			t.Errorf("%s of %s by %s: alone %+v, together %+v", asks[i].ID, asks[i].Measure, asks[i].By, alone, together[i])
		}
	}
	if groups < 200 {
		t.Errorf("%d groups were compared: the world is too small", groups)
	}
}

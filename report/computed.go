package report

import (
	"errors"
	"fmt"

	"tracksource/attribution"
	"tracksource/attribution/model"
)

// ErrWhole says that a model has no rows: it looks at journeys together, or gives the
// whole of a deal to several.
var ErrWhole = errors.New("the model has no rows")

// Computed are the rows that the ledger would have of deals under a model of single
// paths that it does not keep, one cube for each measure of [ModelMeasures] that there is
// one of. specOf gives the model's settings under each revision. Nothing is booked on
// another day than its own: what was posted when is known of the ledger's models alone.
func Computed(deals Deals, specOf func(revision int64) model.Spec) (map[string]*Cube, error) {
	rows := map[Line]*computedRow{}
	for d := range deals {
		for _, measure := range ModelMeasures() {
			f, m, ok := d.Measure(measure)
			if !ok {
				continue
			}
			spec := specOf(f.Revision)
			if !spec.Model.IsAdditive() {
				return nil, fmt.Errorf("%s: %w", spec.Model, ErrWhole)
			}
			for line, minor := range linesOf(f, m, spec) {
				r := rows[line]
				if r == nil {
					r = &computedRow{}
					rows[line] = r
				}
				r.value = r.value.Add(ValueOf(minor, m.Exponent))
				r.confident = r.confident.Add(ValueOf(m.Confidence.Of(minor), m.Exponent))
			}
		}
	}
	return cubesOf(rows)
}

type computedRow struct{ value, confident Value }

// linesOf are what a deal has of a measure under a model.
func linesOf(f *attribution.Facts, m *attribution.FactMeasure, spec model.Spec) map[Line]int64 {
	of := func(t *attribution.FactTouch, partner string) Line {
		return Line{Measure: m.Measure, Day: m.Day, Currency: m.Currency, Exponent: m.Exponent, Dimensions: lineOf(f, m, t, partner)}
	}
	shares := SharesOf(f, m, spec)
	if shares == nil {
		return map[Line]int64{of(nil, ""): m.Value}
	}
	lines := map[Line]int64{}
	for _, s := range shares {
		lines[of(&f.Touches[s.Touch], s.Partner)] += s.Amount
	}
	return lines
}

func cubesOf(rows map[Line]*computedRow) (map[string]*Cube, error) {
	cubes := map[string]*Cube{}
	for line, r := range rows {
		if r.value.Sign() == 0 && r.confident.Sign() == 0 {
			continue // no row, as in the ledger
		}
		c := cubes[line.Measure]
		if c == nil {
			c = NewCube()
			cubes[line.Measure] = c
		}
		day := line.Day.String()
		row := Row{
			Measure: line.Measure, Day: day, Booked: day, Partner: line.Partner, Channel: line.Channel, Asset: line.Asset, Region: line.Region,
			Segment: line.Segment, Source: line.Source, TouchCampaign: line.TouchCampaign, Escrow: line.Escrow, Currency: line.Currency,
			Value: r.value, Confident: r.confident,
		}
		if err := c.Upsert(&row, 1); err != nil {
			return nil, err
		}
	}
	return cubes, nil
}

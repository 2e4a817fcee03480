package follow

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"tracksource/money"
	"tracksource/report"
	"tracksource/schemas/avro"
	"tracksource/state"
	"tracksource/stream"
)

// rowRange starts the keys of the rows of a campaign, measure and model.
func rowRange(campaign, measure, model string) state.Key {
	return spaceRow.Key().String(campaign).String(measure).String(model)
}

// dayPart makes days sort by their number, before 1970 as well.
func dayPart(d money.Day) uint32 { return uint32(d) ^ 1<<31 }

func rowKey(k *avro.ContributionKey) (state.Key, error) {
	day, err := money.ParseDay(k.Day)
	if err != nil {
		return nil, err
	}
	booked, err := money.ParseDay(cmp.Or(k.Booked, k.Day))
	if err != nil {
		return nil, err
	}
	key := rowRange(k.Contract, k.Measure, k.Model).Uint32(dayPart(day))
	for _, part := range [...]string{k.Partner, k.Channel, k.Asset, k.Region, k.Segment, k.Source, k.TouchCampaign, k.Escrow} {
		key = key.Ordered(part)
	}
	return key.Uint32(dayPart(booked)), nil
}

// daysOf are the day of a row and the one that it is booked on, as its key has them
// behind a prefix of this many bytes.
func daysOf(key []byte, prefix int) (day, booked uint32) {
	return binary.BigEndian.Uint32(key[prefix:]), binary.BigEndian.Uint32(key[len(key)-4:])
}

func (f *Follow) projectRow(r *stream.Record, put func(key, value []byte)) error {
	var k avro.ContributionKey
	if err := f.cfg.Codecs.ContributionKey.Decode(r.Key, &k); err != nil {
		return err
	}
	key, err := rowKey(&k)
	if err != nil {
		return err
	}
	if r.Value == nil {
		put(key, nil)
		return nil
	}
	var row avro.ContributionRow
	if err := f.cfg.Codecs.ContributionRow.Decode(r.Value, &row); err != nil {
		return err
	}
	if row.IsDeleted {
		put(key, nil)
		return nil
	}
	put(key, spaceRow.Value(r.Value))
	return nil
}

// row decodes a row of the store.
func (f *Follow) row(value []byte) (avro.ContributionRow, error) {
	var row avro.ContributionRow
	err := f.rowOver(value, &row)
	return row, err
}

// rowOver is row into one that many are read into.
func (f *Follow) rowOver(value []byte, row *avro.ContributionRow) error {
	body, err := spaceRow.Body(value)
	if err != nil {
		return err
	}
	if err := f.cfg.Codecs.ContributionRow.DecodeOver(body, row); err != nil {
		return fmt.Errorf("contribution in the table: %w", err)
	}
	return nil
}

// RowOf is a contribution as report wants it.
func RowOf(r *avro.ContributionRow) (report.Row, error) {
	units, err := r.Units()
	if err != nil {
		return report.Row{}, err
	}
	certain, err := r.ConfidentUnits()
	if err != nil {
		return report.Row{}, err
	}
	row := NameOf(r)
	row.Value, row.Confident = report.ValueOfUnits(units), report.ValueOfUnits(certain)
	return row, nil
}

// NameOf is a contribution as report wants it, without its values.
func NameOf(r *avro.ContributionRow) report.Row {
	return report.Row{
		Campaign: r.Contract, Measure: r.Measure, Model: r.Model, Day: r.Day, Partner: r.Partner, Channel: r.Channel,
		Asset: r.Asset, Region: r.Region, Segment: r.Segment, Source: r.Source, TouchCampaign: r.TouchCampaign, Escrow: r.Escrow, Booked: r.Booked, Currency: r.Currency,
	}
}

// RowPlace is a place between rows, from which a reading of them goes on.
type RowPlace []byte

// Rows calls fn for each row of a campaign, measure and model that a view has on one of
// the days (nil: any) and that is not deleted, by its own day and then by name, behind a
// place (nil: from the first), until it returns false. The place that fn is given is
// behind the row.
func (f *Follow) Rows(campaign, measure, model string, view report.View, within *report.Span, behind RowPlace, fn func(row *avro.ContributionRow, at RowPlace) (bool, error)) error {
	from, to := rowRange(campaign, measure, model).Range()
	known := view == report.AsKnown || view == report.Adjustments
	if within != nil && !known {
		from = rowRange(campaign, measure, model).Uint32(dayPart(within.From))
		to = rowRange(campaign, measure, model).Uint32(dayPart(within.To.Add(1)))
	}
	prefix := len(rowRange(campaign, measure, model))
	if behind != nil {
		if at := slices.Concat(from[:prefix], behind, []byte{0}); string(at) > string(from) {
			from = at
		}
	}
	return f.rows.scan(from, to, func(key, value []byte) (bool, error) {
		// Rows lie by their own days: of all of them few are asked for, and the others
		// are not decoded.
		switch day, booked := daysOf(key, prefix); {
		case view == report.Adjustments && booked == day,
			known && within != nil && (booked < dayPart(within.From) || booked > dayPart(within.To)):
			return true, nil
		}
		row, err := f.row(value)
		if err != nil {
			return false, err
		}
		return fn(&row, append(RowPlace{}, key[prefix:]...))
	})
}

// Scan calls fn for every row that is not deleted. The row is fn's.
func (f *Follow) Scan(fn func(row avro.ContributionRow) error) error {
	from, to := spaceRow.Key().Range()
	return f.rows.scan(from, to, func(_, value []byte) (bool, error) {
		row, err := f.row(value)
		if err != nil {
			return false, err
		}
		return true, fn(row)
	})
}

// Row returns the row of a key, false without one.
func (f *Follow) Row(k *avro.ContributionKey) (avro.ContributionRow, bool, error) {
	key, err := rowKey(k)
	if err != nil {
		return avro.ContributionRow{}, false, err
	}
	value, err := f.rows.get(key)
	if err != nil || value == nil {
		return avro.ContributionRow{}, false, err
	}
	row, err := f.row(value)
	return row, err == nil, err
}

// Sums are the answers to questions about one campaign, measure and model.
type Sums struct {
	Breakdowns []report.Breakdown // as report.Cube gives them
	AsOf       time.Time          // of the newest input in any row; zero without rows
}

// Sum adds up rows of a campaign, measure and model.
func (f *Follow) Sum(campaign, measure, model string, ask report.Ask) (Sums, error) {
	sums, err := f.SumAll(campaign, measure, model, ask)
	if err != nil {
		return Sums{}, err
	}
	return Sums{sums[0].Breakdowns, sums[0].AsOf}, nil
}

// SumAll is Sum for several questions, whose answers are of one moment.
func (f *Follow) SumAll(campaign, measure, model string, asks ...report.Ask) ([]Sums, error) {
	return f.cubes.sum(cubeName{campaign, measure, model}, asks)
}

// loadCube calls fn for every row of a cube that is in the store. Of a row its texts stay.
func (f *Follow) loadCube(name cubeName, fn func(row *avro.ContributionRow) error) error {
	var row avro.ContributionRow
	from, to := rowRange(name.campaign, name.measure, name.model).Range()
	return f.rows.scan(from, to, func(_, value []byte) (bool, error) {
		if err := f.rowOver(value, &row); err != nil {
			return false, err
		}
		err := fn(&row)
		return err == nil, err
	})
}

// rowsChanged brings the cubes up to date.
func (f *Follow) rowsChanged(records []stream.Record) error {
	if f.cubes.none() {
		return nil
	}
	changes := make([]cubeChange, 0, len(records))
	for i := range records {
		r := &records[i]
		var c cubeChange
		if r.Value == nil {
			var k avro.ContributionKey
			if err := f.cfg.Codecs.ContributionKey.Decode(r.Key, &k); err != nil {
				continue // left out of the store as well
			}
			// Compaction may have taken the soft delete in front of a tombstone. What the
			// store still holds was written behind it.
			if _, held, err := f.Row(&k); err != nil {
				return err
			} else if held {
				continue
			}
			c.gone = true
			c.row = avro.ContributionRow{
				Contract: k.Contract, Measure: k.Measure, Model: k.Model, Day: k.Day, Partner: k.Partner, Channel: k.Channel,
				Asset: k.Asset, Region: k.Region, Segment: k.Segment, Source: k.Source, TouchCampaign: k.TouchCampaign, Escrow: k.Escrow, Booked: k.Booked,
			}
		} else if f.cfg.Codecs.ContributionRow.Decode(r.Value, &c.row) != nil {
			continue // as above
		}
		changes = append(changes, c)
	}
	return f.cubes.change(changes)
}

package report_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/attribution"
	"tracksource/money"
	"tracksource/report"
)

// drawInto fills whatever a type has, so that a field that facts get some day is packed or
// is named by leftOut.
func drawInto(t *rapid.T, v reflect.Value, name string) {
	switch to := v.Addr().Interface().(type) {
	case *time.Time:
		if rapid.IntRange(0, 3).Draw(t, name+" is known") > 0 {
			*to = time.Unix(rapid.Int64Range(-1<<36, 1<<36).Draw(t, name), rapid.Int64Range(0, 999_999_999).Draw(t, name+" ns")).UTC()
		}
		return
	case *money.Day:
		*to = rapid.SampledFrom([]money.Day{money.DayMin, -1, 0, 20_454, money.DayMax}).Draw(t, name)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			drawInto(t, v.Field(i), v.Type().Field(i).Name)
		}
	case reflect.Slice:
		n := rapid.IntRange(0, 3).Draw(t, name+" len")
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			drawInto(t, v.Index(i), name)
		}
	case reflect.String:
		v.SetString(rapid.SampledFrom([]string{"", "acme", "globex", "initech", "Email", strings.Repeat("x", 300)}).Draw(t, name))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, name))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, name))
	default:
		t.Fatalf("%s is a %s: nobody draws it", name, v.Type())
	}
}

func drawDeal(t *rapid.T) report.Deal {
	var d report.Deal
	drawInto(t, reflect.ValueOf(&d).Elem(), "deal")
	for i := range d.Parts {
		for n := range d.Parts[i].Measures {
			path := d.Parts[i].Measures[n].Path
			for at := range path { // places are never negative; those of most are the first ones
				path[at] = at + rapid.SampledFrom([]int{0, 0, 7}).Draw(t, "skipped")
			}
		}
		for n := range d.Parts[i].Touches {
			touch := &d.Parts[i].Touches[n]
			touch.Evidence = append(touch.Evidence, touch.ID)
		}
	}
	return d
}

// leftOut is a deal without what packed ones do not have.
func leftOut(d *report.Deal) *report.Deal {
	out := d.Clone()
	for i := range out.Parts {
		f := &out.Parts[i]
		for n := range f.Stages {
			f.Stages[n].EventID = ""
		}
		for n := range f.Measures {
			f.Measures[n].Basis = attribution.Basis{}
		}
		for n := range f.Touches {
			t := &f.Touches[n]
			t.Rule, t.Person = "", ""
			by := []attribution.ItemID{t.ID}
			for _, id := range t.Evidence {
				if !slices.ContainsFunc(by, func(is attribution.ItemID) bool { return is.Reporter == id.Reporter }) {
					by = append(by, attribution.ItemID{Reporter: id.Reporter})
				}
			}
			t.Evidence = by
		}
	}
	return out
}

func packed(deals []report.Deal) *report.Packed {
	p := new(report.Packed)
	for i := range deals {
		p.Add(&deals[i])
	}
	p.Seal()
	return p
}

// TestPacked: what is unpacked is what was packed, but for what is said to be left out,
// and viewers see of it what they saw; what is taken of a deal stays when the next has its
// turn.
func TestPacked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		deals := rapid.SliceOfN(rapid.Custom(drawDeal), 0, 4).Draw(t, "deals")
		p := packed(deals)
		var taken []*report.Deal
		for d := range p.All() {
			n := len(taken)
			if got, want := fmt.Sprintf("%+v", *d), fmt.Sprintf("%+v", *leftOut(&deals[n])); got != want {
				t.Fatalf("deal %d is\n%s\nwas\n%s", n, got, want)
			}
			for _, partner := range []string{"acme", "globex", "initech", "nobody"} {
				v := report.Viewer{Partner: partner}
				for _, s := range []report.Sight{report.SeesOwn, report.SeesPartners} {
					if len(d.Parts) > 0 && v.Sees(s, d) != v.Sees(s, &deals[n]) {
						t.Fatalf("%s with sight %d sees deal %d: %t", partner, s, n, v.Sees(s, d))
					}
				}
			}
			taken = append(taken, d.Clone())
		}
		if len(taken) != len(deals) || p.Len() != len(deals) {
			t.Fatalf("%d deals come back, Len is %d, of %d", len(taken), p.Len(), len(deals))
		}
		for n, d := range taken {
			if got, want := fmt.Sprintf("%+v", *d), fmt.Sprintf("%+v", *leftOut(&deals[n])); got != want {
				t.Fatalf("what was taken of deal %d is\n%s\nwas\n%s", n, got, want)
			}
		}
	})
}

// TestPackedMany: many chunks, more names than are kept once, two who read at the same
// time, one of whom stops.
func TestPackedMany(t *testing.T) {
	deals := make([]report.Deal, 70_000)
	for n := range deals {
		deals[n] = report.Deal{Account: fmt.Sprint(n), Parts: []attribution.Facts{{Segment: fmt.Sprint("segment ", n), Amount: strings.Repeat("1", n%50), Deal: attribution.ItemID{Reporter: "acme", Item: fmt.Sprint(n)}}}}
	}
	p := packed(deals)
	n := 0
	for d := range p.All() {
		for other := range p.All() {
			if other.Account != "0" {
				t.Fatal(other.Account)
			}
			break
		}
		if f := d.Newest(); d.Account != fmt.Sprint(n) || f.Segment != fmt.Sprint("segment ", n) || f.Deal.Item != fmt.Sprint(n) || len(f.Amount) != n%50 {
			t.Fatalf("deal %d is %+v", n, *d)
		}
		n++
	}
	if n != len(deals) || p.Bytes() < 1<<20 {
		t.Errorf("%d deals in %d bytes", n, p.Bytes())
	}
}

// TestPackedGarbage: deals are packed and gone through without anything left of each, and
// what findings look at of a deal is no more than the map of its days and parts of what
// many share. A package goes through a hundred thousand half a dozen times.
func TestPackedGarbage(t *testing.T) {
	const n = 4000
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	deals := make([]report.Deal, n)
	for i := range deals {
		id := attribution.ItemID{Reporter: "globex", Source: "ga4", Item: fmt.Sprint(i)}
		f := attribution.Facts{
			Deal: id, State: "open", Stage: "Qualification", Milestone: "SQL", CreatedAt: at, Segment: fmt.Sprint("segment ", i%3),
			Stages:   []attribution.FactStage{{Stage: "Qualification", State: "open", Milestone: "SQL", At: at}},
			Touches:  []attribution.FactTouch{{ID: id, At: at, Channel: "Email", Asset: fmt.Sprint("asset-", i%60)}, {ID: id, At: at, Channel: fmt.Sprint("Channel ", i%24), Asset: "guide"}},
			Measures: []attribution.FactMeasure{{Measure: attribution.MeasurePipelineCreated, Day: 20_574, Value: 100, Currency: "USD", Exponent: 2, InScope: true, Path: []int{0, 1}, Influenced: []string{"acme"}}},
		}
		deals[i] = report.Deal{Account: fmt.Sprint(i), Parts: []attribution.Facts{f}}
	}
	p := packed(deals)
	c := tour(t)
	for _, of := range []struct {
		name string
		most float64 // of each deal
		work func()
	}{
		{"packed", 0.1, func() { packed(deals) }},
		{"gone through", 0.01, func() {
			for d := range p.All() {
				_ = d.Account
			}
		}},
		{"looked at", 2.5, func() { report.DealQuestion{Contract: c, Today: 20_600, Deals: p.All()}.Known() }},
	} {
		if got := testing.AllocsPerRun(3, of.work) / n; got > of.most {
			t.Errorf("a deal is %s in %.2f allocations, want %.2f at most", of.name, got, of.most)
		}
	}
}

package report

import (
	"cmp"
	"slices"

	"tracksource/money"
)

// Span is days from the first to the last, both included.
type Span struct{ From, To money.Day }

// View is by which day rows are told. A row is of the day of its conversions, and is
// booked on that or, where it was closed when the value changed, on a later one.
type View string

// The views.
const (
	// Restated tells rows by the day that they are of, whenever they came to be known.
	Restated View = "restated"
	// AsKnown tells them by the day that they are booked on, so that a closed period
	// stays as it was closed.
	AsKnown View = "as_known"
	// Adjustments is AsKnown of the rows alone that are of another day than they are
	// booked on.
	Adjustments View = "adjustments"
)

// Views returns the views, the one that is meant where none is named first.
func Views() []View { return []View{Restated, AsKnown, Adjustments} }

// Row is a row as the view has it, by its day; false for one that it does not have.
func (v View) Row(r Row) (Row, bool) {
	booked := cmp.Or(r.Booked, r.Day)
	switch v {
	case AsKnown:
		r.Day = booked
	case Adjustments:
		if booked == r.Day {
			return Row{}, false
		}
		r.Day = booked
	case Restated:
	}
	return r, true
}

// ByMax bounds the dimensions of one breakdown that is answered, CubeByMax those of one
// at all: groups multiply.
const (
	ByMax     = 3
	CubeByMax = 6
)

// Ask is a question to a Cube.
type Ask struct {
	View   View                   // whose days are meant; empty: Restated
	Within *Span                  // nil: all days
	Any    map[Dimension][]string // rows have one of the values in each of these
	By     []Dimension
	// First is how many of the groups are wanted, the first ones; 0: all. A tally gives
	// all of them.
	First int
}

// Take returns the row as the question's view has it, and whether the question is
// about it.
func (a *Ask) Take(r *Row) (Row, bool) {
	row, ok := a.View.Row(*r)
	return row, ok && a.matches(&row)
}

func (a *Ask) matches(r *Row) bool {
	if a.Within != nil {
		day, err := money.ParseDay(r.Day)
		if err != nil || day < a.Within.From || day > a.Within.To {
			return false
		}
	}
	for d, values := range a.Any {
		if v, ok := r.Get(d); !ok || !slices.Contains(values, v) {
			return false
		}
	}
	return true
}

package report

import (
	"tracksource/contract"
	"tracksource/money"
)

// Disputable reports whether a dispute of a deal that is opened now would act on
// anything, closed being the last closed day: on who sourced the deal where that was
// created later, or nobody knows when, and on the credits of what is booked later.
func Disputable(d *Deal, c *contract.Contract, sourcing bool, closed money.Day) bool {
	if sourcing {
		created := d.Newest().CreatedAt
		return created.IsZero() || c.Day(created) > closed
	}
	for i := range d.Parts {
		for n := range d.Parts[i].Measures {
			if m := &d.Parts[i].Measures[n]; m.Currency != "" && Counts(m) && m.Day > closed {
				return true
			}
		}
	}
	return false
}

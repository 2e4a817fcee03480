package attribution

import (
	"time"

	"tracksource/contract"
	"tracksource/money"
)

// Revision is one revision of a contract.
type Revision struct {
	Number   int64
	Contract *contract.Contract
	// Closings are the campaign's, in the order of control; every revision has the
	// same.
	Closings []Closing
}

// Closing closes the days of a book up to one, or opens those from one on again.
type Closing struct {
	Close bool
	// Day is the last that is closed, or the first that is open again.
	Day money.Day
	At  time.Time
}

// ClosedUntil is the last day that is closed by what was said up to an instant;
// before [money.DayMin] if none is.
func ClosedUntil(closings []Closing, at time.Time) money.Day {
	until := money.DayMin - 1
	for _, c := range closings {
		if c.At.After(at) {
			continue
		}
		if until = c.Day; !c.Close {
			until--
		}
	}
	return until
}

// from is the first conversion day that the revision accounts for.
func (r Revision) from() money.Day {
	if r.Contract.HasRestateFrom {
		return r.Contract.RestateFrom
	}
	return money.DayMin
}

// Rules are the revisions of one contract that account for its book, in the order
// of their numbers: each for the conversion days from its restate_from to before
// that of the next. All have the same models.
type Rules []Revision

// Add returns the rules with a newer revision: those before it keep the days
// before its restate_from, and those without any left are gone. The receiver is
// not changed.
func (r Rules) Add(next Revision) Rules {
	rules := make(Rules, 0, len(r)+1)
	for _, old := range r {
		if old.from() < next.from() {
			rules = append(rules, old)
		}
	}
	return append(rules, next)
}

// Newest is the revision in force. The rules are not empty.
func (r Rules) Newest() Revision { return r[len(r)-1] }

// At returns the revision that accounts for a conversion day. The rules are not
// empty.
func (r Rules) At(day money.Day) Revision {
	i := len(r) - 1
	for i > 0 && day < r[i].from() {
		i--
	}
	return r[i]
}

// days are the first conversion day of the i-th revision, and the first behind its
// last.
func (r Rules) days(i int) (from, before money.Day) {
	from, before = r[i].from(), money.DayMax+1
	if i == 0 {
		from = money.DayMin
	}
	if i+1 < len(r) {
		before = r[i+1].from()
	}
	return from, before
}

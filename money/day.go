package money

import (
	"fmt"
	"time"
)

// Day is a calendar day without a zone: days since 1970-01-01. Rates, close
// dates and contribution rows are by Day. It lives here because rates need it
// and this package imports nothing of ours.
type Day int32

const dayLayout = "2006-01-02"

// DayMin and DayMax bound what ParseDay accepts: 0001-01-01 and 9999-12-31.
const (
	DayMin Day = -719162
	DayMax Day = 2932896
)

const secondsPerDay = 24 * 60 * 60

// ParseDay reads "YYYY-MM-DD", strictly: ten characters and a day that exists.
func ParseDay(text string) (Day, error) {
	at, err := time.Parse(dayLayout, text)
	if err != nil || len(text) != len(dayLayout) || at.Year() < 1 {
		return 0, fmt.Errorf("%w: %q; write YYYY-MM-DD", ErrDay, cut(text))
	}
	return Day(at.Unix() / secondsPerDay), nil
}

// DayOf returns the calendar day that a clock in the zone shows at the instant.
// Windows compare days made by it, and never instants of midnight: in some
// zones some midnights do not exist.
func DayOf(at time.Time, zone *time.Location) Day {
	year, month, day := at.In(zone).Date()
	// Midnight UTC of a civil date is a multiple of a day, before 1970 as well.
	return Day(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / secondsPerDay)
}

// String writes the day as "YYYY-MM-DD".
func (d Day) String() string {
	return time.Unix(int64(d)*secondsPerDay, 0).UTC().Format(dayLayout)
}

// Add returns the day n days later, or earlier for a negative n.
func (d Day) Add(n int) Day { return d + Day(n) }

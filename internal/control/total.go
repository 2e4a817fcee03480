package control

import (
	"fmt"
	"strings"

	"tracksource/schemas/avro"
)

// AlertControlTotal is the kind of alerts that say what came of what a partner says it
// sent of a source's day. They are told of totals that agree as well, as settled.
const AlertControlTotal = "control_total"

// TotalID is the id of the alert about a total: of one day of a source there is one,
// which a later finding replaces.
func TotalID(subject string) string { return "control-total/" + subject }

// TotalSubject names a day of one source of a feed.
func TotalSubject(feed, reporter, source, day string) string {
	return feed + "." + reporter + "/" + source + "/" + day
}

// Total is what a partner said that it sent, and what came.
type Total struct {
	Feed, Source, Day string // the feed as crm.acme, the day in UTC as YYYY-MM-DD
	// Count is of events, Sums of their amounts by currency, under no currency those
	// that came without one.
	Count TotalNumber
	Sums  map[string]TotalNumber
}

// TotalNumber is one number as it was said and as it came, as decimal text.
type TotalNumber struct{ Said, Came string }

// Evidence is how an alert carries a number: "events 30 said 29 came", and of sums
// "USD 2900.00 said 2800.00 came", with a dash for no currency.
func (n TotalNumber) Evidence(of string) string {
	return fmt.Sprintf("%s %s said %s came", of, n.Said, n.Came)
}

// How evidence names what is no currency.
const (
	TotalEvents     = "events"
	TotalNoCurrency = "-"
)

// TotalOf reads what an alert of AlertControlTotal says, false for another alert, and
// for one without numbers.
func TotalOf(a *avro.Alert) (Total, bool) {
	parts := strings.Split(a.Subject, "/")
	if a.Kind != AlertControlTotal || len(parts) != 3 {
		return Total{}, false
	}
	t := Total{Feed: parts[0], Source: parts[1], Day: parts[2], Sums: map[string]TotalNumber{}}
	for _, e := range a.Evidence {
		words := strings.Split(e, " ")
		if len(words) != 5 || words[2] != "said" || words[4] != "came" {
			continue // a place of an event
		}
		n := TotalNumber{words[1], words[3]}
		switch words[0] {
		case TotalEvents:
			t.Count = n
		case TotalNoCurrency:
			t.Sums[""] = n
		default:
			t.Sums[words[0]] = n
		}
	}
	return t, t.Count.Said != ""
}

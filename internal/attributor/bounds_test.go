package attributor_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"tracksource/schemas/avro"
)

// reads counts what fn reads of the state.
func (l *line) reads(fn func()) (gets, scans, scanned int) {
	before := *l.kv
	fn()
	return l.kv.gets - before.gets, l.kv.scans - before.scans, l.kv.scanned - before.scanned
}

// minutes is an account's history: touches a minute apart from an instant on, the
// first of them from elsewhere.
func minutes(account string, n int, from time.Time) []*avro.JourneyEvent {
	events := make([]*avro.JourneyEvent, n)
	for i := range events {
		events[i] = touch(account, fmt.Sprintf("%s-t%05d", account, i), 1, from.Add(time.Duration(i)*time.Minute), "globex", "email")
	}
	events[0].Touch.UTMSource = "acme"
	return events
}

func capped(number, revision int64, touches int) *avro.JourneyEvent {
	return agreement(number, revision, "\ncurrency: USD", fmt.Sprintf("\njourney: {touches: %d}\ncurrency: USD", touches))
}

// TestBoundedReads: what one touch costs does not grow with the journey, once it
// has more touches than a contract looks at.
func TestBoundedReads(t *testing.T) {
	const most = 50
	c := codecs(t)
	cost := func(touches, deals int) (gets, scans, scanned int) {
		l := newLine(t, c)
		l.feed(capped(1, 1, most))
		for chunk := range slices.Chunk(minutes("a", touches, day(2)), 500) {
			l.feed(chunk...)
		}
		for i := range deals {
			l.feed(deal("a", fmt.Sprintf("d%d", i), 1, "100", "USD", "Closed Won"))
		}
		l.rest()
		late := touch("a", "late", 1, day(9), "acme", "social")
		gets, scans, scanned = l.reads(func() {
			if len(l.feed(late)) == 0 {
				t.Fatalf("%d touches: the late touch changes nothing, so the test shows nothing", touches)
			}
		})
		l.check()
		return gets, scans, scanned
	}
	// Both ends of a span and the deal itself are read beside the cap.
	const around = 8
	small, _, _ := cost(most, 1)
	gets, scans, scanned := cost(5000, 1)
	if gets > small+around || scans > around || scanned > 2*most+around {
		t.Errorf("a late touch on 5000 touches makes %d gets and reads %d pairs in %d scans, want about %d gets and %d pairs", gets, scanned, scans, small, 2*most)
	}
	if _, _, scanned := cost(5000, 10); scanned > 2*most+10+around {
		t.Errorf("with ten deals of the same days it reads %d pairs, want no more than with one: %d", scanned, 2*most)
	}
}

// TestNothingToCredit: a touch that no deal can look at is stored and nothing else
// is read: on an account without deals, behind the last moment of those it has,
// and of robots anywhere.
func TestNothingToCredit(t *testing.T) {
	l := testLine(t)
	l.feed(agreement(1, 1))
	l.feed(minutes("without", 100, day(2))...)
	l.feed(minutes("with", 100, day(2))...)
	l.feed(deal("with", "d", 1, "100", "USD", "Closed Won")) // up to the 20th
	l.rest()
	bot := touch("with", "bot", 1, day(5), "globex", "email")
	bot.Touch.Bot = true
	for name, ev := range map[string]*avro.JourneyEvent{
		"without deals":    touch("without", "new", 1, day(9), "globex", "email"),
		"behind the deals": touch("with", "behind", 1, day(22), "globex", "email"),
		"a robot":          bot,
	} {
		gets, scans, _ := l.reads(func() { l.feed(ev) })
		if gets > 2 || scans > 0 {
			t.Errorf("%s: %d gets and %d scans, want those of the touch and of what the account is due", name, gets, scans)
		}
	}
	l.check()
}

// TestReachFollows: what makes an account look further is not missed: another
// deal, another revision, a touch that moves to where it counts.
func TestReachFollows(t *testing.T) {
	l := testLine(t)
	l.feed(agreement(1, 1), deal("a", "d", 1, "100", "USD", "Qualification")) // up to the 10th
	l.rest()
	behind := touch("a", "t1", 1, day(15), "globex", "email")
	steps := []struct {
		name    string
		event   *avro.JourneyEvent
		changes bool
	}{
		{"a touch behind", behind, false},
		{"a deal of later days", deal("a", "e", 1, "100", "USD", "Closed Won"), true},
		{"a touch before its end", touch("a", "t2", 1, day(16), "acme", "social"), true},
		{"the deal is gone", gone(deal("a", "e", 1, "", "", ""), 2), true},
		{"a touch where it was", touch("a", "t3", 1, day(17), "acme", "social"), false},
		{"the touch behind moves to the front", touch("a", "t1", 2, day(3), "globex", "email"), true},
		{"and back", touch("a", "t1", 3, day(15), "globex", "email"), true},
		{"to the front as a robot", func() *avro.JourneyEvent {
			ev := touch("a", "t1", 4, day(3), "globex", "email")
			ev.Touch.Bot = true
			return ev
		}(), false},
		{"as a person after all", touch("a", "t1", 5, day(3), "globex", "email"), true},
		{"leaves", gone(behind, 6), true},
	}
	for _, s := range steps {
		if entries := l.feed(s.event); (len(entries) > 0) != s.changes {
			t.Errorf("%s: %d entries", s.name, len(entries))
		}
		l.check()
	}
}

// TestOneIDManyIdentities: of the touches of one id the newest counts, whichever
// came first, and when it leaves the next one does.
func TestOneIDManyIdentities(t *testing.T) {
	l := testLine(t)
	of := func(node string, placement int64, at time.Time, source string) *avro.JourneyEvent {
		ev := touch("a", "t", placement, at, source, "email")
		ev.Node = []byte(node)
		return ev
	}
	l.feed(agreement(1, 1), deal("a", "d", 1, "100", "USD", "Qualification"))
	l.rest()
	newest := of("n2", 1, day(5), "acme")
	bot := of("n4", 1, day(6), "globex")
	bot.Touch.Bot = true
	for i, ev := range []*avro.JourneyEvent{
		of("n1", 1, day(3), "globex"), newest, of("n3", 1, day(4), "globex"), newest,
		of("n5", 1, day(5), "globex"), // of the same time
		bot,                           // hides them all
		gone(bot, 2), of("n2", 2, day(2), "acme"), gone(of("n5", 1, day(5), "globex"), 2), gone(newest, 3),
		gone(of("n6", 1, day(5), "globex"), 2), of("n6", 1, day(9), "globex"), of("n2", 4, day(8), "acme"),
	} {
		l.feed(ev)
		l.check()
		if i == 0 && len(l.sums()) == 0 {
			t.Fatal("nothing is credited, so the test shows nothing")
		}
	}
}

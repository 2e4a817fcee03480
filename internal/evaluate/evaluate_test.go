package evaluate_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tracksource/contract"
	"tracksource/contract/example"
	"tracksource/internal/answer"
	"tracksource/internal/control"
	"tracksource/internal/evaluate"
	"tracksource/money"
	"tracksource/report"
	"tracksource/schemas/avro"
)

// books are those of the example campaign in a zone, as a store of evaluations that are
// read back as soon as they are sent.
type books struct {
	contract *contract.Contract
	revision func() int64
	from     money.Day
	behind   func() answer.Behind
	fails    func(guardrail string) error // nil: nothing does
	unsent   error

	sent []avro.EvaluationRecord
	at   []string // when, in UTC
	read []string
}

func newBooks(t testing.TB, zone, escalation string) *books {
	t.Helper()
	text := strings.NewReplacer("zone: America/New_York", "zone: "+zone, "  climb_after: 14d", "  climb_after: 14d"+escalation).Replace(string(example.AILaunchTour()))
	c, err := contract.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return &books{contract: c, revision: func() int64 { return 1 }, behind: func() answer.Behind { return answer.Behind{} }}
}

func (b *books) Governed() ([]answer.Governed, error) {
	g := answer.Governed{Contract: b.contract, Revision: b.revision(), From: b.from}
	if n := len(b.sent); n > 0 {
		day, err := money.ParseDay(b.sent[n-1].Day)
		if err != nil {
			return nil, err
		}
		g.Evaluated, g.AnyDay = day, true
	}
	return []answer.Governed{g}, nil
}

func (b *books) Behind() answer.Behind { return b.behind() }

func (b *books) Readings(_ context.Context, campaign, guardrail string, day money.Day) ([]report.Reading, error) {
	b.read = append(b.read, guardrail)
	if b.fails != nil {
		if err := b.fails(guardrail); err != nil {
			return nil, err
		}
	}
	switch guardrail {
	case contract.GuardFreshness:
		return []report.Reading{{Guardrail: guardrail, Subject: "crm.acme", Value: 25, Known: true, Detail: "late"}, {Guardrail: guardrail, Subject: "map.acme", Detail: "no data"}}, nil
	case contract.GuardPacing:
		return nil, nil
	}
	return []report.Reading{{Guardrail: guardrail, Value: 970_000, Known: true}}, nil
}

func (b *books) send(_ context.Context, records []avro.Control) error {
	if b.unsent != nil {
		return b.unsent
	}
	for _, c := range records {
		b.sent = append(b.sent, *c.Evaluation)
	}
	b.at = append(b.at, time.Now().UTC().Format("2006-01-02 15:04"))
	return nil
}

// days are the days that were evaluated, each once for all its records in a row.
func (b *books) days() []string {
	var days []string
	for _, e := range b.sent {
		days = append(days, e.Day)
	}
	return slices.Compact(days)
}

// run runs an evaluator for some time.
func run(t *testing.T, b *books, owns func() bool, d time.Duration) {
	t.Helper()
	e, err := evaluate.New(evaluate.Config{Books: b, Send: b.send, Owns: owns, Clock: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := e.Run(ctx); err != nil {
		t.Errorf("the evaluator ended with %v", err)
	}
}

func always() bool { return true }

// TestMidnight: each day is evaluated once, when it has ended in the contract's zone,
// also where the clocks change at midnight, and however often the process starts.
func TestMidnight(t *testing.T) {
	for _, tt := range []struct {
		zone string
		from time.Time // the bubble is moved there
		at   []string
	}{
		{"UTC", time.Date(2001, 3, 1, 12, 0, 30, 0, time.UTC), []string{"2001-03-01 12:01", "2001-03-02 00:00", "2001-03-03 00:00"}},
		{"America/New_York", time.Date(2001, 3, 31, 12, 0, 30, 0, time.UTC), []string{"2001-03-31 12:01", "2001-04-01 05:00", "2001-04-02 04:00"}},
		// Midnight of 7 October 2001 does not exist: the day begins at one o'clock.
		{"America/Asuncion", time.Date(2001, 10, 6, 12, 0, 30, 0, time.UTC), []string{"2001-10-06 12:01", "2001-10-07 04:00", "2001-10-08 03:00"}},
	} {
		t.Run(tt.zone, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(tt.from))
				b := newBooks(t, tt.zone, "")
				run(t, b, always, 30*time.Minute)
				run(t, b, always, 17*time.Hour)
				run(t, b, always, 31*time.Hour)
				got := b.at
				if !slices.Equal(got, tt.at) {
					t.Errorf("evaluated at %q, want %q", got, tt.at)
				}
				first := b.contract.Day(tt.from).Add(-1)
				if want := []string{first.String(), first.Add(1).String(), first.Add(2).String()}; !slices.Equal(b.days(), want) {
					t.Errorf("evaluated %q, want %q", b.days(), want)
				}
			})
		})
	}
}

// TestRecords: all guardrails are written in the contract's order, with the band that
// the bounds give, and what has no data as such.
func TestRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBooks(t, "UTC", "")
		run(t, b, always, 2*time.Minute)
		var got []string
		for _, e := range b.sent {
			got = append(got, fmt.Sprintf("%s %s %s %s (%s, %s) %d %d", e.Guardrail, e.Subject, e.Value, e.Band, e.Target, e.Limit, e.Revision, e.Attempts))
		}
		want := []string{
			"accuracy  97 amber (98%, 95%) 1 1", "cac_payback  0.97 green (14mo, 16mo) 1 1", "completeness  97 amber (99%, 95%) 1 1", "confidence  97 green (80%, 60%) 1 1",
			"control_totals  97 red (0%, 0.5%) 1 1", "freshness crm.acme 25 amber (24h, 48h) 1 1", "freshness map.acme  no_data (24h, 48h) 1 1",
			"pipeline_coverage  0.97 red (3x, 2.5x) 1 1", "reach  97 red (8%, 12%) 1 1", "win_rate  97 green (25%, 20%) 1 1",
		}
		if !slices.Equal(got, want) {
			t.Errorf("written\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		// The judge of the control topic takes all of it in.
		book := control.NewBook()
		agreed, err := control.Revise(example.AILaunchTour(), 0, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		taken := []avro.Control{agreed}
		for i := range b.sent {
			taken = append(taken, avro.Control{Kind: control.Evaluation, Evaluation: &b.sent[i]})
		}
		for i := range taken {
			if err := book.Judge(&taken[i]); err != nil {
				t.Error(err)
			}
			if err := book.Take(&taken[i]); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestFailingReader: a reading that fails is tried again as often as the contract says,
// alone, and then the day is without data; others are not.
func TestFailingReader(t *testing.T) {
	for _, tt := range []struct {
		retries  int
		heals    int // with which attempt
		attempts int
		band     string
	}{{2, 0, 3, "no_data"}, {1, 0, 2, "no_data"}, {0, 0, 1, "no_data"}, {2, 3, 3, "amber"}, {2, 2, 2, "amber"}} {
		t.Run(fmt.Sprint(tt.retries, tt.heals), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBooks(t, "UTC", fmt.Sprintf("\n  retries: %d", tt.retries))
				tries := 0
				b.fails = func(guardrail string) error {
					if guardrail != contract.GuardAccuracy {
						return nil
					}
					if tries++; tries == tt.heals {
						return nil
					}
					return errors.New("broker 10.0.0.7 is away")
				}
				run(t, b, always, 10*time.Minute)
				e := b.sent[0]
				if e.Guardrail != contract.GuardAccuracy || e.Attempts != tt.attempts || tries != tt.attempts || e.Band != tt.band || strings.Contains(e.Detail, "10.0.0.7") {
					t.Errorf("after %d tries: %+v", tries, e)
				}
				if n := len(b.contract.Guardrails) + tt.attempts - 1; len(b.read) != n || len(b.days()) != 1 {
					t.Errorf("%d readings, want %d, of days %q", len(b.read), n, b.days())
				}
			})
		})
	}
}

// TestBehind: nothing is read before all was read once, a reading waits while something
// may be missing, and gives up after a while.
func TestBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBooks(t, "UTC", "\n  retries: 0")
		b.behind = func() answer.Behind { return answer.Behind{Seconds: -1, Why: "not read yet"} }
		run(t, b, always, 10*time.Hour)
		if len(b.read)+len(b.sent) > 0 {
			t.Errorf("read %q before anything was there", b.read)
		}
		start := time.Now()
		b.behind = func() answer.Behind {
			if time.Since(start) < 3*time.Minute {
				return answer.Behind{Seconds: 40, Why: "rows"}
			}
			return answer.Behind{}
		}
		run(t, b, always, 30*time.Minute)
		if len(b.days()) != 1 || b.sent[0].Band != "amber" || b.at[0] < start.Add(3*time.Minute).UTC().Format("2006-01-02 15:04") {
			t.Errorf("evaluated at %q: %+v", b.at, b.sent[:1])
		}
		b.behind = func() answer.Behind { return answer.Behind{Seconds: 40, Why: "rows"} }
		run(t, b, always, 24*time.Hour)
		if last := b.sent[len(b.sent)-1]; len(b.days()) != 2 || last.Band != "no_data" {
			t.Errorf("of what stays behind: %+v", last)
		}
	})
}

// TestOwner: who does not own evaluation reads and writes nothing; who comes to own it
// evaluates the last day alone; a day without a contract is none.
func TestOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, owner := newBooks(t, "UTC", ""), false
		owns := func() bool { return owner }
		run(t, b, owns, 100*time.Hour)
		if len(b.read) > 0 {
			t.Errorf("read %q", b.read)
		}
		owner = true
		run(t, b, owns, time.Hour)
		if want := []string{money.DayOf(time.Now(), time.UTC).Add(-1).String()}; !slices.Equal(b.days(), want) {
			t.Errorf("evaluated %q, want %q", b.days(), want)
		}
		b.sent, b.from = nil, money.DayOf(time.Now(), time.UTC)
		run(t, b, owns, time.Hour)
		if len(b.sent) > 0 {
			t.Errorf("evaluated %q, before there was a contract", b.days())
		}
	})
}

// TestRefused: what is not taken in, or not yet, is not written again and again; under
// another revision it is.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBooks(t, "UTC", "")
		b.unsent = errors.New("away")
		run(t, b, always, 270*time.Second)
		if n := len(b.read); n != 40 {
			t.Errorf("%d readings in four looks, want those of ten guardrails in each", n)
		}
		b.unsent = nil
		refusing := &refused{books: b}
		e, err := evaluate.New(evaluate.Config{Books: refusing, Send: b.send, Owns: always, Clock: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
		defer cancel()
		start := time.Now()
		b.revision = func() int64 {
			if time.Since(start) < 10*time.Minute {
				return 1
			}
			return 2
		}
		if err := e.Run(ctx); err != nil {
			t.Error(err)
		}
		if len(b.at) != 2 || b.sent[0].Revision != 1 || b.sent[len(b.sent)-1].Revision != 2 {
			t.Errorf("written at %q", b.at)
		}
	})
}

// refused are books of which nothing that is evaluated is taken in.
type refused struct{ *books }

func (r *refused) Governed() ([]answer.Governed, error) {
	return []answer.Governed{{Contract: r.contract, Revision: r.revision(), From: r.from}}, nil
}

func TestConfig(t *testing.T) {
	if _, err := evaluate.New(evaluate.Config{}); err == nil {
		t.Error("an evaluator without anything to evaluate")
	}
}

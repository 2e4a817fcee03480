package plan

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Outcome is what came of a pull.
type Outcome string

// The outcomes. The first is success; of the others, those from unreachable on are
// tried again, because they may be otherwise the next time.
const (
	Pulled      Outcome = "answered"
	Refused     Outcome = "refused"     // by the reporter: the question, or who asks
	Cancelled   Outcome = "cancelled"   // by whoever asked
	Unreachable Outcome = "unreachable" // or it answered with what is no package
	Busy        Outcome = "busy"        // or not ready
	TimedOut    Outcome = "timed_out"
	Mismatch    Outcome = "mismatch" // the parts do not sum to the totals
	Broken      Outcome = "broken"   // anything else, such as a disk that is full
)

// Failure is a pull that failed. An error of a pull that is none is Broken.
type Failure struct {
	Outcome Outcome
	// RetryAfter is how long the reporter asks to be left alone, zero if it does not.
	RetryAfter time.Duration
	// Underway says that the reporter is at work on what was asked, and goes on without
	// its asker: to ask again is the same try.
	Underway bool
	Err      error
}

// Error implements error.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap is the cause.
func (f *Failure) Unwrap() error { return f.Err }

// outcomeOf is what an error of a pull is.
func outcomeOf(err error) Outcome {
	f := (*Failure)(nil)
	switch {
	case err == nil:
		return Pulled
	case errors.As(err, &f):
		return f.Outcome
	}
	return Broken
}

// Retries bounds how often a pull is tried again, as the users' playbook has it.
const Retries = 2

// What a try is given. A package of a million rows is read in seconds; what takes longer
// than a minute waits for something, and is given more of it when it is tried again.
const (
	tryTimeout     = time.Minute
	tryTimeoutGrow = 3
	tryWait        = 2 * time.Second
	tryWaitMax     = time.Minute // also where the reporter asks for more
	// tryEarlier is how far back the last try looks after two packages that contradicted
	// themselves: what was under way then has come since.
	tryEarlier = time.Minute
	// tryUnderway is how long a reporter that is at work is asked again: it gives the
	// reading of an earlier moment half an hour, and may be at that of another one.
	tryUnderway = time.Hour
)

// Try is how a pull is to be made.
type Try struct {
	Number  int           // from 1
	Wait    time.Duration // before it
	Timeout time.Duration // of one answer
	// Underway is how long a reporter that is at work is asked again.
	Underway time.Duration
	// Again says that the reporter was at work when it was asked before.
	Again bool
	// AsOf is the moment to ask for; zero is the one of the question.
	AsOf    time.Time
	Changed string // against the try before, in words; empty for the first
}

// Next is the next try after those that were made, false if there is to be none. It is
// not the same again: each gets more time, and the last after contradictions is of a
// moment before, unless the question names one. Most, where it is not zero, bounds each
// try instead, all that is waited for in it.
func (p *Plan) Next(last error, most time.Duration, now time.Time) (Try, bool) {
	made := p.TrackSource.Attempts
	n := len(made) + 1
	t := Try{Number: n, Timeout: tryTimeout, Underway: tryUnderway}
	if most > 0 {
		t.Timeout, t.Underway = most, most
	}
	if n == 1 {
		return t, true
	}
	switch made[n-2].Outcome {
	case Unreachable, Busy, TimedOut, Mismatch:
	case Pulled, Refused, Cancelled, Broken:
		return Try{}, false
	}
	if n > 1+Retries {
		return Try{}, false
	}
	t.Wait = tryWait
	for range n - 2 {
		t.Wait *= tryTimeoutGrow
	}
	if f := (*Failure)(nil); errors.As(last, &f) && f.RetryAfter > t.Wait {
		t.Wait = RetryWait(f.RetryAfter)
	}
	var changed []string
	if most == 0 {
		for range n - 1 {
			t.Timeout *= tryTimeoutGrow
		}
		changed = append(changed, "up to "+seconds(t.Timeout)+" instead of "+seconds(t.Timeout/tryTimeoutGrow))
	}
	q := p.TrackSource.Question
	if n == 1+Retries && made[n-2].Outcome == Mismatch && q.AsOf == "" && q.Again == "" {
		t.AsOf = now.Add(-tryEarlier).UTC().Truncate(time.Second)
		changed = append(changed, "as of "+t.AsOf.Format(time.RFC3339))
	}
	t.Changed = strings.Join(changed, ", ")
	return t, true
}

// RetryWait is how long a reporter is left alone that asks for some time, a moment at
// least and a minute at most.
func RetryWait(asked time.Duration) time.Duration { return min(max(asked, tryWait), tryWaitMax) }

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) + " s" }

// Attempt records a try that was begun and ended then.
func (p *Plan) Attempt(t Try, begun, ended time.Time, err error) {
	a := Attempt{
		Number: t.Number, At: instant(begun), FinishedAt: instant(ended), TimeoutSeconds: int64((t.Timeout + time.Second - 1) / time.Second),
		Changed: t.Changed, Outcome: outcomeOf(err),
	}
	if err != nil {
		a.Error = reason(err)
	}
	p.TrackSource.Attempts = append(p.TrackSource.Attempts, a)
	p.Status = Running
	p.TrackSource.UpdatedAt = a.FinishedAt
}

// reason is what an error says, which some of other people's do not.
func reason(err error) string { return or(clip(err.Error()), "it failed without saying why") }

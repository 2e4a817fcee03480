// Package evaluate holds the guardrails of every contract against what a contract day
// ended with, once a day, and says so in the control topic.
//
// It knows when a day has ended, who evaluates it, and how often a reading that fails is
// tried. It must not know what a reading is made of, or what follows from it: a day that
// is evaluated twice, by two instances or over a restart, is taken in once by the judge
// of the control topic.
package evaluate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"tracksource/contract"
	"tracksource/internal/answer"
	"tracksource/internal/control"
	"tracksource/internal/governance"
	"tracksource/money"
	"tracksource/report"
	"tracksource/schemas/avro"
)

// Books are what is evaluated.
type Books interface {
	// Governed returns the campaigns, each with the last day that was evaluated.
	Governed() ([]answer.Governed, error)
	// Behind says how stale readings are now.
	Behind() answer.Behind
	// Readings are what a guardrail is held against as a day has ended.
	Readings(ctx context.Context, campaign, guardrail string, day money.Day) ([]report.Reading, error)
}

// Config says what is evaluated and by whom. All fields are required.
type Config struct {
	Books Books
	// Send writes records to the control topic. When it returns nil they are durable,
	// in their order; an error means unknown.
	Send func(context.Context, []avro.Control) error
	// Owns reports whether this instance is the one that evaluates. More than one may
	// for a moment, and none.
	Owns  func() bool
	Clock func() time.Time
	Log   *slog.Logger
}

const (
	// lookEvery is how often it is looked whether a day has ended somewhere.
	lookEvery = time.Minute
	// retryAfter is how long a reading that failed is left alone, and behindMax how long
	// a reading waits for what is followed to be read to its end before it has failed.
	retryAfter = time.Minute
	behindMax  = 15 * time.Minute
	behindLook = 5 * time.Second
)

// Evaluator evaluates days as they end.
type Evaluator struct {
	cfg Config
	// written is what this instance wrote last of each campaign: were it refused, or not
	// read back yet, the next look would write it again. Run alone uses it.
	written map[string]written
}

type written struct {
	day      money.Day
	revision int64
}

// New makes an Evaluator.
func New(cfg Config) (*Evaluator, error) {
	if cfg.Books == nil || cfg.Send == nil || cfg.Owns == nil || cfg.Clock == nil || cfg.Log == nil {
		return nil, errors.New("evaluate: Config needs Books, Send, Owns, Clock and Log")
	}
	return &Evaluator{cfg, map[string]written{}}, nil
}

// Run evaluates the day that ended last of each campaign, as soon as it has ended and
// this instance is the one to do so, until ctx ends. What cannot be read or written is
// logged and tried again with the next look: no failure of it stops what runs beside.
func (e *Evaluator) Run(ctx context.Context) error {
	for pause(ctx, lookEvery) {
		if !e.cfg.Owns() || e.cfg.Books.Behind().Seconds < 0 {
			continue // before all was read once nobody knows what was evaluated
		}
		if err := e.look(ctx); err != nil && ctx.Err() == nil {
			e.cfg.Log.WarnContext(ctx, "guardrails not evaluated", "err", err)
		}
	}
	return nil
}

// look evaluates each campaign of which a day has ended since it was last evaluated. Of
// several days the last alone: what earlier ones ended with is gone.
func (e *Evaluator) look(ctx context.Context) error {
	campaigns, err := e.cfg.Books.Governed()
	if err != nil {
		return err
	}
	var errs []error
	for _, g := range campaigns {
		day := g.Contract.Day(e.cfg.Clock()).Add(-1)
		this := written{day, g.Revision}
		if day < g.From || g.AnyDay && g.Evaluated >= day || e.written[g.Contract.Campaign] == this {
			continue
		}
		if err := e.evaluate(ctx, &g, day); err != nil {
			errs = append(errs, fmt.Errorf("%s of %s: %w", g.Contract.Campaign, day, err))
			continue
		}
		e.written[g.Contract.Campaign] = this
	}
	return errors.Join(errs...)
}

// tried is one guardrail with its readings, or why there are none.
type tried struct {
	guardrail contract.Guardrail
	readings  []report.Reading
	attempts  int
	err       error
}

// evaluate reads all guardrails of a campaign, those that fail again as often as the
// contract says, and writes what came of it in one go.
func (e *Evaluator) evaluate(ctx context.Context, g *answer.Governed, day money.Day) error {
	c := g.Contract
	list := make([]tried, len(c.Guardrails))
	for attempt := range 1 + c.Escalation.Retries {
		failed := false
		if attempt > 0 && !pause(ctx, retryAfter) {
			return ctx.Err()
		}
		for i, guardrail := range c.Guardrails {
			t := &list[i]
			if attempt > 0 && t.err == nil {
				continue
			}
			t.guardrail, t.attempts = guardrail, attempt+1
			if t.err = e.upToDate(ctx); t.err == nil {
				t.readings, t.err = e.cfg.Books.Readings(ctx, c.Campaign, guardrail.Name, day)
			}
			if t.err != nil && ctx.Err() == nil {
				failed = true
				e.cfg.Log.WarnContext(ctx, "guardrail not read", "campaign", c.Campaign, "guardrail", guardrail.Name, "attempt", t.attempts, "err", t.err)
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !failed {
			break
		}
	}
	var records []avro.Control
	for i := range list {
		records = append(records, list[i].records(g, day, e.cfg.Clock())...)
	}
	if err := e.cfg.Send(ctx, records); err != nil {
		return err
	}
	e.cfg.Log.InfoContext(ctx, "guardrails evaluated", "campaign", c.Campaign, "day", day.String(), "readings", len(records))
	return nil
}

// upToDate waits until nothing is missing from what is read.
func (e *Evaluator) upToDate(ctx context.Context) error {
	for waited := time.Duration(0); ; waited += behindLook {
		behind := e.cfg.Books.Behind()
		switch {
		case behind.Seconds == 0 && behind.Why == "":
			return nil
		case waited >= behindMax:
			return fmt.Errorf("what is read is behind: %s", behind.Why)
		}
		if !pause(ctx, behindLook) {
			return ctx.Err()
		}
	}
}

// records are what is said of a guardrail's readings. One that could not be read is
// without data; why is in the log, since it may tell of the machines behind.
func (t *tried) records(g *answer.Governed, day money.Day, now time.Time) []avro.Control {
	readings := t.readings
	if t.err != nil {
		readings = []report.Reading{{Guardrail: t.guardrail.Name, Detail: "no data: it could not be read"}}
	}
	unit := t.guardrail.Unit
	var out []avro.Control
	for i := range readings {
		r := &readings[i]
		band := governance.NoData
		if r.Known {
			band = t.guardrail.Judge(r.Value)
		}
		out = append(out, avro.Control{Kind: control.Evaluation, Evaluation: &avro.EvaluationRecord{
			Campaign: g.Contract.Campaign, Day: day.String(), Guardrail: t.guardrail.Name, Subject: r.Subject, Revision: g.Revision,
			Value: r.Text(g.Contract), Band: string(band), Target: unit.Text(t.guardrail.Target) + string(unit), Limit: unit.Text(t.guardrail.Limit) + string(unit),
			Detail: cut(r.Detail), Evidence: append([]string{}, r.Evidence...), Attempts: t.attempts, At: now.UTC().Truncate(time.Microsecond),
		}})
	}
	return out
}

// cut bounds what a record says to what the judge takes.
func cut(text string) string {
	const most = 2000
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}

// pause waits, false if ctx ends first.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

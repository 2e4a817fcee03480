package plans

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tracksource/report"
	"tracksource/report/plan"
)

// Run is one run of a package, and its plan on disk. It is for one goroutine.
type Run struct {
	dir      *Dir
	plan     *plan.Plan
	seal     string      // of the plan as it was written last
	left     []plan.Note // plans of this run that somebody else has changed
	warnings []string
}

// Begin writes the plan of a question, as planned, into a file of its own, and removes
// what a run left that was killed while it wrote one. When it returns, the plan is on the
// disk: only then may data be pulled.
func (d *Dir) Begin(q plan.Question) (*Run, error) {
	if err := os.MkdirAll(d.path, dirMode); err != nil {
		return nil, fmt.Errorf("plans are to be written to %s: %w", d.path, err)
	}
	r := &Run{dir: d}
	asked := func(c plan.Campaign) bool { return Of(c, q.Campaign) }
	past, err := d.past(nil, asked)
	if err != nil {
		return nil, err
	}
	if err := r.begin(func(id string) *plan.Plan { return plan.New(id, q, past, d.now()) }); err != nil {
		return nil, err
	}
	r.warnings = d.sweep(r.Path())
	return r, nil
}

// Path is where the plan is. It changes when somebody else has changed the file.
func (r *Run) Path() string { return r.path(r.plan.PlanID) }

func (r *Run) path(id string) string { return filepath.Join(r.dir.path, id+".json") }

// Plan is the plan as it is now; the Run keeps it.
func (r *Run) Plan() *plan.Plan { return r.plan }

// Warnings are what people should know of the plan's file, in the order of events.
func (r *Run) Warnings() []string { return r.warnings }

// Pull pulls until it works or the plan has no further try, and writes down each. The
// error is that of the last try. A try whose time is up has timed out. Where the reporter
// is at work on what it was asked, it is asked again within the same try.
func (r *Run) Pull(ctx context.Context, pull func(context.Context, plan.Try) error) error {
	var last error
	for {
		t, ok := r.plan.Next(last, r.dir.most, r.dir.now())
		if !ok {
			return last
		}
		if t.Wait > 0 {
			if err := r.dir.wait(ctx, t.Wait); err != nil {
				return &plan.Failure{Outcome: plan.Cancelled, Err: err}
			}
		}
		begun := r.dir.now()
		last = r.try(ctx, t, begun, pull)
		r.plan.Attempt(t, begun, r.dir.now(), last)
		if err := r.save(); err != nil {
			return errors.Join(last, err)
		}
		if last == nil {
			return nil
		}
	}
}

// try asks once, and again for as long as the reporter is at work on it.
func (r *Run) try(ctx context.Context, t plan.Try, begun time.Time, pull func(context.Context, plan.Try) error) error {
	for {
		in, cancel := context.WithTimeout(ctx, t.Timeout)
		err := pull(in, t)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			err = &plan.Failure{Outcome: plan.Cancelled, Err: err}
		case in.Err() != nil:
			err = &plan.Failure{Outcome: plan.TimedOut, Err: err}
		}
		cancel()
		f := (*plan.Failure)(nil)
		if !errors.As(err, &f) || !f.Underway || f.Outcome != plan.Busy {
			return err
		}
		wait := plan.RetryWait(f.RetryAfter)
		left := t.Underway - r.dir.now().Sub(begun) - wait
		if left <= 0 {
			return err
		}
		if err := r.dir.wait(ctx, wait); err != nil {
			return &plan.Failure{Outcome: plan.Cancelled, Err: err}
		}
		t.Again, t.Timeout = true, min(t.Timeout, left)
	}
}

// Complete ends the plan with the package that was made.
func (r *Run) Complete(p *report.Package, done plan.Done) error {
	own := []string{r.plan.PlanID}
	for _, n := range r.left {
		own = append(own, n.PlanID)
	}
	past, err := r.dir.past(own, func(c plan.Campaign) bool {
		return c.ID == p.Campaign || c.ID == "" && named(c.Asked, p.Campaign, p.Name)
	})
	if err != nil {
		return err
	}
	past.Notes = append(past.Notes, r.left...)
	done.At = r.dir.now()
	r.plan.Complete(p, done, past)
	return r.save()
}

// Fail ends the plan with whom the failure goes to.
func (r *Run) Fail(cause error) error {
	r.plan.Fail(cause, r.dir.now())
	return r.save()
}

// Of is whether a plan's campaign is the one that is asked for, by id or name.
func Of(c plan.Campaign, asked string) bool { return named(asked, c.ID, c.Name, c.Asked) }

func named(asked string, names ...string) bool {
	for _, n := range names {
		if n != "" && strings.EqualFold(strings.TrimSpace(asked), n) {
			return true
		}
	}
	return false
}

// begin writes a plan under the first name of this second that is free.
func (r *Run) begin(of func(id string) *plan.Plan) error {
	now := r.dir.now()
	for n := 1; n <= secondMax; n++ {
		id := plan.ID(now, n)
		switch err := create(r.path(id)); {
		case errors.Is(err, fs.ErrExist):
			continue
		case err != nil:
			return fmt.Errorf("the plan cannot be written: %w", err)
		}
		r.plan, r.seal = of(id), ""
		return r.write()
	}
	return fmt.Errorf("%d plans were begun in one second", secondMax)
}

// save writes the plan over its file, unless somebody else has changed that: then it
// goes beside it, and what they wrote stays.
func (r *Run) save() error {
	text, err := Read(r.Path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.warnings = append(r.warnings, fmt.Sprintf("%s was removed while the run was on, and is written again", r.Path()))
		return r.write()
	case err == nil:
		if p, edited, err := plan.Decode(text); err == nil && !edited && p.Seal == r.seal {
			return r.write()
		}
	}
	was := r.Path()
	note := plan.Note{PlanID: r.plan.PlanID, What: "edited_by_hand", Why: "the file was changed while the run was on and is left as it is; the run goes on in this plan"}
	r.left = append(r.left, note)
	if err := r.begin(func(id string) *plan.Plan { return r.plan.Moved(id, note) }); err != nil {
		return err
	}
	r.warnings = append(r.warnings, fmt.Sprintf("%s was changed by hand while the run was on and is left as it is; the plan goes on in %s: compare the two, and remove the one that is not meant", was, r.Path()))
	return nil
}

func (r *Run) write() error {
	text, err := r.plan.Encode()
	if err != nil {
		return err
	}
	if err := r.dir.schema.Check(text); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	if err := replace(r.Path(), text); err != nil {
		return fmt.Errorf("the plan cannot be written: %w", err)
	}
	r.seal = r.plan.Seal
	return nil
}

// past looks through the plans of a campaign, but for those of a run's own.
func (d *Dir) past(own []string, of func(plan.Campaign) bool) (plan.Past, error) {
	entries, left, err := d.List()
	if err != nil {
		return plan.Past{}, err
	}
	var past plan.Past
	note := func(id, what, why string) {
		if len(past.Notes) < notesMax {
			past.Notes = append(past.Notes, plan.Note{PlanID: id, What: what, Why: why})
		}
	}
	for _, e := range entries {
		id := strings.TrimSuffix(filepath.Base(e.Path), ".json")
		newer := (*plan.VersionError)(nil)
		switch {
		case slices.Contains(own, id):
		case errors.As(e.Err, &newer):
			note(id, "newer_version", e.Err.Error())
		case errors.Is(e.Err, errEmpty):
			note(id, "interrupted", e.Err.Error())
		case e.Err != nil:
			note(id, "unreadable", e.Err.Error())
		case !of(e.Plan.TrackSource.Campaign):
		case e.Plan.Status == plan.Completed && e.Plan.TrackSource.Question.Again != "":
			// The same package once more changes nothing that was asked for.
		case e.Plan.Status == plan.Completed:
			if err := d.check(e); err != nil {
				note(id, "unreadable", err.Error())
				continue
			}
			past.Last, past.Edited = e.Plan, e.Edited
			return past, nil
		case e.Plan.Status == plan.Failed:
			if e.Plan.Escalated() {
				past.Failed++
			}
		case !e.Plan.TrackSource.Question.PlanOnly:
			note(id, "interrupted", "it is "+string(e.Plan.Status)+" and has no outcome: its run was killed, or is under way")
		}
	}
	if left > 0 {
		note("", "left_out", fmt.Sprintf("%d older plans were not looked at", left))
	}
	return past, nil
}

// check holds a plan that is to be built on against the schema: one that was changed by
// hand may say anything.
func (d *Dir) check(e Entry) error {
	text, err := Read(e.Path)
	if err != nil {
		return err
	}
	return d.schema.Check(text)
}

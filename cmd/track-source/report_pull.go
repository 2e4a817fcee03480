package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tracksource/internal/follow"
	"tracksource/internal/plans"
	"tracksource/report"
	"tracksource/report/plan"
)

// packageBytesMax bounds a package that is pulled: 100,000 deals with all their stages
// are some 60 MiB.
const packageBytesMax = 256 << 20

// plan writes the plan, makes the package unless the plan is all that is wanted, and
// says in the plan what became of it.
func (f *reportFlags) plan(ctx context.Context, a *asked) error {
	dir, err := plans.Open(plans.Config{Path: f.planDir, Now: now, Timeout: f.timeout, Wait: f.wait})
	if err != nil {
		return err
	}
	run, err := dir.Begin(f.planned(a))
	if err != nil {
		return err
	}
	begun := run.Warnings()
	for _, w := range begun {
		f.warn(w)
	}
	f.say("planned in %s", run.Path())
	if f.planOnly {
		return f.tellPlan(run)
	}
	p, made, err := f.make(ctx, run, a)
	if err == nil {
		done := plan.Done{Directory: made.dir, Manifest: made.hash, Governance: f.governance(ctx, p)}
		for _, file := range made.files {
			done.Files = append(done.Files, file.Name)
		}
		err = run.Complete(p, done)
	} else {
		err = errors.Join(err, run.Fail(err))
	}
	for _, w := range run.Warnings()[len(begun):] {
		f.warn(w)
	}
	if err != nil {
		return f.tellFailure(run, err)
	}
	return f.tell(ctx, run, p, made)
}

// planned is the question as plans have it.
func (f *reportFlags) planned(a *asked) plan.Question {
	q := &a.question
	out := plan.Question{
		Campaign: a.campaign, Window: q.Window, Detail: string(q.Detail), Dimensions: q.Dimensions, Model: q.Model, View: string(q.View),
		AsOf: a.asOf, Again: a.hash, PlanOnly: f.planOnly, Given: a.given,
	}
	if q.Window == report.WindowCustom {
		out.Window = q.From + ".." + q.To
	}
	for _, format := range a.formats {
		out.Formats = append(out.Formats, string(format))
	}
	if at, err := url.Parse(f.url); err == nil {
		at.User, at.RawQuery, at.Fragment = nil, "", ""
		out.Reporter = at.String()
	}
	return out
}

// make pulls the package, tried again as the plan has it, and writes it.
func (f *reportFlags) make(ctx context.Context, run *plans.Run, a *asked) (*report.Package, *madePackage, error) {
	var p *report.Package
	err := run.Pull(ctx, func(ctx context.Context, try plan.Try) error {
		switch {
		case try.Again: // it has said what it is at
		case try.Changed != "":
			f.say("asking %s, try %d: %s", f.url, try.Number, try.Changed)
		default:
			f.say("asking %s", f.url)
		}
		var err error
		if p, err = f.pull(ctx, a, try); err != nil {
			f.say("%s", printable(err.Error()))
		}
		return err
	})
	if err != nil {
		if n := len(run.Plan().TrackSource.Attempts); n > 1 {
			err = fmt.Errorf("%w; tried %d times", err, n)
		}
		return nil, nil, err
	}
	dir := f.out
	if dir == "" {
		dir = defaultTarget(p)
	}
	f.say("writing %s", dir)
	made, err := writePackage(p, a, dir)
	if made != nil {
		for _, said := range made.swept {
			f.warn(said)
		}
	}
	return p, made, err
}

// pull asks once, and judges what comes. Its errors are a [plan.Failure].
func (f *reportFlags) pull(ctx context.Context, a *asked, try plan.Try) (*report.Package, error) {
	data, err := f.send(ctx, question{path: "api/v1/package", query: a.query(try), timeout: try.Timeout, bytesMax: f.bytesMax})
	if err != nil {
		return nil, failureOf(err)
	}
	failed := func(outcome plan.Outcome, text string, err error) error {
		// What is wrong with an answer is said in its own words.
		why := printable(strings.ReplaceAll(err.Error(), "\n", "; "))
		return &plan.Failure{Outcome: outcome, Err: fmt.Errorf("%s: %s", text, why)}
	}
	p := new(report.Package)
	if err := json.Unmarshal(data, p); err != nil {
		return nil, failed(plan.Unreachable, "the answer is no package that this program knows", err)
	}
	if p.Version != report.PackageVersion {
		return nil, failed(plan.Refused, "take reporter and tool from one release", fmt.Errorf("the answer is a package of version %d, and %d is known", p.Version, report.PackageVersion))
	}
	if a.again != nil {
		if was := a.again.Made.MadeFor; was != p.MadeFor {
			whom := map[bool]string{true: "the operator", false: was}[was == ""]
			return nil, failed(plan.Refused, "give the --token-file of "+whom, errors.New("the package was made under other eyes, which see other figures"))
		}
		p.Observed = a.again.Made.Observed
	}
	p.Observe(p.Observed)
	if err := errors.Join(p.Check(), p.CheckSums()); err != nil {
		return nil, failed(plan.Mismatch, "the package contradicts itself", err)
	}
	return p, nil
}

// failureOf is an error of a question as plans tell it.
func failureOf(err error) error {
	out := &plan.Failure{Outcome: plan.Refused, Err: err}
	refused := (*askError)(nil)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		out.Outcome = plan.TimedOut
	case !errors.As(err, &refused) || !refused.passing: // what the command line can mend among them
	case refused.status == http.StatusServiceUnavailable || refused.status == http.StatusTooManyRequests:
		out.Outcome, out.RetryAfter, out.Underway = plan.Busy, refused.after, refused.underway
	default:
		out.Outcome = plan.Unreachable
	}
	return out
}

// governance is what the plan tells beside the package: satisfaction, signatures and the
// ladder. A package is complete without.
func (f *reportFlags) governance(ctx context.Context, p *report.Package) *plan.Governance {
	data, err := f.send(ctx, question{path: "api/v1/governance", query: url.Values{"campaign": {p.Campaign}}, timeout: askTimeout, bytesMax: answerBytesMax})
	g := new(plan.Governance)
	if err == nil {
		err = json.Unmarshal(data, g)
	}
	if err != nil {
		f.say("the plan has nothing of how the campaign is governed: %s", printable(err.Error()))
		return nil
	}
	return g
}

// query is the question as the API takes it.
func (a *asked) query(try plan.Try) url.Values {
	q := &a.question
	out := url.Values{"campaign": {a.campaign}, "detail": {string(q.Detail)}, "by": {strings.Join(q.Dimensions, ",")}, "view": {string(q.View)}}
	if q.Window == report.WindowCustom {
		out.Set("from", q.From)
		out.Set("to", q.To)
	} else {
		out.Set("window", q.Window)
	}
	if q.Model != "" {
		out.Set("model", q.Model)
	}
	if a.asOf != "" {
		out.Set("as_of", a.asOf)
	} else if !try.AsOf.IsZero() {
		out.Set("as_of", try.AsOf.Format(time.RFC3339Nano))
	}
	if a.again != nil {
		out.Set("positions", follow.Positions(a.again.Made.Positions).String())
	}
	return out
}

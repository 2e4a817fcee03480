package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"tracksource/report"
)

const (
	// packageBytesMax bounds a package that is pulled: 100,000 deals with all their
	// stages are some 60 MiB.
	packageBytesMax = 256 << 20
	// pullRetries is how often a pull is tried again.
	pullRetries = 2
)

// pull asks for the package until one comes that is right, three times at most. Each
// retry may take longer, and waits as long as the reporter wants or longer each time.
func (f *reportFlags) pull(ctx context.Context, a *asked) (*report.Package, error) {
	for n := 0; ; n++ {
		p, err := f.pullOnce(ctx, a, time.Duration(n+1)*f.timeout)
		if err == nil {
			return p, nil
		}
		var refused *askError
		if usage := (usageError{}); errors.As(err, &usage) || errors.As(err, &refused) && !refused.passing || ctx.Err() != nil {
			return nil, err
		}
		if n == pullRetries {
			return nil, fmt.Errorf("%w; tried %d times", err, n+1)
		}
		wait := f.retryWait << n
		if refused != nil && refused.after > 0 {
			wait = min(refused.after, retryWaitMax)
		}
		f.say("%v; again in %s", err, wait)
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// pause waits, or ends with the context.
func pause(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// pullOnce asks once, and judges what comes.
func (f *reportFlags) pullOnce(ctx context.Context, a *asked, timeout time.Duration) (*report.Package, error) {
	query, err := a.query()
	if err != nil {
		return nil, err
	}
	data, err := f.send(ctx, question{path: "api/v1/package", query: query, timeout: timeout, bytesMax: packageBytesMax})
	if err != nil {
		return nil, err
	}
	p := new(report.Package)
	if err := json.Unmarshal(data, p); err != nil {
		return nil, fmt.Errorf("the answer is no package that this program knows: %w", err)
	}
	if p.Version != report.PackageVersion {
		return nil, &askError{err: fmt.Errorf("the answer is a package of version %d, and this program knows %d: take both from one release", p.Version, report.PackageVersion)}
	}
	if a.again != nil {
		p.Observed = a.again.Made.Observed
	}
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("the package contradicts itself: %w", err)
	}
	return p, nil
}

// query is the question as the API takes it.
func (a *asked) query() (url.Values, error) {
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
	}
	if a.again != nil {
		positions, err := json.Marshal(a.again.Made.Positions)
		if err != nil {
			return nil, fmt.Errorf("write positions: %w", err)
		}
		out.Set("positions", string(positions))
	}
	return out, nil
}

package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	// backoffFirst doubles with each attempt up to backoffMax; of it between a half
	// and all is waited.
	backoffFirst = time.Second
	backoffMax   = time.Minute
	// refusalsMax is how often an alert is sent that the receiver does not want: a
	// receiver that is being put in place refuses what it soon takes.
	refusalsMax = 3
	// answerBytesMax bounds what is read of an answer; nothing in it matters.
	answerBytesMax = 64 << 10
)

// outcome is what becomes of an attempt, or of an alert in the end.
type outcome string

const (
	delivered   outcome = "delivered"
	failed      outcome = "failed" // may pass; only of an attempt
	refused     outcome = "refused"
	gone        outcome = "gone"
	undelivered outcome = "undelivered" // failed for longer than the receiver's patience
)

// delivery is an alert on its way to one receiver.
type delivery struct {
	id    string    // of the record: the same each time it is sent
	alert string    // its id
	at    time.Time // of the record
	body  []byte
}

// deliver tries until there is an outcome that stands; it is empty when ctx has
// ended before.
func (s *Sender) deliver(ctx context.Context, d *delivery) outcome {
	defer s.cfg.Metrics.wait(s.r.Name, 0)
	refusals := 0
	for tries := 1; ; tries++ {
		result, after, why := s.attempt(ctx, d)
		if ctx.Err() != nil && result == failed {
			return ""
		}
		s.cfg.Metrics.attempt(s.r.Name, string(result))
		age := s.cfg.Clock().Sub(d.at)
		if result == delivered || result == gone {
			return result
		}
		if result == refused {
			if refusals++; refusals == refusalsMax {
				s.log.ErrorContext(ctx, "the receiver refuses an alert, which is passed over", "alert", d.alert, "delivery", d.id, "why", why)
				return refused
			}
		}
		if result == failed && age >= s.r.Patience {
			s.log.ErrorContext(ctx, "an alert was not delivered and is passed over", "alert", d.alert, "delivery", d.id, "attempts", tries, "why", why)
			return undelivered
		}
		if tries == 1 {
			s.log.WarnContext(ctx, "an alert is not delivered yet", "alert", d.alert, "delivery", d.id, "why", why)
		}
		s.cfg.Metrics.wait(s.r.Name, age)
		s.cfg.Pause(ctx, max(after, s.backoff(tries)))
		if ctx.Err() != nil {
			return ""
		}
	}
}

// backoff is the pause behind so many attempts.
func (s *Sender) backoff(tries int) time.Duration {
	d := backoffMax
	if doubled := backoffFirst << min(tries-1, 16); doubled < backoffMax {
		d = doubled
	}
	return d/2 + time.Duration(float64(d/2)*s.cfg.Draw())
}

// attempt sends an alert once. Why it was not taken is said without the URL; after is
// how long the receiver asks to be left alone.
func (s *Sender) attempt(ctx context.Context, d *delivery) (result outcome, after time.Duration, why string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.r.URL, bytes.NewReader(d.body))
	if err != nil {
		return refused, 0, "the URL cannot be asked for"
	}
	timestamp := strconv.FormatInt(s.cfg.Clock().Unix(), 10)
	for name, value := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "track-source", headerDelivery: d.id,
		headerTimestamp: timestamp, headerSignature: sign(s.r.Secret.Reveal(), timestamp, d.body),
	} {
		req.Header.Set(name, value)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return failed, 0, reason(err)
	}
	// Only an answer that is whole is one: a receiver may have died while it wrote.
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, answerBytesMax))
	err = errors.Join(err, resp.Body.Close())
	why = fmt.Sprintf("status %d", resp.StatusCode)
	switch code := resp.StatusCode; {
	case code == http.StatusGone:
		return gone, 0, why
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		return failed, retryAfter(resp.Header.Get("Retry-After")), why
	case code < 200 || code > 299:
		return refused, 0, why
	case err != nil:
		return failed, 0, "the answer breaks off"
	}
	return delivered, 0, ""
}

// retryAfter reads how many seconds the receiver asks for, at most backoffMax.
func retryAfter(header string) time.Duration {
	n, err := strconv.ParseUint(header, 10, 32)
	if err != nil {
		return 0
	}
	return min(time.Duration(n)*time.Second, backoffMax)
}

// reason is what an error says without the URL, which may hold a token.
func reason(err error) string {
	if of := (*url.Error)(nil); errors.As(err, &of) {
		if of.Timeout() {
			return "no answer in time"
		}
		err = of.Err
	}
	return fmt.Sprintf("%.200s", err)
}

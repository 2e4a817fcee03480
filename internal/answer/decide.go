package answer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tracksource/internal/control"
	"tracksource/report"
	"tracksource/schemas/avro"
)

// verdictWait bounds how long a decision waits until what is followed shows what became
// of it. It is written by then: later than that its asker looks for itself.
const verdictWait = 5 * time.Second

// ErrUnwritten is of a decision that could not be written, or may not have been.
var ErrUnwritten = errors.New("decision not known to be written")

// The states of a decision that was written.
const (
	DecisionAccepted = "accepted"
	DecisionPending  = "pending"
)

// Decider returns what writes a decision to the control topic. The topic's service
// judges it: what it refuses is raised as an alert and changes nothing.
func Decider(cfg control.Config) func(context.Context, avro.Control) error {
	return func(ctx context.Context, c avro.Control) error { return control.Send(ctx, cfg, []avro.Control{c}, nil) }
}

// speaker is the partner for whom somebody decides, and says so: a partner speaks for
// itself alone, the operator for whom it names. Where may is set the operator may name
// nobody.
func (q *asked) speaker(of *Query, s Said, may bool) (string, error) {
	partner, err := q.speaks(of, may)
	if err != nil {
		return "", err
	}
	return partner, said(s)
}

func (q *asked) speaks(of *Query, may bool) (string, error) {
	if !q.viewer.Operator {
		if of.Partner != "" {
			return "", &Error{Parameter: "partner", Detail: "a partner speaks for itself alone: leave partner out", Refused: Forbidden}
		}
		return q.viewer.Partner, nil
	}
	ids := make([]string, len(q.campaign.Contract.Partners))
	for i, p := range q.campaign.Contract.Partners {
		ids[i] = p.ID
	}
	switch {
	case of.Partner == "" && may, slices.Contains(ids, of.Partner):
		return of.Partner, nil
	case of.Partner == "":
		return "", &Error{Parameter: "partner", Detail: "name the partner for whom it is said; allowed lists the signatories", Allowed: ids, Refused: Unusable}
	}
	return "", &Error{Parameter: "partner", Detail: "there is no such partner; allowed lists the signatories", Allowed: ids, Refused: Unusable}
}

// askAgreed is ask of a decision on an agreed campaign.
func (a *Answers) askAgreed(v report.Viewer, q *Query) (*asked, error) {
	of, err := a.ask(v, q)
	if err == nil && of.Proposed {
		return nil, &Error{Parameter: "campaign", Detail: "a proposal's book is decided on by approvals alone", Refused: Unusable}
	}
	return of, err
}

// speaking is askAgreed of a decision that a partner says, with who that is.
func (a *Answers) speaking(v report.Viewer, q *Query, s Said, may bool) (*asked, string, error) {
	of, err := a.askAgreed(v, q)
	if err != nil {
		return nil, "", err
	}
	partner, err := of.speaker(q, s, may)
	return of, partner, err
}

// operator refuses everybody else.
func operator(v report.Viewer) error {
	if !v.Operator {
		return &Error{Detail: "this is the operator's to decide", Refused: Forbidden}
	}
	return nil
}

// said checks who says something, and why; the words that it takes must be among those
// that there are.
func said(s Said) error {
	for _, text := range [][2]string{{"by", s.By}, {"why", s.Why}} {
		if strings.TrimSpace(text[1]) == "" {
			return unusable(text[0], "a decision says by whom it is, as the name of an office, and why", nil)
		}
	}
	if strings.Contains(s.By, "@") {
		return unusable("by", "name an office and not a person: an address is personal data", nil)
	}
	return nil
}

// word checks one of a few words.
func word(member, text string, allowed ...string) error {
	if slices.Contains(allowed, text) {
		return nil
	}
	return unusable(member, "there is no such "+member+"; allowed lists those there are", allowed)
}

func unusable(member, detail string, allowed []string) error {
	return &Error{Parameter: member, Detail: detail, Allowed: allowed, Refused: Unusable}
}

// now is when a decision is made, as precisely as records have it.
func (q *asked) now() time.Time { return q.cfg.Clock().UTC().Truncate(time.Microsecond) }

// decide judges a record by what is followed, writes it, and waits a while for what
// becomes of it. The judge of the control topic judges it again, in the topic's order:
// what somebody else decided meanwhile may refuse it after all.
func (q *asked) decide(ctx context.Context, c *avro.Control, id string) (DecisionAnswer, error) {
	if q.cfg.Decide == nil {
		return DecisionAnswer{}, &Error{Detail: "this instance takes no decisions", Refused: NotTaken}
	}
	if err := q.follow.Decided(func(b *control.Book) error { return b.Judge(c) }); err != nil {
		return DecisionAnswer{}, conflict(err)
	}
	if err := q.cfg.Decide(ctx, *c); err != nil {
		return DecisionAnswer{}, fmt.Errorf("write %s: %w: %w", c.Kind, ErrUnwritten, err)
	}
	out := DecisionAnswer{Kind: c.Kind, ID: id, State: DecisionPending}
	known, err := q.verdict(ctx, c)
	if err != nil {
		return DecisionAnswer{}, conflict(err)
	}
	if known {
		out.State = DecisionAccepted
	}
	out.Envelope = q.Envelope
	out.Version, _ = q.follow.Version() // that of the question was before the decision
	return out, nil
}

// verdict waits until it is known what became of a record; an error is a refusal, or
// that nothing can be read.
func (q *asked) verdict(ctx context.Context, c *avro.Control) (known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, verdictWait)
	defer cancel()
	for {
		_, changed := q.follow.Version()
		refused, known, err := q.follow.Verdict(c)
		if err != nil || known {
			return known, errors.Join(err, refused)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false, nil
		}
	}
}

// conflict turns a refusal into what its asker is told.
func conflict(err error) error {
	var refused *control.Refusal
	if errors.As(err, &refused) {
		return &Error{Detail: refused.Error(), Refused: Conflict}
	}
	return err
}

// idOf names a decision that nobody gave a name: the first half of what its bytes hash
// to.
func idOf(parts ...string) string {
	sum := sha256.New()
	for _, p := range parts {
		_, _ = fmt.Fprintf(sum, "%d %s ", len(p), p) // a hash takes all
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

package reporter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"tracksource/contract"
	"tracksource/internal/control"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// Policy is what the revision in force of a contract says of the rows of its
// books: when they are final, and which partners see which of them.
type Policy struct {
	Revision     int64
	Zone         *time.Location
	LatenessDays int
	Open         []string // partners that see every row, sorted
	Own          []string // partners that see the rows credited to them, sorted
}

// Policies are those of all campaigns, folded from the control topic. They are
// safe for concurrent use.
type Policies struct {
	codecs *avro.Codecs
	topics map[string]string // of contributions, by partner
	log    *slog.Logger

	// Owned by the one goroutine that calls Add.
	book   *control.Book   // of contracts and their approvals alone
	untold map[string]bool // partners without a topic that the log has named

	mu    sync.Mutex
	by    map[string]Policy // guarded by mu; by campaign, replaced and never changed
	whole bool              // guarded by mu
}

// NewPolicies makes an empty set for a deployment in which these partners have
// topics of contributions. Partners without one are in no policy.
func NewPolicies(codecs *avro.Codecs, topics map[string]string, log *slog.Logger) *Policies {
	return &Policies{
		codecs: codecs, topics: topics, log: log,
		book: control.NewBook(), untold: map[string]bool{}, by: map[string]Policy{},
	}
}

// Add takes in the next record of the control topic, in its order. What the
// service that owns the topic refuses is passed over. The error is about the
// registry.
func (p *Policies) Add(r stream.Record) error {
	var c avro.Control
	if err := p.codecs.Control.Decode(r.Value, &c); errors.Is(err, avro.ErrRegistry) {
		return err
	} else if err != nil || c.Kind != control.Contract && c.Kind != control.Approval {
		return nil
	}
	if err := p.book.Take(&c); err != nil {
		return err
	}
	if c.Contract == nil || c.Contract.Proposed {
		return nil
	}
	campaign := c.Contract.Campaign
	if newest, _ := p.book.Newest(campaign); newest.Revision == p.by[campaign].Revision {
		return nil // refused
	}
	doc, err := contract.Parse([]byte(c.Contract.Document))
	if err != nil {
		return fmt.Errorf("contract of %s: %w", campaign, err) // judged before
	}
	next := p.policyOf(doc, c.Contract.Revision)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.by = maps.Clone(p.by)
	p.by[campaign] = next
	return nil
}

func (p *Policies) policyOf(doc *contract.Contract, revision int64) Policy {
	out := Policy{Revision: revision, Zone: doc.Zone, LatenessDays: doc.Window.LatenessDays}
	for _, partner := range doc.Partners {
		if _, ok := p.topics[partner.ID]; !ok {
			if !p.untold[partner.ID] {
				p.untold[partner.ID] = true
				p.log.Warn("a partner has no topic of contributions in this deployment and gets none: name a feed of it with --feeds, or it with --partners",
					"partner", partner.ID, "campaign", doc.Campaign)
			}
			continue
		}
		if partner.Visibility == contract.VisibilityOpen {
			out.Open = append(out.Open, partner.ID)
		} else {
			out.Own = append(out.Own, partner.ID)
		}
	}
	slices.Sort(out.Open)
	slices.Sort(out.Own)
	return out
}

// Get returns the policies by campaign, nil before Follow has read what there
// was: a revision that another one has replaced would show rows to partners that
// the newer one has taken them from. The map is not to be changed.
func (p *Policies) Get() map[string]Policy {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.whole {
		return nil
	}
	return p.by
}

// Release makes Get return what Add was given so far, and from now on.
func (p *Policies) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.whole = true
}

// Follow releases the policies once the follower, which hands records to Add and
// runs beside it, has met the end of the topic. It returns then, or when ctx ends.
func (p *Policies) Follow(ctx context.Context, f *stream.Follower) error {
	for {
		err := f.Sync(ctx)
		if err == nil {
			p.Release()
			return nil
		}
		if ctx.Err() != nil {
			return nil
		}
		p.log.WarnContext(ctx, "contracts are not read yet, trying again", "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(policyPause):
		}
	}
}

// policyPause is the pause before the end of the control topic is asked for again.
const policyPause = time.Second

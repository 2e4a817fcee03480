package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/identity"
	"tracksource/internal/governance"
	"tracksource/internal/line"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// The decisions on two deals that overlap.
const (
	OverlapSame      = "same"      // one business, which counts once
	OverlapDifferent = "different" // two businesses
)

// whyMax bounds the reason of a decision, in bytes.
const whyMax = governance.WhyMax

// OverlapKey is what a decision is about: a later one about the same replaces it.
type OverlapKey struct {
	Campaign    string
	Deal, Other avro.DealName
}

// KeyOfOverlap returns what the record is about.
func KeyOfOverlap(r *avro.OverlapRecord) OverlapKey {
	return OverlapKey{r.Campaign, r.Deal, r.Other}
}

func judgeOverlap(r *avro.OverlapRecord, past Past) error {
	if now, err := past.Standing(OfContract(r.Campaign)); err != nil {
		return err
	} else if now.Revision == 0 {
		return refuse("overlap: campaign %q has no contract", cut(r.Campaign))
	}
	if err := checkOverlap(r); err != nil {
		return refuse("overlap: %w", err)
	}
	return nil
}

func checkOverlap(r *avro.OverlapRecord) error {
	for _, d := range []avro.DealName{r.Deal, r.Other} {
		if _, err := DealNode(d); err != nil {
			return err
		}
	}
	switch {
	case r.Deal.Reporter == r.Other.Reporter && r.Deal.Source == r.Other.Source:
		return errors.New("both deals are of one CRM")
	case r.Decision != OverlapSame && r.Decision != OverlapDifferent:
		return fmt.Errorf("%q; write %s or %s", cut(r.Decision), OverlapSame, OverlapDifferent)
	case strings.TrimSpace(r.By) == "" || strings.TrimSpace(r.Why) == "":
		return errors.New("a decision says who made it, and why")
	case len(r.By) > nameMax || len(r.Why) > whyMax:
		return fmt.Errorf("who decided has at most %d bytes, and the reason %d", nameMax, whyMax)
	case r.At.IsZero():
		return errors.New("a decision says when it was made")
	}
	return nil
}

// DealNode returns the identity of a deal.
func DealNode(d avro.DealName) (identity.Node, error) {
	if d.Source == "" || len(d.Source) > nameMax || strings.Contains(d.Source, "/") {
		return identity.Node{}, fmt.Errorf("the source of a deal is %q", cut(d.Source))
	}
	n, err := identity.NewNode(identity.Object, d.Reporter, d.ID)
	if err != nil {
		return n, fmt.Errorf("deal: %w", err)
	}
	return n, nil
}

// dealType stands in front of the id where a deal is named as an item of a journey.
const dealType = "opportunity/"

// ParseDeal reads a deal as people and alerts name it, reporter/source/id or
// reporter/source/opportunity/id. The ids of Salesforce may lack their last three
// characters.
func ParseDeal(text string) (avro.DealName, error) {
	parts := strings.SplitN(text, "/", 3)
	if len(parts) != 3 {
		return avro.DealName{}, fmt.Errorf("%q is no deal: write reporter/source/id, such as acme/salesforce/0065g00000XyZabAAF", cut(text))
	}
	d := avro.DealName{Reporter: parts[0], Source: parts[1], ID: strings.TrimPrefix(parts[2], dealType)}
	if d.Source == "salesforce" {
		d.ID = identity.SalesforceID(d.ID)
	}
	_, err := DealNode(d)
	return d, err
}

// DealText is what [ParseDeal] reads.
func DealText(d avro.DealName) string { return governance.DealText(d) }

// itemText is the deal as the item of a journey that it is.
func itemText(d avro.DealName) string { return d.Reporter + "/" + d.Source + "/" + dealType + d.ID }

// OverlapObject is the decision as an object of the deal, and the node that it belongs
// to. Number is its place among all decisions: the highest of those about the same
// holds.
func OverlapObject(r *avro.OverlapRecord, number int64) (identity.Node, *avro.ObjectFacts, error) {
	node, err := DealNode(r.Deal)
	if err != nil {
		return node, nil, err
	}
	o := &avro.ObjectFacts{
		Type: contract.ObjectDecision, ID: r.Campaign + "/" + DealText(r.Deal) + "/" + DealText(r.Other), Order: number, ModifiedAt: r.At,
	}
	for _, f := range [][2]string{
		{"at", r.At.UTC().Format(time.RFC3339Nano)},
		{"by", r.By},
		{"campaign", r.Campaign},
		{"deal", itemText(r.Deal)},
		{"decision", r.Decision},
		{"other", itemText(r.Other)},
		{"why", r.Why},
	} {
		o.Fields = append(o.Fields, avro.Field{Name: f[0], Value: &f[1]})
	}
	return node, o, nil
}

// Suspicion is that two deals may be the same business.
type Suspicion struct {
	Deal, Other avro.DealName
	At          time.Time // when it was raised last
	Settled     bool      // by a decision, or since the deals changed
}

// Suspicions reads the alerts about overlapping deals of a campaign, in the order of
// the deals.
func Suspicions(ctx context.Context, cfg Config, campaign string) ([]Suspicion, error) {
	found := map[string]Suspicion{} // by the alert's id
	err := stream.ReadTopic(ctx, line.StreamConn(cfg.Kafka), cfg.Log, cfg.Spec.Alerts(), func(r stream.Record) error {
		if r.Value == nil {
			delete(found, string(r.Key))
			return nil
		}
		var a avro.Alert
		if err := cfg.Codecs.Alert.Decode(r.Value, &a); err != nil {
			return fmt.Errorf("alert %d@%d: %w", r.Partition, r.Offset, err)
		}
		if a.Kind != attribution.AlertOverlapSuspected || a.Campaign != campaign {
			return nil
		}
		if s, ok := suspicion(&a); ok {
			if was, known := found[a.ID]; known && s.Settled {
				s.At = was.At
			}
			found[a.ID] = s
		} else {
			cfg.Log.WarnContext(ctx, "alert about an overlap names no two deals", "id", a.ID, "subject", a.Subject)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read suspected overlaps: %w", err)
	}
	var all []Suspicion
	for _, s := range found {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Suspicion) int {
		return cmp.Or(cmp.Compare(DealText(a.Deal), DealText(b.Deal)), cmp.Compare(DealText(a.Other), DealText(b.Other)), a.At.Compare(b.At))
	})
	return all, nil
}

// suspicion reads the deals of an alert, its subject and the other one that it has for
// evidence; ok is false unless there are two.
func suspicion(a *avro.Alert) (s Suspicion, ok bool) {
	deal, err := ParseDeal(a.Subject)
	if err != nil {
		return s, false
	}
	for _, text := range a.Evidence {
		if other, err := ParseDeal(text); err == nil && other != deal {
			return Suspicion{Deal: deal, Other: other, At: a.RaisedAt, Settled: a.State == governance.AlertSettled}, true
		}
	}
	return s, false
}

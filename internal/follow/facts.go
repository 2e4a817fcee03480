package follow

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"tracksource/attribution"
	"tracksource/money"
	"tracksource/report"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// kindFacts is the kind of a record of facts that is no announcement of a generation.
const (
	kindFacts      = "facts"
	kindGeneration = "generation"
	kindEntry      = "entry"
)

func (f *Follow) projectFacts(r *stream.Record, put func(key, value []byte)) error {
	var k avro.FactsKey
	if err := f.cfg.Codecs.FactsKey.Decode(r.Key, &k); err != nil {
		return err
	}
	if k.Contract == "" {
		var v avro.Facts
		if err := f.cfg.Codecs.Facts.Decode(r.Value, &v); err != nil {
			return err
		}
		put(lifeKey(spaceFactsLife, v.SourcePartition, r.Partition), lifeValue(spaceFactsLife, v.Generation))
		return nil
	}
	key := spaceFacts.Key().String(k.Contract).String(k.Conversion).Bytes(k.Account).Uint64(uint64(k.Revision)).Uint32(uint32(k.SourcePartition))
	if r.Value == nil {
		put(key, nil)
		return nil
	}
	var v avro.Facts
	if err := f.cfg.Codecs.Facts.Decode(r.Value, &v); err != nil {
		return err
	}
	put(key, spaceFacts.Value(r.Value))
	return nil
}

func (f *Follow) factsChanged(records []stream.Record) error {
	for i := range records {
		r := &records[i]
		var k avro.FactsKey
		if f.cfg.Codecs.FactsKey.Decode(r.Key, &k) != nil {
			continue // left out of the store as well
		}
		if k.Contract != "" {
			f.dealBooks.note(&k)
			continue
		}
		var v avro.Facts
		if f.cfg.Codecs.Facts.Decode(r.Value, &v) == nil {
			f.factsLives.note(v.SourcePartition, v.Generation)
			f.dealBooks.empty() // whatever the source said in its older life is over
		}
	}
	return nil
}

// Deal is all facts of a deal under one contract.
type Deal struct {
	report.Deal
	AsOf time.Time // of the newest of them
}

// Deal returns the facts of one deal of a book, false without any.
func (f *Follow) Deal(book, conversion string) (*Deal, bool, error) {
	parts, err := f.Facts(book, conversion)
	if err != nil {
		return nil, false, err
	}
	return dealOf(parts, new(names))
}

// Facts returns the records of one deal of a book: of one account, in the order of
// their revisions.
func (f *Follow) Facts(book, conversion string) ([]avro.Facts, error) {
	var parts []avro.Facts
	from, to := spaceFacts.Key().String(book).String(conversion).Range()
	err := f.facts.scan(from, to, func(_, value []byte) (bool, error) {
		part, ok, err := f.part(value)
		if ok {
			parts = append(parts, part)
		}
		return err == nil, err
	})
	return settle(parts), err
}

// part decodes a record, false for one of a life that is over.
func (f *Follow) part(value []byte) (avro.Facts, bool, error) {
	var v avro.Facts
	body, err := spaceFacts.Body(value)
	if err != nil {
		return v, false, err
	}
	if err := f.cfg.Codecs.Facts.Decode(body, &v); err != nil {
		return v, false, fmt.Errorf("facts in the table: %w", err)
	}
	return v, v.Kind == kindFacts && !f.factsLives.over(v.SourcePartition, v.Generation), nil
}

// settle leaves the facts of one account: a deal that moves is withdrawn under the old
// one and told under the new one in no order, and the newer facts are of the new one.
// Of a revision that two sources have, as partitions never do at rest, the newer one
// is left.
func settle(parts []avro.Facts) []avro.Facts {
	if len(parts) == 0 {
		return nil
	}
	newest := slices.MaxFunc(parts, func(a, b avro.Facts) int { return a.AsOf.Compare(b.AsOf) })
	var out []avro.Facts
	for _, p := range parts {
		if bytes.Equal(p.Account, newest.Account) {
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b avro.Facts) int {
		if a.Revision != b.Revision {
			return int(min(max(a.Revision-b.Revision, -1), 1))
		}
		return b.AsOf.Compare(a.AsOf)
	})
	return slices.CompactFunc(out, func(a, b avro.Facts) bool { return a.Revision == b.Revision })
}

func dealOf(parts []avro.Facts, known *names) (*Deal, bool, error) {
	parts = settle(parts)
	if len(parts) == 0 {
		return nil, false, nil
	}
	d := &Deal{Deal: report.Deal{Account: string(parts[0].Account), Parts: make([]attribution.Facts, 0, len(parts))}}
	for i := range parts {
		f, err := known.facts(&parts[i])
		if err != nil {
			return nil, false, fmt.Errorf("facts of %s: %w", parts[i].Conversion, err)
		}
		d.Parts = append(d.Parts, f)
		if parts[i].AsOf.After(d.AsOf) {
			d.AsOf = parts[i].AsOf
		}
	}
	return d, true, nil
}

// FactsOf reads facts back from what the topic has.
func FactsOf(r *avro.Facts) (attribution.Facts, error) { return new(names).facts(r) }

// facts reads facts back. What deals have in common is in memory once, lists are as long as
// they need be, and nothing of the record is held on to but by disputes, which are few: of
// many deals the rest would be a third of what they take.
func (n *names) facts(r *avro.Facts) (attribution.Facts, error) {
	deal, err := itemOf(r.Conversion)
	if err != nil {
		return attribution.Facts{}, err
	}
	deal.Reporter, deal.Source, deal.Item = n.name(deal.Reporter), n.name(deal.Source), own(deal.Item)
	f := attribution.Facts{
		Contract: n.name(r.Contract), Revision: r.Revision, Deal: deal, Excluded: n.name(r.Excluded), Order: r.Order,
		State: n.name(r.State), Stage: n.name(r.Stage), Milestone: n.name(r.Milestone), CreatedAt: at(r.CreatedAt), LeadAt: at(r.LeadAt),
		CloseDate: n.name(r.CloseDate), Amount: own(r.Amount), Currency: n.name(r.Currency), LeadSource: n.name(r.LeadSource), CampaignID: n.name(r.CampaignID),
		Region: n.name(r.Region), Segment: n.name(r.Segment), Sourced: attribution.Sourced{Partner: n.name(r.Sourced.Partner), By: n.name(r.Sourced.By)},
		Merged: n.items(r.Merged), Suspected: n.items(r.Suspected), Truncated: r.Truncated,
	}
	if r.Sourced.Evidence != nil {
		f.Sourced.Evidence = n.item(*r.Sourced.Evidence)
	}
	f.Stages = sized[attribution.FactStage](len(r.Stages))
	for _, s := range r.Stages {
		f.Stages = append(f.Stages, attribution.FactStage{Stage: n.name(s.Stage), State: n.name(s.State), Milestone: n.name(s.Milestone), At: s.At, EventID: own(s.EventID)})
	}
	f.Measures = sized[attribution.FactMeasure](len(r.Measures))
	for i := range r.Measures {
		m, err := n.measure(r, &r.Measures[i])
		if err != nil {
			return attribution.Facts{}, err
		}
		f.Measures = append(f.Measures, m)
	}
	for i := range r.Disputes {
		d, err := disputeOf(&r.Disputes[i])
		if err != nil {
			return attribution.Facts{}, err
		}
		f.Disputes = append(f.Disputes, d)
	}
	f.Touches, err = n.touches(r)
	return f, err
}

// sized is an empty list with room for n, nil for none.
func sized[T any](n int) []T {
	if n == 0 {
		return nil
	}
	return make([]T, 0, n)
}

func (n *names) touches(r *avro.Facts) ([]attribution.FactTouch, error) {
	touches := sized[attribution.FactTouch](len(r.Touches))
	for i := range r.Touches {
		t := &r.Touches[i]
		if t.Rule < 0 || int(t.Rule) >= len(r.Rules) {
			return nil, fmt.Errorf("touch %d is by rule %d of %d", i, t.Rule, len(r.Rules))
		}
		id := n.item(t.ID)
		touches = append(touches, attribution.FactTouch{
			ID: id, At: t.At, Type: n.name(t.Type), Channel: n.name(t.Channel), Partner: n.name(t.Partner), Asset: n.name(t.Asset),
			Source: n.name(t.Source), Campaign: n.name(t.Campaign), Rule: n.name(r.Rules[t.Rule]), Person: own(t.Person),
			Evidence: append(append(make([]attribution.ItemID, 0, 1+len(t.Evidence)), id), n.items(t.Evidence)...),
		})
	}
	return touches, nil
}

// disputeOf reads a dispute. One that does not say from which day on it acts does so on
// all.
func disputeOf(d *avro.FactsDispute) (attribution.FactDispute, error) {
	out := attribution.FactDispute{
		ID: d.ID, Partner: d.Partner, About: d.About, Against: d.Against, State: d.State, To: d.To, By: d.By, Why: d.Why,
		OpenedAt: d.OpenedAt, SettledBy: d.SettledBy, SettledWhy: d.SettledWhy, SettledAt: at(d.SettledAt), From: money.DayMin,
	}
	if d.From == "" {
		return out, nil
	}
	var err error
	if out.From, err = money.ParseDay(d.From); err != nil {
		return out, fmt.Errorf("dispute %s: %w", d.ID, err)
	}
	return out, nil
}

func (n *names) measure(r *avro.Facts, m *avro.FactsMeasure) (attribution.FactMeasure, error) {
	out := attribution.FactMeasure{
		Measure: n.name(m.Measure), At: at(m.At), Value: m.Value, Currency: n.name(m.Currency), Exponent: m.Exponent,
		Basis: attribution.Basis{Amount: own(m.OriginalAmount), Currency: n.name(m.OriginalCurrency), Rate: n.name(m.Rate), Via: n.name(m.RateVia)},
		Held:  n.name(m.Held), Revision: r.Revision, InScope: m.InScope, Influenced: n.list(m.Influenced), CoSell: n.list(m.CoSell),
		Confidence: attribution.Confidence(m.Confidence),
	}
	var err error
	if m.Day != "" {
		if out.Day, err = money.ParseDay(m.Day); err != nil {
			return out, err
		}
	}
	if m.RateDay != "" {
		if out.Basis.RateDay, err = money.ParseDay(m.RateDay); err != nil {
			return out, err
		}
	}
	for _, place := range m.Path {
		if place < 0 || int(place) >= len(r.Touches) {
			return out, fmt.Errorf("%s is shared by touch %d of %d", m.Measure, place, len(r.Touches))
		}
	}
	out.Path = n.path(m.Path)
	return out, nil
}

func at(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// itemOf reads the text of an ItemID.
func itemOf(text string) (attribution.ItemID, error) {
	reporter, rest, ok := strings.Cut(text, "/")
	source, item, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 {
		return attribution.ItemID{}, fmt.Errorf("%.60q is not reporter/source/item", text)
	}
	return attribution.ItemID{Reporter: reporter, Source: source, Item: item}, nil
}

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
func (f *Follow) part(value []byte) (v avro.Facts, ok bool, err error) {
	ok, err = f.partOver(value, &v)
	return v, ok, err
}

// partOver is part into one that many are read into.
func (f *Follow) partOver(value []byte, v *avro.Facts) (bool, error) {
	body, err := spaceFacts.Body(value)
	if err != nil {
		return false, err
	}
	if err := f.cfg.Codecs.Facts.DecodeOver(body, v); err != nil {
		return false, fmt.Errorf("facts in the table: %w", err)
	}
	return v.Kind == kindFacts && !f.factsLives.over(v.SourcePartition, v.Generation), nil
}

// settle leaves the facts of one account: a deal that moves is withdrawn under the old
// one and told under the new one in no order, and the newer facts are of the new one.
// Of a revision that two sources have, as partitions never do at rest, the newer one
// is left.
func settle(parts []avro.Facts) []avro.Facts {
	if len(parts) < 2 {
		return parts
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
	d := known.passing
	if d == nil {
		d = new(Deal)
	}
	d.Account, d.Parts, d.AsOf = string(parts[0].Account), room(known, d.Parts, len(parts)), time.Time{}
	for i := range parts {
		if err := known.facts(&parts[i], &d.Parts[i]); err != nil {
			return nil, false, fmt.Errorf("facts of %s: %w", parts[i].Conversion, err)
		}
		if parts[i].AsOf.After(d.AsOf) {
			d.AsOf = parts[i].AsOf
		}
	}
	return d, true, nil
}

// FactsOf reads facts back from what the topic has.
func FactsOf(r *avro.Facts) (f attribution.Facts, err error) {
	err = new(names).facts(r, &f)
	return f, err
}

// facts reads facts back. What deals have in common is in memory once, lists are as long as
// they need be, and of deals that stay nothing of the record is held on to but by disputes,
// which are few: of many deals the rest would be a third of what they take.
func (n *names) facts(r *avro.Facts, f *attribution.Facts) error {
	deal, err := itemOf(r.Conversion)
	if err != nil {
		return err
	}
	deal.Reporter, deal.Source, deal.Item = n.name(deal.Reporter), n.name(deal.Source), n.own(deal.Item)
	*f = attribution.Facts{
		Contract: n.name(r.Contract), Revision: r.Revision, Deal: deal, Excluded: n.name(r.Excluded), Order: r.Order,
		State: n.name(r.State), Stage: n.name(r.Stage), Milestone: n.name(r.Milestone), CreatedAt: at(r.CreatedAt), LeadAt: at(r.LeadAt),
		CloseDate: n.name(r.CloseDate), Amount: n.own(r.Amount), Currency: n.name(r.Currency), LeadSource: n.name(r.LeadSource), CampaignID: n.name(r.CampaignID),
		Region: n.name(r.Region), Segment: n.name(r.Segment), Sourced: attribution.Sourced{Partner: n.name(r.Sourced.Partner), By: n.name(r.Sourced.By)},
		Merged: n.items(r.Merged), Suspected: n.items(r.Suspected), Truncated: r.Truncated,
		Stages: room(n, f.Stages, len(r.Stages)), Measures: room(n, f.Measures, len(r.Measures)), Touches: room(n, f.Touches, len(r.Touches)),
	}
	if r.Sourced.Evidence != nil {
		f.Sourced.Evidence = n.item(*r.Sourced.Evidence)
	}
	for i, s := range r.Stages {
		f.Stages[i] = attribution.FactStage{Stage: n.name(s.Stage), State: n.name(s.State), Milestone: n.name(s.Milestone), At: s.At, EventID: n.own(s.EventID)}
	}
	for i := range r.Measures {
		if f.Measures[i], err = n.measure(r, &r.Measures[i]); err != nil {
			return err
		}
	}
	for i := range r.Disputes {
		d, err := disputeOf(&r.Disputes[i])
		if err != nil {
			return err
		}
		f.Disputes = append(f.Disputes, d)
	}
	for i := range r.Touches {
		t := &r.Touches[i]
		if t.Rule < 0 || int(t.Rule) >= len(r.Rules) {
			return fmt.Errorf("touch %d is by rule %d of %d", i, t.Rule, len(r.Rules))
		}
		n.touch(t, r.Rules[t.Rule], &f.Touches[i])
	}
	return nil
}

// touch reads a touch back, which a rule counted.
func (n *names) touch(t *avro.FactsTouch, rule string, to *attribution.FactTouch) {
	evidence := room(n, to.Evidence, 1+len(t.Evidence))
	evidence[0] = n.item(t.ID)
	for i, item := range t.Evidence {
		evidence[1+i] = n.item(item)
	}
	*to = attribution.FactTouch{
		ID: evidence[0], At: t.At, Type: n.name(t.Type), Channel: n.name(t.Channel), Partner: n.name(t.Partner), Asset: n.name(t.Asset),
		Source: n.name(t.Source), Campaign: n.name(t.Campaign), Rule: n.name(rule), Person: n.own(t.Person), Evidence: evidence,
	}
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
		Basis: attribution.Basis{Amount: n.own(m.OriginalAmount), Currency: n.name(m.OriginalCurrency), Rate: n.name(m.Rate), Via: n.name(m.RateVia)},
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

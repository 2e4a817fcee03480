package attributor

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"tracksource/attribution"
	"tracksource/money"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// told is what the facts topic holds for one account and one contract, in the
// order of conversions, then revisions.
type told []toldFacts

type toldFacts struct {
	conversion string
	revision   int64
	hash       [hashBytes]byte // of the record without the time of its event
}

const hashBytes = 16

func (t told) encode() []byte {
	v := binary.AppendUvarint([]byte{spaceFacts.Version}, uint64(len(t)))
	for _, f := range t {
		v = binary.AppendVarint(appendText(v, f.conversion), f.revision)
		v = append(v, f.hash[:]...)
	}
	return v
}

func decodeTold(value []byte) (told, error) {
	body, err := spaceFacts.Body(value)
	if err != nil {
		return nil, err
	}
	r := reader{rest: body}
	var t told
	for range r.count() {
		f := toldFacts{conversion: r.text(), revision: r.varint()}
		if len(r.rest) < hashBytes {
			r.fail("hash is cut off")
			break
		}
		f.hash = [hashBytes]byte(r.rest)
		r.rest = r.rest[hashBytes:]
		t = append(t, f)
	}
	return t, r.end()
}

// tell brings the facts topic to what is now known of the account's deals: what
// changed is written anew, what is gone is withdrawn, and nothing else is written.
func (f *fold) tell(c *campaign, a *account, facts []attribution.Facts) error {
	key := factsKey(a.id, c.id)
	value, err := f.kv.Get(key)
	if err != nil {
		return err
	}
	var before told
	if value != nil {
		if before, err = decodeTold(value); err != nil {
			return err
		}
	}
	var after told
	for i := range facts {
		one, err := f.tellOne(c, a, &facts[i], before)
		if err != nil {
			return err
		}
		after = append(after, one)
	}
	for _, was := range before {
		if _, still := after.find(was.conversion, was.revision); still {
			continue
		}
		if err := f.emitFacts(c, a, was, nil); err != nil {
			return err
		}
	}
	slices.SortFunc(after, toldFacts.compare)
	switch encoded := after.encode(); {
	case len(after) == 0 && value == nil:
		return nil
	case len(after) == 0:
		return f.kv.Delete(key)
	case !bytes.Equal(encoded, value):
		return f.kv.Put(key, encoded)
	}
	return nil
}

func (t toldFacts) compare(other toldFacts) int {
	if c := strings.Compare(t.conversion, other.conversion); c != 0 {
		return c
	}
	return int(min(max(t.revision-other.revision, -1), 1))
}

func (t told) find(conversion string, revision int64) (toldFacts, bool) {
	i := slices.IndexFunc(t, func(f toldFacts) bool { return f.conversion == conversion && f.revision == revision })
	if i < 0 {
		return toldFacts{}, false
	}
	return t[i], true
}

// tellOne writes the facts of a deal unless the topic holds them.
func (f *fold) tellOne(c *campaign, a *account, facts *attribution.Facts, before told) (toldFacts, error) {
	record := factsOf(facts)
	record.Kind, record.Generation, record.SourcePartition = KindFacts, f.generation, f.source
	record.Contract, record.Account, record.AsOf = c.id, a.id, a.asOf
	value, err := f.cfg.Codecs.Facts.Append(f.scratch[:0], &record)
	if err != nil {
		return toldFacts{}, err
	}
	f.scratch = value
	// The last field is the time of the event, which alone is no news.
	body := value[avro.HeaderBytes:]
	body = body[:len(body)-len(binary.AppendVarint(nil, record.AsOf.UnixMicro()))]
	sum := sha256.Sum256(body)
	now := toldFacts{conversion: record.Conversion, revision: record.Revision, hash: [hashBytes]byte(sum[:])}
	if was, told := before.find(now.conversion, now.revision); told && was.hash == now.hash {
		return now, nil
	}
	return now, f.emitFacts(c, a, now, bytes.Clone(value))
}

// emitFacts stages facts as they are encoded, or nil for their withdrawal.
func (f *fold) emitFacts(c *campaign, a *account, of toldFacts, value []byte) error {
	key := avro.FactsKey{Contract: c.id, Conversion: of.conversion, Account: a.id, Revision: of.revision, SourcePartition: f.source}
	k, err := f.cfg.Codecs.FactsKey.Append(nil, &key)
	if err != nil {
		return err
	}
	f.out.EmitTo(f.cfg.Topics.Facts, FactsPartition(key.Contract, key.Conversion, f.cfg.FactsPartitions), k, value)
	return nil
}

// FactsPartition is the partition of the facts topic, of so many, that holds what
// is said of a conversion under a contract: the same for all accounts and revisions.
func FactsPartition(campaign, conversion string, partitions int32) int32 {
	return stream.PartitionOf(keyFormat.Key().String(campaign).String(conversion), partitions)
}

// announceFacts tells every facts partition of the generation.
func (f *fold) announceFacts() error {
	k, err := f.cfg.Codecs.FactsKey.Append(nil, &avro.FactsKey{SourcePartition: f.source})
	if err != nil {
		return err
	}
	v, err := f.cfg.Codecs.Facts.Append(nil, &avro.Facts{
		Kind: KindGeneration, Generation: f.generation, SourcePartition: f.source, AsOf: time.UnixMilli(f.generation),
	})
	if err != nil {
		return err
	}
	for to := range f.cfg.FactsPartitions {
		f.out.EmitTo(f.cfg.Topics.Facts, to, k, v)
	}
	return nil
}

// factsOf writes facts as the topic has them, without what the book, the account and
// the event add.
func factsOf(f *attribution.Facts) avro.Facts {
	record := avro.Facts{
		Revision: f.Revision, Conversion: f.Deal.String(), Excluded: f.Excluded, Order: f.Order,
		State: f.State, Stage: f.Stage, Milestone: f.Milestone, CreatedAt: instant(f.CreatedAt), LeadAt: instant(f.LeadAt),
		CloseDate: f.CloseDate, Amount: f.Amount, Currency: f.Currency, LeadSource: f.LeadSource, CampaignID: f.CampaignID,
		Region: f.Region, Segment: f.Segment, Sourced: avro.FactsSourced{Partner: f.Sourced.Partner, By: f.Sourced.By},
		Merged: itemsOf(f.Merged), Suspected: itemsOf(f.Suspected), Truncated: f.Truncated,
		Measures: make([]avro.FactsMeasure, len(f.Measures)), Touches: make([]avro.FactsTouch, len(f.Touches)),
	}
	if f.Sourced.By != "" {
		evidence := avro.FactsItem(f.Sourced.Evidence)
		record.Sourced.Evidence = &evidence
	}
	for _, s := range f.Stages {
		record.Stages = append(record.Stages, avro.FactsStage{Stage: s.Stage, State: s.State, Milestone: s.Milestone, At: s.At, EventID: s.EventID})
	}
	for i := range f.Disputes {
		record.Disputes = append(record.Disputes, disputeOf(&f.Disputes[i]))
	}
	for i := range f.Measures {
		record.Measures[i] = measureOf(&f.Measures[i])
	}
	// Touches are many, and the rules that decide them few.
	rules := make(map[string]int32)
	for i := range f.Touches {
		t := &f.Touches[i]
		rule, known := rules[t.Rule]
		if !known {
			rule = int32(len(record.Rules))
			rules[t.Rule] = rule
			record.Rules = append(record.Rules, t.Rule)
		}
		record.Touches[i] = avro.FactsTouch{
			ID: avro.FactsItem(t.ID), At: t.At, Type: t.Type, Channel: t.Channel, Partner: t.Partner, Asset: t.Asset,
			Source: t.Source, Campaign: t.Campaign, Rule: rule, Person: t.Person, Evidence: othersOf(t),
		}
	}
	return record
}

func disputeOf(d *attribution.FactDispute) avro.FactsDispute {
	record := avro.FactsDispute{
		ID: d.ID, Partner: d.Partner, About: d.About, Against: d.Against, State: d.State, To: d.To, By: d.By, Why: d.Why,
		OpenedAt: d.OpenedAt, SettledBy: d.SettledBy, SettledWhy: d.SettledWhy, SettledAt: instant(d.SettledAt),
	}
	if d.From > money.DayMin {
		record.From = d.From.String()
	}
	return record
}

func measureOf(m *attribution.FactMeasure) avro.FactsMeasure {
	record := avro.FactsMeasure{
		Measure: m.Measure, At: instant(m.At), Value: m.Value, Currency: m.Currency, Exponent: m.Exponent,
		OriginalAmount: m.Basis.Amount, OriginalCurrency: m.Basis.Currency, RateVia: m.Basis.Via,
		Held: m.Held, InScope: m.InScope, Influenced: m.Influenced, CoSell: m.CoSell, Confidence: avro.FactsConfidence(m.Confidence),
	}
	if m.Held == "" || m.Day != 0 {
		record.Day = m.Day.String()
	}
	record.Path = make([]int32, len(m.Path))
	for i, place := range m.Path {
		record.Path[i] = int32(place)
	}
	record.Rate, record.RateDay = appliedRate(m.Basis)
	return record
}

// appliedRate is the rate of a basis with its day, empty where none was needed.
func appliedRate(b attribution.Basis) (rate, day string) {
	if b.Rate == "" || b.Via == money.ViaSame {
		return "", ""
	}
	return b.Rate, b.RateDay.String()
}

func instant(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

// othersOf are the reports that a touch is made of besides its own.
func othersOf(t *attribution.FactTouch) []avro.FactsItem {
	var others []avro.FactsItem
	for _, id := range t.Evidence {
		if id != t.ID {
			others = append(others, avro.FactsItem(id))
		}
	}
	return others
}

func itemsOf(ids []attribution.ItemID) []avro.FactsItem {
	items := make([]avro.FactsItem, len(ids))
	for i, id := range ids {
		items[i] = avro.FactsItem(id)
	}
	return items
}

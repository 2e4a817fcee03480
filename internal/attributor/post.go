package attributor

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/identity"
	"tracksource/money"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// chunkAccounts is how many journeys are in memory at once. They are read before
// anything is staged for them, because a scan over staged changes has to put
// these in order first.
const chunkAccounts = 64

// settle brings the ledger to what is due to the accounts now. swept is the
// sweep that visits them, nil for live events.
func (f *fold) settle(ctx context.Context, accounts []*account, swept *sweep) error {
	if len(f.rules.campaigns) == 0 {
		return nil
	}
	for chunk := range slices.Chunk(accounts, chunkAccounts) {
		journeys := make([]attribution.Journey, len(chunk))
		reaches := make([]time.Time, len(chunk))
		for i, a := range chunk {
			var err error
			if journeys[i], reaches[i], err = f.journey(a.id); err != nil {
				return fmt.Errorf("journey of account %x: %w", a.id, err)
			}
		}
		for i, a := range chunk {
			if err := ctx.Err(); err != nil {
				return err
			}
			for _, c := range f.rules.campaigns {
				if err := f.book(c, a, journeys[i], swept); err != nil {
					return fmt.Errorf("book %s of account %x: %w", c.id, a.id, err)
				}
			}
			if err := f.keepReach(a.id, reaches[i]); err != nil {
				return fmt.Errorf("reach of account %x: %w", a.id, err)
			}
		}
	}
	return nil
}

func itemID(ev *avro.JourneyEvent) attribution.ItemID {
	return attribution.ItemID{Reporter: ev.Reporter, Source: ev.Source, Item: ev.Item}
}

func addItem(j *attribution.Journey, ev *avro.JourneyEvent) {
	switch {
	case ev.Touch != nil:
		j.Touches = append(j.Touches, touchOf(ev))
	case ev.Object != nil:
		o := ev.Object
		j.Add(attribution.Object{
			ID: itemID(ev), Type: o.Type, Feed: ev.Feed, Person: personOf(ev), ModifiedAt: o.ModifiedAt,
			Fields: fieldsOf(o), Stages: stagesOf(o), Deleted: o.Deleted,
		})
	}
}

func stagesOf(o *avro.ObjectState) []attribution.StageChange {
	stages := make([]attribution.StageChange, len(o.Stages))
	for i, s := range o.Stages {
		stages[i] = attribution.StageChange{Stage: s.Stage, IsClosed: s.IsClosed, IsWon: s.IsWon, At: s.At, EventID: s.EventID}
	}
	return stages
}

func touchOf(ev *avro.JourneyEvent) attribution.Touch {
	t := ev.Touch
	return attribution.Touch{
		ID: itemID(ev), At: ev.OccurredAt, Node: string(ev.Node), Person: personOf(ev),
		Facts: contract.TouchInput{
			Reporter: ev.Reporter, Feed: ev.Feed, Source: ev.Source, Type: t.Type, Asset: t.Asset,
			UTMSource: t.UTMSource, UTMMedium: t.UTMMedium, UTMCampaign: t.UTMCampaign, UTMTerm: t.UTMTerm, UTMContent: t.UTMContent,
			ClickID: t.ClickID, Referrer: t.Referrer, CRMCampaign: t.CRMCampaign, Status: t.Status, Bot: t.Bot,
		},
	}
}

// personOf is whom an item belongs to; empty for nobody and for who is only a
// browser or a number of one system.
func personOf(ev *avro.JourneyEvent) string {
	n, err := identity.Parse(ev.Person)
	if err != nil || n.Level < identity.Email {
		return ""
	}
	return n.String()
}

func fieldsOf(o *avro.ObjectState) map[string]string {
	fields := make(map[string]string, len(o.Fields))
	for _, f := range o.Fields {
		if f.Value != nil {
			fields[f.Name] = *f.Value
		}
	}
	return fields
}

// book computes one book over one account and posts the difference.
func (f *fold) book(c *campaign, a *account, j attribution.Journey, swept *sweep) error {
	key := bookedKey(a.id, c.id)
	value, err := f.kv.Get(key)
	if err != nil {
		return fmt.Errorf("read what is booked: %w", err)
	}
	var before booked
	if value != nil {
		if before, err = decodeBooked(value); err != nil {
			return fmt.Errorf("read what is booked: %w", err)
		}
	}
	result := f.rules.compute(c, j)
	after := booked{version: c.version, models: result.Models, postings: result.Postings()}
	if err := conserved(result, after.postings); err != nil {
		return err
	}
	if after.raised, err = f.alerts(c, a, before.raised, notices(c, result)); err != nil {
		return err
	}
	a.facts = result.Facts
	if err := f.post(c, a, before, after, swept); err != nil {
		return err
	}
	if err := f.tell(c, a, result.Facts); err != nil {
		return fmt.Errorf("facts: %w", err)
	}
	if len(after.postings) == 0 && len(after.raised) == 0 {
		if value == nil {
			return nil
		}
		return f.kv.Delete(key)
	}
	if encoded := after.encode(); !bytes.Equal(encoded, value) {
		return f.kv.Put(key, encoded)
	}
	return nil
}

// whole is what postings must sum to the value of: a conversion, or of a measure that
// may not be added over partners the part of one.
type whole struct {
	conversion, measure string
	day                 money.Day // two revisions may each have one of a conversion's
	partner             string    // empty for an additive measure
}

func wholeOf(k attribution.PostingKey) whole {
	w := whole{conversion: k.Conversion, measure: k.Measure, day: k.Day}
	if !attribution.IsAdditive(k.Measure) {
		w.partner = k.Partner
	}
	return w
}

// conserved checks that under every model the postings of each conversion sum
// to its value, or are each the whole of it where they may not be added, and that
// there are no others.
func conserved(r attribution.Result, postings []attribution.Posting) error {
	sums := make(map[whole][]int64, len(r.Conversions))
	for _, p := range postings {
		w := wholeOf(p.PostingKey)
		if sums[w] == nil {
			sums[w] = make([]int64, len(r.Models))
		}
		for m, minor := range p.Minor {
			sums[w][m] += minor
		}
	}
	due := make(map[whole]int64, len(sums))
	for _, c := range r.Conversions {
		if len(c.Lines) == 0 {
			return fmt.Errorf("conservation broken: %s of %s is %d and has no credits", c.Measure, c.ID, c.Value)
		}
		for _, line := range c.Lines {
			due[wholeOf(attribution.PostingKey{Conversion: c.ID, Measure: c.Measure, Day: c.Day, Dimensions: line.Dimensions})] = c.Value
		}
	}
	for w, sum := range sums {
		value, found := due[w]
		if !found {
			return fmt.Errorf("conservation broken: credits without a conversion: %+v", w)
		}
		for m := range sum {
			if sum[m] != value {
				return fmt.Errorf("conservation broken: %s of %s is %d but its credits under %s sum to %d", w.measure, w.conversion, value, r.Models[m], sum[m])
			}
		}
	}
	if len(due) != len(sums) {
		return fmt.Errorf("conservation broken: %d conversions have credits, due are %d", len(sums), len(due))
	}
	return nil
}

// post writes the entries that turn what is booked into what is due.
func (f *fold) post(c *campaign, a *account, before, after booked, swept *sweep) error {
	models := attribution.UnionModels(before.models, after.models)
	open, closing := f.rules.booking(c)
	diff := attribution.Diff(
		attribution.Realign(before.postings, before.models, models),
		attribution.Realign(after.postings, after.models, models), open)
	// The difference is ordered by conversion, so that a change is a run of it.
	for len(diff) > 0 {
		n := slices.IndexFunc(diff, func(d attribution.Change) bool { return d.Conversion != diff[0].Conversion })
		if n < 0 {
			n = len(diff)
		}
		cause, event := f.cause(c, a, diff[0].Conversion, before, after, swept)
		f.rules.changes++
		id := strconv.FormatInt(f.generation, 10) + "-" + strconv.Itoa(int(f.source)) + "-" + strconv.FormatInt(f.rules.changes, 10)
		for _, d := range diff[:n] {
			e := entryOf(d)
			e.Contract, e.Revision, e.Account, e.Models, e.Closing = c.id, c.at(d.Day), a.id, models, closing
			e.Cause, e.CauseEvent, e.ChangeID, e.EntryCount, e.AsOf = cause, event, id, n, a.asOf
			if err := f.emit(&e, d.Confident); err != nil {
				return err
			}
		}
		if err := f.kv.Put(controlKey(controlChanges), encodeNumber(f.rules.changes)); err != nil {
			return err
		}
		diff = diff[n:]
	}
	return nil
}

// entryOf is the part of an entry that follows from the difference alone.
func entryOf(d attribution.Change) avro.CreditEntry {
	e := avro.CreditEntry{
		Kind: KindEntry, Conversion: d.Conversion, Measure: d.Measure, Day: d.Day.String(),
		Partner: d.Partner, Channel: d.Channel, Asset: d.Asset, Region: d.Region, Segment: d.Segment,
		Source: d.Source, TouchCampaign: d.TouchCampaign, Escrow: d.Escrow, Booked: d.Booked.String(), Confidence: d.Confidence,
		Currency: d.Currency, Exponent: d.Exponent, Delta: d.Delta,
		OriginalAmount: d.Basis.Amount, OriginalCurrency: d.Basis.Currency, RateVia: d.Basis.Via,
		ReportingAmount: d.Basis.Reported,
	}
	e.Rate, e.RateDay = appliedRate(d.Basis)
	return e
}

// emit numbers an entry, adds it to the total of its key and stages it. confident is
// how what is certain of its values changes.
func (f *fold) emit(e *avro.CreditEntry, confident []int64) error {
	key := ContributionKeyBytes(e)
	if err := f.addUp(e, confident, key); err != nil {
		return fmt.Errorf("total of %s %s %s: %w", e.Contract, e.Measure, e.Day, err)
	}
	to := stream.PartitionOf(key, f.cfg.CreditsPartitions)
	value, err := f.kv.Get(sequenceKey(to))
	if err != nil {
		return fmt.Errorf("read sequence: %w", err)
	}
	n := numbering{generation: f.generation}
	if value != nil {
		if n, err = decodeNumbering(value); err != nil {
			return fmt.Errorf("read sequence: %w", err)
		}
	}
	if n.generation != f.generation {
		return fmt.Errorf("the state is of generation %d and the assignment of %d: remove the store of journeys partition %d, so that it is restored", n.generation, f.generation, f.source)
	}
	n.last++
	if err := f.kv.Put(sequenceKey(to), n.encode()); err != nil {
		return err
	}
	e.Generation, e.SourcePartition, e.Sequence = f.generation, f.source, n.last
	b, err := f.cfg.Codecs.Credit.Append(nil, e)
	if err != nil {
		return err
	}
	f.out.EmitTo(f.cfg.Topics.Credits, to, key, b)
	return nil
}

// addUp adds the entry to the running total of its key and sets its Running and
// Confident.
// Models that the entry does not have keep their totals: accounts that a sweep
// has not reached are still booked under them.
func (f *fold) addUp(e *avro.CreditEntry, confident []int64, contribution []byte) error {
	key := runningKey(contribution, e.Currency, e.Exponent)
	value, err := f.kv.Get(key)
	if err != nil {
		return err
	}
	var total running
	if value != nil {
		if total, err = decodeRunning(value); err != nil {
			return err
		}
	}
	e.Running, e.Confident = make([]int64, len(e.Models)), make([]int64, len(e.Models))
	for m, model := range e.Models {
		i := slices.IndexFunc(total, func(t modelTotal) bool { return t.model == model })
		if i < 0 {
			i = len(total)
			total = append(total, modelTotal{model: model})
		}
		if e.Running[m], err = sum(total[i].minor, e.Delta[m]); err != nil {
			return err
		}
		if e.Confident[m], err = sum(total[i].confident, confident[m]); err != nil {
			return err
		}
		total[i].minor, total[i].confident = e.Running[m], e.Confident[m]
	}
	total = slices.DeleteFunc(total, func(t modelTotal) bool { return t.minor == 0 && t.confident == 0 })
	if len(total) > 0 {
		return f.kv.Put(key, total.encode())
	}
	if value == nil {
		return nil
	}
	return f.kv.Delete(key)
}

// sum refuses what no total can hold.
func sum(a, b int64) (int64, error) {
	total := a + b
	if (total > a) != (b > 0) && b != 0 {
		return 0, fmt.Errorf("%d and %d exceed %d", a, b, int64(math.MaxInt64))
	}
	return total, nil
}

// announce tells every credits and every facts partition of the generation, once in its life.
func (f *fold) announce() error {
	if f.rules.announced == f.generation {
		return nil
	}
	if f.rules.announced != 0 {
		return fmt.Errorf("the state is of generation %d and the assignment of %d: remove the store of journeys partition %d, so that it is restored", f.rules.announced, f.generation, f.source)
	}
	b, err := f.cfg.Codecs.Credit.Append(nil, &avro.CreditEntry{
		Kind: KindGeneration, Generation: f.generation, SourcePartition: f.source, AsOf: time.UnixMilli(f.generation),
	})
	if err != nil {
		return err
	}
	for to := range f.cfg.CreditsPartitions {
		f.out.EmitTo(f.cfg.Topics.Credits, to, nil, b)
	}
	if err := f.announceFacts(); err != nil {
		return err
	}
	f.rules.announced = f.generation
	if err := f.keepBooks(); err != nil {
		return err
	}
	if f.rules.layout, err = f.layout(); err != nil {
		return err
	}
	if err := f.kv.Put(controlKey(controlLayout), spaceControl.Value([]byte(f.rules.layout))); err != nil {
		return err
	}
	return f.kv.Put(controlKey(controlGeneration), encodeNumber(f.generation))
}

package check

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"tracksource/money"
	"tracksource/schemas/avro"
)

// hop is the way from one partition of journeys to one of credits.
type hop struct{ source, credits int32 }

// lane is what one generation said on a hop.
type lane struct {
	generation int64
	last       int64 // sequence
	running    map[amountKey]int64
	confident  map[amountKey]int64
	shares     map[shareKey]*big.Int
	certain    map[shareKey]*big.Int
	closing    map[string]int64 // by contract: by which closing the last entry was booked
}

func newLane(generation int64) *lane {
	return &lane{
		generation: generation, running: map[amountKey]int64{}, confident: map[amountKey]int64{}, shares: map[shareKey]*big.Int{},
		certain: map[shareKey]*big.Int{}, closing: map[string]int64{},
	}
}

// ledger folds the entries in their order and returns what they sum to.
func (v *verifier) ledger() sums {
	lanes := map[hop]*lane{}
	homes := map[avro.ContributionKey]int32{}
	changes := map[string]int{}
	announced := map[string]int{}
	for i := range v.in.Credits {
		e := &v.in.Credits[i]
		h := hop{e.Value.SourcePartition, e.Partition}
		l := lanes[h]
		if l == nil {
			l = newLane(-1)
			lanes[h] = l
		}
		if !v.number(l, h, e) {
			continue
		}
		v.report.Entries++
		home := keyOf(&e.Value, "")
		home.Booked = e.Value.Booked // the partition is of the key as it was written
		if p, found := homes[home]; found && p != e.Partition {
			v.problem("ledger: %s is in partitions %d and %d", keyText(home), p, e.Partition)
		}
		homes[home] = e.Partition
		changes[e.Value.ChangeID]++
		announced[e.Value.ChangeID] = e.Value.EntryCount
		v.booked(l, e)
		v.entry(l, e)
	}
	for _, id := range slices.Sorted(maps.Keys(changes)) {
		if changes[id] != announced[id] {
			v.problem("ledger: change %s has %d entries and says %d", id, changes[id], announced[id])
		}
	}
	total := newSums()
	for _, l := range lanes {
		for k, n := range l.running {
			add(total.amounts, k, big.NewInt(n))
			add(total.certain, k, big.NewInt(l.confident[k]))
		}
		for k, n := range l.shares {
			add(total.shares, k, n)
		}
		for k, n := range l.certain {
			add(total.sure, k, n)
		}
	}
	return total
}

// number checks generation and sequence. It reports whether the record is an
// entry that counts.
func (v *verifier) number(l *lane, h hop, e *At[avro.CreditEntry]) bool {
	place := fmt.Sprintf("ledger: entry at %d@%d of source %d", e.Partition, e.Offset, h.source)
	switch {
	case e.Value.Kind == "generation":
		if e.Value.Generation <= l.generation {
			v.problem("%s announces generation %d after %d", place, e.Value.Generation, l.generation)
			return false
		}
		*l = *newLane(e.Value.Generation)
		return false
	case e.Value.Kind != "entry":
		v.problem("%s is of kind %q", place, e.Value.Kind)
		return false
	case e.Value.Generation != l.generation:
		v.problem("%s is of generation %d, announced is %d", place, e.Value.Generation, l.generation)
		return false
	}
	if e.Value.Sequence != l.last+1 {
		v.problem("%s has sequence %d after %d", place, e.Value.Sequence, l.last)
	}
	l.last = e.Value.Sequence
	return true
}

// entry adds one entry, and checks that what it says of its key follows.
func (v *verifier) entry(l *lane, e *At[avro.CreditEntry]) {
	c := &e.Value
	if len(c.Confident) == 0 { // of before there was confidence
		c.Confident = make([]int64, len(c.Models))
	}
	if len(c.Delta) != len(c.Models) || len(c.Running) != len(c.Models) || len(c.Confident) != len(c.Models) {
		v.problem("ledger: entry at %d@%d has %d models, %d deltas, %d running totals and %d confident ones", e.Partition, e.Offset, len(c.Models), len(c.Delta), len(c.Running), len(c.Confident))
		return
	}
	if c.Confidence < 0 || c.Confidence > sureness {
		v.problem("ledger: entry at %d@%d says a confidence of %d", e.Partition, e.Offset, c.Confidence)
	}
	for m, model := range c.Models {
		key := amountKey{keyOf(c, model), c.Currency, c.Exponent}
		before := l.running[key]
		if c.Running[m] != before+c.Delta[m] {
			v.problem("ledger: entry at %d@%d of %s: running %d, but %d before and %d more", e.Partition, e.Offset, keyText(key.ContributionKey), c.Running[m], before, c.Delta[m])
		}
		// The deltas are what is summed; running is only held against them.
		l.running[key] = before + c.Delta[m]
		share := shareKey{c.Contract, string(c.Account), c.Conversion, c.Measure, c.Day, model, c.Currency, ""}
		if perPartner(c.Measure) {
			share.partner = c.Partner
		}
		add(l.shares, share, big.NewInt(c.Delta[m]))
		add(l.certain, share, big.NewInt(c.Confident[m]-l.confident[key]))
		l.confident[key] = c.Confident[m]
	}
}

// keyOf is the key of an entry, with the day that it is booked on.
func keyOf(c *avro.CreditEntry, model string) avro.ContributionKey {
	return avro.ContributionKey{
		Contract: c.Contract, Measure: c.Measure, Model: model, Day: c.Day, Partner: c.Partner, Channel: c.Channel, Asset: c.Asset,
		Region: c.Region, Segment: c.Segment, Source: c.Source, TouchCampaign: c.TouchCampaign,
		Escrow: cmp.Or(c.Escrow, escrowNone), Booked: cmp.Or(c.Booked, c.Day),
	}
}

func keyText(k avro.ContributionKey) string {
	text := fmt.Sprintf("%s %s %s %s [%s | %s | %s | %s | %s | %s | %s]", k.Contract, k.Measure, k.Model, k.Day,
		k.Partner, k.Channel, k.Asset, k.Region, k.Segment, k.Source, k.TouchCampaign)
	if k.Escrow != "" && k.Escrow != escrowNone {
		text += " " + k.Escrow
	}
	if k.Booked != "" && k.Booked != k.Day {
		text += " booked on " + k.Booked
	}
	return text
}

// rows folds the upserts and returns the rows that stand.
func (v *verifier) rows() sums {
	type shown struct {
		partition int32
		version   int64
		row       *avro.ContributionRow
		deleted   bool
	}
	latest := map[avro.ContributionKey]*shown{}
	for i := range v.in.Rows {
		r := &v.in.Rows[i]
		s, found := latest[r.Value.Key]
		if !found {
			s = &shown{partition: r.Partition}
			latest[r.Value.Key] = s
		}
		if s.partition != r.Partition {
			v.problem("rows: %s is in partitions %d and %d", keyText(r.Value.Key), s.partition, r.Partition)
		}
		row := r.Value.Row
		if row == nil {
			if found && !s.deleted {
				v.problem("rows: the tombstone of %s at %d@%d follows no soft delete", keyText(r.Value.Key), r.Partition, r.Offset)
			}
			continue
		}
		if rowKey(row) != r.Value.Key {
			v.problem("rows: the row at %d@%d is of %s under the key of %s", r.Partition, r.Offset, keyText(rowKey(row)), keyText(r.Value.Key))
		}
		if row.Version <= s.version {
			v.problem("rows: %s went from version %d to %d at %d@%d", keyText(r.Value.Key), s.version, row.Version, r.Partition, r.Offset)
		}
		s.version, s.row, s.deleted = row.Version, row, row.IsDeleted
	}
	stand := newSums()
	for key, s := range latest {
		if s.row == nil || s.deleted {
			continue
		}
		v.report.Rows++
		exponent := 6
		var err error
		if s.row.Currency != "" {
			exponent, err = money.Exponent(s.row.Currency)
		}
		var minor int64
		if err == nil {
			minor, err = s.row.ValueMinor(exponent)
		}
		var sure *big.Int
		if err == nil {
			sure, err = confidentMinor(s.row, exponent)
		}
		if err != nil {
			v.problem("rows: value of %s: %v", keyText(key), err)
			continue
		}
		key.Escrow, key.Booked = cmp.Or(key.Escrow, escrowNone), cmp.Or(key.Booked, key.Day)
		add(stand.amounts, amountKey{key, s.row.Currency, exponent}, big.NewInt(minor))
		add(stand.certain, amountKey{key, s.row.Currency, exponent}, sure)
	}
	return stand
}

// confidentMinor is the confident value of a row in minor units.
func confidentMinor(r *avro.ContributionRow, exponent int) (*big.Int, error) {
	sure, err := r.ConfidentUnits()
	if err != nil {
		return nil, err
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(9-exponent)), nil)
	minor, rest := new(big.Int).QuoRem(sure, unit, new(big.Int))
	if rest.Sign() != 0 {
		return nil, fmt.Errorf("confident value of %s has parts below 10^-%d", sure, exponent)
	}
	return minor, nil
}

func rowKey(r *avro.ContributionRow) avro.ContributionKey {
	return avro.ContributionKey{
		Contract: r.Contract, Measure: r.Measure, Model: r.Model, Day: r.Day, Partner: r.Partner, Channel: r.Channel, Asset: r.Asset,
		Region: r.Region, Segment: r.Segment, Source: r.Source, TouchCampaign: r.TouchCampaign, Escrow: r.Escrow, Booked: r.Booked,
	}
}

// conserved holds each conversion's credits on the ledger, under each model,
// against its value, and what each partner has of those that it has whole.
func (v *verifier) conserved(due, ledger sums) {
	var wrong []string
	say := func(k shareKey, format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("conservation: %s of %s on %s, %s, under %s", k.what(), k.conversion, nodeText([]byte(k.account)), k.day, k.model)+
			fmt.Sprintf(format, args...))
	}
	for k, n := range ledger.shares {
		want := due.shares[k]
		if want == nil {
			want = new(big.Int)
		}
		if n.Cmp(want) != 0 {
			say(k, ": the ledger has %s of %s, the conversion is worth %s", n, k.currency, want)
		}
	}
	for k, want := range due.shares {
		if ledger.shares[k] == nil {
			say(k, " is worth %s and is not on the ledger", want)
		}
	}
	slices.Sort(wrong)
	for _, w := range wrong {
		v.problem("%s", w)
	}
}

// sure holds what the ledger is sure of a conversion, under each model, against the
// confidence in it. Of one whose value is wrong it says no more.
func (v *verifier) sure(due, ledger sums) {
	var wrong []string
	for k := range both(due.sure, ledger.sure) {
		if or0(ledger.shares, k).Cmp(or0(due.shares, k)) != 0 {
			continue
		}
		if got, want := or0(ledger.sure, k), or0(due.sure, k); got.Cmp(want) != 0 {
			wrong = append(wrong, fmt.Sprintf("confidence: the ledger is sure of %s %s of %s of %s on %s, %s, under %s, and by the confidence in it of %s",
				got, k.currency, k.what(), k.conversion, nodeText([]byte(k.account)), k.day, k.model, want))
		}
	}
	slices.Sort(wrong)
	for _, w := range wrong {
		v.problem("%s", w)
	}
}

// compare holds the ledger, the rows and the books against each other, key by
// key. No row and a row of nothing are the same. Rows have what the ledger has booked
// on each day, and on all days together it is what the books come to.
func (v *verifier) compare(due, ledger, rows sums) {
	var wrong []string
	for _, of := range []struct {
		what              string
		due, ledger, rows map[amountKey]*big.Int
	}{{"", due.amounts, ledger.amounts, rows.amounts}, {"what is certain of ", due.certain, ledger.certain, rows.certain}} {
		ledger, rows := unbooked(of.ledger), unbooked(of.rows)
		for k := range both(both(of.due, ledger), rows) {
			d, l, r := or0(of.due, k), or0(ledger, k), or0(rows, k)
			if d.Cmp(l) != 0 || d.Cmp(r) != 0 {
				wrong = append(wrong, fmt.Sprintf("%s%s in 10^-%d %s: ledger %s, rows %s, recomputed %s", of.what, keyText(k.ContributionKey), k.exponent, k.currency, l, r, d))
			}
		}
		for k := range both(of.ledger, of.rows) {
			if l, r := or0(of.ledger, k), or0(of.rows, k); l.Cmp(r) != 0 {
				wrong = append(wrong, fmt.Sprintf("%s%s, on the books of %s, in 10^-%d %s: ledger %s, rows %s", of.what, keyText(k.ContributionKey), k.Booked, k.exponent, k.currency, l, r))
			}
		}
	}
	slices.Sort(wrong)
	for _, w := range wrong {
		v.problem("%s", w)
	}
}

package attributor_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/contract/example"
	"tracksource/internal/attributor"
	"tracksource/internal/task"
	"tracksource/money"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

const (
	creditsPartitions = 3
	factsPartitions   = 4
)

// tester is what testing.T and rapid.T have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// overlay is a KV whose writes are staged until commit. It counts what is read.
type overlay struct {
	base   map[string][]byte
	staged map[string][]byte
	keys   []string // of both, sorted; some may be deleted

	gets, scans, scanned int
}

func newOverlay() *overlay { return &overlay{base: map[string][]byte{}, staged: map[string][]byte{}} }

func (o *overlay) Get(key []byte) ([]byte, error) {
	o.gets++
	return o.get(string(key)), nil
}

func (o *overlay) get(key string) []byte {
	if v, ok := o.staged[key]; ok {
		return v
	}
	return o.base[key]
}

func (o *overlay) Put(key, value []byte) error {
	if len(value) == 0 {
		return fmt.Errorf("put %x: empty value", key)
	}
	if i, found := slices.BinarySearch(o.keys, string(key)); !found {
		o.keys = slices.Insert(o.keys, i, string(key))
	}
	o.staged[string(key)] = bytes.Clone(value)
	return nil
}

func (o *overlay) PutNew(key, value []byte) error {
	if o.get(string(key)) != nil {
		return fmt.Errorf("put new %x: there is a value", key)
	}
	return o.Put(key, value)
}

func (o *overlay) Delete(key []byte) error {
	o.staged[string(key)] = nil
	return nil
}

func (o *overlay) Scan(from, to []byte, fn func(key, value []byte) (bool, error)) error {
	first, _ := slices.BinarySearch(o.keys, string(from))
	behind, _ := slices.BinarySearch(o.keys, string(to))
	return o.visit(slices.Values(o.keys[first:max(first, behind)]), fn)
}

func (o *overlay) ScanBack(from, to []byte, fn func(key, value []byte) (bool, error)) error {
	first, _ := slices.BinarySearch(o.keys, string(from))
	behind, _ := slices.BinarySearch(o.keys, string(to))
	return o.visit(func(yield func(string) bool) {
		for _, key := range slices.Backward(o.keys[first:max(first, behind)]) {
			if !yield(key) {
				return
			}
		}
	}, fn)
}

func (o *overlay) visit(keys iter.Seq[string], fn func(key, value []byte) (bool, error)) error {
	o.scans++
	for key := range keys {
		v := o.get(key)
		if v == nil {
			continue
		}
		o.scanned++
		if more, err := fn([]byte(key), v); err != nil || !more {
			return err
		}
	}
	return nil
}

func (o *overlay) commit() {
	for key, v := range o.staged {
		if v == nil {
			delete(o.base, key)
		} else {
			o.base[key] = v
		}
	}
	clear(o.staged)
}

func (o *overlay) discard() { clear(o.staged) }

var _ task.KV = (*overlay)(nil)

// outputs collects what a batch stages.
type outputs struct{ records []output }

type output struct {
	topic      string
	partition  int32
	key, value []byte
}

func (o *outputs) Emit(topic string, key, value []byte, _ ...stream.Header) {
	o.EmitTo(topic, -1, key, value)
}

func (o *outputs) EmitTo(topic string, partition int32, key, value []byte, _ ...stream.Header) {
	o.records = append(o.records, output{topic, partition, key, value})
}

func (o *outputs) Emitted() (records, size int) {
	for _, r := range o.records {
		size += len(r.key) + len(r.value)
	}
	return len(o.records), size
}

// line is an attributor with its store, the ledger behind it and what went in.
type line struct {
	t      tester
	cfg    attributor.Config
	kv     *overlay
	p      *attributor.Processor
	gen    int64
	offset int64

	entries   []avro.CreditEntry // committed
	alerts    []avro.Alert
	announced map[int32]int64
	sequences map[int32]int64
	totals    map[string]int64      // by key, currency, exponent and model
	certain   map[string]int64      // likewise, what of them is
	restated  map[string]string     // keys of the same by the day alone
	free      map[string]string     // and without the escrow
	days      map[string]string     // that they are booked on, of what was agreed
	worth     map[string]int64      // by conversion, measure, day, currency and model
	facts     map[string]avro.Facts // by key as text, those of the newest generation
	told      []string              // the records of the facts topic as text

	items     map[string]*avro.JourneyEvent // the highest placement of each
	contracts map[string]attribution.Rules  // by book
	proposed  map[string]string             // documents, by book
	rates     money.Rates
	number    int64

	closings map[string][]attribution.Closing // by campaign
	numbers  map[string][]int64               // of their broadcasts
	closing  map[string]int64                 // the last one that an entry of the book names
	adjusted int                              // entries that are booked on another day than their own
}

var quiet = slog.New(slog.DiscardHandler)

func codecs(t tester) *avro.Codecs {
	c, err := avro.OpenCodecs(context.Background(), avro.NewMemory(), "tracksource")
	if err != nil {
		t.Fatalf("codecs: %v", err)
	}
	return c
}

func newLine(t tester, c *avro.Codecs) *line {
	l := &line{
		t: t, kv: newOverlay(), gen: 1700000000000,
		cfg: attributor.Config{
			Codecs: c, Topics: attributor.Topics{Credits: "credits", Facts: "facts", Alerts: "alerts"},
			CreditsPartitions: creditsPartitions, FactsPartitions: factsPartitions, Log: quiet,
		},
		announced: map[int32]int64{}, sequences: map[int32]int64{}, totals: map[string]int64{}, worth: map[string]int64{}, facts: map[string]avro.Facts{},
		certain: map[string]int64{}, restated: map[string]string{}, free: map[string]string{}, days: map[string]string{},
		closings: map[string][]attribution.Closing{}, numbers: map[string][]int64{}, closing: map[string]int64{},
		items: map[string]*avro.JourneyEvent{}, contracts: map[string]attribution.Rules{}, proposed: map[string]string{},
	}
	l.open()
	return l
}

// open makes a new Processor of the committed state, as after a crash.
func (l *line) open() {
	l.t.Helper()
	l.kv.discard()
	p, err := attributor.New(l.cfg, stream.Assignment{Topic: "journeys", Partition: 7, Generation: l.gen}, l.kv)
	if err != nil {
		l.t.Fatalf("new: %v", err)
	}
	l.p = p
}

// records encodes events as the topic would hold them.
func (l *line) records(events []*avro.JourneyEvent) []stream.Record {
	l.t.Helper()
	var recs []stream.Record
	for _, ev := range events {
		b, err := l.cfg.Codecs.Journey.Append(nil, ev)
		if err != nil {
			l.t.Fatalf("encode: %v", err)
		}
		recs = append(recs, stream.Record{
			Topic: "journeys", Partition: 7, Offset: l.offset, Key: ev.Account, Value: b,
			Timestamp: time.Date(2026, 6, 1, 0, 0, int(l.offset), 0, time.UTC),
		})
		l.offset++
	}
	return recs
}

// feed commits one batch; nil is a Tick.
func (l *line) feed(events ...*avro.JourneyEvent) []avro.CreditEntry {
	l.t.Helper()
	out := new(outputs)
	if err := l.p.Fold(context.Background(), l.records(events), out); err != nil {
		l.t.Fatalf("fold: %v", err)
	}
	l.kv.commit()
	l.p.Committed()
	for campaign, numbers := range l.numbers {
		l.closing[campaign] = numbers[len(numbers)-1] // what was closed before holds for the whole batch
	}
	for _, ev := range events {
		l.know(ev)
	}
	n := len(l.entries)
	for _, o := range out.records {
		l.collect(o)
	}
	l.counts(l.entries[n:])
	return l.entries[n:]
}

// tell commits facts of an account as a book would have told them.
func (l *line) tell(account string, asOf time.Time, facts ...attribution.Facts) []string {
	l.t.Helper()
	out := new(outputs)
	if err := l.p.Tell("ai-launch-tour", []byte(account), asOf, facts, out); err != nil {
		l.t.Fatalf("tell: %v", err)
	}
	l.kv.commit()
	n := len(l.told)
	for _, o := range out.records {
		l.collect(o)
	}
	return l.told[n:]
}

// abort folds a batch and drops it.
func (l *line) abort(events ...*avro.JourneyEvent) {
	l.t.Helper()
	if err := l.p.Fold(context.Background(), l.records(events), new(outputs)); err != nil {
		l.t.Fatalf("fold: %v", err)
	}
	l.kv.discard()
	l.p.Aborted()
}

// rest ticks until nothing is pending and returns how often.
func (l *line) rest() int {
	l.t.Helper()
	for n := range 1000 {
		if !l.p.Pending(time.Time{}) {
			return n
		}
		l.feed()
	}
	l.t.Fatalf("still pending after 1000 ticks")
	return 0
}

// know keeps what the oracle needs.
func (l *line) know(ev *avro.JourneyEvent) {
	if c := ev.Control; c != nil {
		switch {
		case c.Number <= l.number:
			return
		case c.Contract != nil:
			l.agree(c.Contract)
		case c.Rate != nil:
			day, err := money.ParseDay(c.Rate.Day)
			if err == nil {
				err = l.rates.Set(c.Rate.Base, c.Rate.Quote, day, c.Rate.Rate)
			}
			if err != nil {
				l.t.Fatalf("rate: %v", err)
			}
		case c.Period != nil:
			l.close(c.Number, c.Period)
		}
		l.number = c.Number
		return
	}
	id := fmt.Sprintf("%q %q %q %q %q", ev.Account, ev.Node, ev.Reporter, ev.Source, ev.Item)
	if was := l.items[id]; was == nil || was.Placement < ev.Placement {
		l.items[id] = ev
	}
}

// close takes a closing in, or an opening.
func (l *line) close(number int64, r *avro.PeriodRecord) {
	day, err := money.ParseDay(r.Day)
	if err != nil {
		l.t.Fatalf("period: %v", err)
	}
	l.closings[r.Campaign] = append(l.closings[r.Campaign], attribution.Closing{Close: r.Action == "close", Day: day, At: r.At})
	l.numbers[r.Campaign] = append(l.numbers[r.Campaign], number)
}

// booked checks on which day an entry is booked, and by which closing.
func (l *line) booked(e *avro.CreditEntry) {
	l.t.Helper()
	open := money.DayMin
	if i := slices.Index(l.numbers[e.Contract], e.Closing); i >= 0 {
		open = l.closings[e.Contract][i].Day
		if l.closings[e.Contract][i].Close {
			open++
		}
	} else if e.Closing != 0 {
		l.t.Fatalf("entry by closing %d of %v: %+v", e.Closing, l.numbers[e.Contract], e)
	}
	if e.Closing < l.closing[e.Contract] {
		l.t.Fatalf("entry by closing %d behind %d: %+v", e.Closing, l.closing[e.Contract], e)
	}
	l.closing[e.Contract] = e.Closing
	of, err := money.ParseDay(e.Day)
	if err != nil || e.Booked != max(of, open).String() {
		l.t.Fatalf("open from %s on, entry booked on %s: %+v", open, e.Booked, e)
	}
	if e.Booked != e.Day {
		l.adjusted++
	}
}

// agree takes a contract, a proposal or its withdrawal into the oracle's rules.
func (l *line) agree(r *avro.ContractRecord) {
	book, agreed := r.Campaign+"~proposed", l.contracts[r.Campaign]
	if r.Document == "" || !r.Proposed && l.proposed[book] == r.Document {
		delete(l.contracts, book)
		delete(l.proposed, book)
	}
	if r.Document == "" || !r.Proposed && len(agreed) > 0 && agreed.Newest().Number >= r.Revision {
		return
	}
	parsed, err := contract.Parse([]byte(r.Document))
	if err != nil {
		l.t.Fatalf("contract: %v", err)
	}
	next := agreed.Add(attribution.Revision{Number: r.Revision, Contract: parsed})
	if r.Proposed {
		l.contracts[book], l.proposed[book] = next, r.Document
		return
	}
	l.contracts[r.Campaign] = next
}

// collect checks an output as the reporter would and adds it to the ledger.
func (l *line) collect(o output) {
	l.t.Helper()
	if o.topic == "alerts" {
		var a avro.Alert
		if err := l.cfg.Codecs.Alert.Decode(o.value, &a); err != nil {
			l.t.Fatalf("alert: %v", err)
		}
		l.alerts = append(l.alerts, a)
		return
	}
	if o.topic == "facts" {
		l.collectFacts(o)
		return
	}
	var e avro.CreditEntry
	if err := l.cfg.Codecs.Credit.Decode(o.value, &e); err != nil {
		l.t.Fatalf("entry: %v", err)
	}
	if e.Kind == attributor.KindGeneration {
		if e.Sequence != 0 || e.Generation <= l.announced[o.partition] {
			l.t.Fatalf("announcement of %d with sequence %d after %d", e.Generation, e.Sequence, l.announced[o.partition])
		}
		l.announced[o.partition], l.sequences[o.partition] = e.Generation, 0
		clear(l.worth) // a ledger begins anew
		return
	}
	if want := stream.PartitionOf(o.key, creditsPartitions); o.partition != want || !bytes.Equal(o.key, attributor.ContributionKeyBytes(&e)) {
		l.t.Fatalf("entry in partition %d under key %q, want %d: %+v", o.partition, o.key, want, e)
	}
	if e.Generation != l.gen || l.announced[o.partition] != e.Generation || e.SourcePartition != 7 {
		l.t.Fatalf("entry of generation %d from %d, announced %d", e.Generation, e.SourcePartition, l.announced[o.partition])
	}
	if l.sequences[o.partition]++; e.Sequence != l.sequences[o.partition] {
		l.t.Fatalf("entry %d in partition %d, want %d", e.Sequence, o.partition, l.sequences[o.partition])
	}
	l.booked(&e)
	if len(e.Delta) != len(e.Models) || len(e.Running) != len(e.Models) || len(e.Confident) != len(e.Models) || e.Cause == "" || e.CauseEvent == "" || e.AsOf.IsZero() {
		l.t.Fatalf("incomplete entry %+v", e)
	}
	for m, model := range e.Models {
		key := totalKey(&e, model)
		if l.totals[key] += e.Delta[m]; l.totals[key] != e.Running[m] {
			l.t.Fatalf("running %d of %s, want %d", e.Running[m], key, l.totals[key])
		}
		own := e
		own.Booked = ""
		l.certain[key], l.restated[key] = e.Confident[m], totalKey(&own, model)
		if _, proposed := contract.CampaignOfBook(e.Contract); !proposed {
			l.days[key] = e.Booked
		}
		own.Escrow = ""
		l.free[key] = totalKey(&own, model)
	}
	l.entries = append(l.entries, e)
}

// collectFacts follows the facts topic as a reader of it does.
func (l *line) collectFacts(o output) {
	l.t.Helper()
	var key avro.FactsKey
	if err := l.cfg.Codecs.FactsKey.Decode(o.key, &key); err != nil {
		l.t.Fatalf("key of facts: %v", err)
	}
	text := fmt.Sprintf("%s %s on %s, revision %d", key.Contract, key.Conversion, key.Account, key.Revision)
	if key.Contract != "" {
		if want := attributor.FactsPartition(key.Contract, key.Conversion, factsPartitions); o.partition != want || key.SourcePartition != 7 {
			l.t.Fatalf("facts %s of source %d in partition %d, want %d", text, key.SourcePartition, o.partition, want)
		}
	}
	if o.value == nil {
		delete(l.facts, text)
		l.told = append(l.told, text+" withdrawn")
		return
	}
	var f avro.Facts
	if err := l.cfg.Codecs.Facts.Decode(o.value, &f); err != nil {
		l.t.Fatalf("facts: %v", err)
	}
	if f.Generation != l.gen || f.SourcePartition != 7 || f.AsOf.IsZero() {
		l.t.Fatalf("facts %s of generation %d from %d as of %v", text, f.Generation, f.SourcePartition, f.AsOf)
	}
	if f.Kind == attributor.KindGeneration {
		l.told = append(l.told, fmt.Sprintf("generation announced in partition %d", o.partition))
		return
	}
	if f.Kind != attributor.KindFacts || f.Contract != key.Contract || f.Conversion != key.Conversion || string(f.Account) != string(key.Account) || f.Revision != key.Revision {
		l.t.Fatalf("facts %s say %+v", text, f)
	}
	l.facts[text] = f
	l.told = append(l.told, text)
}

// counts checks that every change is whole within its batch, and that under every
// model the entries of a conversion of money then sum to what it is worth, those of
// each partner where each has it whole, or to nothing where it is gone.
func (l *line) counts(entries []avro.CreditEntry) {
	l.t.Helper()
	have := map[string]int{}
	for _, e := range entries {
		have[e.ChangeID]++
	}
	for _, e := range entries {
		if e.EntryCount != have[e.ChangeID] {
			l.t.Fatalf("change %s has %d entries and says %d", e.ChangeID, have[e.ChangeID], e.EntryCount)
		}
	}
	worth := func(e *avro.CreditEntry, model string) string {
		partner := ""
		if !attribution.IsAdditive(e.Measure) {
			partner = e.Partner
		}
		return fmt.Sprintf("%q %q %s %s %s %s %s %s", e.Contract, e.Account, e.Conversion, e.Measure, e.Day, e.Currency, model, partner)
	}
	for i, e := range entries {
		for m, model := range e.Models {
			l.worth[worth(&e, model)] += e.Delta[m]
		}
		if i+1 < len(entries) && entries[i+1].ChangeID == e.ChangeID {
			continue // a batch that a closing is in the middle of changes a conversion twice
		}
		l.worthy(entries[i+1-e.EntryCount:i+1], worth)
	}
}

// worthy checks one change.
func (l *line) worthy(change []avro.CreditEntry, worth func(e *avro.CreditEntry, model string) string) {
	l.t.Helper()
	for _, e := range change {
		for _, model := range e.Models {
			sum := l.worth[worth(&e, model)]
			if e.ReportingAmount != "" && sum != 0 && money.Format(sum, e.Exponent) != e.ReportingAmount {
				l.t.Fatalf("under %s the credits sum to %s of an amount of %s: %+v", model, money.Format(sum, e.Exponent), e.ReportingAmount, e)
			}
			if (e.ReportingAmount == "") != (e.Currency == "") {
				l.t.Fatalf("entry of %q in %q: %+v", e.ReportingAmount, e.Currency, e)
			}
		}
	}
}

func totalKey(e *avro.CreditEntry, model string) string {
	return fmt.Sprintf("%q %s/%d %s", attributor.ContributionKeyBytes(e), e.Currency, e.Exponent, model)
}

// check compares the ledger's sum with every book computed again from the facts.
func (l *line) check() {
	l.t.Helper()
	want := map[string]int64{}
	for book, rules := range l.contracts {
		for _, j := range l.journeys() {
			r := attribution.Book(l.judged(book, rules), &l.rates, j)
			for _, p := range r.Postings() {
				e := avro.CreditEntry{
					Contract: book, Measure: p.Measure, Day: p.Day.String(), Partner: p.Partner, Channel: p.Channel, Asset: p.Asset,
					Region: p.Region, Segment: p.Segment, Source: p.Source, TouchCampaign: p.TouchCampaign, Escrow: p.Escrow, Currency: p.Currency, Exponent: p.Exponent,
				}
				for m, model := range r.Models {
					want[totalKey(&e, model)] += p.Minor[m]
					want["certain "+totalKey(&e, model)] += attribution.Confidence{Overall: p.Confidence}.Of(p.Minor[m])
				}
			}
		}
	}
	got := l.sums()
	maps.DeleteFunc(want, func(_ string, v int64) bool { return v == 0 })
	if !maps.Equal(got, want) {
		l.t.Fatalf("ledger:\n%s\nwant:\n%s", sumText(got), sumText(want))
	}
}

// judged is the rules of a book with what was closed when.
func (l *line) judged(book string, rules attribution.Rules) attribution.Rules {
	name, _ := contract.CampaignOfBook(book)
	rules = slices.Clone(rules)
	for i := range rules {
		rules[i].Closings = l.closings[name]
	}
	return rules
}

// sums is the ledger as it is restated, whatever day something is booked on, and what
// of it is certain.
func (l *line) sums() map[string]int64 {
	sums := map[string]int64{}
	for key, v := range l.totals {
		sums[l.restated[key]] += v
		sums["certain "+l.restated[key]] += l.certain[key]
	}
	maps.DeleteFunc(sums, func(_ string, v int64) bool { return v == 0 })
	return sums
}

// bookings is the ledger by the days that it is booked on.
func (l *line) bookings() map[string]int64 {
	sums := maps.Clone(l.totals)
	maps.DeleteFunc(sums, func(_ string, v int64) bool { return v == 0 })
	return sums
}

func sumText(sums map[string]int64) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(&b, "%d %s\n", sums[k], k)
	}
	return b.String()
}

func (l *line) journeys() map[string]attribution.Journey {
	js := map[string]attribution.Journey{}
	for _, ev := range l.items {
		if ev.Removed {
			continue
		}
		j := js[string(ev.Account)]
		id := attribution.ItemID{Reporter: ev.Reporter, Source: ev.Source, Item: ev.Item}
		if t := ev.Touch; t != nil {
			j.Touches = append(j.Touches, attribution.Touch{ID: id, At: ev.OccurredAt, Node: string(ev.Node), Facts: contract.TouchInput{
				Reporter: ev.Reporter, Feed: ev.Feed, Source: ev.Source, Type: t.Type,
				UTMSource: t.UTMSource, UTMMedium: t.UTMMedium, UTMCampaign: t.UTMCampaign, Asset: t.Asset, Bot: t.Bot,
			}})
		}
		if o := ev.Object; o != nil {
			fields := map[string]string{}
			for _, f := range o.Fields {
				if f.Value != nil {
					fields[f.Name] = *f.Value
				}
			}
			var stages []attribution.StageChange
			for _, s := range o.Stages {
				stages = append(stages, attribution.StageChange{Stage: s.Stage, IsClosed: s.IsClosed, IsWon: s.IsWon, At: s.At, EventID: s.EventID})
			}
			j.Add(attribution.Object{ID: id, Type: o.Type, Feed: ev.Feed, ModifiedAt: o.ModifiedAt, Fields: fields, Stages: stages, Deleted: o.Deleted})
		}
		js[string(ev.Account)] = j
	}
	return js
}

// The facts of the tests.

func day(n int) time.Time { return time.Date(2026, 3, n, 15, 0, 0, 0, time.UTC) }

func touch(account, id string, placement int64, at time.Time, utmSource, medium string) *avro.JourneyEvent {
	return &avro.JourneyEvent{
		Kind: "touch", Account: []byte(account), Node: []byte("node-" + id), Reporter: "globex", Feed: "analytics", Source: "ga4",
		Item: id, EventID: fmt.Sprintf("%s#%d", id, placement), Placement: placement, OccurredAt: at,
		Touch: &avro.TouchFacts{Type: "visit", UTMSource: utmSource, UTMMedium: medium, UTMCampaign: "ai-launch-tour"},
	}
}

func object(account, kind, id string, placement int64, fields map[string]string) *avro.JourneyEvent {
	o := &avro.ObjectState{Type: kind, ID: id, ModifiedAt: day(1).Add(time.Duration(placement) * time.Hour)}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		v := fields[name]
		o.Fields = append(o.Fields, avro.Field{Name: name, Value: &v})
	}
	return &avro.JourneyEvent{
		Kind: "object", Account: []byte(account), Node: []byte("node-" + id), Reporter: "acme", Feed: "crm", Source: "salesforce",
		Item: kind + "/" + id, EventID: fmt.Sprintf("%s#%d", id, placement), Placement: placement, OccurredAt: day(1), Object: o,
	}
}

func deal(account, id string, placement int64, amount, currency, stage string) *avro.JourneyEvent {
	f := map[string]string{
		"amount": amount, "currency": currency, "stage": stage, "created_at": "2026-03-10T12:00:00Z", "close_date": "2026-03-20",
		"campaign_id": "701AILAUNCHTOUR", "lead_source": "Webinar",
	}
	if strings.HasPrefix(stage, "Closed") {
		f["is_closed"] = "true"
	}
	return object(account, "opportunity", id, placement, f)
}

// gone is the tombstone of an item that left its account.
func gone(ev *avro.JourneyEvent, placement int64) *avro.JourneyEvent {
	g := *ev
	g.Placement, g.Removed, g.Touch, g.Object = placement, true, nil, nil
	return &g
}

func agreement(number, revision int64, edits ...string) *avro.JourneyEvent {
	return &avro.JourneyEvent{Kind: "control", Control: &avro.Control{Kind: "contract", Number: number, Contract: &avro.ContractRecord{
		Campaign: "ai-launch-tour", Revision: revision, Previous: revision - 1,
		Document: strings.NewReplacer(edits...).Replace(string(example.AILaunchTour())),
	}}}
}

// proposal is an agreement that nobody has signed.
func proposal(number, revision int64, edits ...string) *avro.JourneyEvent {
	ev := agreement(number, revision, edits...)
	ev.Control.Contract.Proposed = true
	return ev
}

func withdrawal(number int64) *avro.JourneyEvent {
	ev := proposal(number, 1)
	ev.Control.Contract.Document = ""
	return ev
}

func rate(number int64, base, quote, day, text string) *avro.JourneyEvent {
	return &avro.JourneyEvent{Kind: "control", Control: &avro.Control{Kind: "rate", Number: number, Rate: &avro.RateRecord{Base: base, Quote: quote, Day: day, Rate: text}}}
}

// period closes the days up to one, or opens those from one on again. Its own time is
// an hour of March behind that day, at will.
func period(number int64, action, day string, at time.Time) *avro.JourneyEvent {
	return &avro.JourneyEvent{Kind: "control", Control: &avro.Control{Kind: "period", Number: number, Period: &avro.PeriodRecord{
		Campaign: "ai-launch-tour", Action: action, Day: day, By: "finance", Why: "month end", At: at,
	}}}
}

func testLine(t *testing.T) *line { return newLine(t, codecs(t)) }

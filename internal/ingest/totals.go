package ingest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"tracksource/contract"
	"tracksource/dedupe"
	"tracksource/internal/control"
	"tracksource/internal/task"
	"tracksource/money"
	"tracksource/normalize"
	"tracksource/schemas/avro"
	"tracksource/state"
)

// A partner may say how much it sent of a source's day. Each partition of resolve
// counts what it took in; the partition of the total's own key asks all of them,
// adds up the answers and compares. What does not agree is asked again after some
// time, in which late events may have come, and then people are told, and told again
// when it agrees.

// The steps of a control total.
const (
	stepSaid   = "said"
	stepAsk    = "ask"
	stepAnswer = "answer"
)

// The states of what people are told of a total.
const (
	totalOpen    = "open"
	totalSettled = "settled"
)

// RecheckAfter is how long resolve waits before it asks again.
const RecheckAfter = 15 * time.Minute

// recheckMax is how often a total that does not agree is asked for again before people
// are told.
const recheckMax = 2

// A total that people were told of is asked for again once a day, for a month, so that
// what is sent again settles it.
const (
	toldAfter = 24 * time.Hour
	toldMax   = 30
)

// totalsCached bounds the totals that a partition remembers between batches.
const totalsCached = 10_000

// totalID is a day of one source of a feed.
type totalID struct{ feed, reporter, source, day string }

func (t totalID) key(space state.Keyspace) []byte {
	return space.Key().String(t.feed).String(t.reporter).String(t.source).String(t.day)
}

// name is the record key of messages about it.
func (t totalID) name() []byte {
	return state.Key{}.String("total").String(t.feed).String(t.reporter).String(t.source).String(t.day)
}

func (t totalID) String() string { return control.TotalSubject(t.feed, t.reporter, t.source, t.day) }

func totalOf(obs *avro.Observation, day string) totalID {
	return totalID{obs.Feed, obs.Reporter, obs.Source, day}
}

// dayTotal is what came. Sums are minor units by currency, those of amounts
// without a currency by normalize.AmountScale's.
type dayTotal struct {
	Count int64            `json:"count"`
	Sums  map[string]int64 `json:"sums,omitempty"`
}

func (d *dayTotal) add(currency string, minor int64) {
	if minor == 0 {
		return
	}
	if d.Sums == nil {
		d.Sums = map[string]int64{}
	}
	d.Sums[currency] = addCapped(d.Sums[currency], minor)
}

// addCapped adds and stays at the bounds of 64 bits, which no honest sum meets.
func addCapped(a, b int64) int64 {
	switch {
	case b > 0 && a > math.MaxInt64-b:
		return math.MaxInt64
	case b < 0 && a < math.MinInt64-b:
		return math.MinInt64
	}
	return a + b
}

// watch is a total that a partner said and that was not seen to agree yet.
type watch struct {
	Said     dayTotal           `json:"said"`
	At       time.Time          `json:"at"` // when it was said
	Place    string             `json:"place,omitempty"`
	Round    int64              `json:"round"`
	Rechecks int                `json:"rechecks"`
	Due      time.Time          `json:"due"`            // zero: answers are awaited
	Told     string             `json:"told,omitempty"` // what people were told last
	Answers  map[int32]dayTotal `json:"answers,omitempty"`
}

// tolerance is what contracts say of control totals.
type tolerance struct {
	Partners []string `json:"partners"`
	Limit    int64    `json:"limit"` // of contract.RatioWhole
	Rung     string   `json:"rung"`
	Owner    string   `json:"owner,omitempty"`
	Fallback string   `json:"fallback,omitempty"`
}

// totals is what a partition knows of them; a cache of kv.
type totals struct {
	kv         task.KV
	days       map[totalID]dayTotal
	changed    map[totalID]bool
	watches    map[totalID]watch
	tolerances map[string]tolerance // by campaign
}

func loadTotals(kv task.KV) (totals, error) {
	t := totals{kv: kv, days: map[totalID]dayTotal{}, changed: map[totalID]bool{}, watches: map[totalID]watch{}, tolerances: map[string]tolerance{}}
	from, to := spaceWatch.Key().Range()
	err := kv.Scan(from, to, func(key, value []byte) (bool, error) {
		p := spaceWatch.Parts(key)
		id := totalID{p.String(), p.String(), p.String(), p.String()}
		var w watch
		err := cmp.Or(p.End(), readJSON(spaceWatch, value, &w))
		t.watches[id] = w
		return err == nil, err
	})
	if err != nil {
		return t, fmt.Errorf("read control totals: %w", err)
	}
	from, to = toleranceKey("").Range()
	err = kv.Scan(from, to, func(key, value []byte) (bool, error) {
		p := spaceControl.Parts(key)
		_, campaign := p.String(), p.String()
		var limit tolerance
		err := cmp.Or(p.End(), readJSON(spaceControl, value, &limit))
		t.tolerances[campaign] = limit
		return err == nil, err
	})
	if err != nil {
		return t, fmt.Errorf("read tolerances: %w", err)
	}
	return t, nil
}

// toleranceKey is where a campaign's is kept; without a campaign what all begin with.
func toleranceKey(campaign string) state.Key {
	k := spaceControl.Key().String("tolerance")
	if campaign != "" {
		k = k.String(campaign)
	}
	return k
}

func readJSON(space state.Keyspace, value []byte, v any) error {
	body, err := space.Body(value)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}

func (t *totals) putJSON(space state.Keyspace, key []byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode control total: %w", err)
	}
	return t.kv.Put(key, space.Value(b))
}

func (t *totals) day(id totalID) (dayTotal, error) {
	if d, ok := t.days[id]; ok {
		return d, nil
	}
	var d dayTotal
	b, err := t.kv.Get(id.key(spaceTotal))
	if err == nil && b != nil {
		err = readJSON(spaceTotal, b, &d)
	}
	if err != nil {
		return d, fmt.Errorf("read control total: %w", err)
	}
	t.days[id] = d
	return d, nil
}

// count adds an event to its day, or takes it off it.
func (t *totals) count(id totalID, sign int64, fields []avro.Field) error {
	d, err := t.day(id)
	if err != nil {
		return err
	}
	d.Sums = maps.Clone(d.Sums)
	d.Count += sign
	var amount, currency string
	for _, f := range fields {
		switch {
		case f.Value == nil:
		case f.Name == "amount":
			amount = *f.Value
		case f.Name == "currency":
			currency = *f.Value
		}
	}
	if minor, ok := minorOf(amount, currency); ok {
		d.add(currency, sign*minor)
	}
	t.days[id], t.changed[id] = d, true
	return nil
}

func minorOf(amount, currency string) (int64, bool) {
	if amount == "" {
		return 0, false
	}
	a, err := money.Parse(amount, cmp.Or(currency, normalize.AmountScale))
	return a.Minor, err == nil
}

// store keeps what a batch has counted.
func (t *totals) store() error {
	for id := range t.changed {
		if err := t.putJSON(spaceTotal, id.key(spaceTotal), t.days[id]); err != nil {
			return err
		}
	}
	clear(t.changed)
	if len(t.days) > totalsCached {
		clear(t.days)
	}
	return nil
}

func (t *totals) putWatch(id totalID, w watch) error {
	t.watches[id] = w
	return t.putJSON(spaceWatch, id.key(spaceWatch), w)
}

func (t *totals) forget(id totalID) error {
	delete(t.watches, id)
	return t.kv.Delete(id.key(spaceWatch))
}

// due reports whether a total is to be asked for again.
func (t *totals) due(now time.Time) bool {
	for _, w := range t.watches {
		if !w.Due.IsZero() && !now.Before(w.Due) {
			return true
		}
	}
	return false
}

// agree takes the tolerance of a contract.
func (t *totals) agree(c *contract.Contract) error {
	first := c.Escalation.Ladder[0]
	limit := tolerance{Limit: c.Guardrail(contract.GuardControlTotals).Limit, Rung: first.Name, Owner: first.Owner, Fallback: first.Fallback}
	for _, p := range c.Partners {
		limit.Partners = append(limit.Partners, p.ID)
	}
	t.tolerances[c.Campaign] = limit
	return t.putJSON(spaceControl, toleranceKey(c.Campaign), limit)
}

// tolerance is the strictest of the contracts that the partner has signed. Without
// one everything must agree.
func (t *totals) tolerance(partner string) (campaign string, strictest tolerance) {
	for _, c := range slices.Sorted(maps.Keys(t.tolerances)) {
		limit := t.tolerances[c]
		if slices.Contains(limit.Partners, partner) && (campaign == "" || limit.Limit < strictest.Limit) {
			campaign, strictest = c, limit
		}
	}
	return campaign, strictest
}

// tally counts a fact that was taken in, once: what is said anew takes the place of
// what was said before, as far as that is still known.
func (r *Resolver) tally(obs *avro.Observation, outcome dedupe.Outcome) error {
	at, sum := obs.OccurredAt, []avro.Field(nil)
	if obs.Object != nil {
		at, sum = obs.Object.ModifiedAt, obs.Object.Fields
	}
	id := totalOf(obs, at.UTC().Format(time.DateOnly))
	switch {
	case outcome == dedupe.New && obs.Retracted:
		return nil // it takes back what did not come
	case outcome == dedupe.New:
		return r.totals.count(id, 1, sum)
	case obs.Object == nil && obs.Retracted:
		return r.totals.count(id, -1, nil)
	case obs.Object == nil:
		return nil
	}
	was, known, err := r.said(obs)
	if err != nil || !known {
		return err
	}
	if !was.Retracted {
		if err := r.totals.count(totalOf(obs, was.At.UTC().Format(time.DateOnly)), -1, was.Fields); err != nil {
			return err
		}
	}
	if obs.Retracted {
		return nil
	}
	return r.totals.count(id, 1, sum)
}

// said returns the update of an object that an event made when it was said before.
func (r *Resolver) said(obs *avro.Observation) (update, bool, error) {
	b, err := r.kv.Get(objectKey(obs.Node, obs.Reporter, obs.Source, obs.Object.Type+"/"+obs.Object.ID))
	if err != nil || b == nil {
		return update{}, false, err
	}
	o, err := decodeObject(b)
	if err != nil {
		return update{}, false, err
	}
	i := slices.IndexFunc(o.Recent, func(u update) bool { return u.Rank.Event == obs.EventID })
	if i < 0 {
		return update{}, false, nil
	}
	return o.Recent[i], true, nil
}

// total takes in a message about a control total.
func (r *Resolver) total(obs *avro.Observation, now time.Time, out Emitter) error {
	m := obs.Total
	if m == nil {
		return fmt.Errorf("%w: control total without its record", errBroken)
	}
	id := totalOf(obs, m.Day)
	switch m.Step {
	case stepSaid:
		w := watch{Said: wireTotal(m), At: obs.OccurredAt, Round: r.totals.watches[id].Round}
		if o := obs.Origin; o != nil {
			w.Place = fmt.Sprintf("%s/%d@%d", o.Topic, o.Partition, o.Offset)
		}
		return r.ask(id, w, out)
	case stepAsk:
		d, err := r.totals.day(id)
		if err != nil {
			return err
		}
		return r.say(id, &avro.Total{Step: stepAnswer, Day: id.day, Round: m.Round, Partition: r.partition, Count: d.Count, Sums: d.wire()}, out)
	case stepAnswer:
		w, watched := r.totals.watches[id]
		if !watched || w.Round != m.Round {
			return nil // of an older question
		}
		w.Answers = maps.Clone(w.Answers)
		if w.Answers == nil {
			w.Answers = map[int32]dayTotal{}
		}
		w.Answers[m.Partition] = wireTotal(m)
		if len(w.Answers) < int(r.cfg.Partitions) {
			return r.totals.putWatch(id, w)
		}
		return r.compare(id, w, now, out)
	}
	return fmt.Errorf("%w: step %q of a control total", errBroken, m.Step)
}

// ask asks all partitions how much of a day came.
func (r *Resolver) ask(id totalID, w watch, out Emitter) error {
	w.Round, w.Due, w.Answers = w.Round+1, time.Time{}, nil
	b, err := r.totalMessage(id, &avro.Total{Step: stepAsk, Day: id.day, Round: w.Round})
	if err != nil {
		return err
	}
	for p := range r.cfg.Partitions {
		out.EmitTo(r.cfg.Observations, p, id.name(), b)
	}
	return r.totals.putWatch(id, w)
}

func (r *Resolver) say(id totalID, m *avro.Total, out Emitter) error {
	b, err := r.totalMessage(id, m)
	if err != nil {
		return err
	}
	out.Emit(r.cfg.Observations, id.name(), b)
	return nil
}

func (r *Resolver) totalMessage(id totalID, m *avro.Total) ([]byte, error) {
	return r.cfg.Codecs.Observation.Append(nil, &avro.Observation{
		Kind: kindTotal, Node: id.name(), Feed: id.feed, Reporter: id.reporter, Source: id.source, Total: m,
	})
}

// recheck asks again for what is due.
func (r *Resolver) recheck(now time.Time, out Emitter) error {
	for _, id := range slices.SortedFunc(maps.Keys(r.totals.watches), func(a, b totalID) int { return strings.Compare(a.String(), b.String()) }) {
		w := r.totals.watches[id]
		if w.Due.IsZero() || now.Before(w.Due) {
			continue
		}
		w.Rechecks++
		if err := r.ask(id, w, out); err != nil {
			return err
		}
	}
	return nil
}

// compare holds what came against what was said.
func (r *Resolver) compare(id totalID, w watch, now time.Time, out Emitter) error {
	var came dayTotal
	for _, a := range w.Answers {
		came.Count += a.Count
		for currency, minor := range a.Sums {
			came.add(currency, minor)
		}
	}
	campaign, limit := r.totals.tolerance(id.reporter)
	differences := w.Said.differ(came, limit.Limit)
	w.Answers = nil
	if len(differences) > 0 && w.Rechecks < recheckMax {
		w.Due = now.Add(RecheckAfter)
		return r.totals.putWatch(id, w)
	}
	a := &avro.Alert{
		ID: control.TotalID(id.String()), Kind: control.AlertControlTotal, Severity: "info", Campaign: campaign, Partner: id.reporter, Subject: id.String(),
		RaisedAt: w.At, Evidence: w.evidence(came), State: totalSettled,
		Message: fmt.Sprintf("%s of %s agrees with what was said of %s", id.source, id.reporter, id.day),
	}
	if w.Told != "" {
		a.Severity = "warning" // as it was told, for who is told by severity
	}
	if len(differences) > 0 {
		a.Severity, a.Rung, a.Owner, a.Fallback, a.State = "warning", limit.Rung, limit.Owner, limit.Fallback, totalOpen
		a.Message = fmt.Sprintf("%s of %s does not agree with what was said of %s: %s. Send what is missing again: what is here already does not count twice",
			id.source, id.reporter, id.day, strings.Join(differences, "; "))
	}
	told := w.Told == a.Message
	w.Told = a.Message
	if len(differences) == 0 || w.Rechecks >= recheckMax+toldMax {
		if err := r.totals.forget(id); err != nil {
			return err
		}
	} else {
		w.Due = now.Add(toldAfter)
		if err := r.totals.putWatch(id, w); err != nil {
			return err
		}
	}
	if told || r.cfg.Alerts == "" {
		return nil
	}
	return emitAlert(r.cfg.Codecs, r.cfg.Alerts, a, out)
}

// evidence is where the total was said, and each of its numbers.
func (w *watch) evidence(came dayTotal) []string {
	var list []string
	if w.Place != "" {
		list = append(list, w.Place)
	}
	list = append(list, control.TotalNumber{Said: fmt.Sprint(w.Said.Count), Came: fmt.Sprint(came.Count)}.Evidence(control.TotalEvents))
	for _, currency := range w.Said.currencies(came) {
		n := control.TotalNumber{Said: amountText(currency, w.Said.Sums[currency]), Came: amountText(currency, came.Sums[currency])}
		list = append(list, n.Evidence(cmp.Or(currency, control.TotalNoCurrency)))
	}
	return list
}

// currencies are those of either, in order.
func (d dayTotal) currencies(other dayTotal) []string {
	all := maps.Clone(other.Sums)
	if all == nil {
		all = map[string]int64{}
	}
	maps.Copy(all, d.Sums)
	return slices.Sorted(maps.Keys(all))
}

// differ lists by what more than the limit the two differ.
func (d dayTotal) differ(came dayTotal, limit int64) []string {
	var list []string
	if beyond(d.Count, came.Count, limit) {
		list = append(list, fmt.Sprintf("%d events said, %d came", d.Count, came.Count))
	}
	for _, currency := range d.currencies(came) {
		if said, sum := d.Sums[currency], came.Sums[currency]; beyond(said, sum, limit) {
			list = append(list, fmt.Sprintf("%s said, %s came", shown(currency, said), shown(currency, sum)))
		}
	}
	return list
}

// beyond reports whether the two are further apart than the limit, a part of what
// was said.
func beyond(said, came, limit int64) bool {
	low, high := min(said, came), max(said, came)
	size := said
	if size < 0 {
		size = -max(size, -math.MaxInt64)
	}
	allowed := size/contract.RatioWhole*limit + size%contract.RatioWhole*limit/contract.RatioWhole
	return uint64(high)-uint64(low) > uint64(allowed) //nolint:gosec // two's complement: right for every pair
}

func shown(currency string, minor int64) string {
	return cmp.Or(currency, "without a currency") + " " + amountText(currency, minor)
}

func amountText(currency string, minor int64) string {
	exponent, err := money.Exponent(cmp.Or(currency, normalize.AmountScale))
	if err != nil {
		return fmt.Sprint(minor)
	}
	return money.Format(minor, exponent)
}

func wireTotal(m *avro.Total) dayTotal {
	d := dayTotal{Count: m.Count}
	for _, s := range m.Sums {
		d.add(s.Currency, s.Minor)
	}
	return d
}

func (d dayTotal) wire() []avro.CurrencySum {
	var sums []avro.CurrencySum
	for _, currency := range slices.Sorted(maps.Keys(d.Sums)) {
		sums = append(sums, avro.CurrencySum{Currency: currency, Minor: d.Sums[currency]})
	}
	return sums
}

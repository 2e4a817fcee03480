package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/money"
)

// Reason is why a deal is worth something else in the book than in a CRM's export.
type Reason string

// The reasons. A deal has the first of them that holds, in this order.
const (
	// ReasonUnreadable is a deal whose row in the export cannot be used.
	ReasonUnreadable Reason = "unreadable"
	// ReasonMissingHere is a deal of which the book knows nothing.
	ReasonMissingHere Reason = "missing_here"
	// ReasonMissingThere is a deal that the export does not have.
	ReasonMissingThere Reason = "missing_there"
	// ReasonHeld is a deal that the book cannot value yet, such as for want of a rate.
	ReasonHeld Reason = "held"
	// ReasonOutOfScope is a deal without a touch of the campaign.
	ReasonOutOfScope Reason = "out_of_scope"
	// ReasonOverlap is a deal that is the business of another CRM, or may be.
	ReasonOverlap Reason = "overlap"
	// ReasonStage is a deal whose stage counts on one side alone.
	ReasonStage Reason = "stage"
	// ReasonDate is a deal that is on another day: outside of the window on one side,
	// or worth something else by the rate of that day.
	ReasonDate Reason = "date"
	// ReasonCurrency is a deal in another currency, or at another rate.
	ReasonCurrency Reason = "currency"
	// ReasonAmount is what is left: another amount.
	ReasonAmount Reason = "amount"
)

// Reasons lists them in their order.
func Reasons() []Reason {
	return []Reason{
		ReasonUnreadable, ReasonMissingHere, ReasonMissingThere, ReasonHeld, ReasonOutOfScope,
		ReasonOverlap, ReasonStage, ReasonDate, ReasonCurrency, ReasonAmount,
	}
}

// Scope says what of a book an export is held against.
type Scope struct {
	Contract *contract.Contract
	Measure  string // one of [ReconcileMeasures]
	// Reporter is the partner whose CRM the export is of, Source its native shape;
	// empty for whichever the partner has.
	Reporter, Source string
	// In reports whether a day is asked for; nil for every day.
	In func(money.Day) bool
	// Rates are what the export's amounts are converted by.
	Rates *money.Rates
}

func (s *Scope) in(d money.Day) bool { return s.In == nil || s.In(d) }

// Reconciliation is an export held against the book, in the contract's currency.
// Ours less Theirs is Difference, which the reasons sum to, and the deals.
type Reconciliation struct {
	Measure, Currency        string
	Ours, Theirs, Difference Value
	// Reasons are those that some deal has, in their order.
	Reasons []ReasonSum
	Deals   []DealDifference // the largest first
	// Matched is how many deals are worth the same, and not nothing, on both sides.
	Matched int
	// Unreadable are rows that could not be used, by line; what they are about is in
	// UnreadableSums and not in Theirs.
	Unreadable     []UnreadableRow
	UnreadableSums []CurrencySum
	// Unconverted is what the export has in currencies without a rate, which is not
	// in Theirs either; its deals are in Deals.
	Unconverted []CurrencySum
	// Elsewhere is what the book has besides, that no export of this CRM can have:
	// with Ours it is all of the measure.
	Elsewhere []ElsewhereSum
}

// ReasonSum is all that one reason explains.
type ReasonSum struct {
	Reason Reason
	Deals  int
	Amount Value
}

// CurrencySum is a sum in one currency; empty where none could be read, and then
// the sum is nothing.
type CurrencySum struct {
	Currency string
	Rows     int
	Total    Value
}

// ElsewhereSum is what the book has of other places than the CRM.
type ElsewhereSum struct {
	// What is orders, or other_crms.
	What   string
	Deals  int
	Amount Value
}

// What ElsewhereSum.What says.
const (
	ElsewhereOrders = "orders"
	ElsewhereCRMs   = "other_crms"
)

// DealDifference is one deal of which the two sides do not say the same.
type DealDifference struct {
	// ID is the deal's in the CRM, as the book has it or else the export; Item is its
	// id in the book, if it is there.
	ID   string
	Item attribution.ItemID
	Name string
	Line int // in the export; 0 if it is not in it
	// Ours and Theirs are what each side makes of it, in the contract's currency.
	Ours, Theirs, Difference Value
	Reason                   Reason
	Detail                   string
	// Other is the deal of another CRM that has the value, if one has.
	Other attribution.ItemID
}

// Reconcile holds an export against what the book has of the CRM's deals, deal by
// deal. Of a deal there may be several facts: each has the measures of the days that
// its revision accounts for.
func Reconcile(e *Export, facts []attribution.Facts, s Scope) Reconciliation {
	r := reconciler{
		s: s, e: e, ours: map[string]*ourDeal{}, theirs: map[string]*ExportDeal{}, unreadable: map[string]*UnreadableRow{},
		stages: map[string]string{}, unconverted: map[string]*CurrencySum{}, sums: map[Reason]*ReasonSum{}, elsewhere: map[string]*ElsewhereSum{},
		counted: map[attribution.ItemID]bool{},
	}
	r.out.Measure, r.out.Currency, r.out.Unreadable = s.Measure, s.Contract.Currency, e.Unreadable
	for i := range facts {
		r.know(&facts[i])
	}
	for i := range e.Deals {
		r.theirs[DealID(e.Deals[i].ID)] = &e.Deals[i]
	}
	for i := range e.Unreadable {
		if u, key := &e.Unreadable[i], DealID(e.Unreadable[i].ID); key != "" && r.theirs[key] == nil && r.unreadable[key] == nil {
			r.unreadable[key] = u
		}
	}
	keys := maps.Clone(r.ours)
	for key := range r.theirs {
		keys[key] = r.ours[key]
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		r.deal(key)
	}
	r.finish()
	return r.out
}

type reconciler struct {
	s           Scope
	e           *Export
	ours        map[string]*ourDeal
	theirs      map[string]*ExportDeal    // these by [DealID]
	unreadable  map[string]*UnreadableRow // of deals that no other row is about
	stages      map[string]string         // states of native stages, as the CRM's history has them
	unconverted map[string]*CurrencySum
	sums        map[Reason]*ReasonSum
	elsewhere   map[string]*ElsewhereSum
	counted     map[attribution.ItemID]bool // deals that are elsewhere
	out         Reconciliation
}

// ourDeal is what the book makes of a deal.
type ourDeal struct {
	item   attribution.ItemID
	facts  *attribution.Facts // the newest revision's; nil for a deal that was merged
	merged attribution.ItemID // into this one
	// measures are those asked for, of all revisions.
	measures []attribution.FactMeasure
	value    int64 // of those that count and are in the window
	apart    bool  // one of these is in another currency, so not in value
	in       bool  // one of them is in the window
}

func isCRM(f *attribution.Facts) bool { return strings.HasPrefix(f.Deal.Item, dealPrefix) && !f.Order }

// dealPrefix begins the items that are deals of a CRM.
const dealPrefix = "opportunity/"

// mine reports whether an item is of the CRM that the export is of.
func (r *reconciler) mine(id attribution.ItemID) bool {
	return id.Reporter == r.s.Reporter && (r.s.Source == "" || id.Source == r.s.Source)
}

// know takes in what the book says of a deal.
func (r *reconciler) know(f *attribution.Facts) {
	for _, id := range f.Merged {
		if r.mine(id) {
			if o := r.our(id); o.facts == nil {
				o.merged = f.Deal
			}
		}
	}
	o := &ourDeal{}
	if here := r.mine(f.Deal) && isCRM(f); here {
		o = r.our(f.Deal)
		if o.facts == nil || f.Revision >= o.facts.Revision {
			o.facts, o.merged = f, attribution.ItemID{}
		}
		for _, stage := range f.Stages {
			if known, found := r.stages[stage.Stage]; found && known != stage.State {
				stage.State = "" // it is said in two ways, and nothing follows
			}
			r.stages[stage.Stage] = stage.State
		}
	}
	before := o.value
	for _, m := range f.Measures {
		if m.Measure == r.s.Measure {
			o.take(m, r.s)
		}
	}
	if what := r.other(f); what != "" && o.value != before {
		if r.elsewhere[what] == nil {
			r.elsewhere[what] = &ElsewhereSum{What: what}
		}
		sum := r.elsewhere[what]
		if !r.counted[f.Deal] {
			r.counted[f.Deal] = true
			sum.Deals++
		}
		sum.Amount = sum.Amount.Add(r.value(o.value))
	}
}

// other is where a deal is that is none of the CRM; empty for one that is.
func (r *reconciler) other(f *attribution.Facts) string {
	switch {
	case !isCRM(f):
		return ElsewhereOrders
	case !r.mine(f.Deal):
		return ElsewhereCRMs
	}
	return ""
}

func (r *reconciler) our(id attribution.ItemID) *ourDeal {
	key := DealID(strings.TrimPrefix(id.Item, dealPrefix))
	o := r.ours[key]
	if o == nil {
		o = &ourDeal{item: id}
		r.ours[key] = o
	}
	return o
}

func (o *ourDeal) take(m attribution.FactMeasure, s Scope) {
	o.measures = append(o.measures, m)
	if !dated(&m) || !s.in(m.Day) {
		return
	}
	o.in = true
	switch {
	case m.Held != "" || !m.InScope || m.Value == 0:
	case m.Currency != s.Contract.Currency:
		o.apart = true
	default:
		o.value += m.Value
	}
}

// dated reports whether a measure has a day; what is held may lack it.
func dated(m *attribution.FactMeasure) bool { return m.Held == "" || m.Day != 0 }

// counts reports whether the stage of the deal is one that the measure counts.
func (o *ourDeal) counts(measure string) bool {
	if o.facts == nil {
		return false
	}
	return stateCounts(measure, o.facts.State)
}

func stateCounts(measure, state string) bool {
	switch measure {
	case attribution.MeasureRevenue:
		return state == string(contract.StateWon)
	case attribution.MeasurePipelineOpen:
		return state == string(contract.StateOpen)
	}
	return true
}

// theirDeal is what the export makes of a deal.
type theirDeal struct {
	row        *ExportDeal
	state      string
	counts, in bool
	value      int64 // in the contract's currency
	rateless   bool  // it counts, and there is no rate for it
	unreadable string
}

// state is that of the row's stage: by the contract, else as the CRM's own history
// has it, since an export rarely says of a stage whether it is closed.
func (r *reconciler) state(d *ExportDeal) string {
	source := r.s.Source
	if o := r.ours[DealID(d.ID)]; o != nil {
		source = o.item.Source
	}
	state := r.s.Contract.Stage(r.s.Reporter, source, d.Stage, d.Flagged && d.IsClosed, d.IsWon).State
	if state != contract.StateOpen {
		return string(state)
	}
	switch known := r.stages[d.Stage]; {
	case known != "" && (!d.Flagged || known != string(contract.StateWon)):
		return known
	case d.IsClosed:
		return string(contract.StateLost) // and not won, which its name would say
	}
	return string(state)
}

func (r *reconciler) their(key string) theirDeal {
	row := r.theirs[key]
	if row == nil {
		if u := r.unreadable[key]; u != nil {
			return theirDeal{unreadable: u.Why}
		}
		return theirDeal{}
	}
	t := theirDeal{row: row, state: r.state(row)}
	if t.counts = stateCounts(r.s.Measure, t.state); !t.counts {
		return t
	}
	if !row.Dated && (r.s.In != nil || row.Amount.Currency != r.s.Contract.Currency) {
		t.row, t.counts, t.unreadable = nil, false, row.DayProblem
		r.out.Unreadable = append(slices.Clip(r.out.Unreadable), UnreadableRow{Line: row.Line, ID: row.ID, Why: row.DayProblem, Amount: row.Amount, Valued: true})
		return t
	}
	if t.in = !row.Dated || r.s.in(row.Day); !t.in {
		return t
	}
	converted, _, err := r.s.Rates.Convert(row.Amount, r.s.Contract.Currency, row.Day, r.s.Contract.RateAgeDays)
	if err != nil {
		t.rateless = true
		add(r.unconverted, row.Amount, true)
		return t
	}
	t.value = converted.Minor
	return t
}

// deal compares one deal.
func (r *reconciler) deal(key string) {
	o, t := r.ours[key], r.their(key)
	var d DealDifference
	if row := r.theirs[key]; row != nil {
		d.ID, d.Name, d.Line = row.ID, row.Name, row.Line
	} else if u := r.unreadable[key]; u != nil {
		d.Line = u.Line
	}
	if o != nil {
		d.ID = strings.TrimPrefix(o.item.Item, dealPrefix)
		d.Item, d.Ours, d.Other = o.item, r.value(o.value), o.merged
	}
	d.Theirs = r.value(t.value)
	d.Difference = d.Ours.Sub(d.Theirs)
	r.out.Ours, r.out.Theirs = r.out.Ours.Add(d.Ours), r.out.Theirs.Add(d.Theirs)
	if d.Difference.Sign() == 0 && !t.rateless {
		if d.Ours.Sign() != 0 {
			r.out.Matched++
		}
		return
	}
	d.Reason, d.Detail = r.reason(o, &t)
	if o != nil && o.facts != nil && d.Reason == ReasonOverlap && len(o.facts.Suspected) > 0 {
		d.Other = o.facts.Suspected[0]
	}
	r.out.Deals = append(r.out.Deals, d)
	if r.sums[d.Reason] == nil {
		r.sums[d.Reason] = &ReasonSum{Reason: d.Reason}
	}
	sum := r.sums[d.Reason]
	sum.Deals, sum.Amount = sum.Deals+1, sum.Amount.Add(d.Difference)
}

// reason is the first that holds, with what there is to say about it.
func (r *reconciler) reason(o *ourDeal, t *theirDeal) (Reason, string) {
	switch {
	case t.unreadable != "":
		return ReasonUnreadable, "its row cannot be used: " + t.unreadable
	case o == nil:
		return ReasonMissingHere, "no event of it was accepted: " + r.written(t)
	case t.row == nil:
		return ReasonMissingThere, "no row of the export has its id"
	}
	if m := o.find(func(m *attribution.FactMeasure) bool { return m.Held != "" }); m != nil {
		return ReasonHeld, strings.ReplaceAll(m.Held, "_", " ") + ", so it is in no total: " + r.written(t)
	}
	out := o.find(func(m *attribution.FactMeasure) bool { return !m.InScope })
	if o.facts != nil && (o.facts.Excluded == attribution.ExcludedScope || out != nil && o.value == 0) {
		return ReasonOutOfScope, "no touch of the campaign is in its lookback, and its CRM campaign is not this one"
	}
	switch {
	case o.facts == nil:
		return ReasonOverlap, "it is one business with a deal of another CRM, which has the value"
	case o.facts.Excluded == attribution.ExcludedSuspected:
		return ReasonOverlap, "it may be one business with a deal of another CRM, and nobody has decided"
	case o.facts.Excluded == attribution.ExcludedEvidence:
		return ReasonOverlap, "the system of record is another CRM, for which it is evidence"
	case o.counts(r.s.Measure) != t.counts:
		return ReasonStage, fmt.Sprintf("%s here (%s), %s in the export", o.facts.State, orNone(o.facts.Stage), t.state)
	}
	return r.valued(o, t)
}

// valued is why a deal that counts on both sides has two values.
func (r *reconciler) valued(o *ourDeal, t *theirDeal) (Reason, string) {
	m := o.find(func(m *attribution.FactMeasure) bool { return t.row.Dated && dated(m) && m.Day == t.row.Day })
	if m == nil {
		m = o.find(dated)
	}
	if m == nil {
		return ReasonAmount, "nothing here, in the export " + r.written(t)
	}
	same := r.sameOriginal(m, t.row)
	other := t.row.Dated && m.Day != t.row.Day
	days := func() string {
		return fmt.Sprintf("%s here, %s in the export", m.Day, t.row.Day)
	}
	switch {
	case o.in != t.in:
		side := "the export's"
		if t.in {
			side = "the one here"
		}
		return ReasonDate, days() + "; " + side + " is outside of the window"
	case other && same && !o.apart && t.rateless:
		return ReasonDate, days() + ", for which there is no rate"
	case other && same && !o.apart:
		return ReasonDate, days() + ", at another rate"
	case t.rateless:
		return ReasonCurrency, "there is no rate for " + r.written(t)
	case o.apart || m.Basis.Currency != t.row.Amount.Currency || same:
		return ReasonCurrency, fmt.Sprintf("%s here%s, %s", original(m), rated(m), r.written(t)+" in the export")
	}
	return ReasonAmount, fmt.Sprintf("%s here, %s in the export", original(m), r.written(t))
}

func (o *ourDeal) find(holds func(*attribution.FactMeasure) bool) *attribution.FactMeasure {
	for i := range o.measures {
		if holds(&o.measures[i]) {
			return &o.measures[i]
		}
	}
	return nil
}

// sameOriginal reports whether both sides begin with the same amount.
func (r *reconciler) sameOriginal(m *attribution.FactMeasure, row *ExportDeal) bool {
	a, err := money.Parse(m.Basis.Amount, m.Basis.Currency)
	return err == nil && a == row.Amount
}

func original(m *attribution.FactMeasure) string {
	return cmp.Or(m.Basis.Amount, "no amount") + " " + m.Basis.Currency
}

func rated(m *attribution.FactMeasure) string {
	if m.Basis.Via == money.ViaSame || m.Basis.Rate == "" {
		return ""
	}
	return fmt.Sprintf(" at %s of %s", m.Basis.Rate, m.Basis.RateDay)
}

// written is what the export says, as it says it.
func (r *reconciler) written(t *theirDeal) string {
	text := t.row.Amount.String()
	if t.row.Dated {
		text += " on " + t.row.Day.String()
	}
	return text
}

func orNone(stage string) string { return cmp.Or(stage, "no stage") }

// value is an amount in the contract's currency.
func (r *reconciler) value(minor int64) Value { return ValueOf(minor, r.s.Contract.Exponent) }

// add puts an amount to the sum of its currency; valued is whether there is one.
func add(sums map[string]*CurrencySum, a money.Amount, valued bool) {
	if !valued {
		a = money.Amount{}
	}
	if sums[a.Currency] == nil {
		sums[a.Currency] = &CurrencySum{Currency: a.Currency}
	}
	sum := sums[a.Currency]
	sum.Rows++
	if exponent, err := money.Exponent(a.Currency); err == nil {
		sum.Total = sum.Total.Add(ValueOf(a.Minor, exponent))
	}
}

func (r *reconciler) finish() {
	r.out.Difference = r.out.Ours.Sub(r.out.Theirs)
	for _, reason := range Reasons() {
		if sum := r.sums[reason]; sum != nil {
			r.out.Reasons = append(r.out.Reasons, *sum)
		}
	}
	slices.SortStableFunc(r.out.Deals, func(a, b DealDifference) int {
		return cmp.Or(size(b.Difference).Cmp(size(a.Difference)), strings.Compare(a.ID, b.ID))
	})
	slices.SortFunc(r.out.Unreadable, func(a, b UnreadableRow) int { return cmp.Compare(a.Line, b.Line) })
	unreadable := map[string]*CurrencySum{}
	for _, u := range r.out.Unreadable {
		add(unreadable, u.Amount, u.Valued)
	}
	r.out.UnreadableSums, r.out.Unconverted = listed(unreadable), listed(r.unconverted)
	for _, what := range []string{ElsewhereOrders, ElsewhereCRMs} {
		if sum := r.elsewhere[what]; sum != nil {
			r.out.Elsewhere = append(r.out.Elsewhere, *sum)
		}
	}
}

// size is how far a value is from nothing.
func size(v Value) Value {
	if v.Sign() < 0 {
		return Value{}.Sub(v)
	}
	return v
}

func listed(sums map[string]*CurrencySum) []CurrencySum {
	var list []CurrencySum
	for _, currency := range slices.Sorted(maps.Keys(sums)) {
		list = append(list, *sums[currency])
	}
	return list
}

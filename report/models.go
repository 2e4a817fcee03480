package report

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"

	"tracksource/attribution"
	"tracksource/attribution/model"
	"tracksource/contract"
	"tracksource/money"
)

// ModelQuestion is how models are held against each other.
type ModelQuestion struct {
	Measure  string
	Currency string // the contract's; empty for counts
	Exponent int
	Within   *Span
	Any      map[Dimension][]string
	By       Dimension // not the day
}

// ModelMeasures lists the measures whose facts say which touches share them.
// Milestones are not among them: people reach them too, and facts are of deals.
func ModelMeasures() []string {
	return []string{
		attribution.MeasureRevenue, attribution.MeasurePipelineCreated, attribution.MeasurePipelineOpen,
		attribution.MeasureOpportunities, attribution.MeasureWon, attribution.MeasureLost, attribution.MeasureOrders,
	}
}

// ModelResult is what one model gives to whom.
type ModelResult struct {
	Groups []Group // largest first, then by key; Unattributed among them
	// Total and Unattributed are of the same question under every additive model;
	// Participation has no total.
	Total, Unattributed Value
	Additive            bool
	// Note says why there are no groups.
	Note string
}

// playersMax bounds the values that a Markov chain is computed over while somebody
// waits: its exact arithmetic takes the cube of their number.
const playersMax = 40

// Model computes one model over deals. A model of the ledger is computed under each
// revision with the revision's own settings, which specOf gives, and its groups equal
// the sums of the rows.
//
// Markov and Shapley are of whole journeys, so that only the dimensions of the deal
// and By itself can narrow them. A journey without the measure is one of a deal that
// was lost in the window, for revenue and won alone.
func Model(deals Deals, q ModelQuestion, specOf func(revision int64) model.Spec) (ModelResult, error) {
	list, err := Models(deals, []ModelAsk{{ModelQuestion: q, SpecOf: specOf}})
	if err != nil {
		return ModelResult{}, err
	}
	return list[0], nil
}

// ModelAsk is a question of one model.
type ModelAsk struct {
	ModelQuestion
	// ID tells models apart: two questions of one ID and key have the same SpecOf.
	ID     string
	Key    model.Key
	SpecOf func(revision int64) model.Spec
}

// Models answers many questions as [Model] does each. Deals are gone through once, and what
// a model makes of a journey is worked out once for all questions of the model that follow
// each other.
func Models(deals Deals, asks []ModelAsk) ([]ModelResult, error) {
	sums := make([]*modelSums, len(asks))
	for i := range asks {
		sums[i] = &modelSums{q: asks[i].ModelQuestion, groups: map[string]*minorSum{}, chain: &model.Chain{}, game: &model.Coalitions{}}
	}
	for d := range deals {
		var w weighed
		for n := range asks {
			if s := sums[n]; s.note == "" {
				if err := s.deal(d, &asks[n], &w); err != nil {
					s.note = err.Error()
				}
			}
		}
	}
	out := make([]ModelResult, len(asks))
	for i, s := range sums {
		if s.note != "" {
			out[i] = ModelResult{Note: s.note}
			continue
		}
		var err error
		if out[i], err = s.result(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// weighed is what was last worked out of a deal, for the next who asks the same.
type weighed struct {
	of    *attribution.FactMeasure
	path  model.Path
	id    string
	key   model.Key
	known bool // whether there are shares of id and key
	parts []Share
}

// pathOf is PathOf of a measure.
func (w *weighed) pathOf(f *attribution.Facts, m *attribution.FactMeasure) model.Path {
	if w.of != m {
		*w = weighed{of: m, path: PathOf(f, m)}
	}
	return w.path
}

// sharesOf is SharesOf of a measure under the model of a question. They are not to be
// changed.
func (w *weighed) sharesOf(f *attribution.Facts, m *attribution.FactMeasure, ask *ModelAsk, spec model.Spec) []Share {
	path := w.pathOf(f, m)
	if !w.known || w.id != ask.ID || w.key != ask.Key {
		w.id, w.key, w.known, w.parts = ask.ID, ask.Key, true, sharesAlong(f, m, spec, path)
	}
	return w.parts
}

// deal adds what a deal has of the measure, or that it was lost.
func (s *modelSums) deal(d *Deal, ask *ModelAsk, w *weighed) error {
	q := &s.q
	if f, m, ok := d.Measure(q.Measure); ok && m.Currency == q.Currency && m.Exponent == q.Exponent && q.within(m) {
		s.spec = s.under(f.Revision, ask)
		return s.add(f, m, ask, w)
	}
	if q.Measure != attribution.MeasureRevenue && q.Measure != attribution.MeasureWon {
		return nil
	}
	f, m, ok := d.Measure(attribution.MeasureLost)
	if !ok || !q.within(m) {
		return nil
	}
	if spec := s.under(f.Revision, ask); spec.Model == model.MarkovChain && q.ofDeal(f) {
		return s.chain.Add(s.steps(f, m, spec, w), false)
	}
	return nil
}

// under is the model's settings of a revision.
func (s *modelSums) under(revision int64, ask *ModelAsk) model.Spec {
	if !s.known || s.revision != revision {
		s.settings, s.revision, s.known = ask.SpecOf(revision), revision, true
	}
	return s.settings
}

func (q *ModelQuestion) within(m *attribution.FactMeasure) bool {
	return q.Within == nil || q.Within.Holds(m.Day)
}

// ofDeal reports whether the dimensions of the deal itself pass the filter.
func (q *ModelQuestion) ofDeal(f *attribution.Facts) bool {
	for _, d := range [...]Dimension{Region, Segment} {
		if values, asked := q.Any[d]; asked && !slices.Contains(values, ofDeal(f, d)) {
			return false
		}
	}
	return true
}

// narrowed is a dimension of the filter that whole journeys do not have.
func (q *ModelQuestion) narrowed() (Dimension, bool) {
	for _, d := range Dimensions() {
		if _, asked := q.Any[d]; asked && d != q.By && d != Region && d != Segment {
			return d, true
		}
	}
	return "", false
}

type modelSums struct {
	q       ModelQuestion
	spec    model.Spec // of the newest that was added
	groups  map[string]*minorSum
	chain   *model.Chain
	game    *model.Coalitions
	players map[string]bool
	shared  int64 // value of the journeys with steps
	nobody  minorSum
	partial bool   // Participation: groups do not sum to anything
	note    string // why there are no groups

	settings model.Spec // of the revision, if known
	revision int64
	known    bool
}

// minorSum adds up minor units: as a machine's integer while that holds them, since a Value
// is allocated anew by each sum.
type minorSum struct {
	low  int64
	high Value // what low could not hold, in units of 10^-9 for minor ones
}

func (m *minorSum) add(minor int64) {
	if minor > 0 && m.low > math.MaxInt64-minor || minor < 0 && m.low < math.MinInt64-minor {
		m.high, m.low = m.high.Add(ValueOf(m.low, scale)), 0
	}
	m.low += minor
}

// value is the sum in units of which a minor one is 10^-exponent.
func (m *minorSum) value(exponent int) Value {
	v := ValueOf(m.low, exponent)
	if m.high.Sign() == 0 {
		return v
	}
	return v.Add(Value{new(big.Int).Mul(m.high.int(), ValueOf(1, exponent).int())})
}

func (s *modelSums) give(key string, minor int64) {
	g := s.groups[key]
	if g == nil {
		g = &minorSum{}
		s.groups[key] = g
	}
	g.add(minor)
}

func (s *modelSums) giveNobody(f *attribution.Facts, minor int64) {
	s.give(ofDeal(f, s.q.By), minor)
	s.nobody.add(minor)
}

// passes reports whether the filter lets a part pass; t is nil for what no touch is
// credited with.
func (q *ModelQuestion) passes(f *attribution.Facts, m *attribution.FactMeasure, t *attribution.FactTouch, partner string) bool {
	for d, values := range q.Any {
		v := ofDeal(f, d)
		if t != nil {
			v = dimension(f, m, t, partner, d)
		}
		if !slices.Contains(values, v) {
			return false
		}
	}
	return true
}

func (s *modelSums) add(f *attribution.Facts, m *attribution.FactMeasure, ask *ModelAsk, w *weighed) error {
	if s.spec.Model.IsGroup() {
		return s.addJourney(f, m, w)
	}
	shares := w.sharesOf(f, m, ask, s.spec)
	if shares == nil {
		if s.q.passes(f, m, nil, "") {
			s.giveNobody(f, m.Value)
		}
		return nil
	}
	if s.spec.Model == model.Participation {
		s.partial = true
		seen := map[string]bool{}
		for _, share := range shares {
			t := &f.Touches[share.Touch]
			key := dimension(f, m, t, share.Partner, s.q.By)
			if !seen[key] && s.q.passes(f, m, t, share.Partner) {
				seen[key] = true
				s.give(key, m.Value)
			}
		}
		return nil
	}
	for _, share := range shares {
		if t := &f.Touches[share.Touch]; s.q.passes(f, m, t, share.Partner) {
			s.give(dimension(f, m, t, share.Partner, s.q.By), share.Amount)
		}
	}
	return nil
}

// steps are the values of the dimension asked along a journey. A touch of several
// partners is one step of each, where the dimension tells them apart.
func (s *modelSums) steps(f *attribution.Facts, m *attribution.FactMeasure, spec model.Spec, w *weighed) []string {
	var steps []string
	for _, i := range spec.Remaining(w.pathOf(f, m)) {
		t := &f.Touches[m.Path[i]]
		if s.q.By != Partner && s.q.By != Escrow {
			steps = append(steps, dimension(f, m, t, "", s.q.By))
			continue
		}
		for _, partner := range PartnersOf(t) {
			steps = append(steps, dimension(f, m, t, f.Credited(partner, m.Day), s.q.By))
		}
	}
	if s.players == nil {
		s.players = map[string]bool{}
	}
	for _, step := range steps {
		s.players[step] = true
	}
	return steps
}

func (s *modelSums) addJourney(f *attribution.Facts, m *attribution.FactMeasure, w *weighed) error {
	if d, narrowed := s.q.narrowed(); narrowed {
		return fmt.Errorf("looks at whole journeys, which cannot be narrowed by %s", d)
	}
	if !s.q.ofDeal(f) {
		return nil
	}
	steps := s.steps(f, m, s.spec, w)
	if len(steps) == 0 {
		s.giveNobody(f, m.Value)
		return nil
	}
	if s.spec.Model == model.Shapley {
		s.game.Add(steps, m.Value)
		return nil
	}
	if len(s.players) > playersMax {
		return fmt.Errorf("there are more than %d values: ask by a dimension with fewer", playersMax)
	}
	if (m.Value > 0 && s.shared > math.MaxInt64-m.Value) || (m.Value < 0 && s.shared < math.MinInt64-m.Value) {
		return fmt.Errorf("the journeys are worth more than can be shared")
	}
	s.shared += m.Value
	return s.chain.Add(steps, true)
}

func (s *modelSums) result() (ModelResult, error) {
	if len(s.players) > playersMax && s.spec.Model == model.MarkovChain {
		return ModelResult{Note: fmt.Sprintf("there are more than %d values: ask by a dimension with fewer", playersMax)}, nil
	}
	switch s.spec.Model {
	case model.MarkovChain:
		parts := s.chain.Shares()
		weights := make([]uint64, len(parts))
		for i, p := range parts {
			weights[i] = p.Amount.Uint64()
		}
		if len(parts) == 0 {
			break
		}
		for i, minor := range money.Allocate(s.shared, weights) {
			s.give(parts[i].Value, minor)
		}
	case model.Shapley:
		for _, p := range s.game.Split(1) {
			if !p.Amount.IsInt64() {
				return ModelResult{}, fmt.Errorf("shapley value of %d bits", p.Amount.BitLen())
			}
			s.give(p.Value, p.Amount.Int64())
		}
	default:
	}
	r := ModelResult{Additive: !s.partial, Unattributed: s.nobody.value(s.q.Exponent)}
	only, narrowed := s.q.Any[s.q.By]
	for key, sum := range s.groups {
		v := sum.value(s.q.Exponent)
		// Parts of whole journeys are narrowed once they are shared out.
		if narrowed && s.spec.Model.IsGroup() && !slices.Contains(only, key) {
			continue
		}
		r.Groups = append(r.Groups, Group{Key: []string{key}, Value: v})
		r.Total = r.Total.Add(v)
	}
	sortGroups(r.Groups)
	return r, nil
}

// Specs returns a spec for each model that there is, by its name: the contract's own
// where it names the model, else one with the defaults. Custom has no defaults.
func Specs(c *contract.Contract) []NamedSpec {
	var list []NamedSpec
	for i, id := range c.Models {
		list = append(list, NamedSpec{id, c.Specs[i], true})
	}
	for _, name := range model.Names() {
		named := slices.ContainsFunc(list, func(s NamedSpec) bool { return s.InLedger && s.Spec.Model == name })
		if !named && name != model.Custom {
			list = append(list, NamedSpec{string(name), model.Spec{Model: name}, false})
		}
	}
	slices.SortStableFunc(list, func(a, b NamedSpec) int {
		return cmp.Compare(slices.Index(model.Names(), a.Spec.Model), slices.Index(model.Names(), b.Spec.Model))
	})
	return list
}

// NamedSpec is a model under the id that people ask for.
type NamedSpec struct {
	ID       string
	Spec     model.Spec
	InLedger bool
}

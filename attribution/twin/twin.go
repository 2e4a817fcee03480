// Package twin runs the attribution models over journeys from a file: the same
// code that keeps the ledger, with no broker and no contract.
//
// It knows lines of JSON and what comes of them as JSON, CSV or a table. It must
// not know files, contracts or how a weight is computed. Nothing is rounded but
// the amounts, by largest remainder to the currency's minor unit, and what is
// shown of weights.
package twin

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"tracksource/attribution/model"
	"tracksource/money"
)

// Unattributed is the value of the key under which stands what no touch preceded.
const Unattributed = "(unattributed)"

// Unknown is the value of the key of a touch that does not have one.
const Unknown = "(unknown)"

// DefaultLookback is how long before a conversion touches count.
const DefaultLookback = 90 * 24 * time.Hour

// Limits of the input.
const (
	// LineMax bounds a line, in bytes: a journey of TouchesMax touches is under it.
	LineMax = 16 << 20
	// TouchesMax and ConversionsMax bound one journey.
	TouchesMax     = 100_000
	ConversionsMax = 10_000
	// textMax bounds an id or a value of a key, in bytes.
	textMax = 1_000
)

// Model is a model under the name that the output gives it.
type Model struct {
	Name string
	Spec model.Spec
}

// Config says what is computed.
type Config struct {
	// Models are in the order of the output. One at least is needed.
	Models []Model
	// By is what credit is added up by; empty is the channel. Markov, Shapley and
	// participation share among its values.
	By model.Key
	// Lookback is how long before a conversion touches count, both bounds included;
	// zero is DefaultLookback.
	Lookback time.Duration
	// Credits keeps the credit of every touch for JSON, which takes memory for every
	// conversion. Without it a Twin keeps only sums.
	Credits bool
}

// Twin adds up journeys. It is not safe for concurrent use.
type Twin struct {
	config Config
	books  []*book
	lines  int
	// currency is that of every conversion, which currencyLine was the first to say.
	currency     string
	exponent     int
	currencyLine int
}

// book is what came of one model.
type book struct {
	Model
	by    map[string]*sum
	total sum
	// credits is the list of conversions as JSON, without the brackets around it.
	credits []byte
	// What models of many journeys are computed from: shared is what they share, and
	// gross the same without signs, which no part of it exceeds.
	chain         model.Chain
	earned, count model.Coalitions
	shared, gross sum
}

// New returns a Twin without journeys. The error names the setting that is wrong.
func New(c Config) (*Twin, error) {
	if c.By == "" {
		c.By = model.KeyChannel
	}
	if c.Lookback == 0 {
		c.Lookback = DefaultLookback
	}
	if !slices.Contains(model.Keys(), c.By) {
		return nil, fmt.Errorf("%q is not a field of a touch; choose from %v", c.By, model.Keys())
	}
	if c.Lookback < 0 {
		return nil, fmt.Errorf("a lookback of %v; it is over zero", c.Lookback)
	}
	if len(c.Models) == 0 {
		return nil, errors.New("no model is named")
	}
	t := &Twin{config: c}
	for _, m := range c.Models {
		if m.Spec.Model == model.Participation {
			m.Spec.Key = c.By
		}
		if err := m.Spec.Check(); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		if slices.ContainsFunc(t.books, func(b *book) bool { return b.Name == m.Name }) {
			return nil, fmt.Errorf("%s is named twice", m.Name)
		}
		t.books = append(t.books, &book{Model: m, by: make(map[string]*sum)})
	}
	return t, nil
}

// Add reads the next line: one journey, or nothing but space. The error gives the
// line and the field. After an error the Twin is of no use.
func (t *Twin) Add(line []byte) error {
	t.lines++
	j, blank, err := readJourney(line)
	if err == nil && !blank {
		err = t.journey(j)
	}
	if err != nil {
		return fmt.Errorf("line %d: %w", t.lines, err)
	}
	return nil
}

func (t *Twin) journey(j journey) error {
	model.Sort(j.touches)
	for i, c := range j.conversions {
		if err := t.oneCurrency(c); err != nil {
			return within("conversions", within(place(i), err))
		}
		minor, err := c.minor()
		if err != nil {
			return within("conversions", within(place(i), err))
		}
		path := model.Path{Touches: t.eligible(j.touches, c.at), At: c.at, Lead: c.lead, Opportunity: c.opportunity, Closed: c.closed}
		for _, b := range t.books {
			if err := t.enter(b, c.id, path, minor); err != nil {
				return within("conversions", within(place(i), err))
			}
		}
	}
	if len(j.conversions) > 0 {
		return nil
	}
	for _, b := range t.books {
		if b.Spec.Model == model.MarkovChain {
			if err := b.chain.Add(t.steps(b.Spec, model.Path{Touches: j.touches}), false); err != nil {
				return err
			}
		}
	}
	return nil
}

// oneCurrency refuses a second currency: without rates there is no sum of two.
func (t *Twin) oneCurrency(c conversion) error {
	if t.currency == "" {
		exponent, err := money.Exponent(c.currency)
		if err != nil {
			return &Fault{"currency", err.Error()}
		}
		t.currency, t.exponent, t.currencyLine = c.currency, exponent, t.lines
	}
	if c.currency != t.currency {
		return &Fault{"currency", fmt.Sprintf("%q, and line %d is in %s; a file is in one currency", cut(c.currency), t.currencyLine, t.currency)}
	}
	return nil
}

// eligible returns the touches in the window, which are in order.
func (t *Twin) eligible(touches []model.Touch, at time.Time) []model.Touch {
	first, _ := slices.BinarySearchFunc(touches, at.Add(-t.config.Lookback), func(touch model.Touch, bound time.Time) int {
		if touch.At.Before(bound) {
			return -1
		}
		return 1
	})
	end, _ := slices.BinarySearchFunc(touches, at, func(touch model.Touch, at time.Time) int {
		if touch.At.After(at) {
			return 1
		}
		return -1
	})
	return touches[first:max(first, end)]
}

// steps are the values of the key that a model of many journeys sees.
func (t *Twin) steps(s model.Spec, path model.Path) []string {
	places := s.Remaining(path)
	steps := make([]string, len(places))
	for i, place := range places {
		steps[i] = t.value(&path.Touches[place])
	}
	return steps
}

func (t *Twin) value(touch *model.Touch) string {
	if v := t.config.By.Of(touch); v != "" {
		return v
	}
	return Unknown
}

// enter books one conversion under one model.
func (t *Twin) enter(b *book, id string, path model.Path, minor int64) error {
	if err := b.total.add(minor, money.Whole); err != nil {
		return err
	}
	if b.Spec.Model.IsGroup() {
		return t.enterGroup(b, path, minor)
	}
	weights := model.Weights(b.Spec, path)
	if weights == nil {
		b.credit(t, id, []credit{{Unattributed, money.Whole, minor}})
		return b.at(Unattributed).add(minor, money.Whole)
	}
	parts := make([]int64, len(weights))
	if b.Spec.Model == model.Participation {
		for i, w := range weights {
			if w > 0 {
				parts[i] = minor
			}
		}
	} else {
		parts = money.Allocate(minor, weights)
	}
	var credits []credit
	for i, w := range weights {
		if w == 0 {
			continue
		}
		touch := &path.Touches[i]
		if err := b.at(t.value(touch)).add(parts[i], w); err != nil {
			return err
		}
		credits = append(credits, credit{touch.ID, w, parts[i]})
	}
	b.credit(t, id, credits)
	return nil
}

func (t *Twin) enterGroup(b *book, path model.Path, minor int64) error {
	steps := t.steps(b.Spec, path)
	if len(steps) == 0 {
		return b.at(Unattributed).add(minor, money.Whole)
	}
	if err := b.gross.add(max(minor, -minor), money.Whole); err != nil {
		return err
	}
	if err := b.shared.add(minor, money.Whole); err != nil {
		return err
	}
	if b.Spec.Model == model.Shapley {
		b.earned.Add(steps, minor)
		b.count.Add(steps, 1)
		return nil
	}
	return b.chain.Add(steps, true)
}

// at is the sum of one value of the key.
func (b *book) at(value string) *sum {
	s := b.by[value]
	if s == nil {
		s = new(sum)
		b.by[value] = s
	}
	return s
}

// rows are the sums by value of the key, in order of the values. Models of many
// journeys share the total here: each amount is rounded once and not for every
// conversion.
func (b *book) rows() []row {
	rows := make([]row, 0, len(b.by))
	for value, s := range b.by {
		rows = append(rows, row{value, *s})
	}
	switch b.Spec.Model {
	case model.MarkovChain:
		shares := b.chain.Shares()
		weights := make([]uint64, len(shares))
		for i, p := range shares {
			weights[i] = p.Amount.Uint64()
		}
		if len(shares) == 0 {
			break
		}
		conversions := big.NewInt(b.shared.whole)
		for i, minor := range money.Allocate(b.shared.minor, weights) {
			rows = append(rows, row{shares[i].Value, sumOf(minor, new(big.Int).Mul(conversions, shares[i].Amount))})
		}
	case model.Shapley:
		counts := b.count.Split(money.Whole)
		for i, p := range b.earned.Split(1) {
			rows = append(rows, row{p.Value, sumOf(p.Amount.Int64(), counts[i].Amount)})
		}
	default:
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.value, b.value) })
	return rows
}

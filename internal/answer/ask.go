package answer

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"tracksource/attribution"
	"tracksource/attribution/model"
	"tracksource/internal/follow"
	"tracksource/money"
	"tracksource/report"
	"tracksource/schemas/avro"
)

// Config says what is answered from. Follow and Clock are required.
type Config struct {
	Follow *follow.Follow
	Clock  func() time.Time
	// Line says how the topics in front stand; nil: nobody knows, and freshness has
	// no feeds.
	Line Line
	// Past reads what was known at an earlier moment, for packages of it; nil: nobody can.
	Past Past
	// Decide writes a record to the control topic, and returns when it is durable: one
	// that it returns an error for may have been written. Nil: no decisions are taken.
	Decide func(context.Context, avro.Control) error
	// DealBytes bounds the deals that are held while a package is made, packed; 0 is
	// DealBytesDefault. A package of more is refused.
	DealBytes int64
}

// DealBytesDefault has room for two million deals of half a dozen touches.
const DealBytesDefault = 1 << 30

// Answers answers questions. It is safe for concurrent use.
type Answers struct {
	cfg    Config
	follow *follow.Follow
}

// New makes the answers.
func New(cfg Config) (*Answers, error) {
	if cfg.Follow == nil || cfg.Clock == nil {
		return nil, errors.New("answer: Config needs Follow and Clock")
	}
	if cfg.DealBytes == 0 {
		cfg.DealBytes = DealBytesDefault
	}
	return &Answers{cfg: cfg, follow: cfg.Follow}, nil
}

// Version returns the version that answers are of now, and a channel that is closed
// when there is another.
func (a *Answers) Version() (uint64, <-chan struct{}) { return a.follow.Version() }

// Behind says how stale answers are now. Seconds is -1 before all was read once.
func (a *Answers) Behind() Behind {
	age, why := a.follow.Behind()
	if age < 0 {
		return Behind{-1, why}
	}
	return Behind{int64(age / time.Second), why}
}

// asked is a question under the eyes of its viewer, as far as it was checked.
type asked struct {
	*Answers
	Envelope
	viewer   report.Viewer
	sight    report.Sight
	campaign *follow.Campaign
	today    money.Day
	window   report.Window
	view     report.View
	any      map[report.Dimension][]string
	// contractCurrency is whether sums are in the contract's currency alone; else they are
	// in the one that most rows are in.
	contractCurrency bool
	// computed are rows of a model that the ledger does not have, by measure; nil: the
	// model is the ledger's.
	computed map[string]*report.Cube
	// held are the deals of the book, for who looks at them more than once; nil: they are
	// read whenever somebody does.
	held *held
}

// sums adds up rows of a measure under the model asked. What no model has a say in is the
// same under the agreed one, which the ledger has.
func (q *asked) sums(measure string, asks ...report.Ask) ([]follow.Sums, error) {
	if q.computed == nil {
		return q.follow.SumAll(q.campaign.Book, measure, q.Model, asks...)
	}
	if !slices.Contains(report.ModelMeasures(), measure) {
		return q.follow.SumAll(q.campaign.Book, measure, q.campaign.Contract.MultiTouch, asks...)
	}
	out := make([]follow.Sums, len(asks))
	cube := q.computed[measure]
	if cube == nil {
		return out, nil
	}
	for i := range asks {
		var err error
		if out[i].Breakdowns, err = cube.Sum(asks[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// visible are the books that the viewer is told of.
func (a *Answers) visible(v report.Viewer) ([]*follow.Campaign, error) {
	all, err := a.follow.Campaigns()
	if err != nil {
		return nil, err
	}
	var list []*follow.Campaign
	for _, c := range all {
		if v.Of(c.Contract) != report.SeesNothing {
			list = append(list, c)
		}
	}
	return list, nil
}

// envelope begins an answer that is of no campaign.
func (a *Answers) envelope() Envelope {
	version, _ := a.Version()
	return Envelope{Version: version, Behind: a.Behind(), Restating: []string{}}
}

// ask finds the campaign of a question. The version is taken before anything is read,
// so that an answer is never older than it says.
func (a *Answers) ask(v report.Viewer, q *Query) (*asked, error) {
	out := &asked{Answers: a, Envelope: a.envelope(), viewer: v}
	list, err := a.visible(v)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.Book
	}
	at := 0
	switch {
	case len(list) == 0:
		return nil, &Error{Parameter: "campaign", Detail: "there is no contract yet that you take part in", Allowed: names}
	case q.Campaign != "":
		if at = slices.Index(names, q.Campaign); at < 0 {
			return nil, &Error{Parameter: "campaign", Detail: "there is no such campaign; allowed lists those there are", Allowed: names}
		}
	}
	out.campaign = list[at]
	out.sight = v.Of(out.campaign.Contract)
	out.today = out.campaign.Contract.Day(a.cfg.Clock())
	out.Campaign, out.Proposed = out.campaign.Book, out.campaign.Proposed
	return out, nil
}

// askRows is ask of a question about rows: with its window, its filter and its model.
func (a *Answers) askRows(v report.Viewer, q *Query) (*asked, error) {
	out, err := a.ask(v, q)
	if err != nil {
		return nil, err
	}
	if err := out.readWindow(q); err != nil {
		return nil, err
	}
	if err := out.readView(q); err != nil {
		return nil, err
	}
	if err := out.readFilter(q); err != nil {
		return nil, err
	}
	return out, out.readModel(q)
}

func (q *asked) readView(of *Query) error {
	var views []string
	for _, v := range report.Views() {
		views = append(views, string(v))
	}
	view, err := one("view", of.View, views)
	q.view, q.View = report.View(view), view
	return err
}

func (q *asked) readWindow(of *Query) error {
	var err error
	switch {
	case of.From == "" && of.To == "":
		name := of.Window
		if name == "" {
			name = report.WindowDefault
		}
		if q.window, err = report.ParseWindow(name, q.today); err != nil {
			return &Error{Parameter: "window", Detail: err.Error(), Allowed: report.Windows()}
		}
	case of.Window != "":
		return &Error{Parameter: "window", Detail: "give either a window, or from and to", Allowed: report.Windows()}
	default:
		if q.window, err = report.ParseSpan(of.From, of.To); err != nil {
			return &Error{Parameter: "from", Detail: err.Error(), Allowed: []string{}}
		}
	}
	q.Window = &Window{Name: q.window.Name}
	if s := q.window.Span; s != nil {
		q.Window.From, q.Window.To = s.From.String(), s.To.String()
	}
	return nil
}

// filtersMax bounds the values of a filter.
const filtersMax = 200

func (q *asked) readFilter(of *Query) error {
	for name, values := range of.Filter {
		d := report.Dimension(name)
		if d == report.Day || !slices.Contains(report.Dimensions(), d) {
			return &Error{Detail: "a filter names a dimension that does not exist; allowed lists those there are", Allowed: dimensions(false)}
		}
		if len(values) > filtersMax {
			return &Error{Parameter: name, Detail: fmt.Sprintf("more than %d values", filtersMax), Allowed: []string{}}
		}
		if len(values) > 0 {
			q.filter(d, values)
		}
	}
	return nil
}

func (q *asked) filter(d report.Dimension, values []string) {
	if q.any == nil {
		q.any = map[report.Dimension][]string{}
	}
	q.any[d] = values
}

func dimensions(day bool) []string {
	var names []string
	for _, d := range report.Dimensions() {
		if day || d != report.Day {
			names = append(names, string(d))
		}
	}
	return names
}

func (q *asked) readModel(of *Query) error {
	c := q.campaign.Contract
	q.Model = of.Model
	if q.Model == "" || q.Model == string(model.MultiTouch) {
		q.Model = c.MultiTouch
	}
	if !slices.Contains(c.Models, q.Model) {
		return &Error{Parameter: "model", Detail: "the ledger has no such model; allowed lists those it has, models compares all others with them", Allowed: c.Models}
	}
	return nil
}

// measures are the measures of the book.
func (q *asked) measures() []attribution.Measure { return measuresOf(q.campaign) }

func measuresOf(c *follow.Campaign) []attribution.Measure {
	list := attribution.Measures()
	for _, m := range c.Contract.Milestones {
		list = append(list, attribution.MeasureNamed(m))
	}
	return list
}

func namesOf(list []attribution.Measure) []string {
	names := make([]string, len(list))
	for i, m := range list {
		names[i] = m.Name
	}
	return names
}

func (q *asked) measure(name string) (attribution.Measure, error) {
	if name == "" {
		name = attribution.MeasureRevenue
	}
	names := namesOf(q.measures())
	if !slices.Contains(names, name) {
		return attribution.Measure{}, &Error{Parameter: "measure", Detail: "there is no such measure; allowed lists those there are", Allowed: names}
	}
	return attribution.MeasureNamed(name), nil
}

// by reads the dimensions of a breakdown, at most so many.
func by(names []string, most int, day bool) ([]report.Dimension, error) {
	allowed := dimensions(day)
	dims := []report.Dimension{}
	for _, name := range names {
		d := report.Dimension(name)
		switch {
		case !slices.Contains(allowed, name):
			return nil, &Error{Parameter: "by", Detail: "by names a dimension that does not exist; allowed lists those there are", Allowed: allowed}
		case slices.Contains(dims, d):
			return nil, &Error{Parameter: "by", Detail: "by names a dimension twice", Allowed: allowed}
		case len(dims) == most:
			return nil, &Error{Parameter: "by", Detail: fmt.Sprintf("by names more than %d dimensions", most), Allowed: allowed}
		}
		dims = append(dims, d)
	}
	return dims, nil
}

// one reads a parameter with a few values, of which the first is the default.
func one(parameter, value string, allowed []string) (string, error) {
	if value == "" {
		return allowed[0], nil
	}
	if !slices.Contains(allowed, value) {
		return "", &Error{Parameter: parameter, Detail: "there is no such " + parameter + "; allowed lists those there are", Allowed: allowed}
	}
	return value, nil
}

// The sizes of a list that is given in parts.
const (
	limitDefault = 1000
	limitMax     = 5000
)

func limit(of *Query) (int, error) {
	switch {
	case of.Limit == 0:
		return limitDefault, nil
	case of.Limit < 0 || of.Limit > limitMax:
		return 0, &Error{Parameter: "limit", Detail: fmt.Sprintf("limit is from 1 to %d", limitMax), Allowed: []string{}}
	}
	return of.Limit, nil
}

// place reads what an answer gave as next, nil for the beginning.
func place(of *Query) ([]byte, error) {
	if of.Cursor == "" {
		return nil, nil
	}
	const cursorMax = 4096
	at, err := base64.RawURLEncoding.Strict().DecodeString(of.Cursor)
	if err != nil || len(of.Cursor) > cursorMax {
		return nil, &Error{Parameter: "cursor", Detail: "give what an answer had as next", Allowed: []string{}}
	}
	return at, nil
}

func next(at []byte) *string { return ref(base64.RawURLEncoding.EncodeToString(at)) }

// offset is a place in a list that is made anew for each question.
func offset(of *Query) (int, error) {
	at, err := place(of)
	if err != nil || at == nil {
		return 0, err
	}
	n, err := strconv.Atoi(string(at))
	if err != nil || n < 0 || n > math.MaxInt32 {
		return 0, &Error{Parameter: "cursor", Detail: "give what an answer had as next", Allowed: []string{}}
	}
	return n, nil
}

// part cuts a list into what one answer gives and where the next goes on.
func part[T any](list []T, of *Query) ([]T, *string, error) {
	n, err := limit(of)
	if err != nil {
		return nil, nil, err
	}
	from, err := offset(of)
	if err != nil {
		return nil, nil, err
	}
	from = min(from, len(list))
	to := min(from+n, len(list))
	if to < len(list) {
		return list[from:to], next([]byte(strconv.Itoa(to))), nil
	}
	return list[from:to], nil, nil
}

func ref[T any](v T) *T { return &v }

// text writes a value as its currency has it; counts have the places that they need.
func text(v report.Value, currency string) string { return v.Text(placesOf(currency)) }

func placesOf(currency string) int {
	if currency == "" {
		return 0
	}
	places, err := money.Exponent(currency)
	if err != nil {
		return 0 // a currency that this build does not know is still exact
	}
	return places
}

func kindOf(m attribution.Measure) string {
	if m.Count {
		return "count"
	}
	return "money"
}

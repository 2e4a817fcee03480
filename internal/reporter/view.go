package reporter

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/money"
	"tracksource/report"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// Scan calls fn for every contribution that is not deleted, as of one moment.
type Scan func(fn func(row avro.ContributionRow) error) error

// answersMax bounds the answers that a View keeps: a page asks for few, and
// whoever asks for all of them only makes the View scan.
const answersMax = 64

// View answers questions about the followed contributions. An answer is
// computed once for all who ask until rows change. It is safe for concurrent
// use.
type View struct {
	scan Scan

	mu      sync.Mutex
	version uint64            // guarded by mu; counts changes
	changed chan struct{}     // guarded by mu; closed by the next change
	choices *Choices          // guarded by mu; of version
	answers map[string][]byte // guarded by mu; of version, by question

	// computing lets one question at a time scan the table.
	computing sync.Mutex
}

// NewView makes a view over scan.
func NewView(scan Scan) *View {
	return &View{scan: scan, changed: make(chan struct{}), answers: map[string][]byte{}}
}

// Changed notes that rows changed, which stream.TableConfig.Changed tells.
func (v *View) Changed([]stream.Record) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.version++
	v.choices, v.answers = nil, map[string][]byte{}
	close(v.changed)
	v.changed = make(chan struct{})
}

// Version returns how often rows changed, and a channel that is closed when
// they change again.
func (v *View) Version() (uint64, <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.version, v.changed
}

// Choices is what there is to ask for.
type Choices struct {
	Campaigns  []string `json:"campaigns"`
	Measures   []string `json:"measures"`
	Models     []string `json:"models"`
	Dimensions []string `json:"dimensions"`

	// of holds the measures and models of each campaign.
	of map[string]map[string]map[string]bool
}

// Choices returns what the rows, and the campaigns known beside them, offer.
func (v *View) Choices(known []string) (Choices, error) {
	v.mu.Lock()
	version, cached := v.version, v.choices
	v.mu.Unlock()
	if cached == nil {
		of := map[string]map[string]map[string]bool{}
		err := v.scan(func(r avro.ContributionRow) error {
			measures := of[r.Contract]
			if measures == nil {
				measures = map[string]map[string]bool{}
				of[r.Contract] = measures
			}
			if measures[r.Measure] == nil {
				measures[r.Measure] = map[string]bool{}
			}
			measures[r.Measure][r.Model] = true
			return nil
		})
		if err != nil {
			return Choices{}, fmt.Errorf("scan contributions: %w", err)
		}
		cached = &Choices{of: of}
		v.mu.Lock()
		if v.version == version {
			v.choices = cached
		}
		v.mu.Unlock()
	}
	c := Choices{of: cached.of, Campaigns: slices.Sorted(maps.Keys(cached.of))}
	for _, k := range known {
		if !slices.Contains(c.Campaigns, k) {
			c.Campaigns = append(c.Campaigns, k)
		}
	}
	// What is proposed stands behind all that is agreed, so that it is never what is
	// shown to who has chosen nothing.
	slices.SortFunc(c.Campaigns, func(a, b string) int {
		_, proposedA := contract.CampaignOfBook(a)
		_, proposedB := contract.CampaignOfBook(b)
		if proposedA != proposedB {
			if proposedA {
				return 1
			}
			return -1
		}
		return strings.Compare(a, b)
	})
	for _, d := range report.Dimensions() {
		c.Dimensions = append(c.Dimensions, string(d))
	}
	return c, nil
}

// forCampaign narrows the choices to a campaign.
func (c Choices) forCampaign(campaign string) Choices {
	models := map[string]bool{}
	for _, ms := range c.of[campaign] {
		maps.Copy(models, ms)
	}
	c.Measures = byRank(slices.Collect(maps.Keys(c.of[campaign])), []string{
		attribution.MeasureRevenue, attribution.MeasurePipelineCreated, attribution.MeasurePipelineOpen,
		attribution.MeasureOpportunities, attribution.MeasureWon, attribution.MeasureLost,
	})
	c.Models = byRank(slices.Collect(maps.Keys(models)), []string{"linear", "first-touch", "last-touch", "position-based"})
	return c
}

// byRank sorts names: the ranked ones first, in their order.
func byRank(names, ranked []string) []string {
	rank := func(s string) int {
		if i := slices.Index(ranked, s); i >= 0 {
			return i
		}
		return len(ranked)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b))
	})
	if names == nil {
		names = []string{} // an empty list is [] in JSON
	}
	return names
}

// Answer is what GET /api/contributions gives. Values are exact decimal text.
type Answer struct {
	Version  uint64 `json:"version"`
	Campaign string `json:"campaign"`
	Proposed bool   `json:"proposed"` // the book of a proposal, a shadow of the agreed one
	Measure  string `json:"measure"`
	Model    string `json:"model"`
	Currency string `json:"currency"` // empty for counts

	// Restating lists currencies that rows still have while a contract that
	// changed its own is restated; they are in no number here.
	Restating []string `json:"restating"`

	Total        string             `json:"total"`
	Attributed   string             `json:"attributed"`
	Unattributed string             `json:"unattributed"`
	Rows         int                `json:"rows"`
	AsOf         *time.Time         `json:"as_of"` // newest input in the rows; null without rows
	By           []report.Dimension `json:"by"`
	Groups       []AnswerGroup      `json:"groups"`
	Margins      []AnswerMargin     `json:"margins"` // for each of By, when there are several
	Choices      Choices            `json:"choices"`
}

// AnswerGroup is one group; Key is in the order of By.
type AnswerGroup struct {
	Key   []string `json:"key"`
	Value string   `json:"value"`
}

// AnswerMargin is the breakdown by one dimension.
type AnswerMargin struct {
	Dimension report.Dimension `json:"dimension"`
	Groups    []AnswerGroup    `json:"groups"`
}

// Ask answers a checked question in JSON.
func (v *View) Ask(q Query, choices Choices) ([]byte, error) {
	key := q.key()
	if b := v.answered(key); b != nil {
		return b, nil
	}
	v.computing.Lock()
	defer v.computing.Unlock()
	if b := v.answered(key); b != nil {
		return b, nil
	}
	version, _ := v.Version()
	a, err := v.answer(q, choices.forCampaign(q.Campaign))
	if err != nil {
		return nil, err
	}
	a.Version = version
	b, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("write answer: %w", err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.version == version && len(v.answers) < answersMax {
		v.answers[key] = b
	}
	return b, nil
}

func (v *View) answered(key string) []byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.answers[key]
}

func (v *View) answer(q Query, choices Choices) (Answer, error) {
	tally, err := report.NewTally(q.By...)
	if err != nil {
		return Answer{}, err
	}
	filter := report.Filter{Campaign: q.Campaign, Measure: q.Measure, Model: q.Model}
	var asOf time.Time
	err = v.scan(func(r avro.ContributionRow) error {
		if r.Contract != q.Campaign || r.Measure != q.Measure || r.Model != q.Model {
			return nil
		}
		row, err := RowOf(&r)
		if err != nil {
			return err
		}
		if filter.Matches(&row) {
			tally.Add(&row)
		}
		if r.AsOf.After(asOf) {
			asOf = r.AsOf
		}
		return nil
	})
	if err != nil {
		return Answer{}, fmt.Errorf("scan contributions: %w", err)
	}
	_, proposed := contract.CampaignOfBook(q.Campaign)
	a := Answer{
		Campaign: q.Campaign, Proposed: proposed, Measure: q.Measure, Model: q.Model, By: q.By, Choices: choices,
		Restating: []string{}, Groups: []AnswerGroup{}, Margins: []AnswerMargin{},
	}
	var b report.Breakdown
	books := tally.Breakdowns()
	if len(books) > 0 {
		b, a.AsOf = books[0], &asOf
		for _, other := range books[1:] {
			a.Restating = append(a.Restating, other.Currency)
		}
	}
	places, err := placesOf(b.Currency)
	if err != nil {
		return Answer{}, err
	}
	a.Currency, a.Rows = b.Currency, b.Rows
	a.Total, a.Unattributed = b.Total.Text(places), b.Unattributed.Text(places)
	a.Attributed = b.Total.Sub(b.Unattributed).Text(places)
	a.Groups = groupsOf(b.Groups, places)
	if len(q.By) > 1 && len(books) > 0 {
		for _, d := range q.By {
			m, err := b.Margin(d)
			if err != nil {
				return Answer{}, err
			}
			a.Margins = append(a.Margins, AnswerMargin{d, groupsOf(m.Groups, places)})
		}
	}
	return a, nil
}

func groupsOf(groups []report.Group, places int) []AnswerGroup {
	out := make([]AnswerGroup, len(groups))
	for i, g := range groups {
		out[i] = AnswerGroup{g.Key, g.Value.Text(places)}
	}
	return out
}

// RowOf is a contribution as report wants it.
func RowOf(r *avro.ContributionRow) (report.Row, error) {
	text, err := r.ValueText(0)
	if err != nil {
		return report.Row{}, err
	}
	value, err := report.ParseValue(text)
	if err != nil {
		return report.Row{}, err
	}
	return report.Row{
		Campaign: r.Contract, Measure: r.Measure, Model: r.Model, Day: r.Day, Partner: r.Partner, Channel: r.Channel,
		Asset: r.Asset, Region: r.Region, Segment: r.Segment, Source: r.Source, TouchCampaign: r.TouchCampaign,
		Currency: r.Currency, Value: value,
	}, nil
}

// placesOf is how many decimals values of a currency always have; counts have
// as many as they need.
func placesOf(currency string) (int, error) {
	if currency == "" {
		return 0, nil
	}
	places, err := money.Exponent(currency)
	if errors.Is(err, money.ErrCurrency) {
		return 0, nil // a currency that this build does not know is still exact
	}
	return places, err
}

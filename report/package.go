package report

import (
	"fmt"
	"slices"
	"time"

	"tracksource/money"
)

// Detail is how much a package shows.
type Detail string

// The details.
const (
	Summary Detail = "summary" // the story, the targets and what money is made of
	Full    Detail = "full"    // and everything behind it: deals, cohorts, the worksheet
)

// Details returns the details, the one that is meant where none is named first.
func Details() []Detail { return []Detail{Full, Summary} }

// Package is everything that a reporting package shows, in the order in which it is
// told. All that a renderer writes is in it, and the same Package is written as the
// same bytes: nothing in it is of the machine or the moment that it is rendered on.
//
// Texts are plain text as people and feeds wrote them; to make them harmless in its
// format is the renderer's. Numbers are exact decimal text, an empty one is none.
type Package struct {
	Version  int    `json:"version"`
	Campaign string `json:"campaign"` // the book's id
	Name     string `json:"name"`
	Title    string `json:"title"`
	Proposed bool   `json:"proposed"`
	// Revision and Contract are the number and the hash of the contract in force.
	Revision int64   `json:"revision"`
	Contract string  `json:"contract"`
	Currency string  `json:"currency"`
	Zone     string  `json:"zone"`
	Partners []Named `json:"partners"` // the signatories, in the contract's order

	Question PackageQuestion `json:"question"`
	AsOf     AsOf            `json:"as_of"`
	// MadeFor is the partner under whose eyes it was made, empty for the operator, and
	// Withheld whether the contract's visibility left something out.
	MadeFor  string `json:"made_for"`
	Withheld bool   `json:"withheld"`
	// Empty says why there is nothing to report, empty where there is.
	Empty string `json:"empty"`

	Headline      string     `json:"headline"`
	Spine         []KPI      `json:"spine"`
	Drivers       []Insight  `json:"drivers"` // three at most
	Risks         []Insight  `json:"risks"`
	Opportunities []Insight  `json:"opportunities"`
	Decisions     []Decision `json:"decisions"`
	Actions       []Action   `json:"actions"`
	Insights      []Insight  `json:"insights"` // all that were found, those above among them
	Tables        []Table    `json:"tables"`
	Method        []Note     `json:"method"`
	Observed      Observed   `json:"observed"`
}

// PackageVersion is that of what a Package is made of.
const PackageVersion = 1

// Named is an id and what it is called.
type Named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// PackageQuestion is what the package answers, with every default filled in.
type PackageQuestion struct {
	Window     string   `json:"window"` // Nd, campaign, all or custom
	From       string   `json:"from"`   // YYYY-MM-DD; empty for all
	To         string   `json:"to"`
	Detail     Detail   `json:"detail"`
	Dimensions []string `json:"dimensions"`
	Model      string   `json:"model"` // the id
	ModelName  string   `json:"model_name"`
	View       View     `json:"view"`
}

// AsOf is what was known when the package was made: whatever came later is not in it.
type AsOf struct {
	Time time.Time `json:"time"`
	// Positions are the next offset of each partition of the topics that it was made
	// from. With them the same package can be made again.
	Positions map[string][]int64 `json:"positions"`
	Newest    *time.Time         `json:"newest"` // input in it; nil without any
}

// Observed is what was seen of the line when the package was made. It cannot be seen
// again: who makes a package again takes it from the manifest of the first.
type Observed struct {
	BehindSeconds int64    `json:"behind_seconds"`
	BehindWhy     string   `json:"behind_why"`
	Feeds         []FeedQA `json:"feeds"`
}

// FeedQA is how far one feed's data could be relied on.
type FeedQA struct {
	Feed    string `json:"feed"`
	Partner string `json:"partner"`
	Topic   string `json:"topic"`
	Records int64  `json:"records"`
	// Offsets are the next ones of the topic's partitions.
	Offsets      []int64    `json:"offsets"`
	Newest       *time.Time `json:"newest"`
	AgeSeconds   int64      `json:"age_seconds"` // of the newest, -1 without any
	LimitSeconds int64      `json:"limit_seconds"`
	Fresh        bool       `json:"fresh"`
	// Completeness is of control totals, empty where the feed sends none.
	Completeness string `json:"completeness"`
	Complete     bool   `json:"complete"` // true also where nobody can tell
	DeadLetters  int64  `json:"dead_letters"`
	// Counts say what became of its events, nil where that is not told: nobody's zero.
	Counts *FeedCounts `json:"counts,omitempty"`
}

// MatchRate is that of the feed's counts; false where it is not known.
func (f *FeedQA) MatchRate() (string, bool) {
	if f.Counts == nil {
		return "", false
	}
	return f.Counts.MatchRate()
}

// Light is the traffic light of a key figure.
type Light string

// The lights. Grey is of a figure without a band or without data.
const (
	Green Light = "green"
	Amber Light = "amber"
	Red   Light = "red"
	Grey  Light = "grey"
)

// KPI is one tile of the spine.
type KPI struct {
	ID       string     `json:"id"` // awareness, demand, pipeline, revenue, efficiency or what a guardrail is called
	Title    string     `json:"title"`
	Value    string     `json:"value"`
	Kind     ColumnKind `json:"kind"`
	Currency string     `json:"currency"`
	Target   string     `json:"target"`
	Expected string     `json:"expected"` // of the target, by now
	Previous string     `json:"previous"` // in as many days before
	Light    Light      `json:"light"`
	Why      string     `json:"why"` // of the light: the band, in words
}

// Subject is what something is about: one value of one dimension.
type Subject struct {
	Dimension string `json:"dimension"` // or stage, model, feed, measure
	Key       string `json:"key"`
}

// Evidence is one of the numbers behind a sentence.
type Evidence struct {
	Name     string     `json:"name"`
	Value    string     `json:"value"`
	Kind     ColumnKind `json:"kind"`
	Currency string     `json:"currency"`
}

// Tone is whether a finding is welcome.
type Tone string

// The tones.
const (
	Good    Tone = "good"
	Bad     Tone = "bad"
	Neutral Tone = "neutral"
)

// Insight is one finding. Rule names the section of docs/insights.md that says when
// it is one.
type Insight struct {
	Rule     string     `json:"rule"`
	Tone     Tone       `json:"tone"`
	About    []Subject  `json:"about"`
	Text     string     `json:"text"` // one sentence with its numbers
	Evidence []Evidence `json:"evidence"`
	// Stake is what it is about in the contract's currency, for the order in which
	// findings are told; empty where that cannot be said.
	Stake string `json:"stake"`
	// Chance is the probability of such a finding where there is nothing to find, of
	// one; empty for what is no test.
	Chance string `json:"chance"`
}

// Decision is what the signatories have to decide.
type Decision struct {
	Text  string `json:"text"`
	Owner string `json:"owner"`
	Due   string `json:"due"` // YYYY-MM-DD; empty without one
	Why   string `json:"why"`
}

// Action is one line of the register.
type Action struct {
	ID       string     `json:"id"`
	Text     string     `json:"text"`
	About    []Subject  `json:"about"` // an asset or a channel, of what optimises the campaign
	Rule     string     `json:"rule"`
	Evidence []Evidence `json:"evidence"`
	Effect   string     `json:"effect"` // what is expected of it, in words with the number
	Owner    string     `json:"owner"`
	Due      string     `json:"due"`    // YYYY-MM-DD
	Status   string     `json:"status"` // open, taken or escalated
}

// Note is a paragraph of the methodology.
type Note struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

// ColumnKind is what the values of a column are.
type ColumnKind string

// The kinds of columns.
const (
	TextColumn  ColumnKind = "text"
	MoneyColumn ColumnKind = "money"
	CountColumn ColumnKind = "count" // credited counts may have decimal places
	RatioColumn ColumnKind = "ratio" // of one
	DaysColumn  ColumnKind = "days"
	DayColumn   ColumnKind = "day"  // YYYY-MM-DD
	TimeColumn  ColumnKind = "time" // RFC 3339
)

// Column is one column of a Table.
type Column struct {
	ID       string     `json:"id"`
	Title    string     `json:"title"`
	Kind     ColumnKind `json:"kind"`
	Currency string     `json:"currency"` // of money
}

// Table is one table of a package: a file of its own, a sheet, or a section.
type Table struct {
	ID      string   `json:"id"` // of lower case letters, digits and _
	Title   string   `json:"title"`
	Note    string   `json:"note"` // how it is to be read
	Columns []Column `json:"columns"`
	// Rows have a value for each column, empty where there is none.
	Rows [][]string `json:"rows"`
	// LeftOut is how many rows there are more.
	LeftOut int `json:"left_out"`
}

// Table returns the table with the id, nil without it.
func (p *Package) Table(id string) *Table {
	i := slices.IndexFunc(p.Tables, func(t Table) bool { return t.ID == id })
	if i < 0 {
		return nil
	}
	return &p.Tables[i]
}

// Column returns the place of the column with the id, -1 without it.
func (t *Table) Column(id string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.ID == id })
}

// Check says what of the package contradicts itself: a table whose rows are no rows of
// its columns, or a value that is not of its column's kind.
func (p *Package) Check() error {
	for i := range p.Tables {
		t := &p.Tables[i]
		for n, row := range t.Rows {
			if len(row) != len(t.Columns) {
				return fmt.Errorf("table %s: row %d has %d values for %d columns", t.ID, n, len(row), len(t.Columns))
			}
			for c, v := range row {
				if err := t.Columns[c].Kind.check(v); err != nil {
					return fmt.Errorf("table %s: row %d: %s: %w", t.ID, n, t.Columns[c].ID, err)
				}
			}
		}
	}
	return nil
}

func (k ColumnKind) check(v string) error {
	var err error
	switch k {
	case MoneyColumn, CountColumn, RatioColumn, DaysColumn:
		if v != "" {
			_, err = ParseValue(v)
		}
	case DayColumn:
		if v != "" {
			_, err = money.ParseDay(v)
		}
	case TimeColumn:
		if v != "" {
			_, err = time.Parse(time.RFC3339, v)
		}
	case TextColumn:
	}
	return err
}

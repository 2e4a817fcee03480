// Package answer turns a question about the followed topics into an answer: what
// the HTTP API serves and the command lines print.
//
// It knows who may see what, and enforces it here, so that no caller can forget.
// It must not know HTTP: a question is a [Query], and what is wrong with it is an
// [Error].
//
// Values of measures, counts and sums are exact decimal text. JSON numbers are only
// what is a place, a version, an age or a setting.
package answer

import "fmt"

// Query is a question. What is empty takes its default; what a question does not
// look at is ignored. Texts are as the asker wrote them: they are checked here.
type Query struct {
	// Campaign is the name of a book, of a proposal's too: CAMPAIGN~proposed. The
	// default is the first agreed one.
	Campaign string
	// Model is the id of a ledger model; multi-touch and the default are the agreed
	// one.
	Model string
	// Measure is by default revenue.
	Measure string
	// Window is Nd or all; From and To are its other form, days as YYYY-MM-DD, both
	// included. The default is 90d.
	Window, From, To string
	// Quarter is a calendar quarter as YYYY-Qn, in the place of a window of key figures;
	// of the one that today is in its days so far.
	Quarter string
	// View is whose days are meant, of rows: restated, as_known or adjustments. The
	// default is restated.
	View string
	// Filter lets rows pass that have one of the values in each dimension named.
	Filter map[string][]string
	// By names the dimensions of a breakdown.
	By []string
	// Step is day, week or month, Top how many series are not (other).
	Step string
	Top  int
	// Cohort is one of the kinds of cohorts, Value what its cells are of.
	Cohort, Value string
	// Partner, State and Prefix narrow deals: whoever has to do with it, its state
	// and how its id begins. Of a decision Partner is for whom the operator says it.
	Partner, State, Prefix string
	// Kind and Severity narrow alerts.
	Kind, Severity string
	// Opportunity is the id of a deal, Contribution the key of a row.
	Opportunity, Contribution string
	// Dispute is the id of one.
	Dispute string
	// Reporter is whose CRM an export is of, Columns what its columns are, as
	// FIELD=NAME with commas between.
	Reporter, Columns string
	// Detail is how much a package shows. AsOf is the instant that it is of, and Positions
	// the places in the topics up to which it is made: what was known then.
	Detail, AsOf, Positions string
	// Limit is how many of a list are wanted, Cursor what the answer before gave.
	Limit  int
	Cursor string
}

// Error says what is wrong with a question and what could be asked instead. It
// never repeats what was asked.
type Error struct {
	Parameter string   // at fault; empty when it is the whole
	Detail    string   // for people
	Allowed   []string // what there is
	Unknown   bool     // what was asked about does not exist, for this viewer
	Refused   Refusal  // of a decision: why it is not taken
}

// Refusal is why a decision is not taken.
type Refusal int

// The refusals.
const (
	NotRefused Refusal = iota
	Forbidden          // it is not the viewer's to decide
	Unusable           // what is said is no decision
	Conflict           // what was decided before does not allow it
	NotTaken           // nobody's decisions are taken here
)

func (e *Error) Error() string {
	if e.Parameter == "" {
		return e.Detail
	}
	return fmt.Sprintf("%s: %s", e.Parameter, e.Detail)
}

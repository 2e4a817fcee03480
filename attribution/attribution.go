// Package attribution turns the journey of one account into the credits of one
// contract: which conversions there are, what each is worth, who touched the
// account before it, and how its value is shared.
//
// It knows the words of the design (touch, deal, conversion, measure, model,
// posting) and asks the contract for every judgement and money for every
// amount. It must not know Kafka, Avro, Badger or a clock: the same journey,
// contract and rates give the same postings on every machine, in whatever
// order the facts came. Nothing here keeps state; what was posted before is
// handed in and only the difference is handed out.
package attribution

import (
	"cmp"
	"strings"

	"tracksource/money"
)

// Unattributed is the partner, channel and asset of value that no eligible
// touch preceded.
const Unattributed = "(unattributed)"

// All is what a measure that is kept at a grain has for the dimensions that are not
// in it.
const All = "(all)"

// Whether a credit is in escrow, as Dimensions.Escrow says it.
const (
	EscrowNone     = "(none)"
	EscrowDisputed = "disputed"
)

// Why a conversion is held back, as Held.Code says it.
const (
	HeldRateMissing      = "rate_missing"
	HeldAmountInvalid    = "amount_invalid"
	HeldCurrencyUnknown  = "currency_unknown"
	HeldCreatedAtMissing = "created_at_missing"
	HeldCloseDateMissing = "close_date_missing"
)

// Dimensions are what a book breaks values down by, all set.
type Dimensions struct {
	Partner, Channel, Asset, Region, Segment, Source, TouchCampaign string
	// Escrow is EscrowDisputed while a dispute of the credit is open, else EscrowNone.
	Escrow string
}

// Compare orders dimensions field by field.
func (d Dimensions) Compare(other Dimensions) int {
	return cmp.Or(
		strings.Compare(d.Partner, other.Partner), strings.Compare(d.Channel, other.Channel),
		strings.Compare(d.Asset, other.Asset), strings.Compare(d.Region, other.Region),
		strings.Compare(d.Segment, other.Segment), strings.Compare(d.Source, other.Source),
		strings.Compare(d.TouchCampaign, other.TouchCampaign), strings.Compare(d.Escrow, other.Escrow),
	)
}

// Line is the part of a conversion that falls on one set of dimensions.
type Line struct {
	Dimensions
	// Minor has one value for each of the contract's models, in its order.
	Minor []int64
}

// Conversion is one value of one measure that the book accounts for.
type Conversion struct {
	// ID is the deal's id as text, or what [PersonID] gives for a person.
	ID      string
	Measure string
	Day     money.Day
	// Revision accounts for the day.
	Revision int64
	// Value is in units of 10^-Exponent of Currency; Currency is empty for
	// counts. Under each model the lines of an additive measure sum to it exactly;
	// of one that is not, each line is the whole of it.
	Value    int64
	Currency string
	Exponent int
	Basis    Basis
	// Lines are ordered by dimensions; none is zero under all models.
	Lines      []Line
	Confidence Confidence
}

// Basis is where a value comes from; zero for counts.
type Basis struct {
	// Amount is the original amount as decimal text of its minor units.
	Amount, Currency string
	// Rate is what one unit of Currency was worth, published on RateDay; Via
	// says how it was found.
	Rate    string
	RateDay money.Day
	Via     string
	// Reported is Amount at Rate, as decimal text in the contract's currency.
	Reported string
}

// Held is a conversion in scope that cannot be valued yet. It is in no total.
type Held struct {
	Conversion string
	Measure    string
	// Day is the conversion day; zero where that is what is missing.
	Day  money.Day
	Code string
	// Supply says what to supply.
	Supply string
}

// Result is the book of one contract over one journey.
type Result struct {
	Contract string
	// Revision is the newest.
	Revision int64
	// Models name the values of every line, in order.
	Models      []string
	Conversions []Conversion
	Held        []Held
	// Facts are of every deal of the account, by revision and then by id.
	Facts []Facts
	// Disagreements and Suspicions are what somebody has to decide.
	Disagreements []Disagreement
	Suspicions    []Suspicion
	// Refusals are disputes that have no effect, by the newest revision.
	Refusals []Refusal
}

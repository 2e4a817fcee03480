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
	"fmt"
	"slices"
	"strings"
	"time"

	"tracksource/contract"
	"tracksource/money"
)

// Measures of a book. The first three are money in the contract's currency, the
// others counts.
const (
	// MeasurePipelineCreated is the current amount on the day of creation, kept
	// when the deal is won or lost.
	MeasurePipelineCreated = "pipeline_created"
	// MeasurePipelineOpen is the same while the deal is open.
	MeasurePipelineOpen = "pipeline_open"
	// MeasureRevenue is the amount of a deal that is won, on the CRM's close date.
	MeasureRevenue = "revenue"
	// MeasureOpportunities counts deals on the day of creation.
	MeasureOpportunities = "opportunities"
	// MeasureWon and MeasureLost count deals on the day they first arrived
	// there, whatever became of them later.
	MeasureWon  = "won"
	MeasureLost = "lost"
)

// A count is shared out like money, so one is written with six decimals.
const (
	CountExponent       = 6
	CountUnit     int64 = 1_000_000
)

// Unattributed is the partner, channel and asset of value that no eligible
// touch preceded.
const Unattributed = "(unattributed)"

// Why a conversion is held back, as Held.Code says it.
const (
	HeldRateMissing      = "rate_missing"
	HeldAmountInvalid    = "amount_invalid"
	HeldCurrencyUnknown  = "currency_unknown"
	HeldCreatedAtMissing = "created_at_missing"
	HeldCloseDateMissing = "close_date_missing"
)

// ItemID identifies one fact: Item is the event id of a touch, or "type/id" of
// a CRM object, unique within the reporter and the source.
type ItemID struct {
	Reporter, Source, Item string
}

// Compare orders ids by reporter, source and item.
func (id ItemID) Compare(other ItemID) int {
	return cmp.Or(strings.Compare(id.Reporter, other.Reporter), strings.Compare(id.Source, other.Source), strings.Compare(id.Item, other.Item))
}

// String gives "reporter/source/item". Reporters and sources have no slash, so
// different ids have different texts.
func (id ItemID) String() string { return id.Reporter + "/" + id.Source + "/" + id.Item }

// Touch is one deduped observation of a touch type.
type Touch struct {
	ID ItemID
	At time.Time
	// Facts is what the contract judges; its Reporter and Source equal the ID's.
	Facts contract.TouchInput
	// Node is the identity that was seen; it only travels to explanations.
	Node string
}

// StageChange is one step in the history of a deal.
type StageChange struct {
	Stage           string
	IsClosed, IsWon bool
	At              time.Time
	EventID         string
}

// Deal is the current state of a CRM opportunity. Fields are the canonical
// texts of the wire, empty where the CRM gives none.
type Deal struct {
	ID         ItemID
	ModifiedAt time.Time
	AccountID  string
	// Amount is decimal text in Currency; without a currency it is in the
	// partner's.
	Amount, Currency string
	Stage            string
	IsClosed, IsWon  bool
	// CreatedAt is an RFC 3339 instant, CloseDate a YYYY-MM-DD day.
	CreatedAt, CloseDate   string
	LeadSource, CampaignID string
	Stages                 []StageChange
	Deleted                bool
}

// NewDeal makes a Deal of the canonical fields of an opportunity; fields that
// it does not know are left out. The stages become the deal's.
func NewDeal(id ItemID, modifiedAt time.Time, fields map[string]string, stages []StageChange, deleted bool) Deal {
	return Deal{
		ID: id, ModifiedAt: modifiedAt, AccountID: fields["account_id"],
		Amount: fields["amount"], Currency: fields["currency"],
		Stage: fields["stage"], IsClosed: fields["is_closed"] == "true", IsWon: fields["is_won"] == "true",
		CreatedAt: fields["created_at"], CloseDate: fields["close_date"],
		LeadSource: fields["lead_source"], CampaignID: fields["campaign_id"],
		Stages: stages, Deleted: deleted,
	}
}

// Account is the current state of a CRM account.
type Account struct {
	ID                           ItemID
	ModifiedAt                   time.Time
	Country, Industry, Employees string
	Deleted                      bool
}

// NewAccount makes an Account of the canonical fields of one.
func NewAccount(id ItemID, modifiedAt time.Time, fields map[string]string, deleted bool) Account {
	return Account{
		ID: id, ModifiedAt: modifiedAt, Deleted: deleted,
		Country: fields["country"], Industry: fields["industry"], Employees: fields["employees"],
	}
}

// Member is the current state of a person's membership of a CRM campaign. Each
// status that it ever had is a touch, if the contract says so.
type Member struct {
	ID         ItemID
	ModifiedAt time.Time
	Feed       string
	CampaignID string
	// Statuses is the history; of a StageChange only Stage, At and EventID count.
	Statuses []StageChange
	Deleted  bool
}

// touches are the first arrivals at each status, whatever its case.
func (m Member) touches() []Touch {
	if m.Deleted {
		return nil
	}
	history := slices.Clone(m.Statuses)
	slices.SortFunc(history, func(a, b StageChange) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.EventID, b.EventID), strings.Compare(a.Stage, b.Stage))
	})
	var touches []Touch
	seen := make(map[string]bool, len(history))
	for _, s := range history {
		status := strings.ToLower(strings.TrimSpace(s.Stage))
		if status == "" || seen[status] {
			continue
		}
		seen[status] = true
		id := m.ID
		id.Item += "/" + status
		touches = append(touches, Touch{ID: id, At: s.At, Facts: contract.TouchInput{
			Reporter: id.Reporter, Source: id.Source, Feed: m.Feed, CRMCampaign: m.CampaignID, Status: s.Stage,
		}})
	}
	return touches
}

// Journey is all that is known of one account. It is a set: order does not
// matter, and an item that is there twice counts once (of two states of one
// CRM object the later modified).
type Journey struct {
	Account string
	// Name is the domain or the imported name of the account, empty for none.
	Name     string
	Touches  []Touch
	Deals    []Deal
	Accounts []Account
	Members  []Member
}

// Dimensions are what a book breaks values down by, all set.
type Dimensions struct {
	Partner, Channel, Asset, Region, Segment, Source, TouchCampaign string
}

// Compare orders dimensions field by field.
func (d Dimensions) Compare(other Dimensions) int {
	return cmp.Or(
		strings.Compare(d.Partner, other.Partner), strings.Compare(d.Channel, other.Channel),
		strings.Compare(d.Asset, other.Asset), strings.Compare(d.Region, other.Region),
		strings.Compare(d.Segment, other.Segment), strings.Compare(d.Source, other.Source),
		strings.Compare(d.TouchCampaign, other.TouchCampaign),
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
	// ID is the deal's id as text.
	ID      string
	Measure string
	Day     money.Day
	// Revision accounts for the day.
	Revision int64
	// Value is in units of 10^-Exponent of Currency; Currency is empty for
	// counts. Under each model the lines sum to it exactly.
	Value    int64
	Currency string
	Exponent int
	Basis    Basis
	// Lines are ordered by dimensions; none is zero under all models.
	Lines []Line
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
	// Facts are of every deal of the account, in order of their ids.
	Facts []Facts
}

// unique sorts items by id and keeps one of each: the greatest by time, and of
// equal times the greatest by its whole content, so that no order of arrival
// can be seen in the result.
func unique[T any](items []T, id func(*T) ItemID, at func(*T) time.Time) []T {
	sorted := slices.Clone(items)
	slices.SortFunc(sorted, func(a, b T) int {
		if c := cmp.Or(id(&a).Compare(id(&b)), at(&b).Compare(at(&a))); c != 0 {
			return c
		}
		return strings.Compare(fmt.Sprintf("%#v", b), fmt.Sprintf("%#v", a))
	})
	return slices.CompactFunc(sorted, func(a, b T) bool { return id(&a) == id(&b) })
}

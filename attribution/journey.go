package attribution

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"tracksource/contract"
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

// local is the id within its type: of "opportunity/006" it is "006".
func (id ItemID) local() string {
	_, local, _ := strings.Cut(id.Item, "/")
	return local
}

// system is where an item comes from.
func (id ItemID) system() contract.Source {
	return contract.Source{Partner: id.Reporter, Source: id.Source}
}

// PersonID is the id of a person's conversions. No reporter has a colon.
func PersonID(person string) string { return "person:" + person }

// Touch is one deduped observation of a touch type.
type Touch struct {
	ID ItemID
	At time.Time
	// Facts is what the contract judges; its Reporter and Source equal the ID's.
	Facts contract.TouchInput
	// Node is the identity that was seen; it only travels to explanations.
	Node string
	// Person is who it was, as text; empty where nobody is known.
	Person string
}

// StageChange is one step in the history of a deal, a person or a membership.
type StageChange struct {
	Stage           string
	IsClosed, IsWon bool
	At              time.Time
	EventID         string
}

// Deal is the current state of a CRM opportunity, or of an order of a shop, which
// was won as it was placed. Fields are the canonical texts of the wire, empty
// where the source gives none.
type Deal struct {
	ID         ItemID
	ModifiedAt time.Time
	Order      bool
	AccountID  string
	// Amount is decimal text in Currency; without a currency it is in the
	// partner's.
	Amount, Currency string
	// Refunds are the amounts that went back of an order, in the order of the
	// events that said so.
	Refunds         []string
	Stage           string
	IsClosed, IsWon bool
	// CreatedAt is an RFC 3339 instant, CloseDate a YYYY-MM-DD day.
	CreatedAt, CloseDate   string
	LeadSource, CampaignID string
	// SharedID is the id by which partners know the same deal in their CRMs.
	SharedID string
	Stages   []StageChange
	Deleted  bool
}

// Account is the current state of a CRM account.
type Account struct {
	ID                           ItemID
	ModifiedAt                   time.Time
	Country, Industry, Employees string
	Deleted                      bool
}

// Member is the current state of a person's membership of a CRM campaign. Each
// status that it ever had is a touch, if the contract says so.
type Member struct {
	ID         ItemID
	ModifiedAt time.Time
	Feed       string
	Person     string
	CampaignID string
	// Statuses is the history; of a StageChange only Stage, At and EventID count.
	Statuses []StageChange
	Deleted  bool
}

// Person is the current state of a lead or a contact. Several may be one person.
type Person struct {
	ID         ItemID
	ModifiedAt time.Time
	// Object is contract.ObjectLead or contract.ObjectContact.
	Object    string
	Person    string
	CreatedAt string
	Stages    []StageChange
	Deleted   bool
}

// key is who it is: the identity that several objects share, else the object.
func (p Person) key() string { return cmp.Or(p.Person, p.ID.String()) }

// Role is the current state of a person's role on a deal of the same CRM.
type Role struct {
	ID         ItemID
	ModifiedAt time.Time
	DealID     string
	Person     string
	Deleted    bool
}

// Registration is the current state of a partner's registration of a deal of the
// reporter's CRM.
type Registration struct {
	ID         ItemID
	ModifiedAt time.Time
	DealID     string
	// Partner is who registered it, by id or name; the reporter if it is empty.
	Partner string
	Status  string
	// ApprovedAt is an RFC 3339 instant or a YYYY-MM-DD day, which is its beginning in
	// UTC, Expires a day; both may be empty.
	ApprovedAt, Expires string
	Deleted             bool
}

// Decision says whether two deals of different CRMs are the same business.
type Decision struct {
	ID         ItemID
	ModifiedAt time.Time
	Campaign   string
	// Deal and Other are ids as text.
	Deal, Other string
	Same        bool
	Deleted     bool
}

// What a dispute is about, as Dispute.About says it.
const (
	// DisputeSourcing is of who sourced the deal.
	DisputeSourcing = "sourcing"
	// DisputeCredit is of what one partner is credited with.
	DisputeCredit = "credit"
)

// The states of a dispute. A journey has no text for one that is open.
const (
	DisputeOpen      = "open"
	DisputeWithdrawn = "withdrawn"
	DisputeUpheld    = "upheld"
	DisputeRejected  = "rejected"
)

// Dispute is the current state of a partner's dispute of what a deal is credited
// with.
type Dispute struct {
	ID         ItemID
	ModifiedAt time.Time
	// Campaign is whose book it is about, Deal an id as text.
	Campaign, Deal string
	// Partner disputes; About is one of the constants, Against the partner whose
	// credit it is, empty for the sourcing.
	Partner, About, Against string
	// OpenedAt and SettledAt are RFC 3339 instants; what is settled is empty while it
	// is open.
	OpenedAt, OpenedBy, OpenedWhy string
	// State is empty while it is open. To is who gets what was disputed, if it was
	// upheld.
	State, To                        string
	SettledAt, SettledBy, SettledWhy string
	Deleted                          bool
}

// Journey is all that is known of one account. It is a set: order does not
// matter, and an item that is there twice counts once (of two states of one
// CRM object the later modified).
type Journey struct {
	// Account is the identity's bytes; who it is decides how sure its book is.
	Account string
	// Name is the domain or the imported name of the account, empty for none.
	Name          string
	Touches       []Touch
	Deals         []Deal
	Accounts      []Account
	Members       []Member
	People        []Person
	Roles         []Role
	Registrations []Registration
	Decisions     []Decision
	Disputes      []Dispute
}

// Object is a CRM object as it is on the wire: Fields are canonical texts by
// name, without those that the source cleared.
type Object struct {
	ID         ItemID
	Type       string
	Feed       string
	Person     string
	ModifiedAt time.Time
	Fields     map[string]string
	Stages     []StageChange
	Deleted    bool
}

// refundPrefix leads the names of the fields of an order that are refunds.
const refundPrefix = "refund:"

// Add adds an object, whose stages become the journey's. A type that no book
// looks at is left out, and so are fields.
func (j *Journey) Add(o Object) {
	f := o.Fields
	switch o.Type {
	case "opportunity", "order":
		j.Deals = append(j.Deals, newDeal(o))
	case "account":
		j.Accounts = append(j.Accounts, Account{
			ID: o.ID, ModifiedAt: o.ModifiedAt, Deleted: o.Deleted,
			Country: f["country"], Industry: f["industry"], Employees: f["employees"],
		})
	case "campaign_member":
		j.Members = append(j.Members, Member{
			ID: o.ID, ModifiedAt: o.ModifiedAt, Deleted: o.Deleted,
			Feed: o.Feed, Person: o.Person, CampaignID: f["campaign_id"], Statuses: o.Stages,
		})
	case contract.ObjectLead, contract.ObjectContact:
		j.People = append(j.People, Person{
			ID: o.ID, ModifiedAt: o.ModifiedAt, Deleted: o.Deleted,
			Object: o.Type, Person: o.Person, CreatedAt: f["created_at"], Stages: o.Stages,
		})
	case "contact_role":
		j.Roles = append(j.Roles, Role{
			ID: o.ID, ModifiedAt: o.ModifiedAt, Deleted: o.Deleted, DealID: f["opportunity_id"], Person: cmp.Or(o.Person, f["contact"]),
		})
	case "deal_registration":
		j.Registrations = append(j.Registrations, Registration{
			ID: o.ID, ModifiedAt: o.ModifiedAt, Deleted: o.Deleted,
			DealID: f["opportunity_id"], Partner: f["partner"], Status: f["status"], ApprovedAt: f["approved_at"], Expires: f["expires"],
		})
	case contract.ObjectDecision:
		j.Decisions = append(j.Decisions, Decision{
			ID: o.ID, ModifiedAt: o.ModifiedAt, Deleted: o.Deleted,
			Campaign: f["campaign"], Deal: f["deal"], Other: f["other"], Same: f["decision"] == "same",
		})
	case contract.ObjectDispute:
		j.Disputes = append(j.Disputes, Dispute{
			ID: o.ID, ModifiedAt: o.ModifiedAt, Deleted: o.Deleted,
			Campaign: f["campaign"], Deal: f["deal"], Partner: f["partner"], About: f["about"], Against: f["against"],
			OpenedAt: f["opened_at"], OpenedBy: f["opened_by"], OpenedWhy: f["opened_why"],
			State: f["state"], To: f["to"], SettledAt: f["settled_at"], SettledBy: f["settled_by"], SettledWhy: f["settled_why"],
		})
	}
}

func newDeal(o Object) Deal {
	f := o.Fields
	d := Deal{
		ID: o.ID, ModifiedAt: o.ModifiedAt, Order: o.Type == "order", AccountID: f["account_id"],
		Amount: f["amount"], Currency: f["currency"],
		Stage: f["stage"], IsClosed: f["is_closed"] == "true", IsWon: f["is_won"] == "true",
		CreatedAt: f["created_at"], CloseDate: f["close_date"],
		LeadSource: f["lead_source"], CampaignID: f["campaign_id"], SharedID: f["shared_id"],
		Stages: o.Stages, Deleted: o.Deleted,
	}
	if d.Order {
		var events []string
		for name := range f {
			if strings.HasPrefix(name, refundPrefix) {
				events = append(events, name)
			}
		}
		slices.Sort(events)
		for _, name := range events {
			d.Refunds = append(d.Refunds, f[name])
		}
	}
	return d
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

package normalize

import (
	"fmt"
	"strings"
	"time"

	"tracksource/identity"
)

const shapeSalesforce = "salesforce"

func salesforceShape() shape {
	return shape{
		detect: func(o object) bool { return o.has("payload", "ChangeEventHeader") || o.has("ChangeEventHeader") },
		read:   salesforce,
	}
}

// salesforce normalises a Change Data Capture event:
// https://developer.salesforce.com/docs/atlas.en-us.change_data_capture.meta
// One event may speak of several records; each is an event of its own.
func salesforce(src Source, o object) []Event {
	if o.has("payload", "ChangeEventHeader") {
		o = o.object("payload")
	}
	header := o.object("ChangeEventHeader")
	ids := header.list("recordIds")
	if len(ids) == 0 {
		return []Event{failed(problem(MissingField, "ChangeEventHeader.recordIds"))}
	}
	if err := atMost(len(ids), recordsMax, "records"); err != nil {
		return []Event{failed(err)}
	}
	var events []Event
	for _, id := range ids {
		events = append(events, single(salesforceChange(src, o, header, asText(id)))...)
	}
	return events
}

func salesforceChange(src Source, o, header object, id string) ([]Observation, error) {
	if id == "" {
		return nil, problem(MissingField, "ChangeEventHeader.recordIds")
	}
	entity, kind := header.text("entityName"), header.text("changeType")
	r := sfRecord{src: src, body: o, entity: entity, created: kind == "CREATE", cleared: nulledFields(header)}
	if err := r.identify(identity.SalesforceID(id)); err != nil {
		return nil, err
	}
	if strings.HasPrefix(kind, "GAP_") {
		return nil, problem(DataGap, "Salesforce lost changes of %s %s: export it and send it again", entity, r.obs.Object.ID)
	}
	key, err := header.required("transactionKey")
	if err != nil {
		return nil, err
	}
	sequence, err := header.integer("sequenceNumber")
	if err != nil {
		return nil, err
	}
	commit, err := header.integer("commitNumber")
	if err != nil {
		return nil, err
	}
	committed, err := header.moment("commitTimestamp")
	if err != nil {
		return nil, err
	}
	at, err := occurred(src, committed)
	if err != nil {
		return nil, err
	}
	modified := at
	if o.has("LastModifiedDate") {
		if modified, err = o.moment("LastModifiedDate"); err != nil {
			return nil, err
		}
	}
	r.obs.EventID = fmt.Sprintf("%s/%d/%s", key, sequence, r.obs.Object.ID)
	r.obs.OccurredAt = at
	r.obs.Object.Order, r.obs.Object.SubOrder = modified.Unix(), sfSubOrder(commit, sequence)
	r.obs.Object.ModifiedAt, r.obs.Object.Deleted = at, kind == "DELETE"
	return r.read()
}

// sfSubOrder orders the changes within one second, by commit and by place in its
// transaction.
//
// The order of updates is the second of LastModifiedDate, then this; that of a
// row of an export is the second of its SystemModstamp, then zero. Commit
// numbers alone would put every row before or after every change. Rows know no
// more than seconds, so that one of the same second may be older than a change:
// with zero it never overwrites a change of its second or later, and it heals
// every gap before it.
func sfSubOrder(commit, sequence int64) int64 {
	const (
		perCommit = 1000
		commitMax = 1 << 52
	)
	return min(max(commit, 0), commitMax)*perCommit + min(max(sequence, 0), perCommit-1)
}

// nulledFields returns which fields a change cleared: a null that it does not
// name is one that the change left as it was.
func nulledFields(header object) func(native string) bool {
	nulled := map[string]bool{}
	for _, n := range header.list("nulledFields") {
		nulled[asText(n)] = true
	}
	return func(native string) bool {
		parent, _, _ := strings.Cut(native, ".")
		return nulled[native] || nulled[parent]
	}
}

// sfField is one native field: its canonical name and how its value is read.
type sfField struct {
	native, name string
	read         func(v Value) (string, error)
}

// sfRecord is one record as a change event or a row of an export speaks of it.
type sfRecord struct {
	src     Source
	body    object
	entity  string
	created bool                     // the event is the record's creation
	cleared func(native string) bool // whether a null means that the field was cleared
	obs     Observation
	more    []Observation
}

// identify sets node and object of the record.
func (r *sfRecord) identify(id string) (err error) {
	var typ string
	switch r.entity {
	case "Opportunity":
		typ = "opportunity"
		r.obs.Node, err = identity.NewNode(identity.Object, r.src.Reporter, plainID(r.src, id))
	case "Account":
		typ = "account"
		r.obs.Node, err = companyNode(r.src, id)
	case "Contact":
		typ = "contact"
		r.obs.Node, err = r.contact(id)
	case "Lead":
		typ = "lead"
		r.obs.Node, err = r.lead(id)
	case "CampaignMember":
		typ = "campaign_member"
		r.obs.Node, err = r.src.Pseudonyms.PersonNode(identity.Member, identity.SchemeMember, r.src.Reporter, id)
	case "OpportunityContactRole":
		typ = "contact_role"
		r.obs.Node, err = r.src.Pseudonyms.PersonNode(identity.Member, identity.SchemeMember, r.src.Reporter, id)
	case "DealRegistration", "Deal_Registration__c":
		typ = "deal_registration"
		r.obs.Node, err = r.src.Pseudonyms.PersonNode(identity.Member, identity.SchemeMember, r.src.Reporter, id)
	default:
		return problem(UnknownShape, "Salesforce object %s is not read", r.entity)
	}
	if err != nil {
		return problem(BadField, "record id: %v", err)
	}
	r.obs.Shape = shapeSalesforce
	r.obs.Object = &Object{Type: typ, ID: r.obs.Node.ID}
	return nil
}

func (r *sfRecord) contact(id string) (identity.Node, error) {
	return r.src.Pseudonyms.PersonNode(identity.Contact, identity.SchemeContact, r.src.Reporter, id)
}

func (r *sfRecord) lead(id string) (identity.Node, error) {
	return r.src.Pseudonyms.PersonNode(identity.Lead, identity.SchemeLead, r.src.Reporter, id)
}

// read fills in what the record says, once node and time are set.
func (r *sfRecord) read() ([]Observation, error) {
	var err error
	switch r.entity {
	case "Opportunity":
		err = r.readOpportunity()
	case "Account":
		err = r.readAccount()
	case "Contact":
		err = r.readContact()
	case "Lead":
		err = r.readLead()
	case "CampaignMember":
		err = r.readCampaignMember()
	case "OpportunityContactRole":
		err = r.readContactRole()
	case "DealRegistration", "Deal_Registration__c":
		err = r.readDealRegistration()
	}
	if err != nil {
		return nil, err
	}
	return append([]Observation{r.obs}, r.more...), nil
}

// put adds the fields that the record speaks of.
func (r *sfRecord) put(fields ...sfField) error {
	for _, f := range fields {
		v := r.body.at(strings.Split(f.native, ".")...)
		// A row of a CSV export has nothing but an empty text for a null.
		if v.isNull() || v.isBlank() {
			if r.cleared(f.native) {
				r.obs.Object.put(f.name, nil)
			}
			continue
		}
		text, err := f.read(v)
		if err != nil {
			return fmt.Errorf("%s: %w", f.native, err)
		}
		r.obs.Object.set(f.name, text)
	}
	return nil
}

// putCreated takes the change's own time where it is the creation and does not
// say when that was.
func (r *sfRecord) putCreated() error {
	if r.created && !r.body.has("CreatedDate") {
		r.obs.Object.set("created_at", r.obs.OccurredAt.Format(time.RFC3339Nano))
		return nil
	}
	return r.put(sfField{"CreatedDate", "created_at", epochOrText})
}

// link adds the record's own word that it belongs to another one.
func (r *sfRecord) link(native string, node func(id string) (identity.Node, error)) error {
	id := r.body.text(native)
	if id == "" {
		return nil
	}
	parent, err := node(identity.SalesforceID(id))
	if err != nil {
		return problem(BadField, "%s: %v", native, err)
	}
	r.obs.Links = append(r.obs.Links, identity.Link{Parent: parent, Evidence: identity.Record, At: r.obs.OccurredAt})
	return nil
}

// merged takes in that the record went into another one of its kind, which
// Salesforce says of the one that is deleted.
func (r *sfRecord) merged(node func(id string) (identity.Node, error)) error {
	id := r.body.text("MasterRecordId")
	if id == "" {
		return nil
	}
	master, err := node(identity.SalesforceID(id))
	if err != nil {
		return problem(BadField, "MasterRecordId: %v", err)
	}
	if master != r.obs.Node {
		r.obs.Merged = append(r.obs.Merged, master)
	}
	return nil
}

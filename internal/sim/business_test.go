package sim_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"tracksource/stream"
)

// seen is what an event of the sample says, of those that others can have seen too.
type seen struct {
	Payload map[string]any // of a change event of Salesforce

	// Of an activity of Marketo.
	ID         int
	LeadID     int
	Kind       int       `json:"activityTypeId"`
	Date       time.Time `json:"activityDate"`
	Attributes []struct{ Name, Value string }

	// Of a call of Segment.
	Type, UserID string
	Timestamp    time.Time
}

// created is the name of the object that a change event made, its id and when; empty
// for any other event.
func (e *seen) created() (entity, id string, at float64) {
	header, _ := e.Payload["ChangeEventHeader"].(map[string]any)
	ids, _ := header["recordIds"].([]any)
	if header["changeType"] != "CREATE" || len(ids) != 1 {
		return "", "", 0
	}
	entity, _ = header["entityName"].(string)
	id, _ = ids[0].(string)
	at, _ = e.Payload["LastModifiedDate"].(float64)
	return entity, id, at
}

// together lets a revision of the contract take notice of roles, of how many touches
// share a deal, and of deals in both CRMs.
func (s *story) together() {
	if s.done["together"]++; s.done["together"] == 1 {
		s.revised = append(s.revised, []string{"\nsourced:", "\njourney: {matching: hybrid, touches: 5}\ndeals: {others: count}\nsourced:"})
	}
}

// met lets the partners' systems see the same: what one reported of a person the
// other reports some minutes later, deals are in both CRMs and have people with
// roles, people are leads that reach stages, and shops have orders.
func (s *story) met() {
	defer func(before int) { s.done["met"] = s.added - before }(s.added)
	s.together()
	contacts := map[string][]string{} // of an account
	for _, m := range s.events {
		var e seen
		if json.Unmarshal(m.Value, &e) != nil {
			continue
		}
		if entity, id, _ := e.created(); entity == "Contact" {
			account := fmt.Sprint(e.Payload["AccountId"])
			contacts[account] = append(contacts[account], id)
		}
	}
	told := map[string]bool{}
	for _, m := range append([]stream.Message(nil), s.events...) {
		var e seen
		if json.Unmarshal(m.Value, &e) != nil || told[string(m.Value)] {
			continue
		}
		told[string(m.Value)] = true
		switch entity, id, at := e.created(); {
		case entity == "Opportunity" && m.Topic == s.spec.RawTopic("crm", "acme"):
			s.meetDeal(e.Payload, id, at, contacts[fmt.Sprint(e.Payload["AccountId"])])
		case entity == "Contact":
			s.meetLead(e.Payload, id, at)
		case e.Kind == 2 && s.rng.IntN(2) == 0:
			s.meetForm(m, e)
		case e.Type == "identify" && s.rng.IntN(3) == 0:
			s.order(m, e)
		}
	}
}

// crowded lets one user do what thousands do, on an account whose contract lets five
// touches share a deal.
func (s *story) crowded() {
	s.together()
	for _, m := range s.events {
		var e seen
		if json.Unmarshal(m.Value, &e) != nil || e.Type != "identify" || e.UserID == "" {
			continue
		}
		for i := range crowd {
			s.say(m.Topic, e.UserID, map[string]any{
				"type": "track", "event": "Form Submitted", "messageId": fmt.Sprint("crowd-", i), "userId": e.UserID,
				"timestamp": e.Timestamp.Add(time.Duration(s.rng.IntN(40*24*60)) * time.Minute).Format(time.RFC3339),
				"context":   map[string]any{"campaign": map[string]any{"name": "ai-launch-tour", "source": "globex", "medium": "email"}},
			})
		}
		s.done["crowd"] = crowd
		return
	}
}

const crowd = 3000

// changed says a change of an object of Salesforce.
func (s *story) changed(reporter, entity, id, kind string, at float64, fields map[string]any) {
	payload := map[string]any{"LastModifiedDate": at, "ChangeEventHeader": map[string]any{
		"entityName": entity, "recordIds": []string{id}, "changeType": kind, "transactionKey": fmt.Sprint("met-", reporter, id, at), "sequenceNumber": 1,
		"commitNumber": int64(at) * 1000, "commitTimestamp": at,
	}}
	maps.Copy(payload, fields)
	s.say(s.spec.RawTopic("crm", reporter), id, map[string]any{"payload": payload})
}

// meetDeal puts a deal into the other CRM too, and people of the account on it.
func (s *story) meetDeal(deal map[string]any, id string, at float64, contacts []string) {
	const day = 24 * 60 * 60 * 1000
	for i, contact := range contacts {
		s.changed("acme", "OpportunityContactRole", fmt.Sprint("00K", i, id[4:]), "CREATE", at, map[string]any{"OpportunityId": id, "ContactId": contact, "Role": "Decision Maker"})
	}
	if s.rng.IntN(2) > 0 {
		return
	}
	copied := map[string]any{"CreatedDate": at + float64(s.rng.IntN(60)*day)}
	for _, name := range []string{"StageName", "Amount", "CurrencyIsoCode", "CloseDate", "IsClosed", "IsWon"} {
		copied[name] = deal[name]
	}
	copied["AccountId"] = strings.Replace(fmt.Sprint(deal["AccountId"]), "001A", "001G", 1)
	if s.rng.IntN(2) == 0 {
		copied["Shared_Id__c"] = id
	}
	s.changed("globex", "Opportunity", "006G"+id[4:], "CREATE", at, copied)
}

// meetLead makes a contact a lead before, which reached two stages.
func (s *story) meetLead(contact map[string]any, id string, at float64) {
	lead := "00Q" + id[3:]
	for i, status := range []string{"Open - Not Contacted", "Working - Contacted"} {
		fields := map[string]any{"Status": status}
		if i == 0 {
			fields["Email"], fields["CreatedDate"] = contact["Email"], at
		}
		s.changed("acme", "Lead", lead, []string{"CREATE", "UPDATE"}[i], at+float64(i*s.rng.IntN(20)*24*60*60*1000), fields)
	}
}

// meetForm lets the other partner see a form some minutes later, with or without
// the tags.
func (s *story) meetForm(m stream.Message, e seen) {
	other := s.spec.RawTopic("map", "globex")
	if m.Topic == other {
		other = s.spec.RawTopic("map", "acme")
	}
	var attributes []map[string]string
	for _, a := range e.Attributes {
		if a.Name != "Query Parameters" || s.rng.IntN(2) == 0 {
			attributes = append(attributes, map[string]string{"name": a.Name, "value": a.Value})
		}
	}
	id := e.ID + 5_000_000
	s.say(other, strconv.Itoa(e.LeadID), map[string]any{
		"id": id, "marketoGUID": strconv.Itoa(id), "leadId": e.LeadID, "activityTypeId": e.Kind, "primaryAttributeValue": "form", "attributes": attributes,
		"activityDate": e.Date.Add(time.Duration(s.rng.IntN(80)) * time.Minute).Format(time.RFC3339),
	})
}

// order lets a user buy something, and give some of it back.
func (s *story) order(m stream.Message, e seen) {
	id := "o-" + e.UserID
	for i, event := range []string{"Order Completed", "Order Refunded"} {
		s.say(m.Topic, e.UserID, map[string]any{
			"type": "track", "event": event, "messageId": fmt.Sprint("met-", id, i), "userId": e.UserID,
			"timestamp":  e.Timestamp.Add(time.Duration(i*s.rng.IntN(200)) * time.Hour).Format(time.RFC3339),
			"properties": map[string]any{"order_id": id, "currency": "USD", "total": json.Number([]string{"120.50", "20.05"}[i])},
		})
	}
}

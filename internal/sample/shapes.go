package sample

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// fields are the members of a JSON object.
type fields map[string]any

// cents writes minor units as a JSON number with two decimals.
func cents(minor int64) json.Number {
	return json.Number(fmt.Sprintf("%d.%02d", minor/100, minor%100))
}

// encode marshals what this package has built, which cannot fail.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("sample: %v", err))
	}
	return b
}

// change wraps the fields of a Salesforce object into a change event.
func (g *generator) change(entity, id, kind string, at time.Time, members fields) []byte {
	g.serial++
	payload := fields{"ChangeEventHeader": fields{
		"entityName": entity, "recordIds": []string{id}, "changeType": kind, "changeOrigin": "com/salesforce/api/rest/63.0",
		"transactionKey": fmt.Sprintf("%08x-a642-11e2-c29b-%012x", g.serial, at.UnixMilli()), "sequenceNumber": 1,
		"commitTimestamp": at.UnixMilli(), "commitNumber": at.UnixMicro(), "commitUser": "00558000000yFyDAAU",
		"nulledFields": []string{}, "diffFields": []string{}, "changedFields": slices.Sorted(maps.Keys(members)),
	}}
	maps.Copy(payload, members)
	payload["LastModifiedDate"] = at.UnixMilli()
	return encode(fields{"replayId": 18_000_000 + g.serial, "payload": payload})
}

func (g *generator) sfAccount(reporter, id string, c company, at time.Time) {
	g.emit("crm", reporter, id, at, g.change("Account", id, "CREATE", at, fields{
		"Name": c.name, "Website": "https://www." + c.domain, "Industry": c.industry, "NumberOfEmployees": c.employees,
		"BillingAddress": fields{"City": "Springfield", "Country": c.country},
	}))
}

// sfLead has somebody worked on as a lead, as far as it goes.
func (g *generator) sfLead(p person, c company, at time.Time) {
	id := fmt.Sprintf("00QA%011dAAA", p.leadID)
	for i, status := range []string{"Open - Not Contacted", "Working - Contacted", "Qualified"} {
		kind, members := "UPDATE", fields{"Status": status}
		if i == 0 {
			kind = "CREATE"
			maps.Copy(members, fields{"Email": p.email, "Company": c.name, "LeadSource": "Web", "CreatedDate": at.UnixMilli()})
		} else if g.chance(400) {
			return
		}
		g.emit("crm", "acme", id, at, g.change("Lead", id, kind, at, members))
		at = at.AddDate(0, 0, 1+g.rng.IntN(5))
	}
}

// sfDeal is what every change of one opportunity repeats.
type sfDeal struct{ id, account, campaign, currency, leadSource string }

func (g *generator) sfOpportunity(d sfDeal, kind string, at time.Time, members fields) {
	if kind == "CREATE" {
		members["AccountId"] = d.account
		if d.campaign != "" {
			members["CampaignId"] = d.campaign
		}
		if d.leadSource != "" {
			members["LeadSource"] = d.leadSource
		}
	}
	g.emit("crm", "acme", d.id, at, g.change("Opportunity", d.id, kind, at, members))
}

// sfMember puts a contact on the campaign and moves it through its statuses.
func (g *generator) sfMember(p person, c company, at time.Time) {
	contact := fmt.Sprintf("003A%011dAAA", p.leadID)
	g.emit("crm", "acme", contact, at, g.change("Contact", contact, "CREATE", at, fields{
		"AccountId": c.accountID, "Email": p.email, "LeadSource": "Event", "CreatedDate": at.UnixMilli(),
	}))
	id := fmt.Sprintf("00vA%011dAAA", p.leadID)
	for i, status := range []string{"Sent", "Registered", g.pick("Attended", "No Show")} {
		kind, members := "UPDATE", fields{"Status": status, "HasResponded": i > 0}
		if i == 0 {
			kind = "CREATE"
			maps.Copy(members, fields{"CampaignId": "701AILAUNCHTOUR", "ContactId": contact, "CreatedDate": at.UnixMilli()})
		}
		g.emit("crm", "acme", id, at, g.change("CampaignMember", id, kind, at, members))
		at = at.AddDate(0, 0, 1+g.rng.IntN(4))
	}
}

// activity makes one Marketo activity.
func (g *generator) activity(reporter string, p person, kind int, at time.Time, value string, attributes ...[2]string) {
	g.serial++
	list := []fields{}
	for _, a := range attributes {
		list = append(list, fields{"name": a[0], "value": a[1]})
	}
	id := 100_000 + g.serial
	g.emit("map", reporter, strconv.Itoa(p.leadID), at, encode(fields{
		"id": id, "marketoGUID": strconv.Itoa(id), "leadId": p.leadID, "activityDate": at.UTC().Format(time.RFC3339),
		"activityTypeId": kind, "primaryAttributeValueId": 55, "primaryAttributeValue": value, "attributes": list,
	}))
}

func (g *generator) marketoNewLead(reporter string, p person, c company, at time.Time) {
	g.activity(reporter, p, 12, at, p.email, [2]string{"Email Address", p.email}, [2]string{"Company", c.name}, [2]string{"Source Type", "Web form fillout"})
}

func (g *generator) marketoForm(reporter string, p person, page string, u utm, at time.Time) {
	attributes := [][2]string{{"Form Fields", "..."}, {"Webpage URL", page}}
	if q := u.query(); q != "" {
		attributes = append(attributes, [2]string{"Query Parameters", q}, [2]string{"Referrer URL", "https://" + u.source + ".com/"})
	}
	g.activity(reporter, p, 2, at, "Form on "+page, attributes...)
}

func (g *generator) marketoAttended(reporter string, p person, program string, at time.Time) {
	g.activity(reporter, p, 104, at, program, [2]string{"New Status", "Attended"}, [2]string{"Old Status", "Registered"}, [2]string{"Success", "true"})
}

func (g *generator) marketoEmail(reporter string, p person, at time.Time) {
	g.activity(reporter, p, 7, at, "AI Launch Tour invitation")
	g.activity(reporter, p, 10, at.Add(time.Hour), "AI Launch Tour invitation")
}

func (g *generator) ga4Session(p person, c company, page string, u utm, at time.Time) {
	session := strconv.FormatInt(at.Unix(), 10)
	location := "https://www.acme.com" + page
	if q := u.query(); q != "" {
		location += "?" + q
	}
	for i, name := range []string{"session_start", "page_view"} {
		row := fields{
			"event_date": at.Format("20060102"), "event_timestamp": strconv.FormatInt(at.UnixMicro()+int64(i), 10), "event_name": name,
			"event_params": []fields{
				{"key": "ga_session_id", "value": fields{"int_value": session}},
				{"key": "page_location", "value": fields{"string_value": location}},
				{"key": "company_domain", "value": fields{"string_value": c.domain}},
			},
			"event_bundle_sequence_id": strconv.Itoa(5000 + i), "user_id": p.userID, "user_pseudo_id": p.ga, "platform": "WEB",
			"stream_id": "1234567", "batch_event_index": strconv.Itoa(i + 1),
		}
		if u.source != "" {
			row["collected_traffic_source"] = fields{"manual_source": u.source, "manual_medium": u.medium, "manual_campaign_name": u.campaign}
		}
		g.emit("analytics", "acme", p.ga, at, encode(row))
	}
}

func (g *generator) segment(p person, kind string, at time.Time, members fields) {
	g.serial++
	ev := fields{
		"type": kind, "messageId": fmt.Sprintf("ajs-%s-%d", kind, g.serial), "anonymousId": p.anon,
		"originalTimestamp": at.UTC().Format("2006-01-02T15:04:05.000Z"), "sentAt": at.UTC().Format("2006-01-02T15:04:05.000Z"),
		"receivedAt": at.UTC().Format("2006-01-02T15:04:05.000Z"), "timestamp": at.UTC().Format("2006-01-02T15:04:05.000Z"),
	}
	maps.Copy(ev, members)
	g.emit("analytics", "globex", p.anon, at, encode(ev))
}

func (g *generator) segmentIdentify(p person, c company, at time.Time) {
	g.segment(p, "identify", at, fields{"userId": p.userID, "traits": fields{"email": p.email, "company": fields{"id": c.partnerID, "name": c.name}}})
}

func (g *generator) segmentPage(p person, page string, u utm, at time.Time) {
	url := "https://globex.com" + page
	context := fields{"page": fields{"url": url}, "userAgent": "Mozilla/5.0"}
	if u.source != "" {
		url += "?" + u.query()
		context["campaign"] = fields{"source": u.source, "medium": u.medium, "name": u.campaign}
	}
	g.segment(p, "page", at, fields{"name": page, "properties": fields{"url": url, "path": page, "referrer": ""}, "context": context})
}

// badPayload spoils an event in one of the ways that partners' systems do.
func (g *generator) badPayload(e Event) []byte {
	switch {
	case g.chance(400):
		return e.Payload[:len(e.Payload)/2] // cut off on the way
	case g.chance(500):
		return []byte("\x00\x01 not an event \xff\xfe")
	case e.Feed == "crm":
		at := e.At
		return g.change("Opportunity", fmt.Sprintf("006X%011dAAA", g.serial), "UPDATE", at, fields{"Amount": json.Number("1e400")})
	}
	return []byte(`{"hello":"world"}`) // of no shape that anybody knows
}

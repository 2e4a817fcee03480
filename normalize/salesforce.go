package normalize

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tracksource/identity"
	"tracksource/money"
)

const shapeSalesforce = "salesforce"

// salesforce normalises a Change Data Capture event of an opportunity or an
// account: https://developer.salesforce.com/docs/atlas.en-us.change_data_capture.meta
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
	var events []Event
	for _, id := range ids {
		events = append(events, single(salesforceRecord(src, o, header, asText(id)))...)
	}
	return events
}

func salesforceRecord(src Source, o, header object, id string) ([]Observation, error) {
	if id == "" {
		return nil, problem(MissingField, "ChangeEventHeader.recordIds")
	}
	entity, kind := header.text("entityName"), header.text("changeType")
	if strings.HasPrefix(kind, "GAP_") {
		return nil, problem(DataGap, "Salesforce lost changes of %s: export it and send it again", entity)
	}
	key, err := header.required("transactionKey")
	if err != nil {
		return nil, err
	}
	sequence, err := header.integer("sequenceNumber")
	if err != nil {
		return nil, err
	}
	order, err := header.integer("commitNumber")
	if err != nil {
		return nil, err
	}
	at, err := header.millis("commitTimestamp")
	if err != nil {
		return nil, err
	}
	if at, err = occurred(src, at); err != nil {
		return nil, err
	}
	obs := Observation{
		Shape: shapeSalesforce, EventID: fmt.Sprintf("%s/%d/%s", key, sequence, id), OccurredAt: at,
		Object: &Object{ID: id, Order: order, SubOrder: sequence, ModifiedAt: at, Deleted: kind == "DELETE"},
	}
	switch entity {
	case "Opportunity":
		err = opportunity(src, o, header, kind, &obs)
	case "Account":
		err = account(src, o, header, &obs)
	default:
		return nil, problem(UnknownShape, "Salesforce object %s is not read", bounded(entity))
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(obs.Object.Fields, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return []Observation{obs}, nil
}

// sfField is one native field: its canonical name and how its value is read.
type sfField struct {
	native, name string
	read         func(v any) (string, error)
}

// put adds the fields that the event changed: a null is unchanged unless the
// header says that it was cleared.
func (obs *Observation) put(o, header object, fields []sfField) error {
	nulled := map[string]bool{}
	for _, n := range header.list("nulledFields") {
		nulled[asText(n)] = true
	}
	for _, f := range fields {
		v := o.at(strings.Split(f.native, ".")...)
		if v == nil {
			if nulled[f.native] {
				obs.Object.Fields = append(obs.Object.Fields, Field{Name: f.name})
			}
			continue
		}
		text, err := f.read(v)
		if err != nil {
			return fmt.Errorf("%s: %w", f.native, err)
		}
		obs.Object.Fields = append(obs.Object.Fields, Field{Name: f.name, Value: &text})
	}
	return nil
}

func opportunity(src Source, o, header object, kind string, obs *Observation) (err error) {
	obs.Object.Type = "opportunity"
	if obs.Node, err = identity.NewNode(identity.Object, src.Reporter, obs.Object.ID); err != nil {
		return problem(BadField, "record id: %v", err)
	}
	currency := o.text("CurrencyIsoCode")
	err = obs.put(o, header, []sfField{
		{"AccountId", "account_id", plainText},
		{"CampaignId", "campaign_id", plainText},
		{"StageName", "stage", plainText},
		{"LeadSource", "lead_source", plainText},
		{"IsClosed", "is_closed", boolean},
		{"IsWon", "is_won", boolean},
		{"CloseDate", "close_date", calendarDay},
		{"CreatedDate", "created_at", epochOrText},
		{"CurrencyIsoCode", "currency", currencyCode},
		{"Amount", "amount", func(v any) (string, error) { return amountText(v, currency) }},
	})
	if err != nil {
		return err
	}
	if kind == "CREATE" && !o.has("CreatedDate") {
		created := obs.OccurredAt.Format(time.RFC3339Nano)
		obs.Object.Fields = append(obs.Object.Fields, Field{Name: "created_at", Value: &created})
	}
	if id := o.text("AccountId"); id != "" {
		parent, err := identity.NewNode(identity.CRMAccount, src.Reporter, id)
		if err != nil {
			return problem(BadField, "AccountId: %v", err)
		}
		obs.Links = append(obs.Links, identity.Link{Parent: parent, Evidence: identity.Record, At: obs.OccurredAt})
	}
	return nil
}

func account(src Source, o, header object, obs *Observation) (err error) {
	obs.Object.Type = "account"
	if obs.Node, err = identity.NewNode(identity.CRMAccount, src.Reporter, obs.Object.ID); err != nil {
		return problem(BadField, "record id: %v", err)
	}
	err = obs.put(o, header, []sfField{
		{"Website", "website", plainText},
		{"Industry", "industry", plainText},
		{"NumberOfEmployees", "employees", plainText},
		{"BillingAddress.Country", "country", plainText},
		{"BillingCountry", "country", plainText},
	})
	if err != nil {
		return err
	}
	if domain, ok := identity.WebsiteDomain(o.text("Website")); ok {
		parent, err := identity.DomainNode(domain)
		if err != nil {
			return problem(BadField, "Website: %v", err)
		}
		obs.Links = append(obs.Links, identity.Link{Parent: parent, Evidence: identity.Record, At: obs.OccurredAt})
	}
	return nil
}

func plainText(v any) (string, error) {
	if _, ok := v.(map[string]any); ok {
		return "", problem(BadField, "an object where text was expected")
	}
	return asText(v), nil
}

func boolean(v any) (string, error) {
	switch s := strings.ToLower(asText(v)); s {
	case "true", "false":
		return s, nil
	}
	return "", problem(BadField, "neither true nor false")
}

func calendarDay(v any) (string, error) {
	s := asText(v)
	if _, err := money.ParseDay(s); err == nil {
		return s, nil
	}
	// Some connectors send a day as the milliseconds of its midnight.
	at, err := (object{map[string]any{"at": v}}).millis("at")
	if err != nil {
		return "", problem(BadTime, "not a day as YYYY-MM-DD")
	}
	return at.Format(time.DateOnly), nil
}

func epochOrText(v any) (string, error) {
	o := object{map[string]any{"at": v}}
	at, err := o.millis("at")
	if err != nil {
		if at, err = o.instant("at"); err != nil {
			return "", problem(BadTime, "neither epoch milliseconds nor RFC 3339")
		}
	}
	if at.Before(earliest) {
		return "", problem(BadTime, "before the year 2000")
	}
	return at.UTC().Format(time.RFC3339Nano), nil
}

func currencyCode(v any) (string, error) {
	s := strings.ToUpper(asText(v))
	if _, err := money.Exponent(s); err != nil {
		return "", problem(BadCurrency, "not an ISO 4217 code")
	}
	return s, nil
}

// amountText checks an amount and keeps it as it was written. An update of the
// amount alone does not say its currency; it is then held against the widest
// bounds, those of two decimals.
func amountText(v any, currency string) (string, error) {
	switch v.(type) {
	case json.Number, string:
	default:
		return "", problem(BadAmount, "neither a number nor text")
	}
	if currency == "" {
		currency = "USD"
	}
	if _, err := money.Exponent(strings.ToUpper(currency)); err != nil {
		return "", problem(BadCurrency, "not an ISO 4217 code")
	}
	if _, err := money.Parse(asText(v), strings.ToUpper(currency)); err != nil {
		return "", problem(BadAmount, "not an amount within bounds")
	}
	return asText(v), nil
}

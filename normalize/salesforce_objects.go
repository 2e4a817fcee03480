package normalize

import (
	"errors"
	"strings"
	"time"

	"tracksource/identity"
	"tracksource/money"
)

func (r *sfRecord) company(id string) (identity.Node, error) { return companyNode(r.src, id) }

func (r *sfRecord) readOpportunity() error {
	currency := r.body.text("CurrencyIsoCode")
	return errors.Join(
		r.put(
			sfField{"AccountId", "account_id", idText},
			sfField{"CampaignId", "campaign_id", idText},
			sfField{"StageName", "stage", plainText},
			sfField{"LeadSource", "lead_source", plainText},
			sfField{"IsClosed", "is_closed", boolean},
			sfField{"IsWon", "is_won", boolean},
			sfField{"CloseDate", "close_date", calendarDay},
			sfField{"CurrencyIsoCode", "currency", currencyCode},
			sfField{"Amount", "amount", func(v Value) (string, error) { return amountText(v, currency) }},
			sfField{"SharedId", "shared_id", plainText},
			sfField{"Shared_Id__c", "shared_id", plainText},
		),
		r.putCreated(),
		r.link("AccountId", r.company),
	)
}

func (r *sfRecord) readAccount() error {
	err := errors.Join(
		r.put(
			sfField{"Website", "website", plainText},
			sfField{"Industry", "industry", plainText},
			sfField{"NumberOfEmployees", "employees", plainText},
			sfField{"BillingAddress.Country", "country", plainText},
			sfField{"BillingCountry", "country", plainText},
		),
		r.merged(r.company),
	)
	if domain, ok := identity.WebsiteDomain(r.body.text("Website")); ok {
		r.obs.Links = append(r.obs.Links, domainLinks(domain, identity.Record, r.obs.OccurredAt)...)
	}
	return err
}

func (r *sfRecord) readContact() error {
	err := errors.Join(
		r.put(
			sfField{"AccountId", "account_id", idText},
			sfField{"LeadSource", "lead_source", plainText},
		),
		r.putCreated(),
		r.link("AccountId", r.company),
		r.merged(r.contact),
	)
	r.more = append(r.more, r.obs.addAddress(readAddress(r.src, r.person()))...)
	return err
}

func (r *sfRecord) readLead() error {
	err := errors.Join(
		r.put(
			sfField{"Status", "stage", plainText},
			sfField{"LeadSource", "lead_source", plainText},
			sfField{"IsConverted", "is_converted", boolean},
			sfField{"ConvertedDate", "converted_at", dayOrMoment},
			sfField{"ConvertedAccountId", "converted_account_id", idText},
			sfField{"ConvertedOpportunityId", "converted_opportunity_id", idText},
			sfField{"Industry", "industry", plainText},
			sfField{"Address.Country", "country", plainText},
			sfField{"Country", "country", plainText},
		),
		r.putCreated(),
		r.link("ConvertedContactId", r.contact),
		r.merged(r.lead),
	)
	r.more = append(r.more, r.obs.addAddress(readAddress(r.src, r.person()))...)
	return err
}

// readCampaignMember reads a membership. Its person is a contact once its lead
// was converted, and then the record names both.
func (r *sfRecord) readCampaignMember() error {
	return errors.Join(
		r.put(
			sfField{"CampaignId", "campaign_id", idText},
			sfField{"Status", "stage", plainText},
			sfField{"HasResponded", "has_responded", boolean},
			sfField{"FirstRespondedDate", "first_responded_at", dayOrMoment},
		),
		r.putCreated(),
		r.link("LeadId", r.lead),
		r.link("ContactId", r.contact),
	)
}

// readContactRole reads who takes part in a deal. The role belongs to the deal, and
// its person is the contact, whose account may be another one. The contact is a field
// as well, by its pseudonym as the record names it.
func (r *sfRecord) readContactRole() error {
	return errors.Join(
		r.put(
			sfField{"OpportunityId", "opportunity_id", idText},
			sfField{"ContactId", "contact", func(v Value) (string, error) {
				n, err := r.contact(identity.SalesforceID(asText(v)))
				if err != nil {
					return "", problem(BadField, "%v", err)
				}
				return n.String(), nil
			}},
			sfField{"Role", "role", plainText},
			sfField{"IsPrimary", "is_primary", boolean},
		),
		r.link("OpportunityId", r.deal),
		r.link("ContactId", r.contact),
	)
}

func (r *sfRecord) deal(id string) (identity.Node, error) {
	return identity.NewNode(identity.Object, r.src.Reporter, plainID(r.src, id))
}

// readDealRegistration reads that a partner registered a deal. Salesforce has no such
// object of its own: what is read are the columns of an export under these names, or
// the custom object whose fields end in __c. What a status means is not judged here.
func (r *sfRecord) readDealRegistration() error {
	return errors.Join(
		r.put(
			sfField{"OpportunityId", "opportunity_id", idText},
			sfField{"Opportunity__c", "opportunity_id", idText},
			sfField{"Partner", "partner", plainText},
			sfField{"Partner__c", "partner", plainText},
			sfField{"Status", "status", plainText},
			sfField{"Status__c", "status", plainText},
			sfField{"ApprovedDate", "approved_at", dayOrMoment},
			sfField{"Approved_Date__c", "approved_at", dayOrMoment},
			sfField{"ExpirationDate", "expires", calendarDay},
			sfField{"Expiration_Date__c", "expires", calendarDay},
		),
		r.putCreated(),
		r.link("OpportunityId", r.deal),
		r.link("Opportunity__c", r.deal),
	)
}

// person returns the address fields of a lead or a contact under the names of
// traits.
func (r *sfRecord) person() object {
	return object{named: map[string]Value{
		"email": r.body.at("Email"), "hashed_email": r.body.at("Hashed_Email__c"), "email_domain": r.body.at("Email_Domain__c"),
	}}
}

func plainText(v Value) (string, error) {
	if v.composite() {
		return "", problem(BadField, "an object where text was expected")
	}
	return asText(v), nil
}

// idText reads the id of another record.
func idText(v Value) (string, error) {
	s, err := plainText(v)
	return identity.SalesforceID(s), err
}

func boolean(v Value) (string, error) {
	switch s := strings.ToLower(asText(v)); s {
	case "true", "false":
		return s, nil
	}
	return "", problem(BadField, "neither true nor false")
}

func calendarDay(v Value) (string, error) {
	s := asText(v)
	if _, err := money.ParseDay(s); err == nil {
		return s, nil
	}
	// Some sources send a day as the milliseconds of its midnight.
	at, err := momentOf(v)
	if err != nil {
		return "", problem(BadTime, "not a day as YYYY-MM-DD")
	}
	return at.UTC().Format(time.DateOnly), nil
}

// dayOrMoment keeps a day as a day: it has no time that could be made up.
func dayOrMoment(v Value) (string, error) {
	if s := asText(v); len(s) == len(time.DateOnly) {
		if _, err := money.ParseDay(s); err == nil {
			return s, nil
		}
	}
	return epochOrText(v)
}

func epochOrText(v Value) (string, error) {
	at, err := momentOf(v)
	if err != nil {
		return "", problem(BadTime, "neither epoch milliseconds nor RFC 3339")
	}
	if at.Before(earliest) {
		return "", problem(BadTime, "before the year 2000")
	}
	return at.UTC().Format(time.RFC3339Nano), nil
}

func currencyCode(v Value) (string, error) { return currencyText(asText(v)) }

func currencyText(s string) (string, error) {
	s = strings.ToUpper(s)
	if _, err := money.Exponent(s); err != nil {
		return "", problem(BadCurrency, "not an ISO 4217 code")
	}
	return s, nil
}

// amountText checks an amount and keeps it as it was written. An update of the
// amount alone does not say its currency; it is then held against the widest
// bounds, those of two decimals.
func amountText(v Value, currency string) (string, error) {
	if k := v.kind(); k != kindNumber && k != kindText {
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

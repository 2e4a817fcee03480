package normalize

import (
	"strings"

	"tracksource/identity"
)

// crmExportShape is a row of an export by Salesforce's REST or Bulk API, or a
// page of such rows.
func crmExportShape() shape {
	return shape{
		detect: func(o object) bool {
			return o.text("attributes", "type") != "" || o.has("records") && o.has("done")
		},
		read: crmExport,
	}
}

func crmExport(src Source, o object) []Event {
	if o.has("attributes") {
		return single(crmExportRow(src, o))
	}
	var events []Event
	for _, v := range o.list("records") {
		if row := (object{v: v}); row.text("attributes", "type") != "" {
			events = append(events, single(crmExportRow(src, row))...)
			continue
		}
		events = append(events, failed(problem(UnknownShape, "a row of an export names its attributes.type")))
	}
	if len(events) == 0 {
		return []Event{failed(problem(UnknownShape, "the page of an export has no row"))}
	}
	return events
}

// crmExportRow normalises a row, as a change of the same shape as change
// events, so that both fold into the same object. A row says all that it
// carries: a null in it is a field that is empty. What it carries of other
// records (Account.Name) is theirs to say.
func crmExportRow(src Source, o object) ([]Observation, error) {
	typ := o.text("attributes", "type")
	id, err := o.required("Id")
	if err != nil {
		return nil, err
	}
	r := sfRecord{src: src, body: o, entity: typ, cleared: func(native string) bool {
		_, ok := o.member(native)
		return ok && !strings.Contains(native, ".")
	}}
	stamp := "SystemModstamp"
	if typ == "OpportunityHistory" {
		// What a deal was like from an instant on is a partial update of it then.
		r.entity, stamp = "Opportunity", "CreatedDate"
		deal, err := o.required("OpportunityId")
		if err != nil {
			return nil, err
		}
		if err := r.identify(identity.SalesforceID(deal)); err != nil {
			return nil, err
		}
	} else {
		if err := r.identify(identity.SalesforceID(id)); err != nil {
			return nil, err
		}
		if !o.has(stamp) {
			stamp = "LastModifiedDate"
		}
	}
	modified, err := o.moment(stamp)
	if err != nil {
		return nil, err
	}
	if modified, err = occurred(src, modified); err != nil {
		return nil, err
	}
	row := r.obs.Object.ID
	if typ == "OpportunityHistory" {
		row = plainID(src, identity.SalesforceID(id))
	}
	r.obs.EventID = "row/" + typ + "/" + row + "/" + modified.Format("20060102T150405.000Z")
	r.obs.OccurredAt = modified
	// SubOrder stays 0: see sfSubOrder.
	r.obs.Object.Order, r.obs.Object.ModifiedAt = modified.Unix(), modified
	r.obs.Object.Deleted = strings.EqualFold(o.text("IsDeleted"), "true")
	if typ == "OpportunityHistory" {
		return r.readHistory()
	}
	return r.read()
}

// readHistory reads a row of the stage history. It says nothing of a deletion
// of the deal, and its CreatedDate is not the deal's.
func (r *sfRecord) readHistory() ([]Observation, error) {
	currency := r.body.text("CurrencyIsoCode")
	r.obs.Object.Deleted = false
	err := r.put(
		sfField{"StageName", "stage", plainText},
		sfField{"CloseDate", "close_date", calendarDay},
		sfField{"CurrencyIsoCode", "currency", currencyCode},
		sfField{"Amount", "amount", func(v Value) (string, error) { return amountText(v, currency) }},
	)
	if err != nil {
		return nil, err
	}
	return []Observation{r.obs}, nil
}

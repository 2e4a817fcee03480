package avro_test

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/schemas/avro"
)

const sampleID = 1234567

// subjectUnderTest is one record type with its codec, a full sample, and what the
// tests need of it without its type.
type subjectUnderTest struct {
	name   string
	sample any // pointer
	// encode and decode are the codec's own; draw makes a random record.
	encode     func(dst []byte, v any) ([]byte, error)
	encodeBare func(dst []byte, v any) ([]byte, error)
	decode     func(b []byte) (any, error)
	decodeBare func(b []byte) (any, error)
	decodeOver func(b []byte) (any, error) // into one and the same
	draw       func(t *rapid.T) any
}

func subject[T any](t testing.TB, name string, sample *T) subjectUnderTest {
	t.Helper()
	schema, err := avro.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	codec, err := avro.NewCodec[T](schema, sampleID)
	if err != nil {
		t.Fatal(err)
	}
	unit := time.Microsecond
	if name == avro.NameContributionRow || name == avro.NameFeedRow {
		unit = time.Millisecond
	}
	over := new(T)
	return subjectUnderTest{
		name:       name,
		sample:     sample,
		encode:     func(dst []byte, v any) ([]byte, error) { return codec.Append(dst, v.(*T)) },
		encodeBare: func(dst []byte, v any) ([]byte, error) { return codec.AppendBare(dst, v.(*T)) },
		decode: func(b []byte) (any, error) {
			v := new(T)
			return v, codec.Decode(b, v)
		},
		decodeBare: func(b []byte) (any, error) {
			v := new(T)
			return v, codec.DecodeBare(b, v)
		},
		decodeOver: func(b []byte) (any, error) { return over, codec.DecodeOver(b, over) },
		draw: func(rt *rapid.T) any {
			v := new(T)
			fill(rt, reflect.ValueOf(v).Elem(), unit)
			return v
		},
	}
}

// fill sets every field at random, within what the wire can express: times in
// whole units, integers of 32 bits where Go has int, slices never nil.
func fill(t *rapid.T, v reflect.Value, unit time.Duration) {
	switch v.Interface().(type) {
	case time.Time:
		n := rapid.Int64Range(-1<<40, 1<<40).Draw(t, "time")
		v.Set(reflect.ValueOf(time.Unix(0, 0).Add(time.Duration(n) * unit).UTC()))
		return
	case []byte:
		v.SetBytes(rapid.SliceOfN(rapid.Byte(), 1, 16).Draw(t, "bytes"))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(rapid.String().Draw(t, "text"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int32:
		v.SetInt(int64(rapid.Int32().Draw(t, "int")))
	case reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, "long"))
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "set") {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem(), unit)
		}
	case reflect.Slice:
		n := rapid.IntRange(0, 3).Draw(t, "items")
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(t, v.Index(i), unit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), unit)
		}
	default:
		t.Fatalf("no random value for %s", v.Type())
	}
}

func subjects(t testing.TB) []subjectUnderTest {
	t.Helper()
	row := sampleRow()
	if err := row.SetValue(-123456, 2); err != nil {
		t.Fatal(err)
	}
	if err := row.SetConfident(-98765, 2); err != nil {
		t.Fatal(err)
	}
	return []subjectUnderTest{
		subject(t, avro.NameObservation, sampleObservation()),
		subject(t, avro.NameJourneyEvent, sampleJourneyEvent()),
		subject(t, avro.NameControl, sampleControl()),
		subject(t, avro.NameContract, sampleControl().Contract),
		subject(t, avro.NameCreditEntry, sampleCreditEntry()),
		subject(t, avro.NameContributionKey, sampleKey()),
		subject(t, avro.NameContributionRow, row),
		subject(t, avro.NameAlert, sampleAlert()),
		subject(t, avro.NameDeadLetter, sampleDeadLetter()),
		subject(t, avro.NameFeedKey, &avro.FeedKey{Feed: "crm", Reporter: "acme", Partition: 11}),
		subject(t, avro.NameFeedRow, &avro.FeedRow{
			Feed: "crm", Reporter: "acme", Partition: 11, Accepted: 1, Duplicates: 2, Late: 3, Collisions: 4, Restated: 5, Superseded: 6,
			Suppressed: 7, Unmatchable: 8, Touches: 9, Unmatched: 10, Version: 1 << 40, IsDeleted: true, UpdatedAt: time.UnixMilli(1772366400123).UTC(),
		}),
		subject(t, avro.NameFactsKey, &avro.FactsKey{
			Contract: "joint-q3", Conversion: "acme/salesforce/opportunity/006A", Account: []byte{9, 9}, Revision: 2, SourcePartition: 7,
		}),
		subject(t, avro.NameFacts, sampleFacts()),
	}
}

func at(micros int64) time.Time { return time.UnixMicro(1_750_000_000_000_000 + micros).UTC() }

func text(s string) *string { return &s }

func sampleTouch() *avro.TouchFacts {
	return &avro.TouchFacts{
		Type: "ad_click", Asset: "guide", UTMSource: "linkedin", UTMMedium: "cpc", UTMCampaign: "joint-q3",
		UTMTerm: "storage", UTMContent: "b", ClickID: "gclid", Referrer: "example.com", CRMCampaign: "7011",
		Status: "Responded", Session: "5e55", Bot: true,
	}
}

func sampleControl() *avro.Control {
	return &avro.Control{
		Kind: "contract", Number: 3,
		Contract: &avro.ContractRecord{
			Campaign: "joint-q3", Revision: 2, Previous: 1, Document: "campaign: joint-q3\n",
			Hash: "9f86d081884c7d65", RecordedAt: at(1), Proposed: true, By: "Revenue Operations", Why: "as agreed on 3 June",
		},
		Rate:    &avro.RateRecord{Base: "EUR", Quote: "USD", Day: "2025-06-15", Rate: "1.0942", Source: "ecb"},
		Horizon: &avro.HorizonRecord{Day: "2025-01-01"},
		Account: &avro.AccountRecord{Account: "ACC-1", Domain: "example.com", Reporter: "acme", CRMAccount: "001A", At: at(2)},
		Erasure: &avro.ErasureRecord{Nodes: [][]byte{{1}, {2, 3}}, At: at(3)},
		Mapping: &avro.MappingRecord{Partner: "acme", Feed: "crm", Revision: 2, Previous: 1, Document: "mapping: {}\n", Hash: "9f86", RecordedAt: at(4), By: "Marketing Operations", Why: "the CRM was moved"},
		Amount: &avro.AmountRecord{
			Campaign: "joint-q3", Day: "2025-06-15", Partner: "acme", Payer: "globex", Channel: "Email", Asset: "guide",
			Measure: "pipeline", Amount: "1250.50", Currency: "EUR", RecordedAt: at(5),
		},
		Overlap: &avro.OverlapRecord{
			Campaign: "joint-q3", Deal: avro.DealName{Reporter: "acme", Source: "salesforce", ID: "006A"},
			Other: avro.DealName{Reporter: "globex", Source: "hubspot", ID: "77"}, Decision: "same", By: "ann", Why: "one order form", At: at(6),
		},
		Dispute: &avro.DisputeRecord{
			ID: "d-1", Campaign: "joint-q3", Partner: "globex", Deal: avro.DealName{Reporter: "acme", Source: "salesforce", ID: "006A"}, Action: "open",
			About: "credit", Against: "acme", Outcome: "upheld", To: "globex", Origin: "tracksource.raw.crm.globex/1@7", By: "alliances", Why: "our event", At: at(7),
		},
		Period: &avro.PeriodRecord{Campaign: "joint-q3", Action: "close", Day: "2025-06-30", By: "finance", Why: "quarter", At: at(8)},
		Approval: &avro.ApprovalRecord{
			Campaign: "joint-q3", Partner: "globex", Of: "revision", Revision: 3, Hash: "9f86", Day: "2025-06-01", Decision: "approved", By: "finance", Why: "as agreed", At: at(9),
		},
		Signature: &avro.SignatureRecord{
			Campaign: "joint-q3", Partner: "globex", Hash: "d081", Title: "June", Decision: "disputed", By: "finance", Why: "one deal is ours", At: at(10),
		},
		Acknowledgement: &avro.AcknowledgementRecord{Campaign: "joint-q3", Partner: "acme", Alert: "guardrail/1", By: "lead", Why: "seen", At: at(11)},
		Survey:          &avro.SurveyRecord{Campaign: "joint-q3", Partner: "acme", Day: "2025-06-30", Score: "8.5", By: "alliances", Why: "clear numbers", At: at(12)},
		Evaluation: &avro.EvaluationRecord{
			Campaign: "joint-q3", Day: "2025-06-15", Guardrail: "freshness", Subject: "crm.acme", Revision: 2, Value: "25.5", Band: "amber", Target: "24h", Limit: "48h",
			Detail: "newest event of 25.5 hours ago", Evidence: []string{"crm.acme"}, Attempts: 2, At: at(13),
		},
	}
}

func sampleObservation() *avro.Observation {
	return &avro.Observation{
		Kind: "fact", Node: []byte{1, 0xfe}, Reporter: "acme", Feed: "crm", Source: "salesforce", EventID: "e-1",
		OccurredAt: at(123456), MappingRevision: 4, Revision: 5, Retracted: true,
		Origin: &avro.Origin{Topic: "tracksource.raw.crm.acme", Partition: 5, Offset: 1 << 40},
		Touch:  sampleTouch(),
		Object: &avro.ObjectFacts{
			Type: "opportunity", ID: "006A", Order: 99, SubOrder: 1, ModifiedAt: at(7), Deleted: true,
			Fields: []avro.Field{{Name: "amount", Value: text("12500.00")}, {Name: "stage"}},
		},
		Links:   []avro.Link{{Parent: []byte{2}, Evidence: -3, At: at(8)}},
		Same:    [][]byte{{6}, {7, 7}},
		Attach:  &avro.Attach{Child: []byte{3}, Number: 11},
		Total:   &avro.Total{Step: "answer", Day: "2026-03-02", Round: 3, Partition: 4, Count: 5, Sums: []avro.CurrencySum{{Currency: "EUR", Minor: 6}, {Minor: 7}}},
		Place:   &avro.Place{Parent: []byte{4}, Root: []byte{5}, Number: 12, Person: []byte{6, 6}},
		Control: sampleControl(), HashScheme: "sha256-lower-trim", Unmatchable: true,
	}
}

func sampleJourneyEvent() *avro.JourneyEvent {
	return &avro.JourneyEvent{
		Kind: "object", Account: []byte{9, 9}, Node: []byte{8}, Reporter: "acme", Feed: "crm", Source: "salesforce",
		Item: "opportunity/006A", Placement: 17, Removed: true, OccurredAt: at(10), EventID: "e-2",
		Touch: sampleTouch(),
		Object: &avro.ObjectState{
			Type: "opportunity", ID: "006A", ModifiedAt: at(11),
			Fields:  []avro.Field{{Name: "amount", Value: text("1")}, {Name: "campaign_id"}},
			Stages:  []avro.StageChange{{Stage: "Closed Won", IsClosed: true, IsWon: true, At: at(12), EventID: "e-3"}},
			Deleted: true,
		},
		Control: &avro.Control{Kind: "horizon", Horizon: &avro.HorizonRecord{Day: "2025-01-01"}},
		Person:  []byte{7, 7},
		Reason:  "erasure",
	}
}

func sampleCreditEntry() *avro.CreditEntry {
	return &avro.CreditEntry{
		Kind: "entry", Contract: "joint-q3", Revision: 2, Account: []byte{9, 9}, Conversion: "opportunity/006A",
		Measure: "revenue", Day: "2025-06-15", Partner: "acme", Channel: "paid_social", Asset: "guide", Region: "emea",
		Segment: "enterprise", Source: "linkedin", TouchCampaign: "joint-q3", Escrow: "disputed", Booked: "2025-07-01", Closing: 12, Currency: "EUR", Exponent: 2,
		Models: []string{"first-touch", "last-touch", "linear"}, Delta: []int64{-100, 0, 33}, Running: []int64{0, 50, 1 << 50},
		Confidence: 833_333, Confident: []int64{0, 41, 1 << 49},
		Generation: 4, SourcePartition: 7, Sequence: 1001, Cause: "late_touch", CauseEvent: "e-1", ChangeID: "c-1",
		EntryCount: 2, OriginalAmount: "13677.50", OriginalCurrency: "USD", Rate: "1.0942", RateDay: "2025-06-13", RateVia: "EUR", ReportingAmount: "12500.00", AsOf: at(20),
	}
}

func sampleFacts() *avro.Facts {
	created, lead, until, settled := at(50), at(51), at(52), at(57)
	item := avro.FactsItem{Reporter: "acme", Source: "salesforce", Item: "deal_registration/D1"}
	touch := avro.FactsItem{Reporter: "globex", Source: "ga4", Item: "e-1"}
	return &avro.Facts{
		Kind: "facts", Generation: 4, SourcePartition: 7, Contract: "joint-q3", Revision: 2, Account: []byte{9, 9},
		Conversion: "acme/salesforce/opportunity/006A", Excluded: "out_of_scope", Order: true, State: "won", Stage: "Closed Won", Milestone: "won",
		CreatedAt: &created, LeadAt: &lead, CloseDate: "2025-06-15", Amount: "13677.50", Currency: "USD", LeadSource: "Webinar",
		CampaignID: "7011", Region: "emea", Segment: "enterprise",
		Stages:    []avro.FactsStage{{Stage: "Closed Won", State: "won", Milestone: "won", At: at(53), EventID: "e-3"}},
		Sourced:   avro.FactsSourced{Partner: "acme", By: "registration", Evidence: &item},
		Merged:    []avro.FactsItem{{Reporter: "globex", Source: "hubspot", Item: "opportunity/77"}},
		Suspected: []avro.FactsItem{{Reporter: "initech", Source: "hubspot", Item: "opportunity/78"}},
		Measures: []avro.FactsMeasure{{
			Measure: "revenue", Day: "2025-06-15", At: &until, Value: 1250000, Currency: "EUR", Exponent: 2, OriginalAmount: "13677.50",
			OriginalCurrency: "USD", Rate: "0.9139", RateDay: "2025-06-13", RateVia: "direct", Held: "rate_missing", InScope: true, Path: []int32{0},
			Influenced: []string{"acme", "globex"}, CoSell: []string{"globex"},
			Confidence: avro.FactsConfidence{Identity: 1_000_000, Taxonomy: 666_666, Currency: 990_000, Agreement: 500_000, Spread: 750_000, Overall: 781_333},
		}},
		Touches: []avro.FactsTouch{{
			ID: touch, At: at(54), Type: "ad_click", Channel: "paid_social", Partner: "acme+globex", Asset: "guide", Source: "linkedin",
			Campaign: "this", Rule: 1, Person: "p-1", Evidence: []avro.FactsItem{touch},
		}},
		Rules: []string{"asset", "utm"},
		Disputes: []avro.FactsDispute{{
			ID: "d-1", Partner: "globex", About: "credit", Against: "acme", State: "upheld", To: "globex", By: "alliances", Why: "our event", OpenedAt: at(56),
			SettledBy: "board", SettledWhy: "their event", SettledAt: &settled, From: "2025-06-01",
		}},
		Truncated: true, AsOf: at(55),
	}
}

func sampleKey() *avro.ContributionKey {
	return &avro.ContributionKey{
		Contract: "joint-q3", Measure: "revenue", Model: "linear", Day: "2025-06-15", Partner: "acme", Channel: "paid_social",
		Asset: "guide", Region: "emea", Segment: "enterprise", Source: "linkedin", TouchCampaign: "joint-q3", Escrow: "disputed", Booked: "2025-07-01",
	}
}

func sampleRow() *avro.ContributionRow {
	return &avro.ContributionRow{
		Contract: "joint-q3", Measure: "revenue", Model: "linear", Day: "2025-06-15", Partner: "acme", Channel: "paid_social",
		Asset: "guide", Region: "emea", Segment: "enterprise", Source: "linkedin", TouchCampaign: "joint-q3", Escrow: "disputed", Booked: "2025-07-01",
		Currency: "EUR", Version: 12, IsFinal: true, IsDeleted: true, UpdatedAt: at(5000), AsOf: at(4000),
		CreditsPartition: 3, CreditsOffset: 1 << 33,
	}
}

func sampleAlert() *avro.Alert {
	return &avro.Alert{
		ID: "a-1", Kind: "duplicate_deal", Severity: "warning", Rung: "partner", Campaign: "joint-q3", Partner: "acme",
		Subject: "opportunity/006A", Message: "two partners registered this deal", Evidence: []string{"e-1", "e-2"}, RaisedAt: at(30),
		Owner: "ann", Fallback: "Partner Marketer", Since: "2025-06-01", Deadline: "2025-06-15", State: "settled",
	}
}

func sampleDeadLetter() *avro.DeadLetter {
	return &avro.DeadLetter{
		Code: "missing_field", Message: "set occurred_at", Feed: "map", Reporter: "acme", RawTopic: "tracksource.raw.map.acme",
		RawPartition: 1, RawOffset: 42, MappingRevision: 3, FailedAt: at(40),
	}
}

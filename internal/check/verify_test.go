package check_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tracksource/contract/example"
	"tracksource/identity"
	"tracksource/internal/check"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

func node(level identity.Level, scope, id string) []byte {
	return identity.Node{Level: level, Scope: scope, ID: id}.Bytes()
}

func day(n int) time.Time { return time.Date(2026, 3, n, 15, 0, 0, 0, time.UTC) }

func text(s string) *string { return &s }

// The world of the tests: one account that two partners saw, with one deal.
var (
	domain   = node(identity.Domain, "", "bigco.com")
	company  = node(identity.CRMAccount, "acme", "001")
	deal     = node(identity.Object, "acme", "006")
	visitorA = node(identity.Anonymous, "globex", "a")
	visitorB = node(identity.Anonymous, "acme", "b")
	contact  = node(identity.Contact, "acme", "003")
)

const (
	rawGlobex = "tracksource.raw.analytics.globex"
	rawAcme   = "tracksource.raw.analytics.acme"
	rawCRM    = "tracksource.raw.crm.acme"
)

func fact(topic string, offset int64, reporter, feed, source, id string, on []byte, links ...avro.Link) check.Observation {
	return check.Observation{Content: [16]byte{byte(offset), byte(len(topic)), topic[len(topic)-1]}, Observation: avro.Observation{
		Kind: "fact", Node: on, Reporter: reporter, Feed: feed, Source: source, EventID: id, OccurredAt: day(int(offset) + 1),
		Origin: &avro.Origin{Topic: topic, Offset: offset}, Links: links,
	}}
}

func link(parent []byte, evidence identity.Evidence) avro.Link {
	return avro.Link{Parent: parent, Evidence: int(evidence), At: day(1)}
}

// touches of two partners, then a deal of 100.01 dollars created behind them.
func facts() []check.Observation {
	a := fact(rawGlobex, 1, "globex", "analytics", "ga4", "t1", visitorA, link(domain, identity.Asserted))
	a.Touch = &avro.TouchFacts{Type: "visit", UTMSource: "globex", UTMMedium: "email", UTMCampaign: "ai-launch-tour"}
	b := fact(rawAcme, 2, "acme", "analytics", "ga4", "t2", visitorB, link(domain, identity.Asserted), link(contact, identity.Login))
	b.Touch = &avro.TouchFacts{Type: "visit", UTMSource: "acme", UTMMedium: "social"}
	account := fact(rawCRM, 3, "acme", "crm", "salesforce", "e1", company, link(domain, identity.Record))
	account.Object = &avro.ObjectFacts{Type: "account", ID: "001", Order: 1, ModifiedAt: day(4), Fields: []avro.Field{
		{Name: "country", Value: text("DE")}, {Name: "employees", Value: text("500")},
	}}
	opened := fact(rawCRM, 4, "acme", "crm", "salesforce", "e2", deal, link(company, identity.Record))
	opened.Object = &avro.ObjectFacts{Type: "opportunity", ID: "006", Order: 1, ModifiedAt: day(5), Fields: []avro.Field{
		{Name: "account_id", Value: text("001")},
		{Name: "amount", Value: text("7")},
		{Name: "currency", Value: text("USD")},
		{Name: "created_at", Value: text("2026-03-05T15:00:00Z")},
		{Name: "stage", Value: text("Qualification")},
	}}
	raised := fact(rawCRM, 5, "acme", "crm", "salesforce", "e3", deal, link(company, identity.Record))
	raised.Object = &avro.ObjectFacts{Type: "opportunity", ID: "006", Order: 2, ModifiedAt: day(6), Fields: []avro.Field{{Name: "amount", Value: text("100.01")}}}
	again := b
	again.Origin = &avro.Origin{Topic: rawAcme, Offset: 6}
	return []check.Observation{a, b, account, raised, opened, again}
}

func agreement() avro.Control {
	return avro.Control{Kind: "contract", Number: 1, Contract: &avro.ContractRecord{Campaign: "ai-launch-tour", Revision: 1, Document: string(example.AILaunchTour()), Hash: hashOf(string(example.AILaunchTour()))}}
}

func hashOf(document string) string {
	sum := sha256.Sum256([]byte(document))
	return hex.EncodeToString(sum[:])
}

func rate() avro.Control {
	return avro.Control{Kind: "rate", Number: 2, Rate: &avro.RateRecord{Base: "EUR", Quote: "USD", Day: "2026-03-05", Rate: "1.1"}}
}

// item is a journey event of a fact as it is at rest.
func item(o check.Observation, account []byte, placement int64) avro.JourneyEvent {
	ev := avro.JourneyEvent{
		Kind: "touch", Account: account, Node: o.Node, Reporter: o.Reporter, Feed: o.Feed, Source: o.Source, Item: o.EventID,
		Placement: placement, OccurredAt: o.OccurredAt, EventID: o.EventID, Touch: o.Touch,
	}
	switch string(o.Node) {
	case string(visitorA):
		ev.Person = visitorA
	case string(visitorB):
		ev.Person = contact
	}
	return ev
}

func objectItem(o check.Observation, account []byte, placement int64, state avro.ObjectState) avro.JourneyEvent {
	ev := item(o, account, placement)
	ev.Kind, ev.Item, ev.Touch, ev.Object = "object", o.Object.Type+"/"+o.Object.ID, nil, &state
	return ev
}

func gone(ev avro.JourneyEvent, placement int64) avro.JourneyEvent {
	ev.Placement, ev.Removed, ev.Touch, ev.Object = placement, true, nil, nil
	return ev
}

func journeys(f []check.Observation) []avro.JourneyEvent {
	fields := slices.Clone(f[4].Object.Fields)
	fields[1].Value = f[3].Object.Fields[0].Value
	slices.SortFunc(fields, func(a, b avro.Field) int { return strings.Compare(a.Name, b.Name) })
	state := avro.ObjectState{
		Type: "opportunity", ID: "006", ModifiedAt: day(6), Fields: fields,
		Stages: []avro.StageChange{{Stage: "Qualification", At: day(5), EventID: "e2"}},
	}
	first := objectItem(f[4], deal, 1, state)
	touch := item(f[0], visitorA, 1)
	return []avro.JourneyEvent{
		touch, gone(touch, 2), item(f[0], domain, 3),
		item(f[1], domain, 1),
		objectItem(f[2], domain, 1, avro.ObjectState{Type: "account", ID: "001", ModifiedAt: day(4), Fields: f[2].Object.Fields}),
		first, gone(first, 2), objectItem(f[4], domain, 3, state),
	}
}

// Confidence in what that deal counts for: one of two touches is of somebody who is
// known, of both the asset is not, and by the first touch nobody has what is theirs by
// the last. Who sourced it is the same under every model.
var shared, sourced = avro.FactsConfidence{Identity: 850_000, Taxonomy: 666_666, Currency: 1_000_000, Agreement: 1_000_000, Overall: 703_333},
	avro.FactsConfidence{Identity: 850_000, Taxonomy: 666_666, Currency: 1_000_000, Agreement: 1_000_000, Spread: 1_000_000, Overall: 903_333}

func confidenceIn(measure string) avro.FactsConfidence {
	if measure == "pipeline_sourced" {
		return sourced
	}
	return shared
}

// sure lets an entry that is its key's only one say how sure it is.
func sure(e avro.CreditEntry) avro.CreditEntry {
	e.Confidence, e.Confident = confidenceIn(e.Measure).Overall, nil
	for _, n := range e.Delta {
		e.Confident = append(e.Confident, n*int64(e.Confidence)/1_000_000)
	}
	return e
}

// The ledger of that deal, by hand: the first touch is globex's, the last one
// acme's, and an odd cent goes to the earlier. Both influenced it, and acme did not
// source it.
func credits() []avro.CreditEntry {
	list := []avro.CreditEntry{{Kind: "generation", Generation: 7}}
	for _, m := range []struct {
		measure      string
		value, first int64
		currency     string
		exponent     int
	}{{"opportunities", 1_000_000, 500_000, "", 6}, {"pipeline_created", 10001, 5001, "USD", 2}, {"pipeline_open", 10001, 5001, "USD", 2}, {"SQL", 1_000_000, 500_000, "", 6}, {"pipeline_sourced", 10001, 10001, "USD", 2}} {
		deltas := [][]int64{{m.value, 0, m.first}, {0, m.value, m.value - m.first}}
		if m.measure == "pipeline_sourced" {
			deltas = [][]int64{{m.value, m.value, m.value}} // the first touch is what sourced it
		}
		for i, delta := range deltas {
			e := avro.CreditEntry{
				Kind: "entry", Contract: "ai-launch-tour", Revision: 1, Account: domain, Conversion: "acme/salesforce/opportunity/006",
				Measure: m.measure, Day: "2026-03-05", Partner: "globex", Channel: "Email", Asset: "(unknown)", Region: "EMEA", Escrow: "(none)", Booked: "2026-03-05",
				Segment: "Mid-Market", Source: "globex", TouchCampaign: "this", Currency: m.currency, Exponent: m.exponent,
				Models: []string{"first-touch", "last-touch", "linear"}, Delta: delta, Running: slices.Clone(delta),
				Generation: 7, Sequence: int64(len(list)), ChangeID: "7-0-1", EntryCount: 14,
			}
			if i == 1 {
				e.Partner, e.Channel, e.Source, e.TouchCampaign = "acme", "Organic Social", "acme", "(none)"
			}
			list = append(list, sure(e))
		}
	}
	for _, m := range []struct {
		measure, partner string
		value            int64
	}{
		{"opportunities_influenced", "acme", 1_000_000},
		{"opportunities_influenced", "globex", 1_000_000},
		{"pipeline_influenced", "acme", 10001},
		{"pipeline_influenced", "globex", 10001},
		{"pipeline_co_sell", "acme", 10001},
	} {
		e := list[len(list)-1]
		e.Measure, e.Partner, e.Channel, e.Asset, e.Source, e.TouchCampaign = m.measure, m.partner, "(all)", "(all)", "(all)", "(all)"
		e.Delta = []int64{m.value, m.value, m.value}
		e.Running, e.Sequence = slices.Clone(e.Delta), int64(len(list))
		if e.Currency, e.Exponent = "USD", 2; m.value == 1_000_000 {
			e.Currency, e.Exponent = "", 6
		}
		list = append(list, sure(e))
	}
	return list
}

// The facts of that deal, which the attributor of partition 0 told.
func told() []check.Fact {
	f := avro.Facts{
		Kind: "facts", Generation: 7, Contract: "ai-launch-tour", Revision: 1, Account: domain, Conversion: "acme/salesforce/opportunity/006",
		Touches: []avro.FactsTouch{{}, {}},
	}
	for _, m := range []avro.FactsMeasure{
		{Measure: "opportunities", Value: 1_000_000, Exponent: 6},
		{Measure: "pipeline_created", Value: 10001, Currency: "USD", Exponent: 2},
		{Measure: "pipeline_open", Value: 10001, Currency: "USD", Exponent: 2},
		{Measure: "pipeline_sourced", Value: 10001, Currency: "USD", Exponent: 2},
		{Measure: "SQL", Value: 1_000_000, Exponent: 6},
		{Measure: "revenue", Held: "close_date_missing"},
	} {
		m.InScope, m.Path, m.Influenced, m.CoSell = true, []int32{0, 1}, []string{"acme", "globex"}, []string{"acme"}
		if m.Held == "" {
			m.Day, m.Confidence = "2026-03-05", confidenceIn(m.Measure)
		}
		f.Measures = append(f.Measures, m)
	}
	key := avro.FactsKey{Contract: f.Contract, Conversion: f.Conversion, Account: f.Account, Revision: f.Revision}
	left := key
	left.Account = deal
	return []check.Fact{
		{Facts: &avro.Facts{Kind: "generation", Generation: 7}}, {Key: key, Facts: &f}, {Key: left},
	}
}

func rows(entries []avro.CreditEntry) []check.Row {
	var list []check.Row
	for _, e := range entries {
		for m, model := range e.Models {
			if e.Running[m] == 0 {
				continue
			}
			k := avro.ContributionKey{
				Contract: e.Contract, Measure: e.Measure, Model: model, Day: e.Day, Partner: e.Partner, Channel: e.Channel, Asset: e.Asset,
				Region: e.Region, Segment: e.Segment, Source: e.Source, TouchCampaign: e.TouchCampaign, Escrow: e.Escrow, Booked: e.Booked,
			}
			r := avro.ContributionRow{
				Contract: k.Contract, Measure: k.Measure, Model: k.Model, Day: k.Day, Partner: k.Partner, Channel: k.Channel, Asset: k.Asset,
				Region: k.Region, Segment: k.Segment, Source: k.Source, TouchCampaign: k.TouchCampaign, Escrow: k.Escrow, Booked: k.Booked, Currency: e.Currency, Version: 1,
			}
			if err := errors.Join(r.SetValue(e.Running[m], e.Exponent), r.SetConfident(e.Confident[m], e.Exponent)); err != nil {
				panic(err)
			}
			list = append(list, check.Row{Key: k, Row: &r})
		}
	}
	return list
}

func placed[T any](list []T) []check.At[T] {
	var out []check.At[T]
	for i, v := range list {
		out = append(out, check.At[T]{Offset: int64(i), Value: v})
	}
	return out
}

// world is a system at rest at which nothing is wrong.
func world() check.Input {
	f := facts()
	var observations []check.Observation
	var events []avro.JourneyEvent
	for _, c := range []avro.Control{agreement(), rate()} {
		observations = append(observations, check.Observation{Observation: avro.Observation{Kind: "control", Control: &c}})
		events = append(events, avro.JourneyEvent{Kind: "control", Control: &c})
	}
	in := check.Input{
		Transactions: map[string]map[int32]check.Transactions{"tracksource.journeys": {0: {Committed: 9, End: 9}}},
		Chains: []check.Chain{{
			Group: "tracksource.resolve", Input: "tracksource.observations", Committed: 8, InputEnd: 9,
			Chain: stream.Chain{Started: true, Next: 8, Sequence: 3},
		}},
		ObservationPartitions: 1, JourneyPartitions: 1, Control: placed([]avro.Control{agreement(), rate()}),
		Observations: placed(append(observations, f...)), Journeys: placed(append(events, journeys(f)...)),
		Credits: placed(credits()), Facts: placed(told()), Rows: placed(rows(credits())),
		DeadLetters: []avro.DeadLetter{{Code: "undecodable", RawTopic: rawAcme, RawOffset: 7}},
		Raw:         []check.Position{{Topic: rawAcme, Offset: 7}},
		PartnerRows: map[string][]check.At[check.Row]{"acme": placed(rows(credits())), "globex": placed(rows(credits())), "zeta": nil},
	}
	for _, o := range f {
		in.Raw = append(in.Raw, check.Position{Topic: o.Origin.Topic, Offset: o.Origin.Offset})
	}
	return in
}

func TestHolds(t *testing.T) {
	r := check.Verify(world())
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	const want = "7 raw = 5 accepted + 1 duplicates + 0 restated + 0 late + 1 dead letters; 4 items of 1 accounts; 8 conversions; 14 entries, 34 rows"
	if r.String() != want {
		t.Errorf("got  %s\nwant %s", r, want)
	}
}

// Positions in the world, for tampering with it.
const (
	oAgreement, oTouchA, oTouchB, oRaised, oAgain = 0, 2, 3, 5, 7
	jAgreement, jTouchA, jTouchB, jDeal           = 0, 4, 5, 9
)

func drop[T any](list []T, i int) []T { return slices.Delete(list, i, i+1) }

// TestTampered is the negative control: whatever single thing is not as it must
// be, it is found and named.
func TestTampered(t *testing.T) {
	for _, tt := range []struct {
		name   string
		tamper func(in *check.Input)
		want   string
	}{
		{"a partner lacks a row", func(in *check.Input) { in.PartnerRows["acme"] = drop(in.PartnerRows["acme"], 1) }, "rows of acme: ai-launch-tour opportunities"},
		{"a partner has a row that is gone", func(in *check.Input) {
			k := &in.PartnerRows["acme"][0].Value.Key
			k.Day, k.Booked = "2026-03-07", "2026-03-07"
		}, "2026-03-07 [globex | Email | (unknown) | EMEA | Mid-Market | globex | this] is not among the rows of all"},
		{"a partner has another version of a row", func(in *check.Input) {
			row := *in.PartnerRows["globex"][3].Value.Row
			row.Version++
			in.PartnerRows["globex"][3].Value.Row = &row
		}, "Version:2"},
		{"a partner has a version that falls", func(in *check.Input) {
			again := in.PartnerRows["acme"][0]
			again.Offset = 99
			in.PartnerRows["acme"] = append(in.PartnerRows["acme"], again)
		}, "from version 1 to 1 at 0@99"},
		{"a partner lost a row by a tombstone", func(in *check.Input) {
			in.PartnerRows["acme"] = append(in.PartnerRows["acme"], check.At[check.Row]{Offset: 99, Value: check.Row{Key: in.Rows[2].Value.Key}})
		}, "rows of acme: ai-launch-tour"},
		{"who has not signed has a row", func(in *check.Input) {
			in.PartnerRows["zeta"] = in.PartnerRows["acme"][:1]
		}, "rows of zeta: its contract does not let it see ai-launch-tour"},
		{"a partner that sees its own has another's row", func(in *check.Input) {
			document := strings.Replace(in.Observations[oAgreement].Value.Control.Contract.Document, "currency: EUR, visibility: open", "currency: EUR, visibility: own", 1)
			in.Observations[oAgreement].Value.Control.Contract.Document, in.Journeys[jAgreement].Value.Control.Contract.Document = document, document
		}, "rows of globex: its contract does not let it see"},
		{"an entry is a cent off", func(in *check.Input) {
			in.Credits[3].Value.Delta[2]--
			in.Credits[3].Value.Running[2]--
		}, "ledger 5000, rows 5001, recomputed 5001"},
		{"a conversion is a cent off", func(in *check.Input) {
			in.Credits[3].Value.Delta[2]--
			in.Credits[3].Value.Running[2]--
		}, "conservation: pipeline_created of acme/salesforce/opportunity/006 on bigco.com, 2026-03-05, under linear: the ledger has 10000 of USD, the conversion is worth 10001"},
		{"what one partner influenced is a cent off", func(in *check.Input) {
			in.Credits[12].Value.Delta[2]--
			in.Credits[12].Value.Running[2]--
		}, "conservation: pipeline_influenced by acme of acme/salesforce/opportunity/006 on bigco.com, 2026-03-05, under linear: the ledger has 10000 of USD, the conversion is worth 10001"},
		{"influence is shared among partners", func(in *check.Input) {
			in.Credits[12].Value.Delta[0], in.Credits[12].Value.Running[0] = 10000, 10000
			in.Credits[13].Value.Delta[0], in.Credits[13].Value.Running[0] = 10002, 10002
		}, "conservation: pipeline_influenced by globex of acme/salesforce/opportunity/006 on bigco.com, 2026-03-05, under first-touch: the ledger has 10002 of USD, the conversion is worth 10001"},
		{
			"facts forget who influenced", func(in *check.Input) { in.Facts[1].Value.Facts.Measures[1].Influenced = []string{"globex"} },
			"facts: pipeline_influenced by acme of acme/salesforce/opportunity/006 on bigco.com, 2026-03-05, is worth 0, on the ledger under first-touch 10001 of USD",
		},
		{
			"facts name somebody who did not co-sell", func(in *check.Input) { in.Facts[1].Value.Facts.Measures[1].CoSell = []string{"acme", "globex"} },
			"facts: pipeline_co_sell by globex of acme/salesforce/opportunity/006 on bigco.com, 2026-03-05, is worth 10001 of USD and is not on the ledger",
		},
		{
			"facts are a cent off", func(in *check.Input) { in.Facts[1].Value.Facts.Measures[1].Value-- },
			"facts: pipeline_created of acme/salesforce/opportunity/006 on bigco.com, 2026-03-05, is worth 10000, on the ledger under first-touch 10001 of USD",
		},
		{
			"facts of another day", func(in *check.Input) { in.Facts[1].Value.Facts.Measures[1].Day = "2026-03-06" },
			"facts: pipeline_created of acme/salesforce/opportunity/006 on bigco.com, 2026-03-06, is worth 10001 of USD and is not on the ledger",
		},
		{"facts are lost", func(in *check.Input) { in.Facts = drop(in.Facts, 1) }, "is worth 0, on the ledger under linear 10001 of USD"},
		{"facts say that a measure is out of scope", func(in *check.Input) { in.Facts[1].Value.Facts.Measures[1].InScope = false }, "is worth 0, on the ledger under linear 10001 of USD"},
		{"facts are withdrawn", func(in *check.Input) {
			in.Facts = append(in.Facts, check.At[check.Fact]{Offset: 9, Value: check.Fact{Key: in.Facts[1].Value.Key}})
		}, "is worth 0, on the ledger under linear 10001 of USD"},
		{"facts of an account that the deal left", func(in *check.Input) {
			f := *in.Facts[1].Value.Facts
			f.Account = deal
			in.Facts[2].Value.Facts = &f
		}, "facts: ai-launch-tour acme/salesforce/opportunity/006 on provisional:object/acme/006, revision 1: the account has no such deal"},
		{"facts of a zombie of an older generation", func(in *check.Input) { in.Facts[1].Value.Facts.Generation = 6 }, "are of generation 6, announced is 7"},
		{"facts of a generation that was not announced", func(in *check.Input) { in.Facts[1].Value.Facts.Generation = 8 }, "are of generation 8, announced is 7"},
		{"facts of an older generation", func(in *check.Input) {
			in.Facts = append(in.Facts, check.At[check.Fact]{Offset: 9, Value: check.Fact{Facts: &avro.Facts{Kind: "generation", Generation: 8}}})
		}, "is worth 0, on the ledger under linear 10001 of USD"},
		{"facts of one deal in two partitions", func(in *check.Input) { in.Facts[2].Partition = 1 }, "acme/salesforce/opportunity/006 are in partitions 0 and 1"},
		{"facts under the key of another revision", func(in *check.Input) { in.Facts[1].Value.Facts.Revision = 2 }, "is of ai-launch-tour acme/salesforce/opportunity/006, revision 2"},
		{"facts of a kind that is not known", func(in *check.Input) { in.Facts[1].Value.Facts.Kind = "wish" }, `is of kind "wish"`},
		{"facts share touches that are not there", func(in *check.Input) { in.Facts[1].Value.Facts.Measures[0].Path[1] = 2 }, "opportunities is shared by touches [0 2] of 2"},
		{"a running total does not follow", func(in *check.Input) { in.Credits[3].Value.Running[2]++ }, "running 5002, but 0 before and 5001 more"},
		{"an entry is lost", func(in *check.Input) { in.Credits = drop(in.Credits, 3) }, "has sequence 4 after 2"},
		{"the last entry is lost", func(in *check.Input) { in.Credits = drop(in.Credits, 14) }, "change 7-0-1 has 13 entries and says 14"},
		{"an entry is written twice", func(in *check.Input) {
			e := in.Credits[14]
			e.Offset++
			in.Credits = append(in.Credits, e)
		}, "has sequence 14 after 14"},
		{"nothing is booked", func(in *check.Input) { in.Credits = in.Credits[:1] }, "is worth 10001 and is not on the ledger"},
		{"a generation retires everything", func(in *check.Input) {
			in.Credits = append(in.Credits, check.At[avro.CreditEntry]{Offset: 99, Value: avro.CreditEntry{Kind: "generation", Generation: 8}})
		}, "is worth 1000000 and is not on the ledger"},
		{"a zombie of an older generation", func(in *check.Input) { in.Credits[6].Value.Generation = 6 }, "is of generation 6, announced is 7"},
		{"a key in two partitions", func(in *check.Input) {
			in.Credits = append(in.Credits, check.At[avro.CreditEntry]{Partition: 1, Value: in.Credits[0].Value})
			e := in.Credits[1]
			e.Partition, e.Value.Sequence = 1, 1
			in.Credits = append(in.Credits, e)
		}, "is in partitions 0 and 1"},
		{"a row is a cent off", func(in *check.Input) {
			if err := in.Rows[5].Value.Row.SetValue(5002, 2); err != nil {
				t.Fatal(err)
			}
		}, "rows 5002, recomputed 5001"},
		{"a row is lost", func(in *check.Input) { in.Rows = drop(in.Rows, 5) }, "ledger 5001, rows 0, recomputed 5001"},
		{"a row is deleted", func(in *check.Input) { in.Rows[5].Value.Row.IsDeleted = true }, "ledger 5001, rows 0"},
		{"an extra row", func(in *check.Input) {
			r := *in.Rows[5].Value.Row
			k := in.Rows[5].Value.Key
			r.Partner, k.Partner = "zeta", "zeta"
			in.Rows = append(in.Rows, check.At[check.Row]{Offset: 99, Value: check.Row{Key: k, Row: &r}})
		}, "ledger 0, rows 5001, recomputed 0"},
		{"a row in another channel", func(in *check.Input) {
			in.Rows[5].Value.Row.Channel, in.Rows[5].Value.Key.Channel = "Display", "Display"
		}, "snapshot: ai-launch-tour pipeline_created linear USD: the rows of channel Display sum to 5001, the ledger to 0"},
		{"a row of another segment", func(in *check.Input) {
			in.Rows[5].Value.Row.Segment, in.Rows[5].Value.Key.Segment = "Enterprise", "Enterprise"
		}, "the rows of segment Mid-Market sum to 5000, the ledger to 10001"},
		{
			"a row in another currency", func(in *check.Input) { in.Rows[5].Value.Row.Currency = "EUR" },
			"snapshot: ai-launch-tour pipeline_created linear EUR: 5001 attributed and 0 unattributed, the entries by conversion come to 0 and the conversions are worth 0",
		},
		{"value is lost from the ledger and the rows", func(in *check.Input) {
			in.Credits[4].Value.Delta[2], in.Credits[4].Value.Running[2] = 0, 0
			in.Rows = drop(in.Rows, slices.IndexFunc(in.Rows, func(r check.At[check.Row]) bool {
				return r.Value.Key.Measure == "pipeline_created" && r.Value.Key.Model == "linear" && r.Value.Key.Partner == "acme"
			}))
		}, "snapshot: ai-launch-tour pipeline_created linear USD: 5001 attributed and 0 unattributed, the entries by conversion come to 5001 and the conversions are worth 10001"},
		{"unattributed value has a channel", func(in *check.Input) {
			in.Rows[5].Value.Row.Partner, in.Rows[5].Value.Key.Partner = "(unattributed)", "(unattributed)"
		}, "globex | this]: unattributed value has a channel or an asset"},
		{"attributed value is shown as unattributed", func(in *check.Input) {
			k := &in.Rows[5].Value.Key
			k.Partner, k.Channel, k.Asset = "(unattributed)", "(unattributed)", "(unattributed)"
			r := in.Rows[5].Value.Row
			r.Partner, r.Channel, r.Asset = k.Partner, k.Channel, k.Asset
		}, "snapshot: ai-launch-tour pipeline_created linear USD: the rows of partner (unattributed) sum to 5001, the ledger to 0"},
		{"a row of another day", func(in *check.Input) {
			in.Rows[5].Value.Row.Day, in.Rows[5].Value.Key.Day = "2026-03-06", "2026-03-06"
		}, "snapshot: ai-launch-tour pipeline_created linear USD: the rows of 2026-03-06 sum to 5001, its conversions are worth 0"},
		{"influence is told apart by channel", func(in *check.Input) {
			in.Rows[26].Value.Row.Channel, in.Rows[26].Value.Key.Channel = "Email", "Email"
		}, "snapshot: ai-launch-tour pipeline_influenced last-touch 2026-03-05 [acme | Email | (all) | EMEA | Mid-Market | (all) | (all)]: channel Email is not the measure's grain"},
		{"influence of nobody", func(in *check.Input) {
			in.Rows[26].Value.Row.Partner, in.Rows[26].Value.Key.Partner = "(unattributed)", "(unattributed)"
		}, "what partners influence is somebody's"},
		{"influence of one partner is counted to another", func(in *check.Input) {
			in.Rows[26].Value.Row.Partner, in.Rows[26].Value.Key.Partner = "zeta", "zeta"
		}, "snapshot: ai-launch-tour pipeline_influenced last-touch USD acme: 0 attributed and 0 unattributed, the entries by conversion come to 10001 and the conversions are worth 10001"},
		{"value of all channels", func(in *check.Input) {
			in.Rows[5].Value.Row.Channel, in.Rows[5].Value.Key.Channel = "(all)", "(all)"
		}, "channel (all) is not the measure's grain"},
		{"a version goes back", func(in *check.Input) {
			r := in.Rows[5]
			r.Offset = 99
			in.Rows = append(in.Rows, r)
		}, "went from version 1 to 1"},
		{"a row under another key", func(in *check.Input) { in.Rows[5].Value.Key.Partner = "acme" }, "under the key of"},
		{"a tombstone of a row that stands", func(in *check.Input) {
			in.Rows = append(in.Rows, check.At[check.Row]{Offset: 99, Value: check.Row{Key: in.Rows[5].Value.Key}})
		}, "follows no soft delete"},
		{"an item on two accounts", func(in *check.Input) {
			ev := in.Journeys[jTouchB]
			ev.Offset, ev.Value.Account, ev.Value.Placement = 99, company, 2
			in.Journeys = append(in.Journeys, ev)
		}, "acme/ga4/t2 of provisional:anonymous/acme/b is on 2 accounts"},
		{"an item on a wrong account", func(in *check.Input) { in.Journeys[jTouchB].Value.Account = company }, "is not on its account bigco.com"},
		{"an item is lost", func(in *check.Input) { in.Journeys = drop(in.Journeys, jTouchB) }, "is not on its account bigco.com"},
		{"an item is removed", func(in *check.Input) { in.Journeys[jTouchB].Value.Removed = true }, "was removed from its account"},
		{"an item says something else", func(in *check.Input) { in.Journeys[jTouchB].Value.Touch = &avro.TouchFacts{Type: "form"} }, "journeys: acme/ga4/t2"},
		{"an object lacks an update", func(in *check.Input) { in.Journeys[jDeal].Value.Object.ModifiedAt = day(5) }, "journeys: acme/salesforce/opportunity/006"},
		{"an item of somebody else", func(in *check.Input) { in.Journeys[jTouchB].Value.Person = visitorB }, "journeys: acme/ga4/t2 of provisional:anonymous/acme/b belongs to"},
		{"an item of nobody", func(in *check.Input) { in.Journeys[jTouchA].Value.Person = nil }, "journeys: globex/ga4/t1"},
		{"an item of a company that is somebody's", func(in *check.Input) { in.Journeys[jDeal].Value.Person = contact }, "journeys: acme/salesforce/opportunity/006"},
		{"a decision is lost", func(in *check.Input) {
			in.Observations = append(in.Observations, check.At[check.Observation]{Offset: 99, Value: check.Observation{Observation: avro.Observation{
				Kind: "decision", Node: deal, Reporter: "acme", Feed: "crm", Source: "salesforce", EventID: "overlap/1", OccurredAt: day(9),
				Object: &avro.ObjectFacts{Type: "overlap_decision", ID: "ai-launch-tour/globex/hubspot/7", Order: 1, ModifiedAt: day(9)},
			}}})
		}, "acme/salesforce/overlap_decision/ai-launch-tour/globex/hubspot/7 of provisional:object/acme/006 is not on its account bigco.com"},
		{"a placement is given twice", func(in *check.Input) { in.Journeys[jTouchA].Value.Placement = 2 }, "placement 2 of globex/ga4/t1"},
		{"an item out of nothing", func(in *check.Input) {
			ev := in.Journeys[jTouchB]
			ev.Offset, ev.Value.Item = 99, "t9"
			in.Journeys = append(in.Journeys, ev)
		}, "follows from no accepted fact"},
		{"a fact is lost", func(in *check.Input) { in.Observations = drop(in.Observations, oTouchB) }, "became neither a fact nor a dispute nor a dead letter"},
		{"a fact is observed twice", func(in *check.Input) {
			o := in.Observations[oTouchB]
			o.Offset = 99
			in.Observations = append(in.Observations, o)
		}, "was observed twice"},
		{"a fact out of nothing", func(in *check.Input) { in.Raw = in.Raw[:len(in.Raw)-1] }, "which is not there"},
		{"a fact without an origin", func(in *check.Input) { in.Observations[oAgain].Value.Origin = nil }, "has no origin"},
		{"a dead letter is lost", func(in *check.Input) { in.DeadLetters = nil }, "became neither a fact nor a dispute nor a dead letter"},
		{"a late fact without a dead letter", func(in *check.Input) {
			in.Observations = append(in.Observations, check.At[check.Observation]{Value: check.Observation{
				Observation: avro.Observation{Kind: "control", Control: &avro.Control{Kind: "horizon", Number: 3, Horizon: &avro.HorizonRecord{Day: "2026-03-03"}}},
			}, Offset: 1})
		}, "1 facts are older than the horizon and 0 dead letters say so"},
		{"a broadcast is missing", func(in *check.Input) { in.Journeys = drop(in.Journeys, jAgreement) }, "journeys/0 has 1 broadcasts of 2"},
		{"a broadcast is out of order", func(in *check.Input) {
			in.Observations[oAgreement].Value.Control, in.Observations[1].Value.Control = in.Observations[1].Value.Control, in.Observations[oAgreement].Value.Control
		}, "broadcast number 2 of observations/0 is at place 1"},
		{"a partition without broadcasts", func(in *check.Input) { in.ObservationPartitions = 2 }, "observations/1 has 0 broadcasts of 2"},
		{"a broadcast differs", func(in *check.Input) {
			c := rate()
			c.Rate.Rate = "1.2"
			in.Journeys[1].Value.Control = &c
		}, "broadcast 2 differs between partitions"},
		{"a transaction without an end", func(in *check.Input) {
			in.Transactions = map[string]map[int32]check.Transactions{"tracksource.journeys": {2: {Committed: 5, End: 9}}}
		}, "tracksource.journeys/2 has an open transaction: readers see it up to 5 of 9"},
		{"a changelog with a problem", func(in *check.Input) { in.Chains[0].Problems = []string{"x/0@3: transaction 9 follows 7"} }, "changelog x/0@3: transaction 9 follows 7"},
		{"a group ahead of its changelog", func(in *check.Input) { in.Chains[0].Committed++ }, "group tracksource.resolve stands at 9 in tracksource.observations/0, its changelog at 8"},
		{"a group without its changelog", func(in *check.Input) { in.Chains[0].Started, in.Chains[0].Next = false, 0 }, "its changelog has no checkpoint"},
		{"a changelog ahead of its input", func(in *check.Input) { in.Chains[0].InputEnd = 7 }, "which ends at 7"},
		{"a feed does not sum", func(in *check.Input) { in.Raw = in.Raw[:len(in.Raw)-1] }, rawAcme + ": 2 events, but 1 accepted + 1 duplicates + 0 restated + 0 late + 0 suppressed + 1 dead letters + 0 control totals"},
		{"a record that cannot be read", func(in *check.Input) { in.Unreadable = []string{"x/0@1"} }, "unreadable record x/0@1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := world()
			tt.tamper(&in)
			r := check.Verify(in)
			if r.Err() == nil {
				t.Fatal("nothing was found")
			}
			if !strings.Contains(r.Err().Error(), tt.want) {
				t.Errorf("got %v\nwant %q", r.Err(), tt.want)
			}
		})
	}
}

// TestHeldJourneys: with the feeds cut away, the books begin with journeys; what
// is wrong behind them is found as well.
func TestHeldJourneys(t *testing.T) {
	cut := func() check.Input {
		in := world()
		in.Cut, in.Observations, in.Raw, in.DeadLetters = []string{"tracksource.observations"}, nil, nil, nil
		return in
	}
	r := check.Verify(cut())
	if err := r.Err(); err != nil || r.Base != "journeys" || r.Conversions != 8 || r.Rows != 34 || r.Items != 4 {
		t.Errorf("%s, %+v: %v", r, r, err)
	}
	for name, tamper := range map[string]func(in *check.Input){
		"ledger 5000, rows 5001, recomputed 5001": func(in *check.Input) {
			in.Credits[3].Value.Delta[2]--
			in.Credits[3].Value.Running[2]--
		},
		"ledger 1000000, rows 1000000, recomputed 0":     func(in *check.Input) { in.Journeys[jTouchB].Value.Removed = true },
		"ledger 500000, rows 500000, recomputed 0":       func(in *check.Input) { in.Journeys = drop(in.Journeys, jTouchB) },
		"broadcast number 2 of journeys/0 is at place 1": func(in *check.Input) { in.Journeys = drop(in.Journeys, jAgreement) },
	} {
		in := cut()
		tamper(&in)
		if err := check.Verify(in).Err(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v\nwant %q", err, name)
		}
	}
}

func TestProblemsAreBounded(t *testing.T) {
	in := world()
	for i := range 100 {
		in.Unreadable = append(in.Unreadable, fmt.Sprint("x/0@", i))
	}
	r := check.Verify(in)
	if len(r.Problems) != 20 || r.ProblemCount != 100 || !strings.Contains(r.Err().Error(), "and 80 more") {
		t.Errorf("%d problems of %d: %v", len(r.Problems), r.ProblemCount, r.Err())
	}
}

package api_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/identity"
	"tracksource/internal/follow"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// The campaign of the tests: acme hosts, corp sees what is told by partner, blue its
// own, and zeta has signed another campaign with acme. Everything in it carries the
// name of whose it is, so that a test can look for it where it must not be.
const (
	summit = "summit"
	winter = "winter"
)

// noon is the day of the campaign's conversions.
func noon() time.Time { return time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC) }

func terms(campaign string, partners ...string) string {
	return "campaign: {id: " + campaign + ", name: The " + campaign + " campaign}\n" +
		"zone: Europe/Berlin\ncurrency: EUR\npartners:\n  - " + strings.Join(partners, "\n  - ") + `
window: {lookback: 90d, lateness: 30d}
models: [first-touch, last-touch, linear]
multi_touch: linear
system_of_record: {partner: acme, source: salesforce}
match: {utm_campaign: [` + campaign + `]}
credit: {utm_source: {acme: acme}}
milestones: [inquiry, MQL]
stages:
  - {partner: acme, source: salesforce, stage: Closed Won, state: won}
sourced: {days: 30}
`
}

func partner(id, role, visibility string) string {
	return fmt.Sprintf("{id: %s, name: %s <b>Inc</b>, role: %s, currency: EUR, visibility: %s}", id, strings.ToUpper(id), role, visibility)
}

// world is what the topics of the tests hold, by topic.
type world struct {
	t      testing.TB
	codecs *avro.Codecs
	topics map[string][]stream.Record
}

func newWorld(t testing.TB) *world {
	codecs, err := avro.OpenCodecs(t.Context(), avro.NewMemory(), "tracksource")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, codecs: codecs, topics: map[string][]stream.Record{}}
	w.contract(terms(summit, partner("acme", "host", "open"), partner("blue", "partner", "own"), partner("corp", "partner", "open")))
	w.contract(terms(winter, partner("acme", "host", "open"), partner("zeta", "partner", "open")))
	for i, p := range []string{"acme", "blue", "corp"} {
		w.spend(summit, p, fmt.Sprintf("%d7%d.5%d", i+1, i+1, i+1))
		w.rows(summit, p, p, int64(i+1)*111111)
		w.alert(summit, p)
	}
	w.rows(summit, attribution.Unattributed, "nobody", 4444)
	w.rows(winter, "zeta", "zeta", 999999)
	w.alert(winter, "zeta")
	w.alert(summit, "")
	w.deal("D-shared", "acme", "blue", "corp")
	w.deal("D-acme", "acme")
	w.control(avro.Control{Kind: "dispute", Dispute: &avro.DisputeRecord{
		ID: "made-by-acme", Campaign: summit, Partner: "acme", Deal: avro.DealName{Reporter: "acme", Source: "salesforce", ID: "D-acme"}, Action: "open",
		About: "sourcing", By: "RevOps of code_of_acme", Why: "subject-of-acme", At: noon(),
	}})
	w.governed()
	w.feed("crm", "acme", 81881)
	w.feed("map", "blue", 82882)
	w.feed("crm", "zeta", 89889)
	return w
}

// governed puts what signatories said of the campaign in summer, as far as it is in no
// other's way: what is evaluated, scores, and a dispute that was withdrawn.
func (w *world) governed() {
	shared := avro.DisputeRecord{ID: "dispute-by-acme-of", Campaign: summit, Partner: "acme", Deal: avro.DealName{Reporter: "acme", Source: "salesforce", ID: "D-shared"}, By: "RevOps", At: noon()}
	open, withdrawn := shared, shared
	open.Action, open.About, open.Against, open.Why = "open", "credit", "corp", "source-of-acme is better"
	withdrawn.Action, withdrawn.Why = "withdraw", "source-of-corp it is"
	w.control(avro.Control{Kind: "dispute", Dispute: &open})
	w.control(avro.Control{Kind: "dispute", Dispute: &withdrawn})
	for _, e := range []avro.EvaluationRecord{
		{Guardrail: "accuracy", Value: "99.1234", Band: "green", Target: "98%", Limit: "95%", Detail: "asset-of-corp is reconciled"},
		{Guardrail: "freshness", Subject: "crm.acme", Value: "30", Band: "amber", Target: "24h", Limit: "48h", Detail: "subject-of-acme", Evidence: []string{"code_of_acme"}},
		{Guardrail: "freshness", Subject: "map.blue", Value: "20", Band: "green", Target: "24h", Limit: "48h", Detail: "subject-of-blue", Evidence: []string{}},
		{Guardrail: "pacing", Subject: "revenue/corp", Value: "77.7777", Band: "red", Target: "100%", Limit: "90%", Detail: "asset-of-corp"},
	} {
		e.Campaign, e.Day, e.Revision, e.Attempts, e.At = summit, "2026-03-09", 1, 1, noon()
		w.control(avro.Control{Kind: "evaluation", Evaluation: &e})
	}
	for partner, score := range map[string]string{"acme": "7.9", "blue": "6.1", "corp": "3.3"} {
		w.control(avro.Control{Kind: "survey", Survey: &avro.SurveyRecord{Campaign: summit, Partner: partner, Day: "2026-03-09", Score: score, By: "RevOps", Why: "asked", At: noon()}})
	}
}

func (w *world) put(topic string, key, value []byte) {
	offset := int64(len(w.topics[topic]))
	w.topics[topic] = append(w.topics[topic], stream.Record{Topic: topic, Offset: offset, Key: key, Value: value, Timestamp: noon().Add(time.Duration(offset) * time.Second)})
}

func encoded[T any](w *world, c *avro.Codec[T], v *T) []byte {
	w.t.Helper()
	b, err := c.Append(nil, v)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) control(c avro.Control) {
	w.put("tracksource.control", []byte(c.Kind), encoded(w, w.codecs.Control, &c))
}

// decider writes to the control topic as its service would have it read.
func (w *world) decider(f *follow.Follow) func(context.Context, avro.Control) error {
	var mu sync.Mutex
	return func(_ context.Context, c avro.Control) error {
		mu.Lock()
		defer mu.Unlock()
		w.control(c)
		records := w.topics["tracksource.control"]
		return f.Take("tracksource.control", records[len(records)-1])
	}
}

func (w *world) contract(document string) {
	w.t.Helper()
	parsed, err := contract.Parse([]byte(document))
	if err != nil {
		w.t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(document))
	w.control(avro.Control{Kind: "contract", Contract: &avro.ContractRecord{
		Campaign: parsed.Campaign, Revision: 1, Document: document, Hash: hex.EncodeToString(sum[:]), RecordedAt: noon().AddDate(0, -2, 0),
	}})
}

func (w *world) spend(campaign, payer, amount string) {
	w.control(avro.Control{Kind: "spend", Amount: &avro.AmountRecord{
		Campaign: campaign, Day: "2026-03-05", Partner: payer, Payer: payer, Channel: "Email", Amount: amount, Currency: "EUR", RecordedAt: noon(),
	}})
}

// rows puts the rows of a partner: its money by model, and counts.
func (w *world) rows(campaign, partner, owner string, minor int64) {
	for _, measure := range []string{attribution.MeasureRevenue, attribution.MeasurePipelineCreated, attribution.MeasureOpportunities, attribution.MeasureWon} {
		money := measure == attribution.MeasureRevenue || measure == attribution.MeasurePipelineCreated
		for i, model := range []string{"first-touch", "last-touch", "linear"} {
			r := avro.ContributionRow{
				Contract: campaign, Measure: measure, Model: model, Day: "2026-03-10", Partner: partner, Channel: "Email",
				Asset: "asset-of-" + owner, Region: "EMEA", Segment: "Enterprise", Source: "source-of-" + owner, TouchCampaign: campaign,
				Version: 1, UpdatedAt: noon(), AsOf: noon(), CreditsOffset: int64(i),
			}
			if partner == attribution.Unattributed {
				r.Channel, r.Asset, r.Source, r.TouchCampaign = partner, partner, partner, partner
			}
			value, exponent := minor+int64(i), 2
			if money {
				r.Currency = "EUR"
			} else {
				value, exponent = 250_000, 6
			}
			if err := errors.Join(r.SetValue(value, exponent), r.SetConfident(value/4, exponent)); err != nil {
				w.t.Fatal(err)
			}
			key := avro.ContributionKey{
				Contract: r.Contract, Measure: r.Measure, Model: r.Model, Day: r.Day, Partner: r.Partner, Channel: r.Channel,
				Asset: r.Asset, Region: r.Region, Segment: r.Segment, Source: r.Source, TouchCampaign: r.TouchCampaign,
			}
			w.put("tracksource.contributions", encoded(w, w.codecs.ContributionKey, &key), encoded(w, w.codecs.ContributionRow, &r))
		}
	}
}

// feed puts what became of the events of a feed: a quarter of its touches is unmatched.
func (w *world) feed(feed, reporter string, accepted int64) {
	k := avro.FeedKey{Feed: feed, Reporter: reporter}
	row := avro.FeedRow{Feed: feed, Reporter: reporter, Accepted: accepted, Touches: 4, Unmatched: 1, Version: 1, UpdatedAt: noon()}
	w.put("tracksource.feeds", encoded(w, w.codecs.FeedKey, &k), encoded(w, w.codecs.FeedRow, &row))
}

func (w *world) alert(campaign, partner string) {
	a := avro.Alert{
		ID: "alert-" + campaign + "-" + partner, Kind: "data_gap", Severity: "warning", Campaign: campaign, Partner: partner,
		Subject: "subject-of-" + partner, Message: "something of " + campaign, Evidence: []string{}, RaisedAt: noon(),
	}
	w.put("tracksource.alerts", []byte(a.ID), encoded(w, w.codecs.Alert, &a))
}

// deal puts a won deal that acme reported, with a touch by each of the partners.
func (w *world) deal(id string, touchedBy ...string) {
	conversion := "acme/salesforce/opportunity/" + id
	created, won := noon().AddDate(0, 0, -20), noon()
	account, err := identity.DomainNode(strings.ToLower(id) + ".example")
	if err != nil {
		w.t.Fatal(err)
	}
	f := avro.Facts{
		Kind: "facts", Generation: 1, Contract: summit, Revision: 1, Account: account.Bytes(), Conversion: conversion,
		State: "won", Stage: "Closed Won", Milestone: "", CreatedAt: &created, CloseDate: "2026-03-10", Amount: "5432.10", Currency: "EUR",
		Region: "EMEA", Segment: "Enterprise", AsOf: noon(), Rules: []string{"utm_source of the contract"},
		Stages:  []avro.FactsStage{{Stage: "Closed Won", State: "won", At: won, EventID: "stage-of-" + id}},
		Sourced: avro.FactsSourced{Partner: touchedBy[0], By: "touch", Evidence: &avro.FactsItem{Reporter: touchedBy[0], Source: "segment", Item: "touch-by-" + touchedBy[0] + "-of-" + id}},
		Merged:  []avro.FactsItem{}, Suspected: []avro.FactsItem{},
	}
	if len(touchedBy) > 1 { // in the CRM of another as well
		f.Merged = []avro.FactsItem{{Reporter: touchedBy[1], Source: "hubspot", Item: "opportunity/" + id}}
	}
	m := avro.FactsMeasure{
		Measure: attribution.MeasureRevenue, Day: "2026-03-10", At: &won, Value: 543210, Currency: "EUR", Exponent: 2,
		OriginalAmount: "5432.10", OriginalCurrency: "EUR", InScope: true, Influenced: touchedBy, CoSell: []string{},
	}
	for i, p := range touchedBy {
		f.Touches = append(f.Touches, avro.FactsTouch{
			ID: avro.FactsItem{Reporter: p, Source: "segment", Item: "touch-by-" + p + "-of-" + id}, At: created.AddDate(0, 0, i-5),
			Type: "form", Channel: "Email", Partner: p, Asset: "asset-of-" + p, Source: "source-of-" + p, Campaign: summit,
			Person: "person-of-" + p, Evidence: []avro.FactsItem{},
		})
		m.Path = append(m.Path, int32(i))
	}
	f.Measures = []avro.FactsMeasure{m}
	key := avro.FactsKey{Contract: summit, Conversion: conversion, Account: f.Account, Revision: 1}
	w.put("tracksource.facts", encoded(w, w.codecs.FactsKey, &key), encoded(w, w.codecs.Facts, &f))
	e := avro.CreditEntry{
		Kind: "entry", Contract: summit, Revision: 1, Account: f.Account, Conversion: conversion, Measure: m.Measure, Day: m.Day,
		Partner: touchedBy[0], Channel: "Email", Asset: "asset-of-" + touchedBy[0], Region: f.Region, Segment: f.Segment, Source: "source-of-" + touchedBy[0],
		TouchCampaign: summit, Currency: "EUR", Exponent: 2, Models: []string{"first-touch", "last-touch", "linear"}, Delta: []int64{543210, 543210, 543210}, Running: []int64{543210, 543210, 543210},
		Generation: 1, Sequence: int64(len(w.topics["tracksource.credits"])), Cause: "stage", CauseEvent: "stage-of-" + id, ChangeID: "change-of-" + id, EntryCount: 1,
		OriginalAmount: "5432.10", OriginalCurrency: "EUR", ReportingAmount: "5432.10", RateVia: "same", AsOf: noon(),
	}
	w.put("tracksource.credits", nil, encoded(w, w.codecs.Credit, &e))
}

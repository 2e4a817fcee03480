package answer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"tracksource/contract"
	"tracksource/contract/example"
	"tracksource/deploy/kafka"
	"tracksource/identity"
	"tracksource/internal/answer"
	"tracksource/internal/attributor"
	"tracksource/internal/control"
	"tracksource/internal/follow"
	"tracksource/internal/task"
	"tracksource/report"
	"tracksource/schemas/avro"
	"tracksource/state"
	"tracksource/stream"
)

var (
	quiet = slog.New(slog.DiscardHandler)
	now   = time.Date(2026, 5, 20, 18, 0, 0, 0, time.UTC)

	operator = report.Viewer{Operator: true}
	acme     = report.Viewer{Partner: "acme"}    // the host, open
	globex   = report.Viewer{Partner: "globex"}  // open
	initech  = report.Viewer{Partner: "initech"} // own
	stranger = report.Viewer{Partner: "stranger"}
)

const campaign = "ai-launch-tour"

// edits make four partners of the example's two, of whom two see their own rows, and
// a ledger of six models.
var edits = []string{
	"  - {id: globex, name: Globex, role: partner, currency: EUR, visibility: open}\n",
	"  - {id: globex, name: Globex, role: partner, currency: EUR, visibility: open}\n" +
		"  - {id: initech, name: Initech, role: partner, currency: USD, visibility: own}\n" +
		"  - {id: umbrella, name: \"<b>Umbrella</b> & Sons\", role: partner, currency: USD, visibility: own}\n",
	"models: [first-touch, last-touch, linear]",
	"models: [first-touch, last-touch, linear, w-shaped, full-path, {model: time-decay, half_life: 3d, conversion_touch: exclude}]",
	"    acme-*: acme\n", "    acme-*: acme\n    initech: initech\n    umbrella: umbrella\n",
	"    globex: [acme, globex]\n", "    globex: [acme, globex, initech, umbrella]\n",
	"internal: [acme.com, globex.com]\n", "internal: [acme.com, globex.com]\n\napprovals: {package: [acme, globex]}\n",
}

func document() []byte {
	return []byte(strings.NewReplacer(edits...).Replace(string(example.AILaunchTour())))
}

// rig is answers over a world that was attributed by the tier itself.
type rig struct {
	t       testing.TB
	codecs  *avro.Codecs
	spec    kafka.Spec
	follow  *follow.Follow
	answers *answer.Answers
	p       *attributor.Processor
	offsets map[string]int64
	rows    map[string]avro.ContributionRow // what is published, by key
	taken   []stream.Record                 // all that is followed, in order
}

// wire is what of the topics there is to know.
func wire(t testing.TB) (*avro.Codecs, kafka.Spec) {
	t.Helper()
	codecs, err := avro.OpenCodecs(context.Background(), avro.NewMemory(), "tracksource")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := kafka.Load(kafka.ProfileLocal, kafka.Options{Feeds: []kafka.Feed{{Kind: "crm", Partner: "acme"}, {Kind: "analytics", Partner: "globex"}}})
	if err != nil {
		t.Fatal(err)
	}
	return codecs, spec
}

func newRig(t testing.TB, cubeBytes int64) *rig {
	t.Helper()
	codecs, spec := wire(t)
	dir, err := state.OpenDir(state.Config{Path: t.TempDir(), Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dir.Close(); err != nil {
			t.Error(err)
		}
	})
	clock := func() time.Time { return now }
	r := &rig{t: t, codecs: codecs, spec: spec, offsets: map[string]int64{}, rows: map[string]avro.ContributionRow{}}
	if r.follow, err = follow.Offline(follow.Config{Codecs: codecs, Spec: spec, Log: quiet, Clock: clock, CubeBytes: cubeBytes}, dir); err != nil {
		t.Fatal(err)
	}
	if r.answers, err = answer.New(answer.Config{Follow: r.follow, Clock: clock, Past: again{r}}); err != nil {
		t.Fatal(err)
	}
	r.p, err = attributor.New(attributor.Config{
		Codecs: codecs, Topics: attributor.Topics{Credits: spec.Credits(), Facts: spec.Facts(), Alerts: spec.Alerts()},
		CreditsPartitions: 1, FactsPartitions: 1, Log: quiet,
	}, stream.Assignment{Topic: spec.Journeys(), Partition: 0, Generation: 1700000000000}, task.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Emit takes an output of the attributor in, and the rows that follow from it.
func (r *rig) Emit(topic string, key, value []byte, _ ...stream.Header) {
	r.t.Helper()
	r.take(topic, stream.Record{Topic: topic, Offset: r.offsets[topic], Key: key, Value: value, Timestamp: now})
	r.offsets[topic]++
	if topic != r.spec.Credits() {
		return
	}
	var e avro.CreditEntry
	if err := r.codecs.Credit.Decode(value, &e); err != nil {
		r.t.Fatal(err)
	}
	for i, model := range e.Models {
		row := avro.ContributionRow{
			Contract: e.Contract, Measure: e.Measure, Model: model, Day: e.Day, Partner: e.Partner, Channel: e.Channel, Asset: e.Asset, Region: e.Region,
			Segment: e.Segment, Source: e.Source, TouchCampaign: e.TouchCampaign, Escrow: e.Escrow, Booked: e.Booked, Currency: e.Currency, Version: r.offsets[topic],
			UpdatedAt: now, AsOf: e.AsOf, CreditsOffset: r.offsets[topic] - 1,
		}
		confident := int64(0)
		if len(e.Confident) > 0 {
			confident = e.Confident[i]
		}
		row.IsDeleted = e.Running[i] == 0 && confident == 0
		if err := errors.Join(row.SetValue(e.Running[i], e.Exponent), row.SetConfident(confident, e.Exponent)); err != nil {
			r.t.Fatal(err)
		}
		r.publish(row)
	}
}

// take has records followed.
func (r *rig) take(topic string, records ...stream.Record) {
	r.t.Helper()
	if err := r.follow.Take(topic, records...); err != nil {
		r.t.Fatal(err)
	}
	r.taken = append(r.taken, records...)
}

// counts has what became of a feed's events told.
func (r *rig) counts(row avro.FeedRow) {
	r.t.Helper()
	key, err1 := r.codecs.FeedKey.Append(nil, &avro.FeedKey{Feed: row.Feed, Reporter: row.Reporter, Partition: row.Partition})
	value, err2 := r.codecs.FeedRow.Append(nil, &row)
	if err := errors.Join(err1, err2); err != nil {
		r.t.Fatal(err)
	}
	r.Emit(r.spec.FeedCounts(), key, value)
}

func (r *rig) EmitTo(topic string, _ int32, key, value []byte, _ ...stream.Header) {
	r.Emit(topic, key, value)
}

func (r *rig) Emitted() (records, size int) { return 0, 0 }

func keyOf(row *avro.ContributionRow) avro.ContributionKey {
	return avro.ContributionKey{
		Contract: row.Contract, Measure: row.Measure, Model: row.Model, Day: row.Day, Partner: row.Partner, Channel: row.Channel,
		Asset: row.Asset, Region: row.Region, Segment: row.Segment, Source: row.Source, TouchCampaign: row.TouchCampaign, Escrow: row.Escrow, Booked: row.Booked,
	}
}

func (r *rig) publish(row avro.ContributionRow) {
	r.t.Helper()
	k := keyOf(&row)
	key, err := r.codecs.ContributionKey.Append(nil, &k)
	if err != nil {
		r.t.Fatal(err)
	}
	value, err := r.codecs.ContributionRow.Append(nil, &row)
	if err != nil {
		r.t.Fatal(err)
	}
	records := []stream.Record{{Topic: r.spec.Contributions(), Offset: r.offsets["rows"], Key: key, Value: value, Timestamp: now}}
	r.rows[string(key)] = row
	if row.IsDeleted {
		delete(r.rows, string(key))
		records = append(records, stream.Record{Topic: r.spec.Contributions(), Offset: r.offsets["rows"] + 1, Key: key, Timestamp: now})
	}
	r.offsets["rows"] += int64(len(records))
	r.take(r.spec.Contributions(), records...)
}

func (r *rig) decide(c avro.Control) {
	r.t.Helper()
	value, err := r.codecs.Control.Append(nil, &c)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Emit(r.spec.Control(), []byte("k"), value)
}

// feed attributes events.
func (r *rig) feed(events ...*avro.JourneyEvent) {
	r.t.Helper()
	var records []stream.Record
	for _, ev := range events {
		value, err := r.codecs.Journey.Append(nil, ev)
		if err != nil {
			r.t.Fatal(err)
		}
		records = append(records, stream.Record{
			Topic: r.spec.Journeys(), Offset: r.offsets["journeys"], Key: ev.Account, Value: value,
			Timestamp: now.Add(time.Duration(r.offsets["journeys"]) * time.Millisecond),
		})
		r.offsets["journeys"]++
	}
	if err := r.p.Fold(context.Background(), records, r); err != nil {
		r.t.Fatal(err)
	}
	r.p.Committed()
	for r.p.Pending(time.Time{}) {
		if err := r.p.Fold(context.Background(), nil, r); err != nil {
			r.t.Fatal(err)
		}
		r.p.Committed()
	}
}

// agree puts the contract in force, for the attributor and for the answers.
func (r *rig) agree() {
	r.t.Helper()
	c, err := control.Revise(document(), 0, now.AddDate(0, -3, 0))
	if err != nil {
		r.t.Fatal(err)
	}
	c.Contract.By, c.Contract.Why = "Alliance Management", "as signed in February"
	r.decide(c)
	r.feed(
		&avro.JourneyEvent{Kind: "control", Control: &avro.Control{Kind: "contract", Number: 1, Contract: c.Contract}},
		&avro.JourneyEvent{Kind: "control", Control: &avro.Control{Kind: "rate", Number: 2, Rate: &avro.RateRecord{Base: "EUR", Quote: "USD", Day: "2026-02-20", Rate: "1.0837"}}},
	)
}

func company(i int) []byte {
	return identity.Node{Level: identity.Domain, ID: fmt.Sprintf("company%d.com", i)}.Bytes()
}

func touch(account []byte, reporter, id string, at time.Time, source, medium, asset string) *avro.JourneyEvent {
	return &avro.JourneyEvent{
		Kind: "touch", Account: account, Node: []byte("node-" + id), Reporter: reporter, Feed: "analytics", Source: "ga4",
		Item: id, EventID: id + "#1", Placement: 1, OccurredAt: at,
		Touch: &avro.TouchFacts{Type: "visit", UTMSource: source, UTMMedium: medium, UTMCampaign: "ai-launch-tour", Asset: asset},
	}
}

// deal is a deal of a CRM with its stages from the day of creation on.
func deal(account []byte, reporter, id, amount, currency string, created time.Time, closed string, stages ...avro.StageChange) *avro.JourneyEvent {
	o := &avro.ObjectState{Type: "opportunity", ID: id, ModifiedAt: now, Stages: stages}
	stage := stages[len(stages)-1]
	fields := map[string]string{
		"amount": amount, "currency": currency, "stage": stage.Stage, "created_at": created.Format(time.RFC3339), "close_date": closed,
		"campaign_id": "701AILAUNCHTOUR", "lead_source": "Webinar",
	}
	if stage.IsClosed {
		fields["is_closed"] = "true"
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		v := fields[name]
		o.Fields = append(o.Fields, avro.Field{Name: name, Value: &v})
	}
	return &avro.JourneyEvent{
		Kind: "object", Account: account, Node: []byte("node-" + id), Reporter: reporter, Feed: "crm", Source: "salesforce",
		Item: "opportunity/" + id, EventID: id + "#1", Placement: 1, OccurredAt: created, Object: o,
	}
}

// world draws companies with touches of all partners and deals in all states, of
// which a few are in another currency, without a history, without an amount or held.
func (r *rig) world(seed uint64, companies int) {
	r.t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	var events []*avro.JourneyEvent
	for i := range companies {
		account := company(i)
		first := time.Date(2026, 2, 22, 9, 0, 0, 0, time.UTC).Add(time.Duration(rng.IntN(60*24)) * time.Hour)
		for n := range rng.IntN(7) {
			at := first.Add(time.Duration(rng.IntN(20*24)) * time.Hour)
			events = append(events, touch(account, pick("globex", "globex", "acme"), fmt.Sprintf("t%d-%d", i, n), at, pick("globex", "acme", "initech", "umbrella", "news"),
				pick("email", "cpc", "partner"), pick("/webinars/ai-readiness", "/guides/ai-buyers-guide", "<script>alert(1)</script>")))
		}
		country, employees := pick("DE", "US", "JP"), pick("20", "500", "5000")
		o := &avro.ObjectState{Type: "account", ID: fmt.Sprint("A", i), ModifiedAt: now, Fields: []avro.Field{{Name: "country", Value: &country}, {Name: "employees", Value: &employees}}}
		events = append(events, &avro.JourneyEvent{
			Kind: "object", Account: account, Node: fmt.Append(nil, "node-a", i), Reporter: "acme", Feed: "crm", Source: "salesforce",
			Item: fmt.Sprint("account/A", i), EventID: fmt.Sprint("A", i), Placement: 1, OccurredAt: first, Object: o,
		})
		for n := range rng.IntN(3) {
			created := first.Add(time.Duration(rng.IntN(25*24)) * time.Hour)
			end := created.Add(time.Duration(24+rng.IntN(20*24)) * time.Hour)
			stages := []avro.StageChange{{Stage: "Qualification", At: created, EventID: "q"}}
			switch rng.IntN(5) {
			case 0, 1:
				stages = append(stages, avro.StageChange{Stage: "Closed Won", IsClosed: true, IsWon: true, At: end, EventID: "w"})
			case 2:
				stages = append(stages, avro.StageChange{Stage: "Closed Lost", IsClosed: true, At: end, EventID: "l"})
			case 3:
				stages = []avro.StageChange{{Stage: "Closed Won", IsClosed: true, IsWon: true, At: end, EventID: "w"}}
			}
			events = append(events, deal(account, "acme", fmt.Sprintf("D%d-%d", i, n), pick("1000", "99.99", "12345.67", "", "0.01"),
				pick("USD", "USD", "EUR", "XTS"), created, end.Format(time.DateOnly), stages...))
		}
	}
	rng.Shuffle(len(events), func(a, b int) { events[a], events[b] = events[b], events[a] })
	for len(events) > 0 {
		n := min(len(events), 25)
		r.feed(events[:n]...)
		events = events[n:]
	}
}

// plain adds up rows one by one, in the currency that most are in.
func (r *rig) plain(measure, model string, ask report.Ask) report.Breakdown {
	r.t.Helper()
	tally, err := report.NewTally(ask.By...)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, row := range r.rows {
		plain, err := follow.RowOf(&row)
		if err != nil {
			r.t.Fatal(err)
		}
		if seen, ok := ask.Take(&plain); ok && row.Contract == campaign && row.Measure == measure && row.Model == model {
			tally.Add(&seen)
		}
	}
	if all := tally.Breakdowns(); len(all) > 0 {
		return all[0]
	}
	return report.Breakdown{}
}

func parsed(t testing.TB) *contract.Contract {
	t.Helper()
	c, err := contract.Parse(document())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// show writes an answer as its askers get it.
func show(t testing.TB, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// value reads text that may be withheld.
func value(t testing.TB, text *string) report.Value {
	t.Helper()
	if text == nil {
		t.Fatal("a value is withheld")
	}
	return number(t, *text)
}

func number(t testing.TB, text string) report.Value {
	t.Helper()
	v, err := report.ParseValue(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

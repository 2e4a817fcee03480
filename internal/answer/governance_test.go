package answer_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/deploy/kafka"
	"tracksource/internal/answer"
	"tracksource/internal/control"
	"tracksource/internal/follow"
	"tracksource/internal/governance"
	"tracksource/money"
	"tracksource/report"
	"tracksource/schemas/avro"
)

// dispute opens a dispute for the judge of control and for the attributor.
func (r *rig) dispute(account []byte, number int, rec avro.DisputeRecord) {
	r.t.Helper()
	rec.Campaign, rec.Action, rec.By, rec.Why = campaign, "open", "Partner desk", "ours"
	r.decide(avro.Control{Kind: control.Dispute, Dispute: &rec})
	var d governance.Dispute
	if err := r.follow.Decided(func(b *control.Book) error {
		d = b.Disputes[control.DisputeID{Campaign: campaign, ID: rec.ID}]
		return nil
	}); err != nil || d.ID == "" {
		r.t.Fatalf("dispute %s is not taken in: %v", rec.ID, err)
	}
	node, object, err := control.DisputeObject(&d, int64(number))
	if err != nil {
		r.t.Fatal(err)
	}
	r.feed(&avro.JourneyEvent{
		Kind: "object", Account: account, Node: node.Bytes(), Reporter: d.Deal.Reporter, Feed: "crm", Source: d.Deal.Source, Item: object.Type + "/" + object.ID,
		EventID: "dispute-" + d.ID, Placement: 1, OccurredAt: d.OpenedAt,
		Object: &avro.ObjectState{Type: object.Type, ID: object.ID, ModifiedAt: object.ModifiedAt, Fields: object.Fields},
	})
}

// close closes all days up to one, for both.
func (r *rig) close(day string, number int64, at time.Time) {
	c := avro.Control{Kind: control.Period, Period: &avro.PeriodRecord{Campaign: campaign, Action: "close", Day: day, By: "Controlling", Why: "agreed", At: at}}
	r.decide(c)
	c.Number = number
	r.feed(&avro.JourneyEvent{Kind: "control", Control: &c})
}

// TestDisputesAreTheLedger: what disputes say is in escrow is what the rows have there,
// measure by measure, closed days left out.
func TestDisputesAreTheLedger(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.world(11, 40)
	r.close("2026-04-10", 3, now.Add(-time.Hour))
	count := 0
	var deals []*follow.Deal
	if err := r.follow.Deals(campaign, func(d *follow.Deal) (bool, error) {
		deals = append(deals, d)
		return true, nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, d := range deals {
		f := d.Newest()
		if f.Excluded != "" {
			continue
		}
		count++
		name, err := control.ParseDeal(f.Deal.String())
		if err != nil {
			t.Fatal(err)
		}
		rec := avro.DisputeRecord{ID: fmt.Sprint("d", count), Partner: "initech", Deal: name, About: "credit", Against: "globex", At: now}
		if count%3 == 0 {
			rec.About, rec.Against = "sourcing", ""
		}
		r.dispute([]byte(d.Account), count, rec)
	}
	got, err := r.answers.Disputes(ctx, operator, answer.Query{State: "open"})
	if err != nil || len(got.Disputes) != count || count < 10 {
		t.Fatalf("%d disputes of %d, %v", len(got.Disputes), count, err)
	}
	sums := map[string]report.Value{}
	for _, d := range got.Disputes {
		for _, e := range d.Escrow {
			sums[e.Measure] = sums[e.Measure].Add(number(t, e.Value))
		}
	}
	some := 0
	for _, m := range attribution.Measures() {
		if m.Count || !m.Additive() {
			continue
		}
		want := r.plain(m.Name, "linear", report.Ask{Any: map[report.Dimension][]string{report.Escrow: {"disputed"}}}).Total
		if sums[m.Name].Cmp(want) != 0 {
			t.Errorf("%s: %s in escrow by disputes, %s by rows", m.Name, sums[m.Name].Text(2), want.Text(2))
		}
		if want.Sign() != 0 {
			some++
		}
	}
	if some < 4 {
		t.Errorf("%d measures have something in escrow: the world is too small", some)
	}
	// A partner with sight of its own rows is told of what it opened in full, and of the
	// others' amounts nothing.
	own, err := r.answers.Disputes(ctx, initech, answer.Query{})
	if err != nil || len(own.Disputes) != count || own.Disputes[0].ID == "" {
		t.Fatalf("initech sees %d, %v", len(own.Disputes), err)
	}
	for _, d := range own.Disputes {
		if d.About == "credit" && len(d.Escrow) > 0 {
			t.Errorf("initech is told what globex is credited with: %+v", d)
		}
	}
	page, err := r.answers.Disputes(ctx, operator, answer.Query{Limit: 7})
	if err != nil || len(page.Disputes) != 7 || page.Next == nil {
		t.Errorf("a part of %d, %v", len(page.Disputes), err)
	}
}

// feedsAt is a line on which the newest event of each feed is so old.
type feedsAt struct {
	spec kafka.Spec
	at   time.Time
}

func (l feedsAt) State(context.Context) (*answer.LineState, error) {
	state := &answer.LineState{}
	for _, f := range l.spec.Feeds() {
		state.Feeds = append(state.Feeds, answer.FeedState{Feed: f, Newest: l.at})
	}
	return state, nil
}

func (r *rig) target(measure, partner, amount, currency string) {
	r.decide(avro.Control{Kind: control.Target, Amount: &avro.AmountRecord{
		Campaign: campaign, Day: "2026-06-30", Partner: partner, Measure: measure, Amount: amount, Currency: currency, RecordedAt: now,
	}})
}

// TestReadings: every guardrail is read from what is followed, and what it is made of is
// what rows and facts have.
func TestReadings(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.world(3, 50)
	day := money.DayOf(now, parsed(t).Zone).Add(-1)
	within := report.Span{From: day.Add(-89), To: day}
	end := answer.EndOfDay(day, parsed(t).Zone)
	r.target("revenue", "", "100000", "USD")
	r.target("revenue", "globex", "30000", "USD")
	r.target("quota", "", "50000", "USD")
	r.target("reach", "", "100", "")
	total := avro.Alert{
		ID: control.TotalID("crm.acme/salesforce/2026-05-18"), Kind: control.AlertControlTotal, Subject: "crm.acme/salesforce/2026-05-18", State: "open",
		Evidence: []string{"events 10 said 9 came", "USD 5.00 said 5.00 came"}, RaisedAt: now,
	}
	value, err := r.codecs.Alert.Append(nil, &total)
	if err != nil {
		t.Fatal(err)
	}
	r.Emit(r.spec.Alerts(), []byte(total.ID), value)
	answers, err := answer.New(answer.Config{Follow: r.follow, Clock: func() time.Time { return now }, Line: feedsAt{r.spec, end.Add(-30 * time.Hour)}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]report.Reading{}
	for _, g := range parsed(t).Guardrails {
		readings, err := answers.Readings(ctx, campaign, g.Name, day)
		if err != nil {
			t.Fatalf("%s: %v", g.Name, err)
		}
		for _, x := range readings {
			got[x.Guardrail+" "+x.Subject] = x
		}
	}
	expect := func(name string, known bool, text, detail string) {
		t.Helper()
		x, ok := got[name]
		if c := parsed(t); !ok || x.Known != known || text != "" && x.Text(c) != text || !strings.Contains(x.Detail, detail) {
			t.Errorf("%s is %+v, %s; want %s, %s", name, x, x.Text(parsed(t)), text, detail)
		}
	}
	expect("freshness analytics.globex", true, "30", "newest event")
	expect("completeness crm.acme", true, "90", "9 of 10")
	expect("completeness analytics.globex", false, "", "no data")
	expect("control_totals crm.acme", true, "10", "salesforce of 2026-05-18: 10 said, 9 came")
	expect("cac_payback ", false, "", "spend, costs")
	expect("win_rate ", true, "", "won")
	expect("reach ", true, "100", "0 came to inquiry, 53 were planned")
	var attributed, certain, pipeline report.Value
	for _, measure := range report.AccuracyMeasures() {
		for _, g := range r.plain(measure, "linear", report.Ask{Within: &within, By: []report.Dimension{report.Partner}}).Groups {
			if g.Key[0] != report.Unattributed {
				attributed, certain = attributed.Add(g.Value), certain.Add(g.Confident)
			}
		}
	}
	quarter := report.Quarter(day)
	pipeline = r.plain(attribution.MeasurePipelineCreated, "linear", report.Ask{Within: &quarter}).Total
	expect("confidence ", true, "", fmt.Sprintf("%s of %s attributed, times the 90%% that came of crm.acme", report.Money(certain, "USD"), report.Money(attributed, "USD")))
	expect("pipeline_coverage ", true, "", report.Money(pipeline, "USD")+" created")
	revenue := report.Span{From: quarter.From, To: day}
	expect("pacing revenue", true, "", r.plain("revenue", "linear", report.Ask{Within: &revenue}).Total.Text(2)+" reached")
	expect("pacing revenue/globex", true, "", r.plain("revenue", "linear", report.Ask{Within: &revenue, Any: map[report.Dimension][]string{report.Partner: {"globex"}}}).Total.Text(2)+" reached")
	if len(got) != 14 {
		t.Errorf("%d readings: %+v", len(got), got)
	}
	// The world has deals in a currency without a rate, so that not all is reconciled or
	// valued; a row that goes missing is a cent that does not agree.
	before := got["accuracy "]
	if !before.Known || !strings.Contains(before.Detail, "no rate for") {
		t.Errorf("accuracy is %+v", before)
	}
	for _, row := range r.rows {
		if row.Measure == "revenue" && row.Model == "linear" {
			row.IsDeleted = true
			r.publish(row)
			break
		}
	}
	after, err := answers.Readings(ctx, campaign, contract.GuardAccuracy, day)
	if err != nil || after[0].Value >= before.Value {
		t.Errorf("accuracy without a row is %+v, it was %+v, %v", after, before, err)
	}
	if _, err := answers.Readings(ctx, campaign, "weather", day); err == nil {
		t.Error("there is a guardrail of the weather")
	}
	away, err := answer.New(answer.Config{Follow: r.follow, Clock: func() time.Time { return now }, Line: noLine{}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := away.Readings(ctx, campaign, contract.GuardFreshness, day); err == nil {
		t.Error("freshness is read without brokers")
	}
}

// evaluation is one of the example's guardrails on a day of May.
func evaluation(guardrail, subject string, day int, value, band string) avro.Control {
	g := map[string][2]string{"accuracy": {"98%", "95%"}, "freshness": {"24h", "48h"}, "completeness": {"99%", "95%"}, "win_rate": {"25%", "20%"}, "pacing": {"100%", "90%"}}[guardrail]
	at := time.Date(2026, 4, day+1, 8, 0, 0, 0, time.UTC)
	return avro.Control{Kind: control.Evaluation, Evaluation: &avro.EvaluationRecord{
		Campaign: campaign, Day: time.Date(2026, 4, day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly), Guardrail: guardrail, Subject: subject, Revision: 1, Value: value, Band: band,
		Target: g[0], Limit: g[1], Detail: "made of " + value, Attempts: 1, At: at,
	}}
}

// TestGovernance: histories are cut, alerts follow the last day with data, service
// levels and scores are those of partners, and nobody is told of others what is theirs.
func TestGovernance(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	for day := 1; day <= 45; day++ {
		r.decide(evaluation("accuracy", "", day, "96", "amber"))
		r.decide(evaluation("freshness", "crm.acme", day, fmt.Sprint(day), map[bool]string{true: "green", false: map[bool]string{true: "amber", false: "red"}[day <= 48]}[day <= 24]))
		r.decide(evaluation("completeness", "crm.acme", day, "99", "green"))
	}
	r.decide(evaluation("accuracy", "", 46, "", "no_data"))
	r.decide(evaluation("freshness", "analytics.globex", 46, "49", "red"))
	r.decide(evaluation("pacing", "revenue/globex", 46, "50", "red"))
	r.decide(evaluation("win_rate", "", 46, "60", "green"))
	for partner, score := range map[string]string{"globex": "7.5", "initech": "3"} {
		r.decide(avro.Control{Kind: control.Survey, Survey: &avro.SurveyRecord{Campaign: campaign, Partner: partner, Day: "2026-05-01", Score: score, By: "RevOps", Why: "asked", At: now}})
	}
	r.decide(avro.Control{Kind: control.Period, Period: &avro.PeriodRecord{Campaign: campaign, Action: "close", Day: "2026-03-31", By: "Controlling", Why: "agreed", At: now}})
	r.decide(avro.Control{Kind: control.Signature, Signature: &avro.SignatureRecord{
		Campaign: campaign, Partner: "globex", Hash: strings.Repeat("ab", 32), Title: "March", Decision: "approved", By: "CFO office", Why: "it adds up", At: now,
	}})
	line := func(a answer.GovernanceAnswer, guardrail, subject string) answer.GuardrailLine {
		t.Helper()
		i := slices.IndexFunc(a.Guardrails, func(l answer.GuardrailLine) bool { return l.Guardrail == guardrail && l.Subject == subject })
		if i < 0 {
			return answer.GuardrailLine{}
		}
		return a.Guardrails[i]
	}
	got, err := r.answers.Governance(ctx, operator, answer.Query{})
	if err != nil {
		t.Fatal(err)
	}
	accuracy := line(got, "accuracy", "")
	if accuracy.Day != "2026-05-16" || accuracy.Band != "no_data" || accuracy.Value != nil || len(accuracy.History) != 30 || accuracy.History[28].Day != "2026-05-15" || *accuracy.History[28].Value != "96" ||
		accuracy.Alert == nil || *accuracy.Alert != "guardrail/"+campaign+"/accuracy" || accuracy.Target != "98" || accuracy.Limit != "95" {
		t.Errorf("accuracy is %s", show(t, accuracy))
	}
	if l := line(got, "win_rate", ""); l.Alert != nil || l.Band != "green" {
		t.Errorf("win rate is %s", show(t, l))
	}
	if l := line(got, "reach", ""); l.Guardrail == "" || l.Band != "" || len(l.History) != 0 {
		t.Errorf("what was never evaluated is %s", show(t, l))
	}
	if got.SLA != (answer.SLALine{FeedDays: "46", Kept: "45", Adherence: got.SLA.Adherence}) || *got.SLA.Adherence != "0.9783" {
		t.Errorf("service levels %s", show(t, got.SLA))
	}
	if len(got.Satisfaction) != 4 || *got.Satisfaction[1].Score != "7.5" || *got.Satisfaction[1].Freshness.Adherence != "0.0000" || got.Satisfaction[0].Score != nil || *got.Satisfaction[0].Freshness.Adherence != "1.0000" {
		t.Errorf("satisfaction %s", show(t, got.Satisfaction))
	}
	if got.Periods.ClosedUntil != "2026-03-31" || len(got.Periods.Steps) != 1 || len(got.Signatures) != 1 || got.Proposal != nil || got.Reopening != nil || len(got.Escalation.Ladder) != 3 {
		t.Errorf("the rest is %s", show(t, got))
	}
	open, err := r.answers.Governance(ctx, globex, answer.Query{})
	if err != nil || len(open.Satisfaction) != 4 || line(open, "freshness", "crm.acme").Detail != "" || *line(open, "freshness", "crm.acme").Value != "45" || line(open, "freshness", "analytics.globex").Detail == "" {
		t.Errorf("globex is told %s, %v", show(t, open), err)
	}
	own, err := r.answers.Governance(ctx, initech, answer.Query{})
	if err != nil || len(own.Satisfaction) != 1 || own.Satisfaction[0].Partner != "initech" || !own.Withheld || own.SLA.FeedDays != "0" {
		t.Errorf("initech is told %s, %v", show(t, own), err)
	}
	if l := line(own, "accuracy", ""); l.Band != "no_data" || l.History[28].Band != "amber" || l.History[28].Value != nil || l.Detail != "" {
		t.Errorf("of accuracy initech is told %s", show(t, l))
	}
	if text := show(t, own); strings.Contains(text, "crm.acme") || strings.Contains(text, "revenue/globex") || strings.Contains(text, "it adds up") || strings.Contains(text, "7.5") {
		t.Errorf("initech is told of others: %s", text)
	}
	if _, err := r.answers.Governance(ctx, stranger, answer.Query{}); err == nil {
		t.Error("a stranger is told")
	}
}

// TestAlertsJoined: alerts say whom they are with and who took them on; those that are
// settled are there where they are asked for, and count for no action.
func TestAlertsJoined(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	emit := func(a avro.Alert) {
		a.Campaign = campaign
		value, err := r.codecs.Alert.Append(nil, &a)
		if err != nil {
			t.Fatal(err)
		}
		r.Emit(r.spec.Alerts(), []byte(a.ID), value)
	}
	emit(avro.Alert{ID: "old", Kind: "data_gap", Severity: "warning", RaisedAt: now.Add(-time.Hour)})
	emit(avro.Alert{ID: "red", Kind: "guardrail", Severity: "error", Rung: "Lead", Owner: "lead", Fallback: "deputy", Since: "2026-05-01", Deadline: "2026-05-15", State: "open", RaisedAt: now})
	emit(avro.Alert{ID: "over", Kind: "dispute", Severity: "info", State: "settled", RaisedAt: now.Add(-time.Minute)})
	for i, by := range []string{"first", "second"} {
		r.decide(avro.Control{Kind: control.Acknowledgement, Acknowledgement: &avro.AcknowledgementRecord{
			Campaign: campaign, Partner: "globex", Alert: "red", By: by, Why: "on it", At: now.Add(time.Duration(i) * time.Second),
		}})
	}
	ids := func(q answer.Query) string {
		t.Helper()
		got, err := r.answers.Alerts(ctx, operator, q)
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, a := range got.Alerts {
			list = append(list, a.ID+" "+a.State)
		}
		for _, a := range got.Actions {
			list = append(list, a.Kind+" x"+a.Count)
		}
		return strings.Join(list, ", ")
	}
	for state, want := range map[string]string{
		"": "red open, old open, data_gap x1, guardrail x1", "open": "red open, old open, data_gap x1, guardrail x1",
		"settled": "over settled, data_gap x1, guardrail x1", "all": "red open, over settled, old open, data_gap x1, guardrail x1",
	} {
		if got := ids(answer.Query{State: state}); got != want {
			t.Errorf("alerts in state %q are %s, want %s", state, got, want)
		}
	}
	got, err := r.answers.Alerts(ctx, operator, answer.Query{Kind: "guardrail"})
	if err != nil {
		t.Fatal(err)
	}
	a := got.Alerts[0]
	if a.Owner != "lead" || a.Fallback != "deputy" || a.Since != "2026-05-01" || a.Deadline != "2026-05-15" || a.Acknowledged == nil || a.Acknowledged.By != "second" || a.Acknowledged.Partner != "globex" {
		t.Errorf("the alert is %s", show(t, a))
	}
	if _, err := r.answers.Alerts(ctx, operator, answer.Query{State: "lost"}); err == nil {
		t.Error("there are lost alerts")
	}
}

// TestApprovalsTold: what is proposed says whose approval it has and lacks, in its own
// book and in the agreed one; so does opening a closed period again.
func TestApprovalsTold(t *testing.T) {
	r := newRig(t, 0)
	text := strings.Replace(string(document()), "approvals: {package: [acme, globex]}", "approvals: {revision: [acme, globex], package: [acme], reopen: [acme, globex, initech]}", 1)
	c, err := control.Revise([]byte(strings.Replace(text, "revision: [acme, globex], ", "", 1)), 0, now.AddDate(0, -3, 0))
	if err != nil {
		t.Fatal(err)
	}
	r.decide(c)
	proposed, err := control.Propose([]byte(strings.Replace(text, "lateness: 30d", "lateness: 40d", 1)), 1, now)
	if err != nil {
		t.Fatal(err)
	}
	r.decide(proposed)
	approve := func(partner, of, decision string) {
		a := &avro.ApprovalRecord{Campaign: campaign, Partner: partner, Of: of, Decision: decision, By: "RevOps of " + partner, Why: "so", At: now.Add(2 * time.Minute)}
		if of == governance.OfRevision {
			a.Revision, a.Hash = 2, proposed.Contract.Hash
		} else {
			a.Day = "2026-03-01"
		}
		r.decide(avro.Control{Kind: control.Approval, Approval: a})
	}
	ask := func(v report.Viewer, book string) answer.GovernanceAnswer {
		t.Helper()
		got, err := r.answers.Governance(ctx, v, answer.Query{Campaign: book})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	approve("acme", governance.OfRevision, governance.Approved)
	approve("initech", governance.OfRevision, governance.Refused)
	for _, book := range []string{campaign, contract.ProposalBook(campaign)} {
		got := ask(operator, book)
		if p := got.Proposal; p == nil || p.Revision != 2 || p.Hash != proposed.Contract.Hash || !slices.Equal(p.Required, []string{"acme", "globex"}) || !slices.Equal(p.Missing, []string{"globex"}) ||
			len(p.Said) != 2 || p.Said[0].Partner != "acme" || p.Said[0].By != "RevOps of acme" || p.Said[1].Decision != "refused" {
			t.Errorf("of %s: %s", book, show(t, got.Proposal))
		}
		if got.Reopening != nil || (len(got.Guardrails) == 0) != (book != campaign) || !slices.Equal(got.Approvers.Package, []string{"acme"}) {
			t.Errorf("of %s: %s", book, show(t, got))
		}
	}
	if p := ask(initech, campaign).Proposal; p.Said[0].By != "" || p.Said[1].By != "RevOps of initech" {
		t.Errorf("initech is told %s", show(t, p))
	}
	r.decide(avro.Control{Kind: control.Period, Period: &avro.PeriodRecord{Campaign: campaign, Action: "close", Day: "2026-03-31", By: "Controlling", Why: "agreed", At: now}})
	approve("acme", governance.OfReopen, governance.Approved)
	approve("globex", governance.OfReopen, governance.Refused)
	got := ask(operator, campaign)
	if p := got.Reopening; p == nil || p.Day != "2026-03-01" || !slices.Equal(p.Missing, []string{"globex", "initech"}) || len(p.Said) != 2 {
		t.Errorf("reopening: %s", show(t, p))
	}
	for _, partner := range []string{"globex", "initech"} {
		approve(partner, governance.OfReopen, governance.Approved)
	}
	if p := ask(operator, campaign).Reopening; len(p.Missing) != 0 {
		t.Errorf("with all approvals: %s", show(t, p))
	}
	r.decide(avro.Control{Kind: control.Period, Period: &avro.PeriodRecord{Campaign: campaign, Action: "reopen", Day: "2026-03-01", By: "Controlling", Why: "a feed came late", At: now.Add(time.Hour)}})
	if got := ask(operator, campaign); got.Reopening != nil || got.Periods.ClosedUntil != "2026-02-28" || len(got.Periods.Steps) != 2 || got.Periods.Steps[0].Action != "reopen" {
		t.Errorf("opened again: %s", show(t, got))
	}
}

// TestKPIs: a quarter is its days so far, what is asked in another way is refused, and
// who sees its own rows is told of what it sourced.
func TestKPIs(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.world(5, 40)
	got, err := r.answers.KPIs(ctx, operator, answer.Query{Quarter: "2026-Q2"})
	if err != nil || got.Window.From != "2026-04-01" || got.Window.To != "2026-05-20" || got.Quarter.From != "2026-04-01" || got.Quarter.To != "2026-05-20" || len(got.KPIs) != 7 || len(got.Partners) == 0 {
		t.Errorf("this quarter: %s, %v", show(t, got), err)
	}
	before, err := r.answers.KPIs(ctx, operator, answer.Query{Quarter: "2026-Q1"})
	if err != nil || before.Window.To != "2026-03-31" {
		t.Errorf("the quarter before: %s, %v", show(t, before), err)
	}
	for _, q := range []answer.Query{{Quarter: "2026-Q3"}, {Quarter: "spring"}, {Quarter: "2026-Q1", Window: "7d"}, {Quarter: "2026-Q1", From: "2026-01-01", To: "2026-01-02"}} {
		if got, err := r.answers.KPIs(ctx, operator, q); err == nil {
			t.Errorf("%+v is answered: %s", q, show(t, got))
		}
	}
	own, err := r.answers.KPIs(ctx, initech, answer.Query{Window: "all"})
	if err != nil || len(own.KPIs) != 0 || len(own.Partners) != 1 || own.Partners[0].Partner != "initech" || !own.Withheld {
		t.Errorf("initech is told %s, %v", show(t, own), err)
	}
}

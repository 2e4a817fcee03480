package api

import (
	"context"
	"net/http"
	"reflect"
	"slices"

	"tracksource/internal/answer"
	"tracksource/report"
)

// New makes a server of answers. Its errors say what to give.
func New(cfg Config, a *answer.Answers) (*Server, error) {
	return build(cfg, slices.Concat(asks(a), decisions(a), own()))
}

// asks are the routes of questions.
func asks(a *answer.Answers) []route {
	return []route{
		get("/api/v1/contracts", "The contracts that you take part in, and what can be asked of each.", a.Contracts),
		get("/api/v1/contracts/{campaign}", "One contract with its document.", a.Contract),
		get("/api/v1/report", "The overview of a campaign: measures against targets, partners, spend, the largest groups.", a.Report,
			campaign(), model(), measure(), window(), view(), filter()),
		large(get("/api/v1/package", "Everything that a reporting package shows, all of one moment: totals against targets, contributions, the story and its insights, and the tables behind them.", a.Package, packaged())),
		get("/api/v1/breakdown", "A measure by up to three dimensions. Where the measure is additive over them its groups sum to its total; else it is refused with the dimensions that it has.", a.Breakdown,
			campaign(), model(), measure(), dimensions(), window(), view(), filter(), paged()),
		get("/api/v1/contributions", "The rows of a measure as they are published.", a.Contributions,
			campaign(), model(), measure(), window(), view(), filter(), paged()),
		get("/api/v1/timeseries", "A measure over time.", a.Timeseries,
			campaign(), model(), measure(), by("A dimension whose largest values are series of their own."), []parameter{
				{name: "step", kind: choice, choices: []string{"day", "week", "month"}, about: "Weeks begin on Monday. Default: by the length of the window."},
				{name: "top", kind: number, max: topMax, about: "How many values are series of their own. Default: 8."},
			}, window(), view(), filter()),
		get("/api/v1/funnel", "How many came to each stage.", a.Funnel,
			campaign(), model(), by("partner, channel, region or segment."), window(), filter()),
		get("/api/v1/cohorts", "What became of the deals that began together, by month, lead source, segment or sourcing partner, and how fast.", a.Cohorts,
			campaign(), by("sourced, region or segment."), []parameter{
				{name: "cohort", kind: choice, choices: []string{"created_month", "first_touch", "lead_month", "won_month", "lead_source", "segment", "partner"}, about: "What puts a deal into a cohort: the month of its creation, of its first touch, of its account's first lead or of its winning, its lead source, its account's segment or the partner that sourced it. Default: created_month."},
				{name: "value", kind: choice, choices: []string{"won", "revenue", "pipeline"}, about: "What the cells are of. Default: won."},
				{name: "window", about: "Of the day that puts a deal into its cohort: Nd, the last N calendar days with today among them, or all. Default: all."},
				{name: "from", kind: day, about: "First day, with to and instead of window."},
				{name: "to", kind: day, about: "Last day, with from and instead of window."},
			}),
		get("/api/v1/models", "All models against each other, computed from the deals' facts.", a.Models,
			campaign(), measure(), by("A dimension. Default: partner."), window(), filter()),
		get("/api/v1/confidence", "How sure a measure is: in total, by partner, what that is made of, how complete feeds are, and the deals with the most doubt first.", a.Confidence,
			campaign(), model(), measure(), window(), filter(), paged()),
		get("/api/v1/deals", "Deals, the newest first.", a.Deals,
			campaign(), []parameter{
				{name: "partner", about: "Only deals that this partner has to do with."},
				{name: "state", about: "Only deals in this state."},
				{name: "q", about: "Only deals whose id begins like this."},
			}, paged()),
		get("/api/v1/explain", "The chain from a number to the native events that made it: of a deal, or of a row of contributions. Give one of the two.", a.Explain,
			campaign(), model(), []parameter{
				{name: "opportunity", about: "The id of a deal."},
				{name: "contribution", max: placeBytesMax, about: "The key of a row, as contributions has it."},
			}),
		get("/api/v1/alerts", "What somebody should look at, the newest first, and what to do.", a.Alerts,
			campaign(), []parameter{
				{name: "kind", about: "Only alerts of this kind."},
				{name: "severity", about: "Only alerts of this severity."},
				{name: "state", kind: choice, choices: []string{"open", "settled", "all"}, about: "Only alerts in this state. Default: open."},
			}, paged()),
		get("/api/v1/governance", "How a campaign is governed and how it stands: guardrails, service levels, satisfaction, closed periods, approvals, signatures.", a.Governance,
			campaign()),
		get("/api/v1/disputes", "Disputes of deals that you are told of, or that you opened, the newest first.", a.Disputes,
			campaign(), []parameter{
				{name: "partner", about: "Only disputes that this partner opened, or that are against it."},
				{name: "state", kind: choice, choices: []string{"open", "withdrawn", "upheld", "rejected"}, about: "Only disputes in this state."},
			}, paged()),
		get("/api/v1/kpis", "The key figures: win rate, contract value, velocity, coverage, payback and reach, in all and by partner.", a.KPIs,
			campaign(), window(), []parameter{{name: "quarter", about: "A calendar quarter as 2026-Q1, in the place of a window: of this one the days so far."}}),
		untagged(get("/api/v1/freshness", "How new what is known is, feed by feed.", a.Freshness)),
		{
			method: http.MethodPost, path: "/api/v1/reconcile", summary: "Hold a CRM's export against the book, deal by deal, with one reason for each difference.",
			parameters: slices.Concat(campaign(), measure(), []parameter{
				{name: "reporter", about: "The partner whose CRM the export is of. Default: that of the system of record."},
				{name: "columns", about: "Which columns are what, as id=Name,amount=Name; what is not named is found by its usual names."},
			}, window(), paged()),
			body: typeCSV, bodyMax: exportBytesMax, answer: reflect.TypeFor[answer.ReconcileAnswer](),
			ask: func(ctx context.Context, v report.Viewer, q answer.Query, upload []byte) (any, error) {
				return a.Reconcile(ctx, v, q, upload)
			},
		},
	}
}

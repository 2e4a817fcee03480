package api

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"

	"tracksource/internal/answer"
	"tracksource/report"
)

// who may use a route.
type who int

const (
	signedIn who = iota // holders of a token; what they see, internal/answer decides
	anyone              // what is the same for all, and signing in itself
)

const (
	typeJSON   = "application/json"
	typeCSV    = "text/csv"
	typeStream = "text/event-stream"

	// limitMax and limitDefault are of one page of a list.
	limitMax     = 5000
	limitDefault = 1000
	topMax       = 50
	// placeBytesMax bounds a key or a cursor, which have names of several dimensions.
	placeBytesMax = 4096
	// exportBytesMax bounds a CRM's export.
	exportBytesMax = 32 << 20
	// positionsBytesMax bounds the positions of a package: four topics of a hundred
	// partitions fit, and the query that they are in.
	positionsBytesMax = 6 << 10
)

// route is one thing that can be asked.
type route struct {
	method, path string
	summary      string // for the document
	who          who
	parameters   []parameter
	body         string // media type of the body; empty: none
	bodyMax      int64
	upload       reflect.Type // what a JSON body is
	answer       reflect.Type // what a JSON answer is; nil: none
	tagged       bool         // the answer follows from the version alone
	stream       bool         // the answer goes on until the client leaves
	file         bool         // served as it is, from memory
	hidden       bool         // of the page, and not in the document
	decides      bool         // the answer says what became of a decision
	large        bool         // the answer is of all that there is: one at a time, with more time than others

	// Either ask or serve is set.
	ask   askFunc
	serve func(s *Server, w http.ResponseWriter, r *http.Request, c *call)
}

// askFunc answers one kind of question; upload is the body, of routes that take
// one.
type askFunc func(ctx context.Context, v report.Viewer, q answer.Query, upload []byte) (any, error)

// get is the route of a question that is answered from what is followed.
func get[A any](path, summary string, fn func(context.Context, report.Viewer, answer.Query) (A, error), parameters ...[]parameter) route {
	is := reflect.TypeFor[A]()
	if is.Kind() == reflect.Pointer {
		is = is.Elem() // one that is there
	}
	return route{
		method: http.MethodGet, path: path, summary: summary, parameters: slices.Concat(parameters...), answer: is, tagged: true,
		ask: func(ctx context.Context, v report.Viewer, q answer.Query, _ []byte) (any, error) {
			return fn(ctx, v, q)
		},
	}
}

// large is r as one whose answer is of all that there is.
func large(r route) route {
	r.large, r.tagged = true, false
	return r
}

// untagged is r as one whose answer follows from more than the version.
func untagged(r route) route {
	r.tagged = false
	return r
}

// question is what a call asks.
func (c *call) question(r *http.Request) answer.Query {
	v := c.values
	q := answer.Query{
		Campaign: v.text("campaign"), Model: v.text("model"), Measure: v.text("measure"),
		Window: v.text("window"), From: v.text("from"), To: v.text("to"), View: v.text("view"),
		By: v.list("by"), Step: v.text("step"), Top: v.number("top"), Cohort: v.text("cohort"), Value: v.text("value"),
		Partner: v.text("partner"), State: v.text("state"), Prefix: v.text("q"), Kind: v.text("kind"), Severity: v.text("severity"),
		Opportunity: v.text("opportunity"), Contribution: v.text("contribution"), Reporter: v.text("reporter"), Columns: v.text("columns"), Limit: v.number("limit"), Cursor: v.text("cursor"),
		Detail: v.text("detail"), AsOf: v.text("as_of"), Positions: v.text("positions"), Dispute: r.PathValue("dispute"),
	}
	if campaign := r.PathValue("campaign"); campaign != "" {
		q.Campaign = campaign
	}
	for _, d := range filters() {
		if len(v[d]) > 0 {
			if q.Filter == nil {
				q.Filter = map[string][]string{}
			}
			q.Filter[d] = v[d]
		}
	}
	return q
}

// filters are the dimensions that rows are narrowed by.
func filters() []string {
	var names []string
	for _, d := range report.Dimensions() {
		if d != report.Day {
			names = append(names, string(d))
		}
	}
	return names
}

// own are the routes that ask nothing of the followed topics.
func own() []route {
	const session = "/api/v1/session"
	return []route{
		{method: http.MethodGet, path: "/api/v1/events", summary: "Follow changes, as server-sent events: each has the version that answers are now of.", stream: true, serve: (*Server).events},
		{method: http.MethodPost, path: session, summary: "Sign in: turn a token into a session's cookie.", who: anyone, body: typeJSON, bodyMax: signInBytesMax, upload: reflect.TypeFor[SignIn](), answer: reflect.TypeFor[answer.ViewerAnswer](), serve: (*Server).signIn},
		{method: http.MethodGet, path: session, summary: "Who asks, and whether by a session, which can be ended.", answer: reflect.TypeFor[SessionAnswer](), serve: (*Server).session},
		{method: http.MethodDelete, path: session, summary: "Sign out.", who: anyone, serve: (*Server).signOut},
		{method: http.MethodGet, path: documentAsset, summary: "This document.", who: anyone, file: true, serve: (*Server).openapi},
		{method: http.MethodGet, path: "/{$}", who: anyone, file: true, hidden: true, serve: (*Server).page},
		{method: http.MethodGet, path: "/assets/{name...}", who: anyone, file: true, hidden: true, serve: (*Server).file},
	}
}

// The parameters that routes share.

func campaign() []parameter {
	return []parameter{{name: "campaign", about: "The book, CAMPAIGN~proposed for that of a proposal. Default: the first agreed one."}}
}

func model() []parameter {
	return []parameter{{name: "model", about: "A model of the ledger; multi-touch is the contract's agreed one. Default: multi-touch."}}
}

func measure() []parameter {
	return []parameter{{name: "measure", about: "A measure of the book, see contracts. Default: revenue."}}
}

func by(about string) []parameter { return []parameter{{name: "by", about: about}} }

func dimensions() []parameter {
	return []parameter{{name: "by", kind: list, about: "Up to three dimensions with commas between them. Default: none, the total alone."}}
}

func window() []parameter {
	return []parameter{
		{name: "window", about: "Nd, the last N calendar days in the contract's zone with today among them, or all. Default: 90d."},
		{name: "from", kind: day, about: "First day, with to and instead of window."},
		{name: "to", kind: day, about: "Last day, with from and instead of window."},
	}
}

func view() []parameter {
	var views []string
	for _, v := range report.Views() {
		views = append(views, string(v))
	}
	return []parameter{{name: "view", kind: choice, choices: views, about: "By which day rows are told: restated by the one that they are of, as_known by the one that they are booked on, which is a later one where their own was closed, adjustments as as_known and only those of another day. Default: restated."}}
}

func filter() []parameter {
	var out []parameter
	for _, name := range filters() {
		out = append(out, parameter{name: name, many: true, about: "Only rows with one of these values; may be given again."})
	}
	return out
}

// packaged are the parameters of a reporting package.
func packaged() []parameter {
	var details []string
	for _, d := range report.Details() {
		details = append(details, string(d))
	}
	return []parameter{
		{name: "campaign", about: "The book by its id, CAMPAIGN~proposed for that of a proposal, or the campaign's name in any case. Default: the first agreed one."},
		{name: "model", about: "A model by its id, or multi-touch for the contract's agreed one. Default: multi-touch."},
		{name: "window", about: "Nd, the last N calendar days in the contract's zone with today among them, campaign for the days of the campaign, or all. Default: 90d."},
		{name: "from", kind: day, about: "First day, with to and instead of window."},
		{name: "to", kind: day, about: "Last day, with from and instead of window."},
		{name: "view", kind: choice, choices: []string{string(report.AsKnown), string(report.Restated)}, about: "By which day rows are told: as_known by the one that they are booked on, so that closed periods stay as they were signed, restated by the one that they are of. Default: as_known."},
		{name: "detail", kind: choice, choices: details, about: "How much is shown: full, or summary without deals, cohorts and the worksheet. Default: full."},
		{name: "as_of", about: "As it was known then: an instant that is over, as 2026-01-31T18:00:00Z, or the end of a day. Default: now."},
		{name: "positions", max: positionsBytesMax, about: "With as_of: the places in the topics up to which the package is made, as a package's as_of has them, written topic:1,2~topic:3. Such a package comes out the same."},
		{name: "by", kind: list, about: "What contributions are told by, up to six with commas between them: partner, channel, asset, region, segment, campaign, source, day, week, month. Default: partner,channel."},
	}
}

func paged() []parameter {
	return []parameter{
		{name: "limit", kind: number, max: limitMax, about: fmt.Sprintf("How many at most. Default: %d.", limitDefault)},
		{name: "cursor", max: placeBytesMax, about: "What next of the page before gave."},
	}
}

package api_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tracksource/internal/answer"
	"tracksource/internal/api"
)

// eyes are who looks in the table of access.
var eyes = []string{"operator", "open", "own", "stranger", "nobody"}

// never lists what must not be in any answer to whom, whatever is asked: what
// carries the name of another, where it is told by account, and for who sees its own
// alone everything of another.
var never = map[string][]string{
	"open": {
		"code_of_acme", "code_of_blue", "touch-by-acme", "touch-by-blue", "person-of-acme", "person-of-blue", "D-acme", "stage-of-D-acme", "d-acme.example",
		"subject-of-acme", "subject-of-blue", "subject-of-zeta", winter, "zeta", `"9999.`, "81881", "82882", "89889",
	},
	"own": {
		"code_of_acme", "touch-by-acme", "touch-by-corp", "person-of-acme", "person-of-corp", "D-acme", "stage-of-D-acme", "d-acme.example",
		"subject-of-acme", "subject-of-corp", "subject-of-zeta", winter, "zeta", `"9999.`,
		"asset-of-acme", "asset-of-corp", "source-of-acme", "source-of-corp", `"1111.1`, `"3333.3`, "1,111.1", "3,333.3", `"277.7`, `"833.3`, `"171.51`, `"373.53`,
		"dispute-by-acme-of", "99.1234", `"30"`, "77.7777", `"7.9"`, `"3.3"`, "81881", "89889",
	},
	"stranger": {
		summit, "code_of_acme", "code_of_blue", "acme-of", "touch-by", "person-of", "D-shared", "D-acme", "subject-of-acme", "subject-of-blue", "subject-of-corp",
		"asset-of-acme", "asset-of-blue", "asset-of-corp", "blue", "corp", `"1111.1`, `"2222.2`, `"3333.3`, `"171.51`, `"272.52`, `"373.53`, "81881", "82882",
	},
	"nobody": {summit, winter, "acme", "blue", "corp", "zeta", `"1111.1`},
}

// look is one request that each of eyes makes.
type look struct {
	query, body string
	// sees says what must be in the answer to whom; who is not in it gets none, with
	// the status of refused.
	sees    map[string][]string
	refused int
	// but says with which other status some are refused.
	but map[string]int
}

// everyone lists what each of those who take part sees.
func everyone(operator, open, own []string) map[string][]string {
	return map[string][]string{"operator": operator, "open": open, "own": own}
}

// same is what all of those who take part see.
func same(what ...string) map[string][]string { return everyone(what, what, what) }

const export = "Opportunity ID,Amount,Currency,Stage,Close Date\nD-shared,5432.10,EUR,Closed Won,2026-03-10\n"

// because is the body of a decision that says by whom it is and why, and nothing else.
const because = `{"by":"Partner Operations","why":"as the board has it"}`

// hash is of no package.
const hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// disputed is the body of a dispute.
func disputed(deal, about, against string) string {
	return fmt.Sprintf(`{"deal":%q,"about":%q,"against":%q,%s`, deal, about, against, because[1:])
}

// lookouts is the table of access. An endpoint that is not here fails the test.
var lookouts = map[string][]look{
	"GET /api/v1/contracts": {
		{sees: map[string][]string{"operator": {summit, winter}, "open": {summit}, "own": {summit}, "stranger": {winter}}},
	},
	"GET /api/v1/contracts/{campaign}": {
		{refused: 404, sees: same("zone: Europe/Berlin")},
	},
	"GET /api/v1/report": {
		{query: "campaign=summit&window=all", refused: 400, sees: everyone(
			[]string{"1111.13", "2222.24", "3333.35", "171.51", "asset-of-corp"},
			[]string{"1111.13", "2222.24", "3333.35", "asset-of-blue"},
			[]string{"2222.24", "272.52", "6711.18", `"withheld":true`},
		)},
		{query: "campaign=summit&window=all&partner=acme&partner=blue", refused: 400, sees: everyone([]string{"3333.37"}, []string{"3333.37"}, []string{`"total":null`})},
		{query: "campaign=winter&window=all", refused: 400, sees: map[string][]string{"operator": {"10000.01"}, "stranger": {"zeta", "10000.01"}}},
	},
	"GET /api/v1/package": {
		{query: "campaign=summit&window=all", refused: 400, sees: everyone(
			[]string{"1111.13", "2222.24", "3333.35", "171.51"}, []string{"1111.13", "2222.24", "3333.35"}, []string{"2222.24", "6711.18", `"withheld":true`},
		)},
		{query: "campaign=The+summit+campaign&window=campaign&by=asset,source,month", refused: 400, sees: everyone([]string{"asset-of-corp"}, []string{"asset-of-corp"}, []string{"asset-of-blue"})},
	},
	"GET /api/v1/breakdown": {
		{query: "campaign=summit&window=all&by=partner,asset,source", refused: 400, sees: everyone(
			[]string{"asset-of-acme", "1111.13"}, []string{"asset-of-acme", "source-of-blue"}, []string{"asset-of-blue", "2222.24", "6711.18"},
		)},
		{query: "campaign=summit&window=all&by=asset&partner=acme", refused: 400, sees: everyone([]string{"1111.13"}, []string{"1111.13"}, []string{`"total":null`, `"groups":[]`})},
		{query: "campaign=summit&window=all&asset=asset-of-acme", refused: 400, sees: everyone([]string{"1111.13"}, []string{"1111.13"}, []string{`"total":null`})},
		{query: "campaign=summit&window=all&measure=won&by=day", refused: 400, sees: same("2026-03-10")},
	},
	"GET /api/v1/contributions": {
		{query: "campaign=summit&window=all", refused: 400, sees: everyone([]string{"source-of-acme", "44.46"}, []string{"source-of-acme", "asset-of-blue"}, []string{"asset-of-blue", "2222.24"})},
		{query: "campaign=summit&window=all&partner=corp", refused: 400, sees: everyone([]string{"3333.35"}, []string{"3333.35"}, []string{`"rows":[]`})},
		{query: "campaign=summit&window=all&view=as_known", refused: 400, sees: everyone([]string{"833.33"}, []string{"833.33"}, []string{"555.56"})},
	},
	"GET /api/v1/timeseries": {
		{query: "campaign=summit&window=all&by=asset", refused: 400, sees: everyone([]string{"asset-of-acme", "1111.13"}, []string{"asset-of-acme", "3333.35"}, []string{"asset-of-blue", "6711.18"})},
		{query: "campaign=summit&window=all&by=source&partner=acme", refused: 400, sees: everyone([]string{"source-of-acme"}, []string{"source-of-acme"}, []string{`"total":null`, `"series":[]`})},
	},
	"GET /api/v1/funnel": {
		{query: "campaign=summit&window=all&by=partner", refused: 400, sees: everyone([]string{`"acme"`}, []string{`"acme"`}, []string{"that you reported"})},
	},
	"GET /api/v1/cohorts": {
		{query: "campaign=summit&by=region", refused: 400, sees: everyone([]string{`"size":"2"`}, []string{`"size":"1"`}, []string{`"size":"1"`})},
	},
	"GET /api/v1/models": {
		{query: "campaign=summit&window=all&by=partner", refused: 400, sees: everyone([]string{`"acme","value"`, "7242.80"}, []string{`"acme","value"`}, []string{`"blue","value"`, "1810.70"})},
		{query: "campaign=summit&window=all&by=asset", refused: 400, sees: map[string][]string{"operator": {"asset-of-acme"}, "open": {"asset-of-acme"}}},
	},
	"GET /api/v1/confidence": {
		{query: "campaign=summit&window=all", refused: 400, sees: everyone([]string{"1111.13", "1677.78", "D-acme"}, []string{"1111.13", "D-shared"}, []string{"2222.24", "1810.70", "D-shared"})},
		{query: "campaign=summit&window=all&partner=acme", refused: 400, sees: everyone([]string{"1111.13", "D-acme"}, []string{"1111.13", "D-shared"}, []string{`"total":null`, `"partners":[]`, `"deals":[]`})},
	},
	"GET /api/v1/deals": {
		{query: "campaign=summit", refused: 400, sees: everyone([]string{"D-acme", "D-shared", "d-acme.example"}, []string{"D-shared"}, []string{"D-shared"})},
		{query: "campaign=summit&partner=acme&q=D", refused: 400, sees: same()},
	},
	"GET /api/v1/explain": {
		{query: "campaign=summit&opportunity=D-shared", refused: 400, sees: everyone(
			[]string{"touch-by-acme", "touch-by-blue", "person-of-corp"}, []string{"touch-by-corp"}, []string{"touch-by-blue"},
		)},
		{query: "opportunity=D-acme", refused: 404, sees: map[string][]string{"operator": {"touch-by-acme"}}},
	},
	"POST /api/v1/reconcile": {
		{query: "campaign=summit&window=all", body: export, refused: 400, sees: everyone([]string{"D-acme"}, []string{}, []string{})},
	},
	"POST /api/v1/disputes": {
		{query: "campaign=summit", body: disputed("D-shared", "sourcing", ""), refused: 400, but: map[string]int{"operator": 422}, sees: map[string][]string{"open": {`"kind":"dispute"`, `"accepted"`}, "own": {`"accepted"`}}},
		{query: "campaign=summit&partner=acme", body: disputed("D-shared", "credit", "corp"), refused: 403, but: map[string]int{"stranger": 400}, sees: map[string][]string{"operator": {`"accepted"`}}},
		{query: "campaign=summit&partner=blue", body: disputed("D-acme", "credit", "acme"), refused: 403, but: map[string]int{"stranger": 400}, sees: map[string][]string{"operator": {`"accepted"`}}},
		// A deal that one does not see is as one that there is not.
		{query: "campaign=summit", body: disputed("D-acme", "credit", "(none)"), refused: 404, but: map[string]int{"operator": 422, "stranger": 400}},
		{query: "campaign=summit", body: disputed("D-nothing", "credit", "(none)"), refused: 404, but: map[string]int{"operator": 422, "stranger": 400}},
	},
	"POST /api/v1/disputes/{dispute}/withdrawal": {
		{query: "campaign=summit", body: because, refused: 404, but: map[string]int{"operator": 422, "stranger": 400}}, // it is of acme
		{query: "campaign=summit&partner=blue", body: because, refused: 403, but: map[string]int{"operator": 404, "stranger": 400}},
	},
	"POST /api/v1/disputes/{dispute}/resolution": {
		{query: "campaign=summit", body: `{"outcome":"rejected","to":"",` + because[1:], refused: 403, sees: map[string][]string{"operator": {`"accepted"`, "made-by-acme"}}},
	},
	"POST /api/v1/approvals": {
		{query: "campaign=summit", body: `{"of":"revision","revision":2,"hash":"` + hash + `","day":"","decision":"approved",` + because[1:], refused: 409, but: map[string]int{"operator": 422, "stranger": 400}},
	},
	"POST /api/v1/periods": {
		{query: "campaign=summit", body: `{"action":"close","day":"2026-03-01",` + because[1:], refused: 403, sees: map[string][]string{"operator": {`"period"`, `"accepted"`}}},
	},
	"POST /api/v1/signatures": {
		{query: "campaign=summit", body: `{"hash":"` + hash + `","title":"March","decision":"approved",` + because[1:], refused: 400, but: map[string]int{"operator": 422}, sees: map[string][]string{"open": {`"accepted"`}, "own": {`"accepted"`}}},
		{query: "campaign=summit&partner=acme", body: `{"hash":"` + hash + `","title":"March","decision":"disputed",` + because[1:], refused: 403, but: map[string]int{"stranger": 400}, sees: map[string][]string{"operator": {`"accepted"`}}},
	},
	"POST /api/v1/acknowledgements": {
		{query: "campaign=summit", body: `{"alert":"alert-summit-blue",` + because[1:], refused: 404, but: map[string]int{"stranger": 400}, sees: map[string][]string{"operator": {`"accepted"`}, "own": {`"accepted"`}}},
		{query: "campaign=summit", body: `{"alert":"alert-winter-zeta",` + because[1:], refused: 404, but: map[string]int{"stranger": 400}},
		{query: "campaign=winter", body: `{"alert":"alert-winter-zeta",` + because[1:], refused: 400, sees: map[string][]string{"operator": {`"accepted"`}, "stranger": {`"accepted"`}}},
	},
	"POST /api/v1/surveys": {
		{query: "campaign=summit", body: `{"score":"8.5",` + because[1:], refused: 400, but: map[string]int{"operator": 422}, sees: map[string][]string{"open": {`"accepted"`}, "own": {`"accepted"`}}},
		{query: "campaign=summit&partner=corp", body: `{"score":"8.5",` + because[1:], refused: 403, but: map[string]int{"stranger": 400}, sees: map[string][]string{"operator": {`"accepted"`}}},
	},
	"GET /api/v1/alerts": {
		{query: "campaign=summit", refused: 400, sees: everyone([]string{"subject-of-acme", "alert-summit-"}, []string{"subject-of-corp"}, []string{"subject-of-blue"})},
		{query: "campaign=winter", refused: 400, sees: map[string][]string{"operator": {"subject-of-zeta"}, "stranger": {"subject-of-zeta"}}},
	},
	"GET /api/v1/governance": {
		{query: "campaign=summit", refused: 400, sees: everyone(
			[]string{"code_of_acme", "99.1234", `"adherence":"1.0000"`, `"7.9"`, "asset-of-corp"}, []string{"99.1234", `"30"`, `"7.9"`, `"3.3"`, "77.7777"},
			[]string{"subject-of-blue", `"6.1"`, `"band":"green"`, `"withheld":true`},
		)},
	},
	"GET /api/v1/disputes": {
		{query: "campaign=summit", refused: 400, sees: everyone(
			[]string{"made-by-acme", "subject-of-acme", "source-of-acme is better"}, []string{"dispute-by-acme-of", "source-of-corp it is"},
			[]string{"acme/salesforce/D-shared", `"state":"withdrawn"`, `"partner":"(other)"`, `"withheld":true`},
		)},
		{query: "campaign=summit&state=open&partner=acme", refused: 400, sees: everyone([]string{"made-by-acme", `"deal_visible":true`}, []string{`"disputes":[]`}, []string{`"disputes":[]`})},
	},
	"GET /api/v1/kpis": {
		{query: "campaign=summit&window=all", refused: 400, sees: everyone([]string{`"partner":"acme"`, "EUR 10,864.20 of 2 deals"}, []string{`"partner":"acme"`, "EUR 10,864.20 of 2 deals"}, []string{`"kpis":[]`, `"partner":"blue"`})},
	},
	"GET /api/v1/freshness": {
		{sees: map[string][]string{
			"operator": {"code_of_acme", "code_of_zeta", "tracksource.resolve", "81881", "82882", `"accepted":"254652"`, `"unresolved":"3"`, `"match_rate":"0.7500"`},
			"open":     {`"feeds":[]`, `"counters":null`}, "own": {"code_of_blue", "82882", `"match_rate":"0.7500"`, `"counters":null`}, "stranger": {"code_of_zeta", "89889"},
		}},
	},
	"GET /api/v1/events": {
		{sees: map[string][]string{"operator": {"event: change"}, "open": {"event: change"}, "own": {"event: change"}, "stranger": {"event: change"}}},
	},
	"POST /api/v1/session":     {{body: `{"token":"tsk_wrong"}`, refused: 401}},
	"GET /api/v1/session":      {{}},
	"DELETE /api/v1/session":   {{}},
	"GET /api/v1/openapi.json": {{}},
}

// says reports whether an answer has something in it.
func says(body []byte, what string) bool { return strings.Contains(string(body), what) }

// TestAccess asks every endpoint of the document as everybody.
func TestAccess(t *testing.T) {
	path, tokens := accessFile(t, [2]string{"operator", ""}, [2]string{"open", "corp"}, [2]string{"own", "blue"}, [2]string{"stranger", "zeta"})
	s := filled(t, func(c *api.Config) { c.AccessFile = path })
	for _, route := range api.Table() {
		name := route.Method + " " + route.Path
		looks := lookouts[name]
		if len(looks) == 0 {
			t.Errorf("%s has no row in the table of access", name)
		}
		for _, l := range looks {
			for _, who := range eyes {
				t.Run(name+"?"+l.query+" as "+who, func(t *testing.T) {
					r := request(t, route, l)
					if who != "nobody" {
						r.Header.Set("Authorization", "Bearer "+tokens[who])
					}
					w := httptest.NewRecorder()
					s.ServeHTTP(w, r)
					body := w.Body.Bytes()
					for _, hidden := range never[who] {
						if says(body, hidden) {
							t.Errorf("%s is told of %s: %.2000s", who, hidden, body)
						}
					}
					seen, let := l.sees[who]
					switch {
					case who == "nobody" && route.SignedIn:
						problem(t, w, http.StatusUnauthorized)
						return
					case !let && l.refused != 0:
						problem(t, w, cmp.Or(l.but[who], l.refused))
						return
					case w.Code >= 300:
						t.Fatalf("%s gets %d: %s", who, w.Code, body)
					}
					for _, what := range seen {
						if !says(body, what) {
							t.Errorf("%s is not told of %s: %.3000s", who, what, body)
						}
					}
					if route.Answer != nil {
						conforms(t, route.Answer.Name(), body)
					}
				})
			}
		}
	}
	for name := range lookouts {
		if !told(name) {
			t.Errorf("%s is in the table of access and no endpoint", name)
		}
	}
}

func told(name string) bool {
	for _, r := range api.Table() {
		if r.Method+" "+r.Path == name {
			return true
		}
	}
	return false
}

func request(t testing.TB, route api.Route, l look) *http.Request {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	if route.Stream {
		cancel() // what would follow is the matter of other tests
	}
	t.Cleanup(cancel)
	target := strings.NewReplacer("{campaign}", summit, "{dispute}", "made-by-acme").Replace(route.Path)
	if l.query != "" {
		target += "?" + l.query
	}
	r := httptest.NewRequest(route.Method, target, strings.NewReader(l.body)).WithContext(ctx)
	if route.Body != "" {
		r.Header.Set("Content-Type", route.Body)
	}
	return r
}

// TestRowsOfOthers: a key of a row that somebody may not see, wherever he has it from,
// explains nothing to him.
func TestRowsOfOthers(t *testing.T) {
	path, tokens := accessFile(t, [2]string{"operator", ""}, [2]string{"open", "corp"}, [2]string{"own", "blue"}, [2]string{"stranger", "zeta"})
	s := filled(t, func(c *api.Config) { c.AccessFile, c.PerSecond = path, 1000 })
	get := func(who, target string) *httptest.ResponseRecorder {
		return do(s, http.MethodGet, target, "", "Authorization", "Bearer "+tokens[who])
	}
	var rows answer.ContributionsAnswer
	if err := json.Unmarshal(get("operator", "/api/v1/contributions?window=all").Body.Bytes(), &rows); err != nil || len(rows.Rows) != 4 {
		t.Fatalf("%d rows, %v", len(rows.Rows), err)
	}
	for _, row := range rows.Rows {
		for _, who := range eyes[:4] {
			w := get(who, "/api/v1/explain?contribution="+row.Key)
			want := http.StatusOK
			if who == "own" && row.Partner != "blue" || who == "stranger" {
				want = http.StatusNotFound
			}
			if w.Code != want {
				t.Errorf("%s asks for the row of %s: %d, want %d: %s", who, row.Partner, w.Code, want, w.Body)
			}
			for _, hidden := range never[who] {
				if says(w.Body.Bytes(), hidden) {
					t.Errorf("%s is told of %s: %.2000s", who, hidden, w.Body)
				}
			}
			if w.Code == http.StatusOK {
				conforms(t, "ExplainAnswer", w.Body.Bytes())
			}
		}
	}
}

// TestStrangersCannotTell: for who has not signed a campaign, asking for it is the
// same as asking for one that there is not, to the byte, at every endpoint.
func TestStrangersCannotTell(t *testing.T) {
	path, tokens := accessFile(t, [2]string{"stranger", "zeta"})
	s := filled(t, func(c *api.Config) { c.AccessFile = path })
	asked := 0
	for _, route := range api.Table() {
		if !route.SignedIn || !strings.Contains(route.Path, "{campaign}") && !takes(route, "campaign") {
			continue
		}
		asked++
		get := func(campaign string) (int, string) {
			target, body := strings.ReplaceAll(route.Path, "{campaign}", campaign), "Id,Amount\n1,2\n"
			if takes(route, "campaign") {
				target += "?campaign=" + campaign
			}
			if route.Decides {
				body = because
			}
			headers := []string{"Authorization", "Bearer " + tokens["stranger"]}
			if route.Body != "" {
				headers = append(headers, "Content-Type", route.Body)
			}
			w := do(s, route.Method, target, body, headers...)
			return w.Code, w.Body.String()
		}
		for _, there := range []string{summit, summit + "~proposed"} {
			code, body := get(there)
			other, otherBody := get("nothing")
			if code != other || body != otherBody || code < 400 || code >= 500 {
				t.Errorf("%s %s: %d %s\nand for one that there is not %d %s", route.Method, route.Path, code, body, other, otherBody)
			}
		}
	}
	if asked < 10 {
		t.Errorf("only %d endpoints were asked", asked)
	}
}

func takes(route api.Route, name string) bool {
	for _, p := range route.Parameters {
		if p.Name == name {
			return true
		}
	}
	return false
}

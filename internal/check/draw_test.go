package check

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/contract"
	"tracksource/identity"
	"tracksource/money"
	"tracksource/schemas/avro"
)

// drawnContract is what the drawn contracts have in common; rules about journeys
// are added to it.
const drawnContract = `campaign: {id: tour, name: Tour}
zone: America/New_York
currency: USD
partners:
  - {id: acme, role: host, currency: USD}
  - {id: globex, currency: EUR}
  - {id: initech, currency: USD}
window: {lookback: 10d, lateness: 5d}
models:
  - linear
  - position-based
  - last-non-direct
  - {model: full-path, rest: between}
  - {model: w-shaped, id: w, conversion_touch: exclude, exclude: {channel: [Direct]}}
  - {model: custom, id: own, types: {form: 3, visit: 1}, transforms: [first]}
system_of_record: {partner: acme, source: salesforce}
match: {utm_campaign: [tour], crm_campaigns: [701tour], assets: [webinar]}
assets: [{id: webinar, owner: globex}, {id: guide, owner: acme}]
regions: {DE: EMEA, US: AMER}
segments: [{segment: Large, employees_min: 1000}, {segment: Small, employees_max: 999}]
internal: [acme.com]
stages: [{stage: Qualified, milestone: SQL}]
credit: {reporters: {initech: [globex]}}
`

var drawnStart = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// drawnMoment draws from few instants, so that ties and both sides of every bound
// occur often.
func drawnMoment(t *rapid.T, name string) time.Time {
	return drawnStart.Add(time.Duration(rapid.IntRange(0, 16*4).Draw(t, name)) * 6 * time.Hour)
}

// drawnStep is an instant of a step of a dispute, of even fewer.
func drawnStep(t *rapid.T, name string) string {
	return drawnStart.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, name)) * 72 * time.Hour).Format(time.RFC3339Nano)
}

func oneOf(t *rapid.T, name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }

func drawnNode(level identity.Level, id string) string {
	n := identity.Node{Level: level, ID: id}
	if level != identity.Email {
		n.Scope = "acme"
	}
	return string(n.Bytes())
}

func drawnPerson(t *rapid.T) string {
	return oneOf(t, "person", "", drawnNode(identity.Anonymous, "1"), drawnNode(identity.Email, "1"), drawnNode(identity.Contact, "2"),
		drawnNode(identity.Contact, "2"), drawnNode(identity.Contact, "3"))
}

// drawnDay is a day as people write it, which is sometimes none.
func drawnDay(t *rapid.T, name string) string {
	return oneOf(t, name, "", "2026-03-09", drawnMoment(t, name).Format(time.DateOnly), drawnMoment(t, name).Format(time.DateOnly), "soon")
}

func drawnInstant(t *rapid.T, name string) string {
	text := drawnMoment(t, name).Format(time.RFC3339)
	return oneOf(t, name+" as text", text, text, text, text, text, text, "", "yesterday")
}

func drawTouch(t *rapid.T) touch {
	key := itemKey{
		node: oneOf(t, "node", "a", "b"), reporter: oneOf(t, "reporter", "acme", "globex", "initech", "stranger"), source: oneOf(t, "source", "ga4", "marketo"),
		item: rapid.StringMatching(`[a-d][0-4]`).Draw(t, "item"),
	}
	at := drawnMoment(t, "at")
	if rapid.Bool().Draw(t, "together") { // so that reporters meet
		at = drawnStart.Add(30 * time.Hour)
	}
	return touch{
		key: key, feed: oneOf(t, "feed", "map", "analytics"), person: drawnPerson(t),
		at: at.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "minutes")) * 20 * time.Minute),
		facts: &avro.TouchFacts{
			Type:        oneOf(t, "type", "visit", "visit", "visit", "form", "email_click", "email_open"),
			UTMSource:   oneOf(t, "utm_source", "", "globex", "acme", "google"),
			UTMMedium:   oneOf(t, "utm_medium", "", "", "email"),
			UTMCampaign: oneOf(t, "utm_campaign", "", "tour", "tour", "other"),
			Asset:       oneOf(t, "asset", "", "", "webinar", "guide", "else"),
			Bot:         rapid.IntRange(0, 9).Draw(t, "bot") == 0,
		},
	}
}

func drawStages(t *rapid.T, names ...string) []avro.StageChange {
	var stages []avro.StageChange
	for i := range rapid.IntRange(0, 4).Draw(t, "stages") {
		closed := rapid.Bool().Draw(t, "stage closed")
		stages = append(stages, avro.StageChange{
			Stage: oneOf(t, "stage", names...), IsClosed: closed, IsWon: closed && rapid.Bool().Draw(t, "stage won"),
			At: drawnMoment(t, "stage at"), EventID: fmt.Sprint(i),
		})
	}
	return stages
}

// drawFields are the fields of an object of a type.
func drawFields(t *rapid.T, typ string) map[string]string {
	deal := rapid.StringMatching(`[01]`).Draw(t, "of deal")
	switch typ {
	case "opportunity":
		f := map[string]string{
			"amount":   oneOf(t, "amount", "", "0", "1", "100.01", "-33.33", "9999999.99", "broken"),
			"currency": oneOf(t, "currency", "", "USD", "EUR", "JPY"), "created_at": drawnInstant(t, "created"), "close_date": drawnDay(t, "closed"),
			"campaign_id": oneOf(t, "campaign", "", "701tour"), "shared_id": oneOf(t, "shared", "", "", "0", "x"),
			"is_closed": oneOf(t, "is closed", "true", "false"), "lead_source": oneOf(t, "lead source", "", "Event"),
			"account_id": oneOf(t, "of account", "", "0", "1"), "stage": oneOf(t, "stage now", "s", "Qualified"),
		}
		if f["is_closed"] == "true" {
			f["is_won"] = oneOf(t, "is won", "true", "false")
		}
		return f
	case "order":
		return map[string]string{
			"amount": oneOf(t, "amount", "", "10", "25.505"), "currency": oneOf(t, "currency", "", "EUR"), "created_at": drawnInstant(t, "placed"),
			"refund:1": oneOf(t, "refund", "0", "3.335", "10"), "refund:2": oneOf(t, "another refund", "0", "0", "bad"),
			"shared_id": oneOf(t, "shared", "", "", "", "x"),
		}
	case "account":
		return map[string]string{
			"country": oneOf(t, "country", "", "DE", "US", "FR"), "employees": oneOf(t, "employees", "", "10", "5000"), "industry": oneOf(t, "industry", "", "Retail"),
		}
	case "campaign_member":
		return map[string]string{"campaign_id": oneOf(t, "campaign", "", "701tour")}
	case "lead", "contact":
		return map[string]string{"created_at": drawnInstant(t, "created")}
	case "contact_role":
		return map[string]string{"opportunity_id": deal, "contact": oneOf(t, "contact", known(drawnNode(identity.Contact, "2")), known(drawnNode(identity.Contact, "3")), "")}
	case "deal_registration":
		return map[string]string{
			"opportunity_id": deal, "partner": oneOf(t, "partner", "", "Acme ", "globex", "stranger"), "status": oneOf(t, "status", "Approved", "active", "pending"),
			"expires": drawnDay(t, "expires"), "approved_at": oneOf(t, "approved", drawnInstant(t, "approved at"), drawnDay(t, "approved on")),
		}
	case "dispute":
		f := map[string]string{
			"campaign": oneOf(t, "campaign", "tour", "tour", "tour", "tour", "another"), "partner": oneOf(t, "partner", "acme", "globex", "globex", "initech", "initech", "stranger"),
			"deal":  oneOf(t, "disputed deal", "acme/salesforce/opportunity/0", "acme/salesforce/opportunity/0", "acme/salesforce/opportunity/0", "acme/hubspot/opportunity/0", "globex/salesforce/opportunity/"+deal),
			"about": oneOf(t, "about", "sourcing", "credit", "credit"), "opened_at": drawnStep(t, "opened"),
			"opened_by": "alliances", "opened_why": "ours", "state": oneOf(t, "state", "", "", "", "upheld", "upheld", "upheld", "rejected", "withdrawn"),
		}
		to := []string{"acme", "globex", "initech"}
		if f["about"] == "credit" {
			f["against"] = oneOf(t, "against", "acme", "acme", "globex", "globex", "(none)", "(held)")
		} else {
			to = append(to, contract.MarketingSourced, contract.Unsourced)
		}
		if f["state"] != "" {
			f["settled_at"], f["settled_by"], f["settled_why"] = drawnStep(t, "settled"), "board", "seen"
		}
		if f["state"] == "upheld" {
			f["to"] = oneOf(t, "to", to...)
		}
		return f
	case "overlap_decision":
		other := oneOf(t, "other", "globex/salesforce/opportunity/", "acme/hubspot/opportunity/") + rapid.StringMatching(`[01]`).Draw(t, "other deal")
		f := map[string]string{
			"campaign": oneOf(t, "campaign", "tour", "tour", "tour", "another"), "deal": "acme/salesforce/opportunity/" + deal, "other": other,
			"decision": oneOf(t, "decision", "same", "different"),
		}
		if rapid.Bool().Draw(t, "turned") {
			f["deal"], f["other"] = f["other"], f["deal"]
		}
		return f
	}
	return nil
}

// drawObject draws any object of one of the types, in few enough places that they
// meet.
func drawObject(types ...string) *rapid.Generator[object] {
	return rapid.Custom(func(t *rapid.T) object {
		typ, ids := oneOf(t, "type", types...), []string{"0", "1", "2", "3"}
		if typ == "opportunity" {
			ids = ids[:2]
		}
		of := oneOf(t, "system", "acme/salesforce", "acme/salesforce", "acme/hubspot", "globex/salesforce")
		system := strings.Split(of, "/")
		for i := range ids {
			if typ == "dispute" { // whose ids nobody uses twice
				ids[i] = "tour/" + of + "/" + ids[i]
			}
		}
		o := object{
			key:  itemKey{reporter: system[0], source: system[1], item: typ + "/" + oneOf(t, "id", ids...)},
			feed: "crm", person: drawnPerson(t),
			state: avro.ObjectState{Type: typ, ModifiedAt: drawnMoment(t, "modified"), Deleted: rapid.IntRange(0, 9).Draw(t, "deleted") == 0},
		}
		o.state.ID = local(o.key)
		for name, text := range drawFields(t, typ) {
			if text != "" {
				o.state.Fields = append(o.state.Fields, avro.Field{Name: name, Value: &text})
			}
		}
		slices.SortFunc(o.state.Fields, func(a, b avro.Field) int { return cmp.Compare(a.Name, b.Name) })
		switch typ {
		case "opportunity":
			o.state.Stages = drawStages(t, "s", "Qualified")
		case "campaign_member":
			o.state.Stages = drawStages(t, "Responded", "Attended", "Sent", "attended")
		case "lead", "contact":
			o.state.Stages = drawStages(t, "MQL", "SQL", "else")
		}
		return o
	})
}

// drawAccount draws what is on an account. Each id is there once, or with states
// that were modified at different times.
func drawAccount(t *rapid.T) account {
	all := slices.Concat(
		rapid.SliceOfN(drawObject("opportunity"), 0, 4).Draw(t, "deals"),
		rapid.SliceOfN(drawObject("dispute"), 0, 3).Draw(t, "disputes"),
		rapid.SliceOfN(drawObject("order", "account", "campaign_member", "lead", "contact", "contact_role", "contact_role", "deal_registration", "deal_registration", "overlap_decision"), 0, 9).Draw(t, "objects"))
	slices.SortStableFunc(all, func(a, b object) int {
		return cmp.Or(compareItem(a.key, b.key), a.state.ModifiedAt.Compare(b.state.ModifiedAt))
	})
	all = slices.CompactFunc(all, func(a, b object) bool {
		return compareItem(a.key, b.key) == 0 && a.state.ModifiedAt.Equal(b.state.ModifiedAt)
	})
	touches := rapid.SliceOfN(rapid.Custom(drawTouch), 1, 14).Draw(t, "touches")
	slices.SortStableFunc(touches, func(a, b touch) int { return cmp.Or(compareItem(a.key, b.key), cmp.Compare(a.key.node, b.key.node)) })
	touches = slices.CompactFunc(touches, func(a, b touch) bool { return a.key == b.key })
	return account{touches, all}
}

// drawRules draws one to three revisions with every combination of what a contract
// says about journeys.
func drawRules(t *rapid.T) (rules []revision) {
	for n := range rapid.SampledFrom([]int{1, 1, 2, 2, 3}).Draw(t, "revisions") {
		lines := []string{
			fmt.Sprintf("journey: {matching: %s, touches: %d}", oneOf(t, "matching", "implicit", "hybrid", "explicit"), rapid.SampledFrom([]int{1, 2, 3, 5, 1000}).Draw(t, "cap")),
			fmt.Sprintf("overlap: {window: %s, by: %s, disagreement: %s}", oneOf(t, "window", "0m", "30m", "1d"), oneOf(t, "by", "account", "person"), oneOf(t, "disagreement", "split", "hold")),
			fmt.Sprintf("deals: {others: %s, suspect: %s}", oneOf(t, "others", "evidence", "count"), oneOf(t, "suspect", "never", "2d", "30d")),
			fmt.Sprintf("sourced: {days: %d}", rapid.IntRange(1, 10).Draw(t, "sourced days")),
			"precedence: [" + oneOf(t, "precedence", "", "globex", "acme/hubspot, globex/ga4", "globex/salesforce, acme/marketo") + "]",
		}
		if n > 0 && rapid.IntRange(0, 3).Draw(t, "for some days") > 0 || rapid.IntRange(0, 9).Draw(t, "the first too") == 0 {
			lines = append(lines, "restate_from: "+drawnMoment(t, "restate from").Format(time.DateOnly))
		}
		c, err := contract.Parse([]byte(drawnContract + strings.Join(lines, "\n")))
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, revision{number: int64(n + 1), contract: c})
	}
	return rules
}

// drawClosings draws which days are closed and opened again, as of different times.
func drawClosings(t *rapid.T) (list []closing) {
	for range rapid.SampledFrom([]int{0, 0, 0, 1, 1, 2, 3}).Draw(t, "closings") {
		list = append(list, closing{until: money.DayOf(drawnMoment(t, "closed until"), time.UTC), at: drawnMoment(t, "closed at")})
	}
	return list
}

// drawnRates are those of some days: before and after them a rate is missing, and one
// currency has none to the contract's.
func drawnRates(t testing.TB) *money.Rates {
	t.Helper()
	rates := &money.Rates{}
	for day := range money.Day(8) {
		on := money.DayOf(drawnStart, time.UTC) + day
		if err := errors.Join(rates.Set("EUR", "USD", on, fmt.Sprintf("1.0%d", day+1)), rates.Set("EUR", "JPY", on, fmt.Sprintf("16%d", day))); err != nil {
			t.Fatal(err)
		}
	}
	return rates
}

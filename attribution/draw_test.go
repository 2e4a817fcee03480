package attribution_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/money"
)

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// drawUntil checks a property at least the given times, and as many times more, up to a
// few hundred, as it takes until what is rare has come: how rare it is does not decide
// whether the test shows something. The few draws of -short promise nothing.
func drawUntil(t *testing.T, times int, property func(*rapid.T), came func() bool) {
	t.Helper()
	const more = 200
	for n := 0; n < times || n < times+more && !testing.Short() && !came(); n++ {
		rapid.Check(t, property)
	}
}

// moment draws from few instants, so that ties and both sides of every bound
// occur often.
func moment(t *rapid.T, name string) time.Time {
	return start.Add(time.Duration(rapid.IntRange(0, 16*4).Draw(t, name)) * 6 * time.Hour)
}

func text(t *rapid.T, name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }

func drawPerson(t *rapid.T) string {
	return text(t, "person", "", "", "email/1", "contact/acme/2", "contact/acme/3")
}

func drawTouch(t *rapid.T) attribution.Touch {
	reporter, source := text(t, "reporter", "acme", "globex", "stranger"), text(t, "source", "ga4", "marketo")
	return attribution.Touch{
		ID: attribution.ItemID{Reporter: reporter, Source: source, Item: rapid.StringMatching(`[a-f][0-9]`).Draw(t, "item")},
		At: moment(t, "at").Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "minutes")) * 20 * time.Minute),
		Facts: contract.TouchInput{
			Reporter: reporter, Source: source, Feed: "map",
			Type:        text(t, "type", "visit", "email_click", "form", "email_open"),
			UTMSource:   text(t, "utm_source", "", "globex", "google"),
			UTMCampaign: text(t, "utm_campaign", "", "tour", "other"),
			Asset:       text(t, "asset", "", "webinar", "else"),
			Bot:         rapid.IntRange(0, 9).Draw(t, "bot") == 0,
		},
		Person: drawPerson(t), Node: text(t, "node", "a", "b"),
	}
}

func drawStages(t *rapid.T, names ...string) []attribution.StageChange {
	var stages []attribution.StageChange
	for i := range rapid.IntRange(0, 4).Draw(t, "stages") {
		closed := rapid.Bool().Draw(t, "stage closed")
		stages = append(stages, attribution.StageChange{
			Stage: text(t, "stage", names...), IsClosed: closed, IsWon: closed && rapid.Bool().Draw(t, "stage won"),
			At: moment(t, "stage at"), EventID: fmt.Sprint(i),
		})
	}
	return stages
}

func drawDeal(t *rapid.T) attribution.Object {
	fields := map[string]string{
		"amount":      text(t, "amount", "", "0", "1", "100.01", "-33.33", "9999999.99", "broken"),
		"currency":    text(t, "currency", "", "USD", "EUR", "JPY"),
		"created_at":  moment(t, "created").Format(time.RFC3339),
		"close_date":  moment(t, "closed").Format(time.DateOnly),
		"campaign_id": text(t, "campaign", "", "701tour"),
		"shared_id":   text(t, "shared", "", "", "0", "x"),
		"is_closed":   text(t, "is closed", "true", "false"),
	}
	if rapid.IntRange(0, 9).Draw(t, "undated") == 0 {
		delete(fields, text(t, "missing", "created_at", "close_date"))
	}
	if fields["is_closed"] == "true" {
		fields["is_won"] = text(t, "is won", "true", "false")
	}
	id := attribution.ItemID{
		Reporter: text(t, "owner", "acme", "acme", "acme", "globex"),
		Source:   "salesforce", Item: "opportunity/" + rapid.StringMatching(`[0-3]`).Draw(t, "deal"),
	}
	return attribution.Object{ID: id, Type: "opportunity", ModifiedAt: moment(t, "modified"), Fields: fields, Stages: drawStages(t, "s", "Qualified")}
}

// drawObject draws any object, in few enough places that they meet.
func drawObject(t *rapid.T) attribution.Object {
	o := attribution.Object{
		ID:   attribution.ItemID{Reporter: text(t, "reporter", "acme", "globex"), Source: "salesforce"},
		Type: text(t, "type", "order", "account", "campaign_member", "lead", "contact", "contact_role", "deal_registration", "overlap_decision", contract.ObjectDispute),
		Feed: "crm", ModifiedAt: moment(t, "modified"), Person: drawPerson(t),
	}
	o.ID.Item = o.Type + "/" + rapid.StringMatching(`[0-3]`).Draw(t, "id")
	deal := rapid.StringMatching(`[0-3]`).Draw(t, "of deal")
	switch o.Type {
	case "order":
		o.Fields = map[string]string{
			"amount": text(t, "amount", "10", "25.50"), "currency": text(t, "currency", "", "EUR"), "created_at": moment(t, "placed").Format(time.RFC3339),
			"refund:1": text(t, "refund", "0", "3.33", "10"),
		}
	case "account":
		o.Fields = map[string]string{"country": text(t, "country", "", "DE", "US", "FR"), "employees": text(t, "employees", "", "10", "5000")}
	case "campaign_member":
		o.Fields, o.Stages = map[string]string{"campaign_id": text(t, "campaign", "", "701tour")}, drawStages(t, "Responded", "Attended", "Sent")
	case "lead", "contact":
		o.Fields, o.Stages = map[string]string{"created_at": moment(t, "created").Format(time.RFC3339)}, drawStages(t, "MQL", "SQL", "else")
	case "contact_role":
		o.Fields = map[string]string{"opportunity_id": deal, "contact": "contact/acme/2"}
	case "deal_registration":
		o.Fields = map[string]string{
			"opportunity_id": deal, "partner": text(t, "partner", "", "acme", "globex", "stranger"), "status": text(t, "status", "Approved", "pending"),
			"expires": text(t, "expires", "", "2026-03-09"), "approved_at": moment(t, "approved").Format(time.RFC3339),
		}
	case "overlap_decision":
		o.Fields = map[string]string{
			"campaign": "tour", "deal": "acme/salesforce/opportunity/" + deal, "other": "globex/salesforce/opportunity/" + rapid.StringMatching(`[0-3]`).Draw(t, "other"),
			"decision": text(t, "decision", "same", "different"),
		}
	case contract.ObjectDispute:
		o.ID.Item = "dispute/tour/" + rapid.StringMatching(`[0-3]`).Draw(t, "dispute")
		o.Fields = drawDispute(t, text(t, "deal's CRM", "acme", "acme", "globex")+"/salesforce/opportunity/"+deal)
	}
	return o
}

// drawDispute draws what a dispute says of a deal.
func drawDispute(t *rapid.T, deal string) map[string]string {
	f := map[string]string{
		"campaign": text(t, "whose", "tour", "tour", "tour", "other"), "deal": deal, "partner": text(t, "disputes", "acme", "globex", "stranger"),
		"about": text(t, "about", attribution.DisputeCredit, attribution.DisputeCredit, attribution.DisputeSourcing), "opened_at": moment(t, "opened").Format(time.RFC3339),
		"against": text(t, "against", "acme", "globex", contract.None, contract.Held),
	}
	if state := text(t, "state", "", attribution.DisputeUpheld, attribution.DisputeUpheld, attribution.DisputeRejected, attribution.DisputeWithdrawn); state != "" {
		f["state"], f["settled_at"] = state, moment(t, "settled").Format(time.RFC3339)
	}
	if f["state"] == attribution.DisputeUpheld {
		f["to"] = text(t, "to", "acme", "globex")
		if f["about"] == attribution.DisputeSourcing {
			f["to"] = text(t, "to whom", "acme", "globex", contract.MarketingSourced, contract.Unsourced)
		}
	}
	return f
}

// drawClosings draws closings and reopenings around the conversions of a journey.
func drawClosings(t *rapid.T) []attribution.Closing {
	var closings []attribution.Closing
	for range rapid.IntRange(0, 2).Draw(t, "closings") {
		closings = append(closings, attribution.Closing{
			Close: rapid.IntRange(0, 3).Draw(t, "reopened") > 0, Day: money.DayOf(moment(t, "closed until"), time.UTC), At: moment(t, "closed at"),
		})
	}
	return closings
}

// drawAny deletes some of the objects.
func drawAny(draw func(*rapid.T) attribution.Object) *rapid.Generator[attribution.Object] {
	return rapid.Custom(func(t *rapid.T) attribution.Object {
		o := draw(t)
		o.Deleted = rapid.IntRange(0, 9).Draw(t, "deleted") == 0
		return o
	})
}

// facts are a journey before it is put together, so that tests can change it.
type facts struct {
	touches []attribution.Touch
	objects []attribution.Object
}

// without leaves the disputes out.
func (f facts) without() facts {
	f.objects = slices.DeleteFunc(slices.Clone(f.objects), func(o attribution.Object) bool { return o.Type == contract.ObjectDispute })
	return f
}

// deal draws one of the deals.
func (f facts) deal(t *rapid.T) string {
	var deals []string
	for _, o := range f.objects {
		if o.Type == "opportunity" {
			deals = append(deals, o.ID.String())
		}
	}
	return rapid.SampledFrom(deals).Draw(t, "disputed")
}

// disputes sets a field of every dispute.
func (f facts) disputes(field, text string) facts {
	f.objects = slices.Clone(f.objects)
	for i, o := range f.objects {
		if o.Type == contract.ObjectDispute {
			f.objects[i].Fields = maps.Clone(o.Fields)
			f.objects[i].Fields[field] = text
		}
	}
	return f
}

func (f facts) journey() attribution.Journey {
	j := attribution.Journey{Touches: f.touches}
	for _, o := range f.objects {
		j.Add(o)
	}
	return j
}

var someFacts = rapid.Custom(func(t *rapid.T) facts {
	return facts{
		touches: rapid.SliceOfN(rapid.Custom(drawTouch), 0, 14).Draw(t, "touches"),
		objects: append(rapid.SliceOfN(drawAny(drawDeal), 0, 4).Draw(t, "deals"), rapid.SliceOfN(drawAny(drawObject), 0, 8).Draw(t, "objects")...),
	}
})

var journeys = rapid.Map(someFacts, facts.journey)

// disputedFacts have a touch of the campaign, a deal behind it and disputes of it, so
// that most have something in dispute.
var disputedFacts = rapid.Custom(func(t *rapid.T) facts {
	f := someFacts.Draw(t, "facts")
	touch, deal := drawTouch(t), drawDeal(t)
	touch.Facts.Type, touch.Facts.UTMCampaign, touch.Facts.Bot, touch.At = "form", "tour", false, start
	deal.ID.Reporter, deal.Fields["amount"], deal.Fields["currency"], deal.ModifiedAt = "acme", "100.01", "USD", start.AddDate(1, 0, 0)
	f.touches, f.objects = append(f.touches, touch), append(f.objects, deal)
	for range rapid.IntRange(1, 3).Draw(t, "disputes") {
		o := drawObject(t)
		o.ID.Item, o.Type, o.Fields, o.Stages = "dispute/tour/"+rapid.StringMatching(`[0-3]`).Draw(t, "dispute"), contract.ObjectDispute, drawDispute(t, deal.ID.String()), nil
		f.objects = append(f.objects, o)
	}
	return f
})

// contracts are the one of the tests with every combination of what it says about
// journeys.
func contracts(t testing.TB) *rapid.Generator[attribution.Rules] {
	t.Helper()
	base, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	parse := func(t *rapid.T, lines ...string) *contract.Contract {
		c, err := contract.Parse([]byte(string(base) + strings.Join(lines, "\n")))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	draw := func(t *rapid.T) []string {
		return []string{
			fmt.Sprintf("journey: {matching: %s, touches: %d}", text(t, "matching", "implicit", "hybrid", "explicit"), rapid.SampledFrom([]int{1, 2, 3, 5, 1000}).Draw(t, "cap")),
			fmt.Sprintf("overlap: {window: %s, by: %s, disagreement: %s}", text(t, "window", "0m", "30m", "1d"), text(t, "by", "account", "person"), text(t, "disagreement", "split", "hold")),
			fmt.Sprintf("deals: {others: %s, suspect: %s}", text(t, "others", "evidence", "count"), text(t, "suspect", "never", "2d", "30d")),
		}
	}
	return rapid.Custom(func(t *rapid.T) attribution.Rules {
		closings := drawClosings(t)
		rules := attribution.Rules{{Number: 1, Contract: parse(t, draw(t)...), Closings: closings}}
		if rapid.Bool().Draw(t, "revised") {
			from := moment(t, "restate from").Format(time.DateOnly)
			rules = rules.Add(attribution.Revision{Number: 2, Contract: parse(t, append(draw(t), "restate_from: "+from)...), Closings: closings})
		}
		return rules
	})
}

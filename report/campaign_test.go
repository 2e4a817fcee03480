package report_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/money"
	"tracksource/report"
)

// made is a made-up campaign in which nothing is different from anything else but what
// was planted: how a deal goes hangs on chance and on its account alone. Accounts differ
// more than chance has it, and some have several deals. Partners, channels and assets
// have very unequal parts of it, one partner joins late, and deals that take longer meet
// more touches, so that whoever compares what should not be compared finds something.
type made struct {
	contract *contract.Contract
	today    money.Day
	deals    []report.Deal
	people   []report.StageCount
}

// planted is one thing that is different.
type planted struct {
	dimension report.Dimension
	key       string
	// what is a step of deals (SQL, proposal, won) or of people (MQL), of which it makes
	// percent of those that would make it; or value or days, which are percent of what
	// they would be.
	what    string
	percent int
}

// campaignDays is how long a made-up campaign has run.
const campaignDays = 270

// The steps of a made-up deal: of a thousand that come to it how many make it, and the
// days that it takes from and to.
func madeSteps() []struct {
	name             string
	of1000, from, to int
} {
	return []struct {
		name             string
		of1000, from, to int
	}{{"SQL", 720, 1, 18}, {"proposal", 680, 2, 25}, {string(contract.StateWon), 560, 4, 32}}
}

// draw is a made-up campaign in the making.
type draw struct {
	*rand.Rand
	made   made
	plants []planted
	people map[report.StageCount]int64
}

// campaign makes one of about so many deals from a seed, under a contract whose deals
// come to one more milestone.
func campaign(t testing.TB, agreed *contract.Contract, seed uint64, deals int, plants ...planted) made {
	t.Helper()
	c := *agreed
	c.Milestones = append(slices.Clone(c.Milestones), "proposal")
	d := &draw{Rand: rand.New(rand.NewPCG(seed, 0x5eed)), plants: plants, people: map[report.StageCount]int64{}}
	d.made = made{contract: &c, today: day(t, "2026-01-01").Add(campaignDays)}
	for n := 0; len(d.made.deals) < deals; n++ {
		d.account(n)
	}
	for at, n := range d.people {
		at.Count = n
		d.made.people = append(d.made.people, at)
	}
	return d.made
}

// question asks for findings in all deals.
func (m *made) question() report.DealQuestion {
	return report.DealQuestion{Contract: m.contract, Today: m.today, Deals: report.Listed(m.deals)}
}

// one of several names, the first ones more often.
func (d *draw) one(names ...string) string {
	return names[min(d.IntN(len(names)), d.IntN(len(names)), d.IntN(len(names)+1))]
}

// percent is what was planted for one of the keys, 100 where nothing was.
func (d *draw) percent(what string, keys map[report.Dimension][]string) int {
	percent := 100
	for _, p := range d.plants {
		if p.what == what && slices.Contains(keys[p.dimension], p.key) {
			percent = percent * p.percent / 100
		}
	}
	return percent
}

// instant is an hour of a day at which it is that day everywhere that matters.
func (d *draw) instant(at money.Day) time.Time {
	return time.Unix(int64(at)*24*60*60, 0).UTC().Add(time.Duration(16*60+d.IntN(240)) * time.Minute)
}

// account makes an account with its people, and its deals if it has any.
func (d *draw) account(n int) {
	start := d.made.today.Add(-campaignDays)
	segment := d.one("enterprise", "mid-market", "small business", "public")
	partner := d.one("globex", "acme", "initech", contract.MarketingSourced)
	first := start.Add(d.IntN(campaignDays - 10))
	if partner == "initech" { // joined six weeks ago
		first = d.made.today.Add(-3 - d.IntN(40))
	}
	// Accounts are good or bad by up to a quarter, whatever they meet.
	quality := 75 + d.IntN(51)
	touches := d.touches(first, partner, 1+min(d.IntN(9), d.IntN(9)))
	created := money.DayOf(touches[len(touches)-1].At, time.UTC)
	d.persons(quality, partner, touches[0].Channel, segment)
	for i := range 1 + d.IntN(2)*d.IntN(2) {
		d.deal(fmt.Sprintf("%05d-%d", n, i), segment, partner, quality, created.Add(i*d.IntN(20)), touches)
	}
}

// touches of one account, each some days after the one before.
func (d *draw) touches(at money.Day, partner string, n int) []attribution.FactTouch {
	var list []attribution.FactTouch
	for i := range n {
		channel := d.one("email", "webinar", "paid-search", "event", "organic-social", "content")
		list = append(list, attribution.FactTouch{
			ID: attribution.ItemID{Reporter: "globex", Source: "map", Item: fmt.Sprintf("%d-%d-%d", at, i, d.Uint32())},
			At: d.instant(at), Type: "form", Channel: channel, Partner: partner, Campaign: "AI Launch Tour",
			Asset: fmt.Sprintf("%s-%d", channel, 1+min(d.IntN(4), d.IntN(4))), Source: contract.Unknown,
		})
		at = at.Add(d.IntN(6))
	}
	return list
}

// persons come to the milestones of people together more than by chance.
func (d *draw) persons(quality int, partner, channel, segment string) {
	keys := map[report.Dimension][]string{report.Partner: {partner}, report.Channel: {channel}, report.Segment: {segment}}
	for range 1 + min(d.IntN(4), d.IntN(4)) {
		for i, stage := range []string{contract.MilestoneInquiry, contract.MilestoneMQL, contract.MilestoneSAL} {
			if i > 0 && d.IntN(1000) >= 480*quality/100*d.percent(stage, keys)/100 {
				break
			}
			for dimension, of := range keys {
				d.people[report.StageCount{Dimension: dimension, Key: of[0], Stage: stage}]++
			}
		}
	}
}

// deal makes a deal whose course ends today at the latest.
func (d *draw) deal(id, segment, partner string, quality int, created money.Day, touches []attribution.FactTouch) {
	if created > d.made.today {
		created = d.made.today
	}
	keys := map[report.Dimension][]string{report.Partner: {partner}, report.Channel: {touches[0].Channel}, report.Segment: {segment}}
	begun := map[report.Dimension][]string{report.Segment: {segment}}
	for _, t := range touches {
		begun[report.Asset] = append(begun[report.Asset], t.Asset)
		begun[report.Channel] = append(begun[report.Channel], t.Channel)
	}
	// A product of four dice: a few deals are many times as large as most.
	size := int64(50_000*(1+d.IntN(9))*(1+d.IntN(6))*(2+d.IntN(4))/2) * int64(d.percent("value", begun)) / 100
	f := attribution.Facts{
		Contract: "AI Launch Tour", Deal: attribution.ItemID{Reporter: "globex", Source: "salesforce", Item: id}, State: string(contract.StateOpen),
		CreatedAt: d.instant(created), Segment: segment, Region: d.one("EMEA", "NA", "APAC"), Sourced: attribution.Sourced{Partner: partner}, Touches: slices.Clone(touches),
	}
	path := make([]int, len(touches))
	for i := range path {
		path[i] = i
	}
	measure := func(name string, at money.Day, value int64, currency string, exponent int) {
		f.Measures = append(f.Measures, attribution.FactMeasure{
			Measure: name, Day: at, At: d.instant(at), Value: value, Currency: currency, Exponent: exponent, InScope: true, Path: path,
		})
	}
	const whole = 1_000_000
	measure(attribution.MeasurePipelineCreated, created, size, d.made.contract.Currency, d.made.contract.Exponent)
	measure(attribution.MeasureOpportunities, created, whole, "", 6)
	at := created
	steps := madeSteps()
	for i, s := range steps {
		days := (s.from + min(d.IntN(s.to-s.from), d.IntN(s.to-s.from))) * d.percent("days", begun) / 100
		makes := d.IntN(1000) < s.of1000*quality/100*d.percent(s.name, keys)/100*d.percent("begun "+s.name, begun)/100*d.percent("begun every", begun)/100
		// What does not make it is lost after a while, or stays where it is for ever.
		if !makes {
			if at = at.Add(days + d.IntN(30)); d.IntN(10) < 7 && at <= d.made.today {
				f.State = string(contract.StateLost)
				measure(attribution.MeasureLost, at, whole, "", 6)
			}
			break
		}
		// On the way it meets more touches.
		more := d.touches(at, partner, 1+d.IntN(2))
		if at = at.Add(days); at > d.made.today {
			break
		}
		for _, t := range more {
			if money.DayOf(t.At, time.UTC) <= at {
				path = append(slices.Clip(path), len(f.Touches))
				f.Touches = append(f.Touches, t)
			}
		}
		if i < len(steps)-1 {
			f.Stages = append(f.Stages, attribution.FactStage{Stage: s.name, State: f.State, Milestone: s.name, At: d.instant(at)})
			continue
		}
		f.State = s.name
		measure(attribution.MeasureWon, at, whole, "", 6)
		measure(attribution.MeasureRevenue, at, size, d.made.contract.Currency, d.made.contract.Exponent)
	}
	d.made.deals = append(d.made.deals, report.Deal{Account: id[:5], Parts: []attribution.Facts{f}})
}

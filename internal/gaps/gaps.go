// Package gaps looks for what is missing before a campaign starts: feeds that are
// silent, tags and stages that the contract does not know, what it agrees on and
// nobody uses, deals that cannot be valued, touches that are on no account.
//
// It knows journeys as they are on the wire, the contract and rates, and no broker;
// it changes nothing.
package gaps

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tracksource/contract"
	"tracksource/identity"
	"tracksource/money"
	"tracksource/schemas/avro"
)

// Feed is what came of one feed.
type Feed struct {
	Feed     string    `json:"feed"`
	Partner  string    `json:"partner"`
	Items    int       `json:"items"`   // touches and CRM objects that are held
	Touches  int       `json:"touches"` // of them touches
	Matched  int       `json:"matched"` // of these on an account of their own company
	NewestAt time.Time `json:"newest_at"`
}

// Gap is one thing to mend.
type Gap struct {
	Kind  string `json:"kind"` // an open set
	What  string `json:"what"`
	Count int    `json:"count"` // how many events or deals it concerns; 0: none ever
	Mend  string `json:"mend"`
}

// Report is what was found, gaps in the order of kinds and then the greatest first.
type Report struct {
	Campaign string `json:"campaign"`
	Feeds    []Feed `json:"feeds"`
	Gaps     []Gap  `json:"gaps"`
}

// Config says against what journeys are held. All fields but Rates are required.
type Config struct {
	Contract *contract.Contract
	Document []byte // of the contract
	Rates    *money.Rates
	Feeds    []Feed // what should come; only Feed and Partner are read
	Now      time.Time
}

// Finder takes in journeys and finds gaps.
type Finder struct {
	cfg    Config
	newest map[itemID]item
}

// itemID is a touch or an object of one identity.
type itemID struct{ node, reporter, source, item string }

type item struct {
	placement int64
	ev        avro.JourneyEvent
}

// New makes a finder.
func New(cfg Config) *Finder { return &Finder{cfg, map[itemID]item{}} }

// Add takes in the next record of journeys, in any order.
func (f *Finder) Add(ev *avro.JourneyEvent) {
	if ev.Touch == nil && ev.Object == nil && !ev.Removed {
		return
	}
	if ev.Object != nil && ev.Object.Type == contract.ObjectDecision {
		return // no feed said it
	}
	id := itemID{string(ev.Node), ev.Reporter, ev.Source, ev.Item}
	if was, held := f.newest[id]; held && was.placement >= ev.Placement {
		return
	}
	f.newest[id] = item{ev.Placement, *ev}
}

// found gathers gaps by kind and what they are about.
type found struct {
	counts map[[2]string]int
	mend   map[[2]string]string
}

func (g *found) add(kind, what, mend string) {
	g.counts[[2]string{kind, what}]++
	g.mend[[2]string{kind, what}] = mend
}

// Report returns what is missing in all that was added.
func (f *Finder) Report() (Report, error) {
	terms, err := contract.Taxonomy(f.cfg.Document)
	if err != nil {
		return Report{}, err
	}
	feeds := map[[2]string]*Feed{}
	for _, feed := range f.cfg.Feeds {
		feeds[[2]string{feed.Feed, feed.Partner}] = &Feed{Feed: feed.Feed, Partner: feed.Partner}
	}
	g := found{map[[2]string]int{}, map[[2]string]string{}}
	seen := map[[2]string]bool{} // by where a term is written and its folded value
	for _, it := range f.newest {
		if it.ev.Removed {
			continue
		}
		feed := feeds[[2]string{it.ev.Feed, it.ev.Reporter}]
		if feed == nil {
			feed = &Feed{Feed: it.ev.Feed, Partner: it.ev.Reporter}
			feeds[[2]string{it.ev.Feed, it.ev.Reporter}] = feed
		}
		feed.Items++
		if it.ev.OccurredAt.After(feed.NewestAt) {
			feed.NewestAt = it.ev.OccurredAt
		}
		if it.ev.Touch != nil {
			f.touch(&it.ev, feed, &g, seen)
		} else {
			f.object(it.ev.Object, &it.ev, &g, seen)
		}
	}
	f.silent(feeds, &g)
	report := Report{Campaign: f.cfg.Contract.Campaign}
	for _, key := range slices.SortedFunc(maps.Keys(feeds), func(a, b [2]string) int { return cmp.Or(strings.Compare(a[1], b[1]), strings.Compare(a[0], b[0])) }) {
		report.Feeds = append(report.Feeds, *feeds[key])
	}
	for key, count := range g.counts {
		report.Gaps = append(report.Gaps, Gap{Kind: key[0], What: key[1], Count: count, Mend: g.mend[key]})
	}
	report.Gaps = append(report.Gaps, unused(terms, seen)...)
	slices.SortFunc(report.Gaps, func(a, b Gap) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), cmp.Compare(b.Count, a.Count), strings.Compare(a.What, b.What))
	})
	return report, nil
}

func (f *Finder) touch(ev *avro.JourneyEvent, feed *Feed, g *found, seen map[[2]string]bool) {
	t := ev.Touch
	feed.Touches++
	name := ""
	if n, err := identity.Parse(ev.Account); err == nil && !n.Provisional() {
		feed.Matched++
		name = n.AccountName()
	}
	for _, term := range [...][2]string{{"utm_campaign", t.UTMCampaign}, {"utm_source", t.UTMSource}, {"utm_medium", t.UTMMedium}, {"asset", t.Asset}, {"crm campaign", t.CRMCampaign}} {
		seen[[2]string{term[0], fold(term[1])}] = true
	}
	class := f.cfg.Contract.Classify(contract.TouchInput{
		Reporter: ev.Reporter, Feed: ev.Feed, Source: ev.Source, Type: t.Type, Asset: t.Asset, At: ev.OccurredAt, Account: name,
		UTMSource: t.UTMSource, UTMMedium: t.UTMMedium, UTMCampaign: t.UTMCampaign, UTMTerm: t.UTMTerm, UTMContent: t.UTMContent,
		ClickID: t.ClickID, Referrer: t.Referrer, CRMCampaign: t.CRMCampaign, Status: t.Status, Bot: t.Bot,
	})
	if !class.Counts {
		return
	}
	if t.UTMCampaign != "" && class.Campaign != contract.This {
		g.add("utm_campaign of no campaign", t.UTMCampaign, "add it to match.utm_campaign if it is this campaign's, or mend the tag")
	}
	if class.Channel == contract.ChannelUnassigned {
		g.add("tags without a channel", fmt.Sprintf("utm_source %q, utm_medium %q", t.UTMSource, t.UTMMedium), "add a rule to channels, or mend the tags")
	}
}

// The types of objects that contracts judge.
const (
	objectOpportunity = contract.ObjectOpportunity
	objectMember      = "campaign_member"
)

func (f *Finder) object(o *avro.ObjectState, ev *avro.JourneyEvent, g *found, seen map[[2]string]bool) {
	if o == nil || o.Deleted {
		return
	}
	fields := map[string]string{}
	for _, fl := range o.Fields {
		if fl.Value != nil {
			fields[fl.Name] = *fl.Value
		}
	}
	c, where := f.cfg.Contract, ev.Reporter+"/"+ev.Source
	seen[[2]string{"crm campaign", fold(fields["campaign_id"])}] = true
	switch o.Type {
	case objectMember:
		class := c.Classify(contract.TouchInput{Reporter: ev.Reporter, Feed: ev.Feed, Source: ev.Source, Status: fields["stage"], At: ev.OccurredAt})
		if strings.HasPrefix(class.Rule, "type: no rule") {
			g.add("status of members without a meaning", where+": "+fields["stage"], "say under statuses what it is as a touch, or none")
		}
	case contract.ObjectLead, contract.ObjectContact:
		if stage := fields["stage"]; stage != "" {
			if milestone, _ := c.PersonStage(o.Type, ev.Reporter, ev.Source, stage); milestone == "" && !c.MapsStage(o.Type, ev.Reporter, ev.Source, stage) {
				g.add("stage of people without a milestone", fmt.Sprintf("%s of %s: %s", o.Type, where, stage), "map it under stages, with object: "+o.Type)
			}
		}
	case objectOpportunity:
		if (contract.Source{Partner: ev.Reporter, Source: ev.Source}) == c.SystemOfRecord {
			f.deal(o, ev, fields, g)
		}
	}
}

// deal looks at a deal of the system of record.
func (f *Finder) deal(o *avro.ObjectState, ev *avro.JourneyEvent, fields map[string]string, g *found) {
	c := f.cfg.Contract
	if stage := fields["stage"]; stage != "" && !c.MapsStage(objectOpportunity, ev.Reporter, ev.Source, stage) {
		class := c.Stage(ev.Reporter, ev.Source, stage, fields["is_closed"] == "true", fields["is_won"] == "true")
		if class.State == contract.StateOpen {
			g.add("stage of deals without a rule", stage, "map it under stages; until then the deal is open")
		}
	}
	created, err := time.Parse(time.RFC3339, fields["created_at"])
	if err != nil {
		g.add("deal without a day of creation", o.ID, "let the CRM send CreatedDate, or import an export of it")
		return
	}
	if fields["amount"] == "" {
		g.add("deal without an amount", o.ID, "it is worth nothing until it has one")
		return
	}
	currency := cmp.Or(fields["currency"], c.PartnerCurrency(ev.Reporter))
	amount, err := money.Parse(fields["amount"], currency)
	if err != nil {
		g.add("deal with an amount that is none", o.ID, "mend it in the CRM")
		return
	}
	if _, _, err := f.cfg.Rates.Convert(amount, c.Currency, c.Day(created), c.RateAgeDays); err != nil {
		g.add("currency without a rate", fmt.Sprintf("%s on %s", currency, c.Day(created)), "track-source fx import")
	}
}

// silent lists feeds of which nothing came, or nothing for longer than the contract
// puts up with.
func (f *Finder) silent(feeds map[[2]string]*Feed, g *found) {
	limit := time.Duration(f.cfg.Contract.Guardrail(contract.GuardFreshness).Limit) * time.Hour
	for _, feed := range feeds {
		name := feed.Feed + "." + feed.Partner
		switch {
		case feed.Items == 0:
			g.add("silent feed", name+": nothing came", "see that its partner writes to it, and look at its dead letters")
			g.counts[[2]string{"silent feed", name + ": nothing came"}] = 0
		case f.cfg.Now.Sub(feed.NewestAt) > limit:
			what := fmt.Sprintf("%s: nothing since %s", name, feed.NewestAt.UTC().Format(time.RFC3339))
			g.add("silent feed", what, "see that its partner writes to it, and look at its dead letters")
			g.counts[[2]string{"silent feed", what}] = 0
		}
	}
}

// unused lists what is agreed on and was never seen.
func unused(terms []contract.Term, seen map[[2]string]bool) []Gap {
	var gaps []Gap
	for _, t := range terms {
		switch t.Kind {
		case "utm_campaign", "utm_source", "crm campaign", "asset":
		default:
			continue
		}
		used := false
		for s := range seen {
			used = used || s[0] == t.Kind && contract.Matches(t.Value, s[1])
		}
		if !used {
			gaps = append(gaps, Gap{Kind: "agreed and never seen", What: t.Kind + " " + t.Value, Mend: "see that tags and CRMs write it so"})
		}
	}
	return gaps
}

func fold(text string) string { return strings.ToLower(strings.TrimSpace(text)) }

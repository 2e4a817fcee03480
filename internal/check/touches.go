package check

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"tracksource/contract"
	"tracksource/identity"
	"tracksource/money"
	"tracksource/schemas/avro"
)

// report is a touch of one reporter that counts.
type report struct {
	touch
	class contract.Classification
}

// step is a touch of all who reported it.
type step struct {
	reports  []report // the first is the earliest
	at       time.Time
	day      money.Day
	id       itemKey
	person   string
	class    contract.Classification
	partners []string // whom its credit is shared among, in order; never empty
	first    string   // whom the report believed most names that names anybody
}

// seen lists all touches of the account, by time and then by id. One that two
// identities of the account carry is there once.
func (b *book) seen() []touch {
	newest := map[itemKey]touch{}
	for _, t := range b.account.touches {
		id := t.key
		id.node = ""
		if was, found := newest[id]; !found || t.at.After(was.at) || (t.at.Equal(was.at) && t.key.node > was.key.node) {
			newest[id] = t
		}
	}
	for _, t := range b.memberships() {
		newest[t.key] = t
	}
	return slices.SortedFunc(maps.Values(newest), func(x, y touch) int {
		return cmp.Or(x.at.Compare(y.at), compareItem(x.key, y.key))
	})
}

// memberships lists a touch for each status that a campaign member ever had, at
// the moment it had it first.
func (b *book) memberships() []touch {
	first := map[itemKey]touch{}
	for _, o := range b.of("campaign_member") {
		for _, s := range o.state.Stages {
			id := o.key
			id.node, id.item = "", o.key.item+"/"+strings.ToLower(strings.TrimSpace(s.Stage))
			was, found := first[id]
			if strings.TrimSpace(s.Stage) == "" || found && !s.At.Before(was.at) {
				continue
			}
			first[id] = touch{
				key: id, feed: o.feed, at: s.At, person: o.person,
				facts: &avro.TouchFacts{CRMCampaign: o.field("campaign_id"), Status: s.Stage},
			}
		}
	}
	return slices.Collect(maps.Values(first))
}

// lookedAt are the touches that a book looks at: those in the span of any event
// under any revision.
func (b *book) lookedAt(pages []*page) map[itemKey]bool {
	looked := map[itemKey]bool{}
	for _, p := range pages {
		for _, e := range p.events {
			var span []touch
			for _, t := range b.reports {
				if !t.facts.Bot && (e.open || p.within(e, t.at)) {
					span = append(span, t)
				}
			}
			for _, i := range kept(len(span), p.c.Journey.Touches+1, e.when, func(i int) time.Time { return span[i].at }) {
				looked[span[i].key] = true
			}
		}
	}
	return looked
}

// within is whether an instant is in the days of an event and not behind its last
// touch.
func (p *page) within(e *event, at time.Time) bool {
	day := p.c.Day(at)
	if int(e.day)-int(day) >= p.c.Window.LookbackDays {
		return false
	}
	if e.when.at.IsZero() {
		return day <= e.day
	}
	return !at.After(e.when.at)
}

// kept are the places, of n in order of time, of the newest, the first and the
// last up to each milestone.
func kept(n, newest int, when milestones, at func(int) time.Time) (places []int) {
	keep := map[int]bool{}
	for i := range n {
		if i == 0 || n-i <= newest {
			keep[i] = true
		}
	}
	for _, pin := range []time.Time{when.lead, when.opportunity, when.closed} {
		for i := n - 1; i >= 0 && !pin.IsZero(); i-- {
			if !at(i).After(pin) {
				keep[i] = true
				break
			}
		}
	}
	return slices.Sorted(maps.Keys(keep))
}

// steps are the touches that count, by time and then by id, with one for what
// several reporters saw.
func (p *page) steps(looked map[itemKey]bool) (list []*step) {
	name := ""
	if n, err := identity.Parse([]byte(p.root)); err == nil && (n.Level == identity.Domain || n.Level == identity.Imported) {
		name = n.ID
	}
next:
	for _, t := range p.reports {
		r := report{t, p.c.Classify(inputOf(t, name))}
		if !looked[t.key] || !r.class.Counts {
			continue
		}
		for _, s := range list {
			if p.fits(s, r) {
				s.reports = append(s.reports, r)
				continue next
			}
		}
		list = append(list, &step{reports: []report{r}})
	}
	for _, s := range list {
		p.believe(s)
	}
	slices.SortFunc(list, func(a, b *step) int { return cmp.Or(a.at.Compare(b.at), compareItem(a.id, b.id)) })
	return list
}

func inputOf(t touch, account string) contract.TouchInput {
	f := t.facts
	return contract.TouchInput{
		Reporter: t.key.reporter, Feed: t.feed, Source: t.key.source, Type: f.Type, Asset: f.Asset,
		UTMSource: f.UTMSource, UTMMedium: f.UTMMedium, UTMCampaign: f.UTMCampaign, UTMTerm: f.UTMTerm, UTMContent: f.UTMContent,
		ClickID: f.ClickID, Referrer: f.Referrer, CRMCampaign: f.CRMCampaign, Status: f.Status, Bot: f.Bot,
		At: t.at, Account: account,
	}
}

// fits is whether a report is one more of a touch.
func (p *page) fits(s *step, r report) bool {
	window := p.c.Overlap.Window
	if window == 0 || r.at.Sub(s.reports[0].at) > window {
		return false
	}
	for _, other := range s.reports {
		one, two := known(other.person), known(r.person)
		person := one == two && one != ""
		if p.c.Overlap.By == contract.SameAccount {
			person = person || one == "" || two == ""
		}
		thing := other.class.Campaign == r.class.Campaign && r.class.Campaign != contract.None
		if other.class.Asset != contract.Unknown && r.class.Asset != contract.Unknown {
			thing = other.class.Asset == r.class.Asset
		}
		if other.key.reporter == r.key.reporter || other.class.Type != r.class.Type || !person || !thing {
			return false
		}
	}
	return true
}

// believe makes one touch of its reports.
func (p *page) believe(s *step) {
	s.at, s.day = s.reports[0].at, p.c.Day(s.reports[0].at)
	believed := slices.Clone(s.reports)
	slices.SortFunc(believed, func(a, b report) int {
		return cmp.Or(cmp.Compare(p.c.Precedence(a.key.reporter, a.key.source), p.c.Precedence(b.key.reporter, b.key.source)), compareItem(a.key, b.key))
	})
	s.id, s.class = believed[0].key, believed[0].class
	first := func(of func(report) string, void ...string) string {
		for _, r := range believed {
			if !slices.Contains(void, of(r)) {
				return of(r)
			}
		}
		return of(believed[0])
	}
	s.class.Channel = first(func(r report) string { return r.class.Channel }, contract.ChannelDirect, contract.ChannelUnassigned, contract.Unknown)
	s.class.Asset = first(func(r report) string { return r.class.Asset }, contract.Unknown)
	s.class.Source = first(func(r report) string { return r.class.Source }, contract.Unknown)
	s.class.Campaign = first(func(r report) string { return r.class.Campaign }, contract.None)
	s.person = first(func(r report) string { return known(r.person) }, "")
	s.first = first(func(r report) string { return r.class.Partner }, contract.None)
	for _, r := range believed {
		if r.class.Campaign == contract.This {
			s.class.Campaign = contract.This
		}
		if r.class.Partner != contract.None && !slices.Contains(s.partners, r.class.Partner) {
			s.partners = append(s.partners, r.class.Partner)
		}
	}
	slices.Sort(s.partners)
	switch {
	case len(s.partners) == 0:
		s.partners = []string{contract.None}
	case len(s.partners) > 1 && p.c.Overlap.Disagreement == contract.DisagreementHold:
		s.partners, s.first = []string{contract.Held}, contract.Held
	}
	s.class.Partner = strings.Join(s.partners, "+")
}

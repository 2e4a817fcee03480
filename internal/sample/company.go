package sample

import (
	"fmt"
	"time"
)

// company is one business and its people.
type company struct {
	n         int
	name      string
	domain    string
	country   string
	employees int
	industry  string
	accountID string // in Acme's Salesforce
	partnerID string // in Globex's Salesforce
	people    []person
}

// person is somebody of a company as four systems number them.
type person struct {
	email  string
	leadID int    // in a Marketo
	anon   string // in Globex's Segment
	userID string
	ga     string // in Acme's GA4
}

// company makes one company and everything that happens around it.
func (g *generator) company(n int) {
	c := g.newCompany(n)
	first := g.rng.IntN(days / 2)
	g.sfAccount("acme", c.accountID, c, g.moment(first))
	if g.chance(600) {
		g.sfAccount("globex", c.partnerID, c, g.moment(first))
	}
	for i, p := range c.people {
		g.person(c, p, first, i)
	}
	switch r := g.rng.IntN(100); {
	case r < 62:
		g.deal(c, first+4+g.rng.IntN(20))
		if r < 14 {
			g.deal(c, first+12+g.rng.IntN(20))
		}
	case r < 70:
		g.deal(c, 0) // before anybody touched the company: unattributed
	}
}

func (g *generator) newCompany(n int) company {
	stems := []string{"Northwind", "Harbor", "Juniper", "Cobalt", "Meridian", "Sable", "Larkspur", "Quarry", "Beacon", "Tidewater", "Foundry", "Alder", "Vantage", "Corvid", "Summit", "Ember"}
	kinds := []string{"Labs", "Foods", "Systems", "Health", "Logistics", "Capital", "Energy", "Retail"}
	stem, kind := stems[n%len(stems)], kinds[g.rng.IntN(len(kinds))]
	c := company{
		n: n, name: fmt.Sprintf("%s %s %d", stem, kind, n), domain: fmt.Sprintf("%s%d.com", lower(stem), n),
		country: g.pick("US", "US", "US", "DE", "GB", "FR", "NL", "JP", "CA", "BR"), industry: kind,
		employees: []int{40, 180, 650, 2400, 12000}[g.rng.IntN(5)],
		accountID: fmt.Sprintf("001A%011dAAA", n), partnerID: fmt.Sprintf("001G%011dAAA", n),
	}
	for i := range 1 + g.rng.IntN(3) {
		id := n*10 + i
		email := fmt.Sprintf("%s.%d@%s", g.pick("jo", "sam", "kim", "alex", "noor", "mika"), id, c.domain)
		if g.chance(60) {
			email = fmt.Sprintf("person.%d@gmail.com", id) // of no company that could be known
		}
		c.people = append(c.people, person{
			email: email, leadID: 10_000 + id, anon: fmt.Sprintf("anon-%08x", uint32(id)*2654435761),
			userID: fmt.Sprintf("u-%d", id), ga: fmt.Sprintf("%d.%d", 1_000_000_000+id*7919, 1_767_000_000+id),
		})
	}
	return c
}

func lower(s string) string {
	b := []byte(s)
	for i, ch := range b {
		if ch >= 'A' && ch <= 'Z' {
			b[i] = ch + 'a' - 'A'
		}
	}
	return string(b)
}

// utm is how somebody came.
type utm struct{ source, medium, campaign string }

func (u utm) query() string {
	if u.source == "" {
		return ""
	}
	return "utm_source=" + u.source + "&utm_medium=" + u.medium + "&utm_campaign=" + u.campaign
}

func (g *generator) utm() utm {
	switch r := g.rng.IntN(100); {
	case r < 26:
		return utm{"globex", "co-marketing", "ai-launch-tour"}
	case r < 46:
		return utm{"acme", "email", "ai-launch-tour"}
	case r < 60:
		return utm{"google", "cpc", "ai-launch-tour"}
	case r < 70:
		return utm{"linkedin", "social", "ai-launch-tour"}
	case r < 78:
		return utm{"newsletter", "email", "spring-update"}
	case r < 84:
		return utm{"globex-blog", "partner", "ai-launch-tour-blog"}
	}
	return utm{}
}

// person makes what one person did, seen by the systems of both partners.
func (g *generator) person(c company, p person, first, i int) {
	inAcme, inGlobex := i == 0 || g.chance(700), g.chance(550)
	pages := []string{"/guides/ai-buyers-guide", "/tools/ai-roi", "/webinars/ai-readiness", "/events/ai-launch", "/pricing"}
	at := g.moment(first)
	if inAcme {
		g.marketoNewLead("acme", p, c, at)
	}
	if inGlobex {
		g.marketoNewLead("globex", p, c, at)
		g.segmentIdentify(p, c, g.moment(first+1))
	}
	for range 2 + g.rng.IntN(5) {
		when := g.moment(first + g.rng.IntN(30))
		page, u := pages[g.rng.IntN(len(pages))], g.utm()
		switch g.rng.IntN(4) {
		case 0:
			if inAcme {
				g.marketoForm("acme", p, page, u, when)
			}
		case 1:
			g.ga4Session(p, c, page, u, when)
		case 2:
			if inGlobex {
				g.segmentPage(p, page, u, when)
			}
		case 3:
			if inGlobex {
				g.marketoForm("globex", p, page, u, when)
			}
		}
	}
	if inAcme && g.chance(300) {
		g.marketoAttended("acme", p, "AI Readiness Webinar", g.moment(first+8))
	}
	if inAcme && g.chance(500) {
		g.marketoEmail("acme", p, g.moment(first+3))
	}
	if inAcme && g.chance(600) {
		g.sfLead(p, c, g.moment(first+2))
	}
	if inAcme && g.chance(250) {
		g.sfMember(p, c, g.moment(first+4))
	}
}

// deal makes an opportunity in Acme's Salesforce from its creation on.
func (g *generator) deal(c company, day int) {
	g.serial++
	id := fmt.Sprintf("006A%07d%04dAAA", c.n, g.serial%10_000)
	currency := "USD"
	if c.country == "DE" || c.country == "FR" || c.country == "NL" {
		currency = "EUR"
	}
	amount := 4_000_00 + int64(c.employees)*900 + int64(g.rng.IntN(9_000_00))
	created := g.moment(day)
	closes := created.AddDate(0, 0, 14+g.rng.IntN(25))
	campaign := ""
	if g.chance(450) {
		campaign = "701AILAUNCHTOUR"
	}
	d := sfDeal{id: id, account: c.accountID, campaign: campaign, currency: currency, leadSource: g.pick("Web", "Partner Referral", "Event", "")}
	g.sfOpportunity(d, "CREATE", created, fields{
		"StageName": "Qualification", "Amount": cents(amount), "CurrencyIsoCode": currency,
		"CloseDate": closes.Format(time.DateOnly), "IsClosed": false, "IsWon": false, "CreatedDate": created.UnixMilli(),
	})
	if g.chance(400) {
		amount += int64(g.rng.IntN(5_000_00)) - 1_000_00
		g.sfOpportunity(d, "UPDATE", created.AddDate(0, 0, 3), fields{"Amount": cents(amount)})
	}
	g.sfOpportunity(d, "UPDATE", created.AddDate(0, 0, 6), fields{"StageName": "Proposal"})
	switch r := g.rng.IntN(100); {
	case r < 42:
		g.sfOpportunity(d, "UPDATE", closes, fields{"StageName": "Closed Won", "IsClosed": true, "IsWon": true, "CloseDate": closes.Format(time.DateOnly)})
	case r < 60:
		g.sfOpportunity(d, "UPDATE", closes, fields{"StageName": "Closed Lost", "IsClosed": true, "IsWon": false})
		if r < 46 {
			g.sfOpportunity(d, "UPDATE", closes.AddDate(0, 0, 4), fields{"StageName": "Proposal", "IsClosed": false, "IsWon": false})
		}
	}
}

package contract

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tracksource/identity"
	"tracksource/money"
)

const (
	idMax   = 63
	nameMax = 200
)

// compiler turns a document into a Contract and gathers what is wrong with it.
type compiler struct {
	doc      document
	root     *yamlNode
	contract *Contract
	problems []Problem
}

func (k *compiler) fail(at path, format string, args ...any) {
	k.problems = append(k.problems, Problem{Line: lineOf(k.root, at), Field: at.String(), Message: fmt.Sprintf(format, args...)})
}

// sorted returns the problems by line, of one line in the order found.
func (k *compiler) sorted() []Problem {
	slices.SortStableFunc(k.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return k.problems
}

// sortedKeys makes the walk through a YAML map the same every time.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// compile fills the contract. Later parts refer to earlier ones: partners come
// first, assets before what matches them.
func (k *compiler) compile() {
	k.campaign()
	k.partners()
	k.window()
	k.models()
	k.systemOfRecord()
	k.assets()
	k.match()
	k.touches()
	k.statuses()
	k.internal()
	k.channels()
	k.credit()
	k.milestones()
	k.stages()
	k.precedence()
	k.regions()
	k.segments()
	k.sourced()
	k.journey()
	k.overlap()
	k.deals()
	k.restateFrom()
	k.currencyPolicy()
	k.guardrails()
	k.escalation()
	k.approvals()
}

func (k *compiler) campaign() {
	c := k.contract
	c.Campaign = k.id(path{"campaign", "id"}, k.doc.Campaign.ID)
	c.Name = k.name(path{"campaign", "name"}, k.doc.Campaign.Name)
	c.Starts, c.HasStarts = k.day(path{"campaign", "starts"}, k.doc.Campaign.Starts)
	c.Ends, c.HasEnds = k.day(path{"campaign", "ends"}, k.doc.Campaign.Ends)
	if c.HasStarts && c.HasEnds && c.Ends < c.Starts {
		k.fail(path{"campaign", "ends"}, "%s is before campaign.starts", c.Ends)
	}
	c.Currency, c.Exponent = k.currency(path{"currency"}, k.doc.Currency)
	// "Local" would be a different zone on every machine.
	zone, err := time.LoadLocation(k.doc.Zone)
	if k.doc.Zone == "" || k.doc.Zone == "Local" || err != nil {
		k.fail(path{"zone"}, "%q is not an IANA time zone; write one such as America/New_York", k.doc.Zone)
		return
	}
	c.Zone = zone
}

// day reads a day that may be left out.
func (k *compiler) day(at path, text string) (day money.Day, given bool) {
	if text == "" {
		return 0, false
	}
	day, err := money.ParseDay(text)
	if err != nil {
		k.fail(at, "%v", err)
	}
	return day, err == nil
}

func (k *compiler) partners() {
	k.contract.rules.partners = make(map[string]int)
	hosts := 0
	for i, p := range k.doc.Partners {
		at := path{"partners", i}
		partner := Partner{
			ID: k.id(at.with("id"), p.ID), Name: cmp.Or(p.Name, p.ID),
			Role: Role(cmp.Or(p.Role, string(RolePartner))), Visibility: Visibility(cmp.Or(p.Visibility, string(VisibilityOpen))),
		}
		if p.ID == MarketingSourced || p.ID == Unsourced {
			k.fail(at.with("id"), "%q is what deals are called that no partner sourced; take another id", p.ID)
		}
		partner.Currency, _ = k.currency(at.with("currency"), p.Currency)
		if partner.Role == RoleHost {
			hosts++
		} else if partner.Role != RolePartner {
			k.fail(at.with("role"), "%q is not a role; write host or partner", p.Role)
		}
		if partner.Visibility != VisibilityOpen && partner.Visibility != VisibilityOwn {
			k.fail(at.with("visibility"), "%q is not a visibility; write open or own", p.Visibility)
		}
		switch p.Addresses {
		case "", "plain":
		case "hashed":
			partner.Hashed = true
		default:
			k.fail(at.with("addresses"), "%q; write plain or hashed", p.Addresses)
		}
		if _, twice := k.contract.rules.partners[p.ID]; twice {
			k.fail(at.with("id"), "partner %q is listed twice", p.ID)
		}
		k.contract.rules.partners[p.ID] = i
		k.contract.Partners = append(k.contract.Partners, partner)
	}
	if hosts != 1 {
		k.fail(path{"partners"}, "%d partners with role host; there must be exactly one", hosts)
	}
}

func (k *compiler) window() {
	w := k.doc.Window
	window := Window{
		LookbackDays: k.days(path{"window", "lookback"}, cmp.Or(w.Lookback, "90d"), 1, LookbackMax),
		LatenessDays: k.days(path{"window", "lateness"}, cmp.Or(w.Lateness, "30d"), 0, LatenessMax),
	}
	if w.HistoryFrom != "" {
		day, err := money.ParseDay(w.HistoryFrom)
		if err != nil {
			k.fail(path{"window", "history_from"}, "%v", err)
		}
		window.HistoryFrom, window.HasHistory = day, true
	}
	k.contract.Window = window
}

func (k *compiler) systemOfRecord() {
	s := k.doc.SystemOfRecord
	k.partner(path{"system_of_record", "partner"}, s.Partner)
	k.contract.SystemOfRecord = Source{Partner: s.Partner, Source: k.id(path{"system_of_record", "source"}, s.Source)}
}

func (k *compiler) assets() {
	k.contract.rules.assets = make(map[string]int)
	for i, a := range k.doc.Assets {
		at := path{"assets", i}
		k.name(at.with("id"), a.ID)
		if a.Owner != "" {
			k.partner(at.with("owner"), a.Owner)
		}
		for _, name := range append([]string{a.ID}, a.Aliases...) {
			key := fold(name)
			if other, taken := k.contract.rules.assets[key]; taken && other != i {
				k.fail(at, "%q is already a name of asset %q", name, k.doc.Assets[other].ID)
			}
			if key == "" {
				k.fail(at.with("aliases"), "an alias is empty")
			}
			k.contract.rules.assets[key] = i
		}
		asset := Asset{ID: value(a.ID), Aliases: a.Aliases, Owner: a.Owner, HasExpiry: a.Expires != ""}
		if asset.HasExpiry {
			day, err := money.ParseDay(a.Expires)
			if err != nil {
				k.fail(at.with("expires"), "%v", err)
			}
			asset.Expires = day
		}
		k.contract.Assets = append(k.contract.Assets, asset)
	}
}

// crmForms are the spellings of a campaign's id: as it is written, and as
// Salesforce writes one of 15 characters elsewhere.
func crmForms(id string) []string { return []string{fold(id), fold(identity.SalesforceID(id))} }

func (k *compiler) match() {
	m := k.doc.Match
	r := &k.contract.rules
	r.utmCampaigns = k.patterns(path{"match", "utm_campaign"}, m.UTMCampaign)
	r.crmCampaigns, r.matchAssets = make(map[string]bool), make(map[string]bool)
	for i, id := range m.CRMCampaigns {
		if fold(id) == "" {
			k.fail(path{"match", "crm_campaigns", i}, "is empty")
		}
		for _, form := range crmForms(id) {
			r.crmCampaigns[form] = true
		}
	}
	for i, id := range m.Assets {
		index, found := r.assets[fold(id)]
		if !found {
			k.fail(path{"match", "assets", i}, "%q is not listed under assets", id)
			continue
		}
		r.matchAssets[k.contract.Assets[index].ID] = true
	}
	if len(m.UTMCampaign)+len(m.CRMCampaigns)+len(m.Assets) == 0 {
		k.fail(path{"match"}, "nothing belongs to the campaign; list utm_campaign, crm_campaigns or assets")
	}
}

func (k *compiler) touches() {
	k.contract.rules.touchTypes = make(map[string]bool)
	types := k.doc.Touches
	if len(types) == 0 {
		types = defaultTouchTypes[:]
	}
	for i, touchType := range types {
		k.touchType(path{"touches", i}, touchType)
		k.contract.rules.touchTypes[touchType] = true
	}
}

func (k *compiler) channels() {
	for i, rule := range k.doc.Channels {
		at := path{"channels", i}
		compiled := channelRule{channel: k.name(at.with("channel"), rule.Channel), rule: "channels[" + strconv.Itoa(i) + "]"}
		for _, c := range []struct {
			field string
			texts []string
			fact  func(TouchInput) string
		}{
			{"reporter", rule.Reporter, func(in TouchInput) string { return in.Reporter }},
			{"feed", rule.Feed, func(in TouchInput) string { return in.Feed }},
			{"type", rule.Type, func(in TouchInput) string { return in.Type }},
			{"asset", rule.Asset, func(in TouchInput) string { return in.Asset }},
			{"utm_source", rule.UTMSource, func(in TouchInput) string { return in.UTMSource }},
			{"utm_medium", rule.UTMMedium, func(in TouchInput) string { return in.UTMMedium }},
			{"utm_campaign", rule.UTMCampaign, func(in TouchInput) string { return in.UTMCampaign }},
			{"referrer", rule.Referrer, func(in TouchInput) string { return in.Referrer }},
			{"click_id", rule.ClickID, func(in TouchInput) string { return in.ClickID }},
		} {
			if len(c.texts) > 0 {
				compiled.conditions = append(compiled.conditions, condition{fact: c.fact, patterns: k.patterns(at.with(c.field), c.texts)})
			}
		}
		if len(compiled.conditions) == 0 {
			k.fail(at, "the rule has no condition and would take every touch")
		}
		k.contract.rules.channels = append(k.contract.rules.channels, compiled)
	}
}

func (k *compiler) credit() {
	r := &k.contract.rules
	at := path{"credit", "utm_source"}
	seen := make(map[string]bool)
	for _, source := range sortedKeys(k.doc.Credit.UTMSource) {
		partner := k.doc.Credit.UTMSource[source]
		k.credited(at.with(source), partner)
		k.once(at.with(source), seen, source)
		r.creditUTM = append(r.creditUTM, creditRule{source: k.pattern(at.with(source), source), partner: partner, rule: at.with(source).String()})
	}
	for _, p := range k.contract.Partners {
		r.creditUTM = append(r.creditUTM, creditRule{source: pattern(p.ID), partner: p.ID, rule: "utm_source is the partner"})
	}
	slices.SortStableFunc(r.creditUTM, comparePrecedence)
	r.creditCRM, r.creditFeeds = make(map[string]string), make(map[string]string)
	seen = make(map[string]bool)
	for _, campaign := range sortedKeys(k.doc.Credit.CRMCampaigns) {
		partner := k.doc.Credit.CRMCampaigns[campaign]
		k.credited(path{"credit", "crm_campaigns", campaign}, partner)
		k.once(path{"credit", "crm_campaigns", campaign}, seen, campaign)
		for _, form := range crmForms(campaign) {
			r.creditCRM[form] = partner
		}
	}
	for _, feed := range sortedKeys(k.doc.Credit.Feeds) {
		partner := k.doc.Credit.Feeds[feed]
		at := path{"credit", "feeds", feed}
		k.credited(at, partner)
		owner, kind, split := strings.Cut(feed, "/")
		k.partner(at, owner)
		if split && kind != FeedCRM && kind != FeedMAP && kind != FeedAnalytics {
			k.fail(at, "%q is not a feed; write crm, map or analytics", kind)
		}
		r.creditFeeds[feed] = partner
	}
	r.mayCredit = make(map[string]map[string]bool)
	for _, reporter := range sortedKeys(k.doc.Credit.Reporters) {
		at := path{"credit", "reporters", reporter}
		k.partner(at, reporter)
		r.mayCredit[reporter] = make(map[string]bool)
		for i, partner := range k.doc.Credit.Reporters[reporter] {
			k.partner(at.with(i), partner)
			r.mayCredit[reporter][partner] = true
		}
	}
}

// comparePrecedence puts an exact utm_source before a pattern, a longer pattern
// before a shorter one. The sort is stable, so of equals the document's stays
// first and the built-in one after it.
func comparePrecedence(a, b creditRule) int {
	if a.source.exact() != b.source.exact() {
		if a.source.exact() {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(len(b.source), len(a.source)), strings.Compare(string(a.source), string(b.source)))
}

func (k *compiler) stages() {
	for i, s := range k.doc.Stages {
		at := path{"stages", i}
		if s.Partner != "" {
			k.partner(at.with("partner"), s.Partner)
		}
		object := cmp.Or(s.Object, ObjectOpportunity)
		switch object {
		case ObjectOpportunity, ObjectLead, ObjectContact:
		default:
			k.fail(at.with("object"), "%q has no stages; write opportunity, lead or contact", s.Object)
		}
		if object != ObjectOpportunity && s.State != "" {
			k.fail(at.with("state"), "a %s is neither open, won nor lost; give a milestone", object)
		}
		if s.Milestone != "" && !slices.Contains(k.contract.Milestones, s.Milestone) {
			k.fail(at.with("milestone"), "%q is not among the milestones %s", s.Milestone, strings.Join(k.contract.Milestones, ", "))
		}
		switch State(s.State) {
		case StateOpen, StateWon, StateLost, "":
		default:
			k.fail(at.with("state"), "%q is not a state; write open, won or lost", s.State)
		}
		if s.State == "" && s.Milestone == "" {
			k.fail(at, "the rule decides nothing; give a state or a milestone")
		}
		k.contract.rules.stages = append(k.contract.rules.stages, stageRule{
			object: object, partner: s.Partner, source: s.Source, stage: k.pattern(at.with("stage"), s.Stage),
			state: State(s.State), milestone: s.Milestone, rule: "stages[" + strconv.Itoa(i) + "]",
		})
	}
}

func (k *compiler) regions() {
	k.contract.rules.regions = make(map[string]string)
	seen := make(map[string]bool)
	for _, country := range sortedKeys(k.doc.Regions) {
		at := path{"regions", country}
		k.once(at, seen, country)
		k.contract.rules.regions[fold(country)] = k.name(at, k.doc.Regions[country])
	}
}

func (k *compiler) segments() {
	for i, s := range k.doc.Segments {
		at := path{"segments", i}
		rule := segmentRule{
			segment: k.name(at.with("segment"), s.Segment), industries: k.patterns(at.with("industry"), s.Industry),
			bySize: s.EmployeesMin != nil || s.EmployeesMax != nil,
		}
		if s.EmployeesMin != nil {
			rule.employeesMin = *s.EmployeesMin
		}
		if s.EmployeesMax != nil {
			rule.employeesMax = *s.EmployeesMax
			if rule.employeesMax < 1 || rule.employeesMax < rule.employeesMin {
				k.fail(at.with("employees_max"), "%d is not a greatest number of employees here", rule.employeesMax)
			}
		}
		if rule.employeesMin < 0 {
			k.fail(at.with("employees_min"), "%d is not a number of employees", rule.employeesMin)
		}
		k.contract.rules.segments = append(k.contract.rules.segments, rule)
	}
}

func (k *compiler) sourced() {
	lookback := k.contract.Window.LookbackDays
	k.contract.SourcedDays = min(30, lookback)
	if days := k.doc.Sourced.Days; days != nil {
		if *days < 1 || *days > lookback {
			k.fail(path{"sourced", "days"}, "%d; write a number of days from 1 to %d: what sources a deal is among the touches of its lookback", *days, lookback)
		}
		k.contract.SourcedDays = *days
	}
}

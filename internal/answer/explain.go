package answer

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/internal/follow"
	"tracksource/money"
	"tracksource/report"
)

// explainedEntriesMax bounds how many entries are told, the newest; the sums are of
// all.
const explainedEntriesMax = 500

// chain builds what an explanation says of one deal, for one viewer who is told of
// it.
type chain struct {
	*asked
	deal    *report.Deal
	entries []follow.Entry

	out      ExplainAnswer
	touches  []touch
	reported bool
	events   map[string]bool // native events that the viewer knows
}

// touch is one of a deal's, as one or more revisions judge it.
type touch struct {
	attribution.FactTouch
	n int
}

func sameTouch(a, b *attribution.FactTouch) bool {
	return a.ID == b.ID && a.At.Equal(b.At) && a.Type == b.Type && a.Channel == b.Channel && a.Partner == b.Partner && a.Asset == b.Asset &&
		a.Source == b.Source && a.Campaign == b.Campaign && a.Rule == b.Rule
}

// build fills in all but the envelope and the head of the deal.
func (x *chain) build() {
	x.reported, x.events = x.viewer.Reported(x.deal), map[string]bool{}
	for i := range x.deal.Parts {
		for _, t := range x.deal.Parts[i].Touches {
			if !slices.ContainsFunc(x.touches, func(have touch) bool { return sameTouch(&have.FactTouch, &t) }) {
				x.touches = append(x.touches, touch{FactTouch: t})
			}
		}
	}
	slices.SortStableFunc(x.touches, func(a, b touch) int { return cmp.Or(a.At.Compare(b.At), a.ID.Compare(b.ID)) })
	for i := range x.touches {
		x.touches[i].n = i + 1
		x.out.Touches = append(x.out.Touches, x.touch(&x.touches[i]))
	}
	x.head()
	for i := range x.deal.Parts {
		f := &x.deal.Parts[i]
		for n := range f.Measures {
			x.out.Measures = append(x.out.Measures, x.measure(f, &f.Measures[n]))
		}
	}
	x.lines()
	x.tell()
}

func (x *chain) withhold() { x.Withheld = true }

// sees reports whether the viewer may know an item by its id.
func (x *chain) sees(id attribution.ItemID) bool {
	if !x.viewer.Operator && id.Reporter != x.viewer.Partner {
		x.withhold()
		return false
	}
	return true
}

// credited reports whether the viewer may know what a partner is credited with.
func (x *chain) credited(partner string) bool {
	if x.sight == report.SeesOwn && partner != x.viewer.Partner {
		x.withhold()
		return false
	}
	return true
}

// head is the deal with its history, as far as the answers about deals do not have
// it already.
func (x *chain) head() {
	f := x.deal.Newest()
	d := &ExplainedDeal{Deal: dealOf(x.deal), SourcedBy: f.Sourced.By, Stages: []ExplainedStage{}, Merged: x.items(f.Merged), Suspected: x.items(f.Suspected), Disputes: []DisputedLine{}, LeadAt: instantOf(f.LeadAt)}
	if f.Sourced.By != "" && x.sees(f.Sourced.Evidence) {
		evidence := ItemLine(f.Sourced.Evidence)
		d.SourcedEvidence = &evidence
	}
	host := f.Sourced.Partner == contract.MarketingSourced && x.viewer.Partner == x.campaign.Contract.Host()
	if f.Sourced.Partner != contract.Unsourced && !host && !x.credited(f.Sourced.Partner) {
		d.Sourced = ""
	}
	for _, s := range f.Stages {
		stage := ExplainedStage{Stage: s.Stage, State: s.State, Milestone: s.Milestone, At: s.At, EventID: s.EventID}
		if !x.reported {
			x.withhold()
			stage.EventID = ""
		}
		x.events[stage.EventID] = true
		d.Stages = append(d.Stages, stage)
	}
	for i := range f.Disputes {
		d.Disputes = append(d.Disputes, x.dispute(&f.Disputes[i]))
	}
	x.out.Deal = d
}

// dispute writes a dispute of the deal.
func (x *chain) dispute(d *attribution.FactDispute) DisputedLine {
	line := DisputedLine{
		ID: d.ID, Partner: d.Partner, About: d.About, Against: d.Against, State: d.State, To: d.To, OpenedAt: d.OpenedAt, OpenedBy: d.By, Why: d.Why,
		SettledAt: instantOf(d.SettledAt), SettledBy: d.SettledBy, SettledWhy: d.SettledWhy,
	}
	if d.From > money.DayMin {
		line.From = d.From.String()
	}
	if x.sight != report.SeesOwn || d.Partner == x.viewer.Partner {
		return line
	}
	x.withhold()
	line.ID, line.OpenedBy, line.Why, line.SettledBy, line.SettledWhy = "", "", "", "", ""
	for _, name := range []*string{&line.Partner, &line.Against, &line.To} {
		if *name != "" && *name != x.viewer.Partner {
			*name = report.Other
		}
	}
	return line
}

func instantOf(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

// items are those of a list that the viewer may know.
func (x *chain) items(ids []attribution.ItemID) []ItemLine {
	list := []ItemLine{}
	for _, id := range ids {
		if x.sees(id) {
			list = append(list, ItemLine(id))
		}
	}
	return list
}

func (x *chain) touch(t *touch) ExplainedTouch {
	if !x.viewer.SeesTouch(&t.FactTouch) {
		x.withhold()
		day := x.campaign.At(x.deal.Newest().Revision).Day(t.At)
		out := ExplainedTouch{N: t.n, At: day.String(), Channel: t.Channel, Partner: t.Partner, Evidence: []ItemLine{}, Withheld: true}
		if x.sight == report.SeesOwn && !slices.Contains(report.PartnersOf(&t.FactTouch), x.viewer.Partner) {
			out.Partner = ""
		}
		return out
	}
	evidence := slices.Clone(t.Evidence)
	if !slices.Contains(evidence, t.ID) {
		evidence = slices.Insert(evidence, 0, t.ID)
	}
	out := ExplainedTouch{
		N: t.n, At: t.At.UTC().Format(time.RFC3339Nano), Type: t.Type, Channel: t.Channel, Partner: t.Partner, Asset: t.Asset,
		Source: t.Source, Campaign: t.Campaign, Rule: t.Rule, Person: t.Person, Evidence: x.items(evidence),
	}
	for _, e := range out.Evidence {
		x.events[e.Item] = true
	}
	return out
}

func (x *chain) measure(f *attribution.Facts, m *attribution.FactMeasure) ExplainedMeasure {
	out := ExplainedMeasure{
		Measure: m.Measure, Value: amountText(m.Value, m.Currency, m.Exponent), Currency: m.Currency,
		OriginalAmount: m.Basis.Amount, OriginalCurrency: m.Basis.Currency, RateVia: m.Basis.Via,
		Held: m.Held, InScope: m.InScope, Truncated: f.Truncated, Revision: f.Revision,
		Credits: map[string][]ExplainedCredit{}, Influenced: x.partners(m.Influenced), CoSell: x.partners(m.CoSell),
	}
	if m.Held == "" || m.Day != 0 {
		out.Day = m.Day.String()
	}
	if m.Basis.Rate != "" && m.Basis.Via != money.ViaSame {
		out.Rate, out.RateDay = m.Basis.Rate, m.Basis.RateDay.String()
	}
	if !report.Counts(m) {
		return out
	}
	out.Confidence = ref(partsOf(&m.Confidence))
	c := x.campaign.At(f.Revision)
	for i, id := range c.Models {
		out.Credits[id] = []ExplainedCredit{}
		for _, s := range x.shares(f, m, c, i) {
			if !x.credited(s.Partner) {
				continue
			}
			if s.Judged != "" && !x.credited(s.Judged) {
				s.Judged = report.Other
			}
			out.Credits[id] = append(out.Credits[id], s)
		}
	}
	return out
}

func (x *chain) partners(list []string) []string {
	out := []string{}
	for _, p := range list {
		if x.credited(p) {
			out = append(out, p)
		}
	}
	return out
}

// shares are the parts of a measure under the i-th model of the contract.
func (x *chain) shares(f *attribution.Facts, m *attribution.FactMeasure, c *contract.Contract, i int) []ExplainedCredit {
	whole := ExplainedCredit{Partner: attribution.Unattributed, Escrow: attribution.EscrowNone, Weight: weightText(money.Whole), Amount: amountText(m.Value, m.Currency, m.Exponent)}
	if attribution.IsSourced(m.Measure) {
		whole.Partner, whole.Escrow = f.Sourced.Partner, f.Escrow(m.Measure, f.Sourced.Partner, m.Day)
		if at := slices.IndexFunc(x.touches, func(t touch) bool { return f.Sourced.By == attribution.SourcedByTouch && t.ID == f.Sourced.Evidence }); at >= 0 {
			whole.Touch = x.touches[at].n
		}
		return []ExplainedCredit{whole}
	}
	shares := report.SharesOf(f, m, c.Specs[i])
	if shares == nil {
		return []ExplainedCredit{whole}
	}
	out := make([]ExplainedCredit, len(shares))
	for n, s := range shares {
		at := slices.IndexFunc(x.touches, func(t touch) bool { return sameTouch(&t.FactTouch, &f.Touches[s.Touch]) })
		out[n] = ExplainedCredit{
			Touch: at + 1, Partner: s.Partner, Escrow: f.Escrow(m.Measure, s.Partner, m.Day),
			Weight: weightText(s.Weight), Amount: amountText(s.Amount, m.Currency, m.Exponent),
		}
		if s.Judged != s.Partner {
			out[n].Judged = s.Judged
		}
	}
	return out
}

// lines hold the facts against the ledger.
func (x *chain) lines() {
	computed, ledger := report.Explained(x.deal, x.campaign.At), report.Book{}
	for i := range x.entries {
		e := &x.entries[i]
		day, err := money.ParseDay(e.Day)
		if err != nil {
			continue // the ledger has no such entry
		}
		line := report.Line{Measure: e.Measure, Day: day, Currency: e.Currency, Exponent: e.Exponent, Dimensions: dimensionsOf(e)}
		for m, id := range e.Models {
			ledger.Put(line, id, e.Delta[m])
		}
	}
	x.out.Agrees = true
	for _, l := range report.Lines(computed, ledger) {
		same := report.Same(l, computed, ledger)
		x.out.Agrees = x.out.Agrees && same
		if !x.credited(l.Partner) {
			continue
		}
		out := ExplainedLine{
			Measure: l.Measure, Day: l.Day.String(), Partner: l.Partner, Channel: l.Channel, Asset: l.Asset, Region: l.Region, Segment: l.Segment,
			Source: l.Source, TouchCampaign: l.TouchCampaign, Escrow: l.Escrow, Currency: l.Currency,
			Computed: modelTexts(l, computed[l]), Ledger: modelTexts(l, ledger[l]), Agrees: same,
		}
		if x.ofOthers(l.Partner) {
			out.Asset, out.Source = "", ""
		}
		x.out.Lines = append(x.out.Lines, out)
	}
}

// ofOthers reports whether a line is one of which a partner is told who is credited
// and the channel, and no more.
func (x *chain) ofOthers(partner string) bool {
	if x.viewer.Operator || partner == x.viewer.Partner {
		return false
	}
	x.withhold()
	return true
}

func dimensionsOf(e *follow.Entry) attribution.Dimensions {
	return attribution.Dimensions{
		Partner: e.Partner, Channel: e.Channel, Asset: e.Asset, Region: e.Region, Segment: e.Segment, Source: e.Source, TouchCampaign: e.TouchCampaign,
		Escrow: cmp.Or(e.Escrow, attribution.EscrowNone),
	}
}

func modelTexts(l report.Line, amounts report.Amounts) map[string]string {
	texts := map[string]string{}
	for id, minor := range amounts {
		texts[id] = amountText(minor, l.Currency, l.Exponent)
	}
	return texts
}

// tell lists the entries, the newest of many, the oldest first.
func (x *chain) tell() {
	entries := slices.Clone(x.entries)
	sortEntries(entries)
	for i := max(0, len(entries)-explainedEntriesMax); i < len(entries); i++ {
		e := &entries[i]
		if !x.credited(e.Partner) {
			continue
		}
		out := entryLine(e)
		if x.ofOthers(e.Partner) {
			out.Asset = ""
		}
		if !x.viewer.Operator && !x.events[out.CauseEvent] {
			x.withhold()
			out.CauseEvent = ""
		}
		x.out.Entries = append(x.out.Entries, out)
	}
}

// sortEntries puts entries in the order of what caused them, and those of one change
// together.
func sortEntries(entries []follow.Entry) {
	slices.SortFunc(entries, func(a, b follow.Entry) int {
		return cmp.Or(a.AsOf.Compare(b.AsOf), strings.Compare(a.ChangeID, b.ChangeID), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
}

func entryLine(e *follow.Entry) ExplainedEntry {
	out := ExplainedEntry{
		CreditsPartition: e.Partition, CreditsOffset: e.Offset, Conversion: e.Conversion, Measure: e.Measure, Day: e.Day, Partner: e.Partner,
		Channel: e.Channel, Asset: e.Asset, Escrow: e.Escrow, Booked: cmp.Or(e.Booked, e.Day), Currency: e.Currency, Delta: map[string]string{}, Running: map[string]string{},
		Confidence: certaintyText(int64(e.Confidence)), Cause: e.Cause, CauseEvent: e.CauseEvent, ChangeID: e.ChangeID, Revision: e.Revision, Rate: e.Rate, AsOf: e.AsOf,
	}
	for m, id := range e.Models {
		out.Delta[id] = amountText(e.Delta[m], e.Currency, e.Exponent)
		out.Running[id] = amountText(e.Running[m], e.Currency, e.Exponent)
	}
	return out
}

// partsOf writes a confidence.
func partsOf(c *attribution.Confidence) ConfidenceParts {
	of := func(part int) string { return certaintyText(int64(part)) }
	return ConfidenceParts{
		Overall: of(c.Overall), Identity: of(c.Identity), Taxonomy: of(c.Taxonomy), Currency: of(c.Currency), Agreement: of(c.Agreement), Spread: of(c.Spread),
	}
}

// certaintyText is a confidence with six decimals.
func certaintyText(parts int64) string { return money.Format(parts, 6) }

// amountText writes money with all places of its currency, and a count without those
// that say nothing.
func amountText(minor int64, currency string, exponent int) string {
	places := 0
	if currency != "" {
		places = exponent
	}
	return report.ValueOf(minor, exponent).Text(places)
}

// weightText is a part of money.Whole with four decimals, half a unit rounded up.
func weightText(weight uint64) string {
	const unit = money.Whole / 10_000
	return money.Format(int64((weight+unit/2)/unit), 4)
}

// Explain gives the chain behind a deal or a contribution, of which one is named.
func (a *Answers) Explain(ctx context.Context, v report.Viewer, q Query) (ExplainAnswer, error) {
	if (q.Opportunity == "") == (q.Contribution == "") {
		return ExplainAnswer{}, &Error{Detail: "name either an opportunity or a contribution", Allowed: []string{"opportunity", "contribution"}}
	}
	of, err := a.ask(v, &q)
	if err == nil {
		err = of.readModel(&q)
	}
	if err != nil {
		return ExplainAnswer{}, err
	}
	x := chain{asked: of}
	x.out.Measures, x.out.Touches, x.out.Lines, x.out.Entries = []ExplainedMeasure{}, []ExplainedTouch{}, []ExplainedLine{}, []ExplainedEntry{}
	switch {
	case q.Contribution != "":
		err = x.contribution(ctx, q.Contribution)
	case strings.HasPrefix(q.Opportunity, attribution.PersonID("")) && v.Operator:
		err = x.person(ctx, q.Opportunity)
	default:
		err = x.opportunity(ctx, q.Opportunity)
	}
	x.revisions()
	x.out.Envelope = x.Envelope
	return x.out, err
}

// revisions tells by what rules things are as they are, and why these came to be.
func (x *chain) revisions() {
	numbers := map[int64]bool{}
	for i := range x.out.Measures {
		numbers[x.out.Measures[i].Revision] = true
	}
	for i := range x.out.Entries {
		numbers[x.out.Entries[i].Revision] = true
	}
	x.out.Revisions = []RevisionSummary{}
	for _, r := range history(x.campaign) {
		if numbers[r.Revision] {
			told := revisionOf(x.viewer, x.campaign, &r)
			x.out.Revisions, x.Withheld = append(x.out.Revisions, told), x.Withheld || told.Withheld
		}
	}
}

// opportunity explains a deal.
func (x *chain) opportunity(ctx context.Context, id string) error {
	d, err := x.dealNamed(ctx, id)
	if err != nil {
		return err
	}
	x.deal = &d.Deal
	conversion := d.Newest().Deal.String()
	if err := x.read(ctx, conversion); err != nil {
		return err
	}
	x.noteAsOf(d.AsOf)
	x.build()
	x.out.Subject = Subject{Kind: "opportunity", ID: conversion}
	return nil
}

// person explains what the first arrivals of a person at milestones count for: facts
// are of deals alone, so that the chain is the entries with what caused them.
func (x *chain) person(ctx context.Context, conversion string) error {
	if err := x.read(ctx, conversion); err != nil {
		return err
	}
	if len(x.entries) == 0 {
		return &Error{Parameter: "opportunity", Detail: "the book of this campaign has nothing of this person", Allowed: []string{}, Unknown: true}
	}
	for i := range x.entries {
		x.noteAsOf(x.entries[i].AsOf)
	}
	x.out.Subject, x.out.Agrees = Subject{Kind: "person", ID: conversion}, true
	x.tell()
	return nil
}

// read takes the entries of a conversion.
func (x *chain) read(ctx context.Context, conversion string) error {
	return x.follow.Entries(x.campaign.Book, conversion, func(e *follow.Entry) (bool, error) {
		x.entries = append(x.entries, *e)
		return ctx.Err() == nil, ctx.Err()
	})
}

// dealNamed finds a deal by its id in a CRM, or in full. A deal that is one business
// with another is that one. Of one that is not there the error lists the nearest.
func (x *chain) dealNamed(ctx context.Context, id string) (*follow.Deal, error) {
	local := localID(id)
	system := x.campaign.Contract.SystemOfRecord
	record := attribution.ItemID{Reporter: system.Partner, Source: system.Source, Item: "opportunity/" + local}
	for _, full := range []string{id, record.String()} {
		if d, found, err := x.follow.Deal(x.campaign.Book, full); err != nil || found && x.viewer.Sees(x.sight, &d.Deal) {
			return d, err
		}
	}
	is := func(item attribution.ItemID) bool { return item.String() == id || localID(item.String()) == local }
	var match *follow.Deal
	var near nearest
	err := x.follow.Deals(x.campaign.Book, func(d *follow.Deal) (bool, error) {
		if !x.viewer.Sees(x.sight, &d.Deal) {
			return true, ctx.Err()
		}
		newest := d.Newest()
		if is(newest.Deal) || slices.ContainsFunc(newest.Merged, is) {
			match = d
			return false, nil
		}
		near.add(newest.Deal.String(), common(localID(newest.Deal.String()), local))
		return true, ctx.Err()
	})
	if err != nil || match != nil {
		return match, err
	}
	detail := "the book of this campaign has no such deal; allowed lists the nearest"
	if len(near.ids) == 0 {
		detail = "the book of this campaign has no deal that is seen here"
	}
	if why := x.Envelope.Behind.Why; why != "" {
		detail += "; what is known is behind: " + why
	}
	return nil, &Error{Parameter: "opportunity", Detail: detail, Allowed: near.list(), Unknown: true}
}

// localID is a deal's id in its CRM, as ids are compared.
func localID(id string) string {
	return report.DealID(id[strings.LastIndex(id, "/")+1:])
}

// common is how many bytes two ids begin with alike, whatever their case.
func common(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// nearest keeps the few ids that have most in common with one.
type nearest struct {
	ids    []string
	common map[string]int
}

// nearestMax is how many ids are offered instead of one that is not there.
const nearestMax = 5

func (n *nearest) add(id string, common int) {
	if n.common == nil {
		n.common = map[string]int{}
	}
	n.ids, n.common[id] = append(n.ids, id), common
	if len(n.ids) > 2*nearestMax {
		kept := len(n.list())
		for _, far := range n.ids[kept:] {
			delete(n.common, far)
		}
		n.ids = n.ids[:kept]
	}
}

// list are the ids, the nearest first.
func (n *nearest) list() []string {
	slices.SortFunc(n.ids, func(a, b string) int { return cmp.Or(cmp.Compare(n.common[b], n.common[a]), strings.Compare(a, b)) })
	return n.ids[:min(len(n.ids), nearestMax)]
}

package attribution

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"tracksource/contract"
	"tracksource/money"
)

// step is a touchpoint: a touch that counts, with all reports of it and what the
// contract makes of them.
type step struct {
	// touch is the report believed most, at the time of the earliest.
	touch *Touch
	name  string // of its id; empty until a model asks
	at    time.Time
	class contract.Classification
	// partners share its credit; class.Partner names them all. leading is whom the
	// report believed most names.
	partners []string
	leading  string
	// people are who it was, as far as reporters know.
	people   []string
	evidence []ItemID
	day      money.Day
}

// Disagreement is a touch that its reporters credit to different partners.
type Disagreement struct {
	Touch    ItemID
	Partners []string
	Evidence []ItemID
	// Held is whether its credit is held; else it is split.
	Held bool
}

// report is one touch as one reporter saw it.
type report struct {
	touch *Touch
	class contract.Classification
}

// touchpoints classifies the selected touches and puts together what several
// reporters saw of one. They are in order of time, of equal times by id.
func (b *booker) touchpoints(j Journey, selected []*Touch) []step {
	reports := make([]report, 0, len(selected))
	for _, touch := range selected {
		in := touch.Facts
		in.At, in.Account = touch.At, j.Name
		if class := b.contract.Classify(in); class.Counts {
			reports = append(reports, report{touch, class})
		}
	}
	groups := b.group(reports)
	steps := make([]step, len(groups))
	for i, g := range groups {
		steps[i] = b.touchpoint(g)
	}
	slices.SortFunc(steps, func(x, y step) int { return cmp.Or(x.at.Compare(y.at), x.touch.ID.Compare(y.touch.ID)) })
	return steps
}

// group puts reports together that are of one touch. In order of time each goes to
// the earliest touch that it fits, or begins one: what another reporter saw, of the
// same type, on the same asset or where one names none in the same campaign, of
// nobody else, within the contract's time of the first report.
func (b *booker) group(reports []report) [][]report {
	groups := make([][]report, 0, len(reports))
	window := b.contract.Overlap.Window
	open := 0 // the first group that is not too old
	for n, r := range reports {
		for open < len(groups) && r.touch.At.Sub(groups[open][0].touch.At) > window {
			open++
		}
		i := -1
		if window > 0 {
			i = slices.IndexFunc(groups[open:], func(g []report) bool { return b.fits(g, r) })
		}
		if i < 0 {
			groups = append(groups, reports[n:n+1:n+1])
			continue
		}
		groups[open+i] = append(groups[open+i], r)
	}
	return groups
}

func (b *booker) fits(g []report, r report) bool {
	for i := range g {
		if g[i].touch.ID.Reporter == r.touch.ID.Reporter || !alike(g[i].class, r.class) || !b.mayBeSame(g[i].touch.Person, r.touch.Person) {
			return false
		}
	}
	return true
}

// alike reports whether two reports are of one kind of touch on one thing.
func alike(a, r contract.Classification) bool {
	if a.Type != r.Type {
		return false
	}
	if a.Asset != contract.Unknown && r.Asset != contract.Unknown {
		return a.Asset == r.Asset
	}
	return a.Campaign == r.Campaign && a.Campaign != contract.None
}

func (b *booker) mayBeSame(person, other string) bool {
	if b.contract.Overlap.By == contract.SamePerson {
		return person != "" && person == other
	}
	return person == "" || other == "" || person == other
}

// touchpoint makes one of its reports. Each field is that of the report believed
// most which says it.
func (b *booker) touchpoint(reports []report) step {
	believed := reports
	if len(reports) > 1 {
		believed = slices.SortedStableFunc(slices.Values(reports), func(x, y report) int {
			return cmp.Or(cmp.Compare(b.believed(x), b.believed(y)), x.touch.ID.Compare(y.touch.ID))
		})
	}
	s := step{touch: believed[0].touch, at: reports[0].touch.At, class: believed[0].class}
	s.day = b.contract.Day(s.at)
	for _, r := range believed {
		s.evidence = append(s.evidence, r.touch.ID)
		if r.touch.Person != "" && !slices.Contains(s.people, r.touch.Person) {
			s.people = append(s.people, r.touch.Person)
		}
		if r.class.Partner != contract.None && !slices.Contains(s.partners, r.class.Partner) {
			s.partners = append(s.partners, r.class.Partner)
		}
		if vague(s.class.Channel) && !vague(r.class.Channel) {
			s.class.Channel = r.class.Channel
		}
		s.class.Asset = said(s.class.Asset, r.class.Asset, contract.Unknown)
		s.class.Source = said(s.class.Source, r.class.Source, contract.Unknown)
		s.class.Campaign = said(s.class.Campaign, r.class.Campaign, contract.None)
	}
	if slices.ContainsFunc(believed, func(r report) bool { return r.class.Campaign == contract.This }) {
		s.class.Campaign = contract.This
	}
	if len(s.partners) == 0 {
		s.partners = []string{contract.None}
	}
	s.leading = s.partners[0]
	slices.Sort(s.partners)
	slices.SortFunc(s.evidence, ItemID.Compare)
	s.class.Partner = strings.Join(s.partners, "+")
	return s
}

// believed orders the reporters of touches as the contract orders their systems.
func (b *booker) believed(r report) int {
	return b.contract.Precedence(r.touch.ID.Reporter, r.touch.ID.Source)
}

// vague reports whether a channel says only that nothing else is known.
func vague(channel string) bool {
	return channel == contract.ChannelDirect || channel == contract.ChannelUnassigned || channel == contract.Unknown
}

// said is the value unless it is the one that says nothing.
func said(value, other, nothing string) string {
	if value == nothing {
		return other
	}
	return value
}

// disputed turns a touch about which its reporters disagree into what the contract
// does with it, and tells of it.
func (b *booker) disputed(s *step) {
	if len(s.partners) < 2 {
		return
	}
	hold := b.contract.Overlap.Disagreement == contract.DisagreementHold
	b.disagreements = append(b.disagreements, Disagreement{Touch: s.touch.ID, Partners: s.partners, Evidence: s.evidence, Held: hold})
	if hold {
		s.partners, s.leading, s.class.Partner = []string{contract.Held}, contract.Held, contract.Held
	}
}

// touches are the first arrivals at each status, whatever its case.
func (m Member) touches() []Touch {
	if m.Deleted {
		return nil
	}
	var touches []Touch
	seen := make(map[string]bool, len(m.Statuses))
	for _, s := range sortedStages(m.Statuses) {
		status := strings.ToLower(strings.TrimSpace(s.Stage))
		if status == "" || seen[status] {
			continue
		}
		seen[status] = true
		id := m.ID
		id.Item += "/" + status
		touches = append(touches, Touch{ID: id, At: s.At, Person: m.Person, Facts: contract.TouchInput{
			Reporter: id.Reporter, Source: id.Source, Feed: m.Feed, CRMCampaign: m.CampaignID, Status: s.Stage,
		}})
	}
	return touches
}

// allTouches are those of the feeds and of campaign members.
func allTouches(j Journey) []*Touch {
	touches := pointers(j.Touches)
	for _, m := range unique(j.Members, func(m *Member) ItemID { return m.ID }, func(m *Member) time.Time { return m.ModifiedAt }) {
		touches = append(touches, pointers(m.touches())...)
	}
	return touches
}

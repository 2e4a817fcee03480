package render

import (
	"fmt"
	"strings"

	"tracksource/report"
)

// behindMax is how far behind, in seconds, a line may be without a word on top of the
// page: so much is on its way at any time.
const behindMax = 60

// story is what every page of a package tells, as text that is ready to be read. A
// format has only to keep it text.
type story struct {
	Title, Name, Headline         string
	Partners                      string
	About                         []pair
	Warnings                      []warning
	Tiles                         []tile
	Drivers, Risks, Opportunities []finding
	Decisions                     []decision
	Actions                       []action
	Method                        []pair
	More                          more
}

// more is how many of each the executive summary leaves to the packet.
type more struct{ Risks, Opportunities, Decisions, Actions int }

// The executive summary is a page: it has room for so many risks and opportunities, and so
// many decisions and actions.
const (
	summaryFindingsMax = 3
	summaryTasksMax    = 4
)

// short leaves what is no executive's to the packet.
func (s *story) short() *story {
	out := *s
	out.More = more{
		max(0, len(s.Risks)-summaryFindingsMax), max(0, len(s.Opportunities)-summaryFindingsMax),
		max(0, len(s.Decisions)-summaryTasksMax), max(0, len(s.Actions)-summaryTasksMax),
	}
	out.Risks, out.Opportunities = s.Risks[:len(s.Risks)-out.More.Risks], s.Opportunities[:len(s.Opportunities)-out.More.Opportunities]
	out.Decisions, out.Actions = s.Decisions[:len(s.Decisions)-out.More.Decisions], s.Actions[:len(s.Actions)-out.More.Actions]
	return &out
}

// pair is a word and what it says.
type pair struct{ Name, Text string }

// warning is what has to be known before anything else is read.
type warning struct{ Name, Text string }

// tile is a key figure.
type tile struct {
	Title    string
	Currency string
	Whole    string // of the value
	Places   string // of the value, with the point
	Unit     string // behind it
	Light    report.Light
	Word     string // the light in a word
	Of       string // how much of which target
	Before   string
	Change   string // against before
	Why      string
	Meter    *meter // nil without a target
	Expected string
}

// Value is the value with its unit, empty without one.
func (t *tile) Value() string {
	return strings.TrimSpace(t.Currency + " " + t.Whole + t.Places + t.Unit)
}

// finding is an insight.
type finding struct {
	Rule, Text string
	Tone       report.Tone
	Word       string // the tone in a word
	Evidence   []pair // and the chance of a false alarm
}

// decision is what has to be decided.
type decision struct{ Text, Owner, Due, Why string }

// action is a line of the register.
type action struct {
	ID, Text, Effect, Owner, Due, Status string
	Word                                 string // good, bad or warn: the status
	Evidence                             []pair
}

// tell makes the story of a package.
func tell(p *report.Package) *story {
	s := &story{
		Title: sentence(p.Title), Name: name(p.Name), Headline: sentence(p.Headline),
		About: facts(p), Warnings: warnings(p),
		Drivers: findings(p.Drivers), Risks: findings(p.Risks), Opportunities: findings(p.Opportunities),
	}
	if s.Name == "" {
		s.Name = name(p.Campaign)
	}
	if s.Title == "" {
		s.Title = s.Name
	}
	var partners []string
	for _, n := range p.Partners {
		partners = append(partners, called(n))
	}
	s.Partners = strings.Join(partners, " × ")
	for i := range p.Spine {
		s.Tiles = append(s.Tiles, figure(&p.Spine[i]))
	}
	for _, d := range p.Decisions {
		s.Decisions = append(s.Decisions, decision{sentence(d.Text), name(d.Owner), day(d.Due), sentence(d.Why)})
	}
	for i := range p.Actions {
		a := &p.Actions[i]
		s.Actions = append(s.Actions, action{
			ID: name(a.ID), Text: sentence(a.Text), Effect: sentence(a.Effect),
			Owner: name(a.Owner), Due: day(a.Due), Status: phrase(a.Status), Evidence: grounds(a.Evidence),
			Word: verdict(a.Status),
		})
	}
	for _, n := range p.Method {
		s.Method = append(s.Method, pair{sentence(n.Title), sentence(n.Text)})
	}
	return s
}

// facts are what the package is of.
func facts(p *report.Package) []pair {
	view := "restated by what is known now"
	if p.Question.View == report.AsKnown {
		view = "as they were signed"
	}
	contract := fmt.Sprintf("revision %d", p.Revision)
	if p.Contract != "" {
		contract += ", " + plain(p.Contract, 13) // enough to be told apart; the JSON has all of it
	}
	model := name(p.Question.ModelName)
	if model == "" {
		model = name(p.Question.Model)
	}
	list := []pair{
		{"Window", window(p)},
		{"Model", model},
		{"Closed days", view},
		{"As of", instant(p.AsOf.Time)},
		{"Newest input", "none"},
		{"Feeds", feeds(p)},
		{"Contract", contract},
		{"Currency", name(p.Currency)},
	}
	if p.AsOf.Newest != nil {
		list[4].Text = instant(*p.AsOf.Newest)
	}
	if p.MadeFor != "" {
		list = append(list, pair{"Made for", partner(p, p.MadeFor)})
	}
	return list
}

func window(p *report.Package) string {
	q := &p.Question
	text := "all days"
	switch {
	case q.From != "" && q.To != "":
		text = day(q.From) + " – " + day(q.To)
	case q.From != "":
		text = "from " + day(q.From)
	case q.To != "":
		text = "up to " + day(q.To)
	}
	if days, ok := strings.CutSuffix(q.Window, "d"); ok {
		text += " (" + name(days) + " days)"
	}
	if q.Window == "campaign" {
		text += " (the campaign)"
	}
	if p.Zone != "" {
		text += ", " + name(p.Zone)
	}
	return text
}

func feeds(p *report.Package) string {
	n := len(p.Observed.Feeds)
	if n == 0 {
		return "none was seen"
	}
	good := 0
	for i := range p.Observed.Feeds {
		if f := &p.Observed.Feeds[i]; f.Fresh && f.Complete {
			good++
		}
	}
	return fmt.Sprintf("%d of %d within their limits", good, n)
}

// warnings are what a reader must not miss, the gravest first.
func warnings(p *report.Package) []warning {
	var list []warning
	if p.Empty != "" {
		list = append(list, warning{"Nothing to report", sentence(p.Empty)})
	}
	if p.Proposed {
		list = append(list, warning{"Proposed", "These figures follow a contract that is proposed and not agreed. They bind nobody."})
	}
	if p.Withheld {
		who := "its reader"
		if p.MadeFor != "" {
			who = partner(p, p.MadeFor)
		}
		list = append(list, warning{"Withheld", "Made for " + who + ": the contract's visibility leaves out part of what the campaign has. What is left out is not zero."})
	}
	if o := &p.Observed; o.BehindWhy != "" || o.BehindSeconds > behindMax {
		text := "The figures were " + long(o.BehindSeconds) + " behind what had arrived when the package was made."
		if o.BehindWhy != "" {
			text += " " + sentence(o.BehindWhy)
		}
		list = append(list, warning{"Behind", text})
	}
	var stale []string
	for i := range p.Observed.Feeds {
		f := &p.Observed.Feeds[i]
		if wrong := complaint(f); wrong != "" {
			stale = append(stale, name(f.Feed)+" of "+partner(p, f.Partner)+" ("+wrong+")")
		}
	}
	if len(stale) > 0 {
		list = append(list, warning{"Feeds beyond their limits", sentence(strings.Join(stale, ", ") + ".")})
	}
	return list
}

// complaint is what is wrong with a feed, empty if nothing is.
func complaint(f *report.FeedQA) string {
	var wrong []string
	switch {
	case f.Fresh:
	case f.AgeSeconds < 0:
		wrong = append(wrong, "nothing has arrived")
	default:
		wrong = append(wrong, long(f.AgeSeconds)+" old, "+long(f.LimitSeconds)+" allowed")
	}
	if !f.Complete {
		if f.Completeness == "" {
			wrong = append(wrong, "incomplete")
		} else {
			wrong = append(wrong, percent(f.Completeness)+" complete")
		}
	}
	return strings.Join(wrong, "; ")
}

func figure(k *report.KPI) tile {
	t := tile{Title: name(k.Title), Light: k.Light, Why: sentence(k.Why)}
	switch k.Light {
	case report.Green:
		t.Word = "Green"
	case report.Amber:
		t.Word = "Amber"
	case report.Red:
		t.Word = "Red"
	default:
		t.Light, t.Word = report.Grey, "No band"
	}
	if k.Value == "" {
		if t.Light == report.Grey {
			t.Word = "No data"
		}
		return t
	}
	t.Whole = shown(k.Kind, k.Value, k.Currency)
	if k.Kind == report.MoneyColumn {
		t.Currency = name(k.Currency)
		if whole, places, ok := strings.Cut(t.Whole, "."); ok {
			t.Whole, t.Places = whole, "."+places
		}
	}
	switch k.Kind {
	case report.RatioColumn:
		t.Whole = percent(k.Value)
	case report.DaysColumn:
		t.Unit = strings.TrimPrefix(full(k.Kind, k.Value, ""), t.Whole)
	case report.TextColumn, report.MoneyColumn, report.CountColumn, report.DayColumn, report.TimeColumn:
	}
	if share, ok := permille(k.Value, k.Target); ok && k.Kind != report.RatioColumn {
		t.Of = percentOf(share) + " of " + fine(k.Kind, k.Target)
		t.Meter = &meter{Fill: bound(share), Text: t.Of}
		if mark, ok := permille(k.Expected, k.Target); ok {
			t.Meter.Mark, t.Meter.Marked = bound(mark), true
			t.Expected = fine(k.Kind, k.Expected) + " expected"
		}
	}
	if v, err := report.ParseValue(k.Previous); err == nil && v.Sign() != 0 {
		t.Before = fine(k.Kind, k.Previous)
		if k.Kind != report.RatioColumn { // of a ratio, percent of percent mislead
			t.Change = change(k.Value, k.Previous)
		}
	}
	return t
}

// fine is a value beside another one: of money, whole units say enough.
func fine(kind report.ColumnKind, value string) string {
	if v, err := report.ParseValue(value); err == nil && kind == report.MoneyColumn {
		return strings.TrimSpace(report.MoneyAbout(v, ""))
	}
	return full(kind, value, "")
}

func findings(list []report.Insight) []finding {
	var out []finding
	for i := range list {
		in := &list[i]
		f := finding{Rule: name(in.Rule), Text: sentence(in.Text), Tone: in.Tone, Evidence: grounds(in.Evidence)}
		if in.Chance != "" {
			f.Evidence = append(f.Evidence, pair{"chance of a false alarm", name(in.Chance)})
		}
		switch in.Tone {
		case report.Good:
			f.Word = "Favourable"
		case report.Bad:
			f.Word = "Unfavourable"
		default:
			f.Tone, f.Word = report.Neutral, "To note"
		}
		out = append(out, f)
	}
	return out
}

func grounds(list []report.Evidence) []pair {
	var out []pair
	for _, e := range list {
		out = append(out, pair{name(e.Name), full(e.Kind, e.Value, e.Currency)})
	}
	return out
}

// partner is what a partner is called, its id for one that is no signatory.
func partner(p *report.Package, id string) string {
	for _, n := range p.Partners {
		if n.ID == id {
			return called(n)
		}
	}
	return name(id)
}

func called(n report.Named) string {
	if n.Name == "" {
		return name(n.ID)
	}
	return name(n.Name)
}

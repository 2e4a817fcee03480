package sim_test

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"

	"tracksource/contract/example"
	"tracksource/internal/control"
	"tracksource/schemas/avro"
)

// writeRules prepares the rules that are sent, with what is decided while events
// flow.
func (s *story) writeRules(rules []avro.Control, rng *rand.Rand) {
	if rng.IntN(2) == 0 && len(s.revised) == 0 { // else there would be little left to meet
		slices.Reverse(rules) // the contract comes behind the rates
	}
	at := 1 + slices.IndexFunc(rules, func(c avro.Control) bool { return c.Kind == control.Contract })
	decided := s.contracts(rng)
	last := len(decided) - 1
	rules = s.insert(rules, at, decided[:last], rng)
	rules = s.insert(rules, at, s.interleaved(rng), rng)
	rules = append(s.insert(rules, 0, s.decided, rng), s.closing...)
	rules = append(rules, decided[last]) // there are rows then that a partner must not see any more
	var err error
	if s.rules, err = control.Messages(s.codecs, s.spec.Control(), rules...); err != nil {
		s.t.Fatal(err)
	}
}

// insert puts decisions among the rules, in their order and early, so that there
// is something left to meet.
func (s *story) insert(rules []avro.Control, at int, decided []avro.Control, rng *rand.Rand) []avro.Control {
	for _, c := range decided {
		at += rng.IntN(min(20, len(rules)-at) + 1)
		rules = slices.Insert(rules, at, c)
		at++
	}
	return rules
}

// taxonomy are changes of what things are called and of whose they are.
func taxonomy() [][]string {
	return [][]string{
		{"\nchannels:\n", "\nchannels:\n  - {channel: Newsletter, utm_medium: [email]}\n"},
		{"    globex: globex\n", "    globex: acme\n"},
		{"DE: EMEA", "DE: DACH", "currency: USD, visibility: open", "currency: USD, visibility: own"},
		{"stage: Qualification, state: open", "stage: Qualification, state: lost"},
		{"segment: Enterprise", "segment: Large"},
		{"owner: globex", "owner: acme", "currency: USD, visibility: own", "currency: USD, visibility: open"},
	}
}

// windows are the windows of a contract, none of which is longer than the first.
var windows = regexp.MustCompile(`(lookback|sourced): .*`)

// week lets the windows be a week.
func week(text string) string {
	return windows.ReplaceAllStringFunc(text, func(line string) string {
		if strings.HasPrefix(line, "lookback") {
			return "lookback: 7d"
		}
		return "sourced: {days: 7}"
	})
}

// contracts draws what is decided of the contract behind its first revision: some
// more of them, for all days or for some, and proposals that stay, are replaced,
// withdrawn or agreed. The last one lets a partner see its own rows only.
func (s *story) contracts(rng *rand.Rand) []avro.Control {
	revisions := [][]string{{"models: [first-touch, last-touch, linear]", "models: [linear, position-based]"}}
	if rng.IntN(2) == 0 {
		revisions = append(revisions, []string{"lookback: 90d", "lookback: 20d", "days: 30", "days: 20"})
	}
	revisions = append(revisions, s.revised...)
	d := &decisions{story: s, rng: rng, agreed: string(example.AILaunchTour()), last: 1}
	for i, edits := range revisions {
		d.propose()
		// The first has other models, which must be of all days.
		d.agree(d.from(strings.NewReplacer(edits...).Replace(d.agreed), i > 0))
	}
	d.propose()
	d.agree(strings.Replace(d.agreed, "currency: EUR, visibility: open", "currency: EUR, visibility: own", 1))
	return d.list
}

// decisions are those of contracts, in their order.
type decisions struct {
	*story
	rng    *rand.Rand
	agreed string // text of the newest revision
	last   int64  // its number
	list   []avro.Control
}

// from lets a text account for the days from a drawn one on, or for all.
func (d *decisions) from(text string, may bool) string {
	text = regexp.MustCompile(`\nrestate_from: .*`).ReplaceAllString(text, "")
	if !may || d.rng.IntN(2) == 0 {
		return text
	}
	d.done["restate_from"]++
	day := d.world.Start.AddDate(0, 0, d.rng.IntN(75)).Format(time.DateOnly)
	return strings.Replace(text, "\nwindow:", "\nrestate_from: "+day+"\nwindow:", 1)
}

func (d *decisions) agree(text string) {
	c, err := control.Revise([]byte(text), d.last, d.at())
	if err != nil {
		d.t.Fatal(err)
	}
	d.approve(c, text)
	d.list = append(d.list, c)
	d.agreed, d.last = text, d.last+1
}

// propose draws a proposal and what becomes of it.
func (d *decisions) propose() {
	if d.rng.IntN(2) == 0 {
		return
	}
	text := d.from(week(d.agreed), true)
	c, err := control.Propose([]byte(text), d.last, d.at())
	if err != nil {
		d.t.Fatal(err)
	}
	d.list = append(d.list, c)
	d.done["proposed"]++
	switch d.rng.IntN(3) {
	case 0:
		d.list = append(d.list, control.Withdraw(*c.Contract, d.at()))
		d.done["withdrawn"]++
	case 1:
		d.agree(text)
		d.done["agreed as proposed"]++
	}
}

// at is a time that no other decision has.
func (d *decisions) at() time.Time {
	return d.world.Start.Add(time.Duration(len(d.list)) * time.Second)
}

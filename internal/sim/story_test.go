package sim_test

import (
	"bytes"
	"context"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tracksource/internal/check"
	"tracksource/internal/control"
	"tracksource/internal/demo"
	"tracksource/internal/sample"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// runTime bounds one run: some seconds are usual, and each kill may cost a
// session timeout. Who does not come to rest within it never will.
func runTime() time.Duration {
	if isMistaken() {
		return 3 * time.Minute
	}
	return 8 * time.Minute
}

// plan says what happens in a run. The zero value is a quiet one.
type plan struct {
	seed   uint64
	events int      // 0: some hundred, drawn
	faults []string // names of faults; each step does one or two of them
	input  []string // names of inputs: how the events are written
	steps  int      // at least; the events are spread over them
	batch  int      // records of a transaction; 0: a few, drawn for each instance
	want   []string // faults of which each must take place: the run goes on until they have
	disk   bool     // the broker keeps its records on disk and can be restarted
}

// story is one run: what is still to be sent, and what was done.
type story struct {
	*rig
	plan    plan
	world   sample.World
	events  []stream.Message
	rules   []stream.Message
	sent    int
	refused int            // records that must be dead letters beside those of the sample
	added   int            // events that must be accepted beside those of the sample
	own     [][]byte       // events of the mapped schema
	decided []avro.Control // what inputs decide, in its order
	closing []avro.Control // what inputs decide under a contract, behind all others
	revised [][]string     // edits of the contract that inputs decide

	sequences [][]avro.Control // what inputs let signatories say, each in its order

	done     map[string]int // faults that took place
	cleanup  []func()       // what mend takes back
	watching []watched      // faults that may still take place
	aged     map[string]string
}

// watched is a fault that takes place when an instance or the broker comes to it.
type watched struct {
	happened func() bool
	names    []string
}

func newStory(t *testing.T, p plan) *story {
	t.Helper()
	rng := rand.New(rand.NewPCG(p.seed, 0x73696d))
	ctx, cancel := context.WithTimeout(context.Background(), runTime())
	t.Cleanup(cancel)
	if p.events == 0 {
		p.events = 120 + rng.IntN(200)
	}
	s := &story{
		rig: newRig(ctx, t, rng, p), plan: p, world: sample.Generate(sample.Config{Seed: p.seed, Events: p.events}),
		done: map[string]int{}, aged: map[string]string{},
	}
	s.write()
	return s
}

// run plays a plan to its end and holds what is published at rest against what
// follows from the facts. It returns how often each fault took place.
func run(t *testing.T, p plan) *story {
	t.Helper()
	s := newStory(t, p)
	for _, tier := range tiers() {
		s.start(tier, "", nil)
	}
	for step := uint64(1); len(s.events)+len(s.rules) > 0 || step <= uint64(p.steps); step++ {
		// Each step draws its own lots, so that what a fault changed in one of them,
		// which time decides, does not change the next.
		*s.rng = *rand.New(rand.NewPCG(p.seed, step))
		s.send()
		if s.ctx.Err() != nil {
			t.Fatalf("not at its end, %v lack\n%s", s.lacking(), s.state())
		}
		s.revive()
		if len(p.faults) > 0 {
			for range 1 + s.rng.IntN(2) {
				s.disturb(p.faults[s.rng.IntN(len(p.faults))])
			}
		}
		time.Sleep(time.Duration(s.rng.IntN(150)) * time.Millisecond)
	}
	s.mend()
	s.settle()
	s.judgeRun()
	return s
}

// judgeRun is the Check, and that the run was worth it.
func (s *story) judgeRun() check.Report {
	s.t.Helper()
	report := s.check()
	s.done["restated"], s.done["merges"], s.done["suppressed"] = report.Restated, report.Merges, report.Suppressed
	s.done["disputed"], s.done["closed"], s.done["adjusted"], s.done["escrowed"], s.done["refused"] =
		report.Disputes, report.Closings, report.Adjusted, report.Escrowed, report.Refused
	if s.done["decided"] = report.Decisions; report.Decisions != len(s.closing)+report.Steps {
		s.t.Errorf("%d decisions reached their deals, want %d and %d steps of disputes", report.Decisions, len(s.closing), report.Steps)
	}
	s.t.Logf("seed %d: %s, kills %v, faults %v", s.plan.seed, report, s.kills, s.done)
	truth := s.world.Truth
	want := truth.Raw - truth.Duplicates - truth.DeadLetters + s.added
	switch {
	case s.own != nil: // read more than once, by two mappings: counted more than once
		s.judgeMapped()
	case report.Suppressed > 0: // some of them would have been duplicates
		if report.Accepted > want || report.Accepted+report.Suppressed < want {
			s.t.Errorf("%d events are accepted and %d suppressed, want %d", report.Accepted, report.Suppressed, want)
		}
	case report.Accepted != want || report.Raw != s.sent:
		s.t.Errorf("%d of %d raw events are accepted, want %d of %d", report.Accepted, report.Raw, want, s.sent)
	}
	if report.DeadLetters < s.refused {
		s.t.Errorf("%d dead letters, want %d and those of the sample", report.DeadLetters, s.refused)
	}
	if report.Conversions == 0 || report.Rows == 0 || report.Contracts != 1 || report.PartnerRows == 0 {
		s.t.Errorf("nothing was attributed, so the run shows nothing: %s", report)
	}
	return report
}

// write prepares what is sent: the sample as the plan's inputs have it, and the
// rules.
func (s *story) write() {
	for _, e := range s.world.Events {
		s.events = append(s.events, stream.Message{Topic: s.spec.RawTopic(e.Feed, e.Reporter), Key: e.Key, Value: e.Payload})
	}
	for _, name := range s.plan.input {
		in := inputs()[name]
		if in == nil {
			s.t.Fatalf("no input is called %q", name)
		}
		in(s)
	}
	s.sent = len(s.events)
	rules, err := demo.Controls(s.world)
	if err != nil {
		s.t.Fatal(err)
	}
	s.writeRules(rules, rand.New(rand.NewPCG(s.plan.seed, 0x72756c6573))) // the same for all inputs
}

// lacking are the wanted faults that have not taken place.
func (s *story) lacking() []string {
	return slices.DeleteFunc(slices.Clone(s.plan.want), func(name string) bool {
		return s.done[name] > 0 || slices.ContainsFunc(s.watching, func(w watched) bool { return slices.Contains(w.names, name) && w.happened() })
	})
}

// spared is how many of the next n events are sent now. A third of them is kept for as
// long as a wanted fault has not taken place: of these each follows when the line has
// worked off the one before, so that there are enough of them however slow it is.
func (s *story) spared(n int) int {
	kept := s.sent / 3
	switch {
	case len(s.plan.want) == 0 || len(s.lacking()) == 0:
		return n
	case len(s.events) > kept:
		return min(n, len(s.events)-kept)
	case s.resting():
		return 1
	}
	return 0
}

// flow sends events until something happens that they bring about, with so many things
// still to come, this one among them. Its share of what is left it sends as the line would
// get it, and behind that each event when the line has worked off the one before: slow
// instances do not use up what the others need.
func (s *story) flow(toCome int, what string, happened func() bool) {
	s.t.Helper()
	kept := len(s.events) - len(s.events)/toCome
	for end := time.Now().Add(patience()); !happened(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("%s, with %d events left\n%s", what, len(s.events), s.state())
		}
		if len(s.events) > kept && s.rng.IntN(4) == 0 || s.resting() {
			s.send()
		}
	}
}

// send sends the next pieces of the events and of the rules.
func (s *story) send() {
	s.t.Helper()
	piece := func(list *[]stream.Message, n int) []stream.Message {
		n = min(n, len(*list))
		out := (*list)[:n]
		*list = (*list)[n:]
		return out
	}
	n := 20 + s.rng.IntN(60)
	if s.plan.steps > 0 {
		n = max(5, s.plan.events/s.plan.steps)
	}
	batch := piece(&s.events, s.spared(n))
	if s.rng.IntN(2) == 0 || len(s.events) == 0 {
		batch = append(slices.Clone(batch), piece(&s.rules, 1+s.rng.IntN(30))...)
	}
	if err := s.producer.Send(s.ctx, batch...); err != nil {
		s.t.Fatal(err)
	}
	if n := count(batch, "ai-launch-tour"); len(s.events) > 0 {
		s.done["revised"] += n
	}
	if count(batch, control.Mapping) > 0 {
		s.readAgain()
	}
}

// count is how many of the records have a word in their key.
func count(ms []stream.Message, word string) (n int) {
	for _, m := range ms {
		if bytes.Contains(m.Key, []byte(word)) {
			n++
		}
	}
	return n
}

// disturb does one thing to the line, if it can be done now.
func (s *story) disturb(name string) {
	s.t.Helper()
	f := faults()[name]
	if f == nil {
		s.t.Fatalf("no fault is called %q", name)
	}
	f(s, tiers()[s.rng.IntN(len(tiers()))])
}

// did notes that a fault took place.
func (s *story) did(name, format string, args ...any) {
	s.t.Helper()
	s.t.Logf(name+": "+format, args...)
	s.done[name]++
}

// revive starts what was killed again, sometimes without its disk, sometimes
// to be killed once more in the middle of its restore.
func (s *story) revive() {
	s.t.Helper()
	for _, i := range s.bury() {
		var armed *bullet
		if s.rng.IntN(4) == 0 {
			armed = s.bullet(stream.Points()[s.rng.IntN(len(stream.Points()))], kill)
		}
		dir := i.dir
		if s.rng.IntN(4) == 0 {
			dir = ""
			s.did("lose-disk", "of %s", filepath.Base(i.dir))
		}
		s.t.Logf("%s was killed at %s; it comes again", filepath.Base(i.dir), *i.died.Load())
		s.start(i.tier, dir, armed)
	}
}

func (s *story) bullet(p stream.Point, hit func(*instance) error) *bullet {
	b := &bullet{point: p, hit: hit}
	b.n.Store(int32(s.rng.IntN(3)))
	return b
}

// mend ends all faults: what is armed is disarmed, what is dead comes back.
func (s *story) mend() {
	s.t.Helper()
	for _, f := range s.cleanup {
		f()
	}
	s.skew.Store(0)
	for _, tier := range tiers() {
		for _, i := range s.running[tier] {
			i.disarm()
			i.net.Heal()
			i.net.Thaw()
		}
	}
	for _, tier := range tiers() {
		for _, i := range s.running[tier] {
			if i.net.IsCut() {
				s.ended(i)
			}
		}
	}
	for _, i := range s.bury() {
		s.start(i.tier, i.dir, nil)
	}
	for _, tier := range tiers() {
		if len(s.running[tier]) == 0 {
			s.start(tier, "", nil)
		}
	}
	for _, w := range s.watching {
		if w.happened() {
			for _, name := range w.names {
				s.done[name]++
			}
		}
	}
	s.watching = nil
}

// faultNames lists all faults in a fixed order.
func faultNames() []string { return slices.Sorted(maps.Keys(faults())) }

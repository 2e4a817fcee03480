package sim_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tracksource/contract/example"
	"tracksource/internal/demo"
	"tracksource/internal/sample"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

const (
	seedsDefault = 24
	seedsShort   = 3
	// runTime bounds one seed: some seconds are usual, and each kill may cost a
	// session timeout.
	runTime = 90 * time.Second
)

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s=%q is not a number", name, text)
	}
	return n
}

// TestSeeds runs the line under faults that a seed decides. Whatever happens to
// the instances, what is published at rest is what follows from the facts.
func TestSeeds(t *testing.T) {
	first, seeds := 1, seedsDefault
	if testing.Short() {
		seeds = seedsShort
	}
	seeds = number(t, "SIM_SEEDS", seeds)
	if seed := number(t, "SIM_SEED", 0); seed > 0 {
		first, seeds = seed, 1
	}
	kills := map[stream.Point]int{}
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("run it again: SIM_SEED=%d go test ./internal/sim -run TestSeeds -v", seed)
				}
			})
			for p, n := range run(t, uint64(seed)) {
				kills[p] += n
			}
		})
	}
	t.Logf("kills by point: %v", kills)
}

// story is one run: what is still to be sent, and what was done.
type story struct {
	*rig
	world  sample.World
	events []stream.Message
	rules  []stream.Message
	sent   int
}

func run(t *testing.T, seed uint64) map[stream.Point]int {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 0x73696d))
	ctx, cancel := context.WithTimeout(context.Background(), runTime)
	t.Cleanup(cancel)
	s := &story{rig: newRig(ctx, t, rng), world: sample.Generate(sample.Config{Seed: seed, Events: 120 + rng.IntN(200)})}
	s.write()
	for _, tier := range tiers() {
		s.start(tier, "", nil)
	}
	for step := uint64(1); len(s.events)+len(s.rules) > 0; step++ {
		// Each step draws its own lots, so that what a fault changed in one of them,
		// which time decides, does not change the next.
		*rng = *rand.New(rand.NewPCG(seed, step))
		s.send()
		for range 1 + rng.IntN(2) {
			s.disturb()
		}
		time.Sleep(time.Duration(rng.IntN(150)) * time.Millisecond)
	}
	s.mend()
	s.settle()
	report := s.check()
	t.Logf("%s, kills %v", report, s.kills)
	truth := s.world.Truth
	if want := truth.Raw - truth.Duplicates - truth.DeadLetters; report.Accepted != want || report.Raw != s.sent {
		t.Errorf("%d of %d raw events are accepted, want %d of %d", report.Accepted, report.Raw, want, s.sent)
	}
	if report.Conversions == 0 || report.Rows == 0 || report.Contracts != 1 {
		t.Errorf("nothing was attributed, so the run shows nothing: %s", report)
	}
	return s.kills
}

// write prepares what is sent: the sample with more repetitions, its order
// disturbed, and the rules, a second revision among them.
func (s *story) write() {
	for _, e := range s.world.Events {
		m := stream.Message{Topic: s.spec.RawTopic(e.Feed, e.Reporter), Key: e.Key, Value: e.Payload}
		s.events = append(s.events, m)
		if s.rng.IntN(12) == 0 {
			s.events = append(s.events, m)
		}
	}
	if s.rng.IntN(2) == 0 {
		s.rng.Shuffle(len(s.events), func(i, j int) { s.events[i], s.events[j] = s.events[j], s.events[i] })
	}
	s.sent = len(s.events)
	rules, err := demo.ControlRecords(s.codecs, s.spec.Control(), s.world)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.rng.IntN(2) == 0 {
		slices.Reverse(rules) // the contract comes behind the rates
	}
	s.rules = append(rules, s.revision(2, "models: [first-touch, last-touch, linear]", "models: [linear, position-based]"))
	if s.rng.IntN(2) == 0 {
		s.rules = append(s.rules, s.revision(3, "lookback: 90d", "lookback: 20d"))
	}
}

// revision is the example contract with another text.
func (s *story) revision(n int64, replace ...string) stream.Message {
	doc := strings.NewReplacer(replace...).Replace(string(example.AILaunchTour()))
	sum := sha256.Sum256([]byte(doc))
	b, err := s.codecs.Control.Append(nil, &avro.Control{Kind: "contract", Contract: &avro.ContractRecord{
		Campaign: "ai-launch-tour", Revision: n, Previous: n - 1, Document: doc, Hash: hex.EncodeToString(sum[:]), RecordedAt: s.world.Start,
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	return stream.Message{Topic: s.spec.Control(), Pinned: true, Key: []byte(fmt.Sprint("revision-", n)), Value: b}
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
	batch := piece(&s.events, 20+s.rng.IntN(60))
	if s.rng.IntN(2) == 0 || len(s.events) == 0 {
		batch = append(slices.Clone(batch), piece(&s.rules, 1+s.rng.IntN(30))...)
	}
	if err := s.producer.Send(s.ctx, batch...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *story) bullet() *bullet {
	points := stream.Points()
	b := &bullet{point: points[s.rng.IntN(len(points))]}
	b.n.Store(int32(s.rng.IntN(3)))
	return b
}

// disturb does one thing to the line.
func (s *story) disturb() {
	s.t.Helper()
	tier := tiers()[s.rng.IntN(len(tiers()))]
	what := s.rng.IntN(8)
	for _, i := range s.bury() {
		s.again(i, s.rng.IntN(4) == 0)
	}
	list := s.running[tier]
	switch what {
	case 0, 1, 2:
		if len(list) > 0 {
			b := s.bullet()
			s.t.Logf("arm %s of %s", b.point, tier)
			list[s.rng.IntN(len(list))].armed.Store(b)
		}
	case 3:
		if len(list) < 2 {
			s.t.Logf("another %s", tier)
			s.start(tier, "", nil)
		}
	case 4:
		if len(list) > 1 {
			s.t.Logf("one %s leaves", tier)
			s.stop(tier, s.rng.IntN(len(list)))
		}
	case 5:
		topics := append(s.topics(), s.spec.ResolveChangelog(), s.spec.AttributorChangelog(), s.spec.ReporterChangelog())
		topic := topics[s.rng.IntN(len(topics))]
		s.t.Logf("move %s/0", topic)
		if err := s.cluster.MoveTopicPartition(topic, 0, int32(s.rng.IntN(brokers))); err != nil {
			s.t.Fatal(err)
		}
	case 6:
		s.t.Log("rehash the coordinators")
		s.cluster.RehashCoordinators()
	case 7:
		if len(list) == 1 {
			dir := s.stop(tier, 0)
			s.t.Logf("restart %s", tier)
			s.start(tier, dir, nil)
		}
	}
}

// again starts a killed instance, with its disk or without, and sometimes kills
// it in the middle of its restore as well.
func (s *story) again(i *instance, lost bool) {
	s.t.Helper()
	var armed *bullet
	if s.rng.IntN(4) == 0 {
		armed = s.bullet()
	}
	dir := i.dir
	if lost {
		if err := os.RemoveAll(dir); err != nil {
			s.t.Fatal(err)
		}
		dir = ""
	}
	s.t.Logf("%s was killed at %s; again, disk lost %t", filepath.Base(i.dir), i.armed.Load().point, lost)
	s.start(i.tier, dir, armed)
}

// mend ends all faults: what is armed is disarmed, what is dead comes back.
func (s *story) mend() {
	s.t.Helper()
	for _, tier := range tiers() {
		for _, i := range s.running[tier] {
			i.disarm()
		}
	}
	for _, tier := range tiers() {
		for _, i := range slices.Clone(s.running[tier]) {
			if i.net.isCut() && !i.gone() {
				s.abandon(i)
				s.running[tier] = slices.DeleteFunc(s.running[tier], func(j *instance) bool { return j == i })
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
}

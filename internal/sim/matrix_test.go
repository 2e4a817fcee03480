package sim_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"tracksource/internal/attributor"
	"tracksource/internal/line"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// matrixSeed is the seed of every row, unless SIM_SEED says another.
const matrixSeed = 1

// TestMatrix plays the rows of docs/faults.md that are a mixture of faults and
// inputs. A row in which its fault never took place has shown nothing and fails.
func TestMatrix(t *testing.T) {
	rows := []struct {
		name string
		plan plan
		want []string
	}{
		{"02-kill-in-restore", plan{faults: []string{"kill-restore"}, steps: 4}, []string{"kill-restore"}},
		{"04-transaction-times-out", plan{faults: []string{"stall"}, steps: 12}, []string{"stall"}},
		{"05-commit-unheard", plan{faults: []string{"lose-end", "delay-end"}, steps: 20}, []string{"lose-end", "delay-end"}},
		{"06-commit-refused", plan{faults: []string{"fail-end"}, steps: 25}, []string{"fail-end"}},
		{"08-members-come-and-go", plan{faults: []string{"join", "leave", "restart"}, steps: 25}, []string{"join", "leave", "restart"}},
		{"09-other-ordinals", plan{faults: []string{"swap-disks", "kill"}, steps: 25}, []string{"swap-disks", "kill"}},
		{"10-disks", plan{faults: []string{"kill", "age-disk"}, steps: 40}, []string{"lose-disk", "age-disk"}},
		{"12-leaders-and-coordinators", plan{faults: []string{"move-leader", "rehash"}, steps: 25}, []string{"move-leader", "rehash"}},
		{"16-hanging-transaction", plan{faults: []string{"hang-txn"}, steps: 8}, []string{"hang-txn"}},
		{"17-offsets-back", plan{faults: []string{"offsets-back"}, steps: 12}, []string{"offsets-back"}},
		{"19-duplicates", plan{faults: []string{"kill"}, input: []string{"repeated-apart"}, steps: 12}, []string{"kill"}},
		{"21-restated", plan{faults: []string{"kill"}, input: []string{"restated", "shuffled"}, steps: 12}, []string{"kill", "restated"}},
		{"22-deals", plan{faults: []string{"kill"}, input: []string{"deals", "merges", "repeated-apart", "shuffled"}, steps: 12}, []string{"kill", "merges", "roles", "decided"}},
		{"21-mapped", plan{faults: []string{"kill"}, input: []string{"mapped"}, steps: 12}, []string{"kill", "read again"}},
		{"22-erased", plan{faults: []string{"kill"}, input: []string{"erased", "shuffled"}, steps: 12}, []string{"kill", "erased"}},
		{"23-crowd", plan{faults: []string{"kill"}, input: []string{"crowded", "shuffled"}, steps: 12}, []string{"kill", "crowd"}},
		{"24-revised", plan{faults: []string{"kill"}, input: []string{"revised"}, events: 600, steps: 20}, []string{"kill", "revised", "restate_from", "proposed", "withdrawn"}},
		{"22-met", plan{faults: []string{"kill"}, input: []string{"met", "shuffled"}, steps: 12}, []string{"kill", "met"}},
		{"25-poison", plan{faults: []string{"registry-away", "kill"}, input: []string{"poison"}, steps: 12}, []string{"registry-away"}},
		{"31-governed", plan{faults: []string{"kill"}, input: []string{"approved", "closed", "disputed", "shuffled"}, events: 400, steps: 15}, []string{"kill", "disputed", "escrowed", "closed", "adjusted", "approved", "refused"}},
		{"29-clocks", plan{faults: []string{"clock", "kill"}, steps: 15}, []string{"clock"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if testing.Short() {
				t.Skip("the seeds show some of it")
			}
			t.Parallel()
			row.plan.seed = uint64(number(t, "SIM_SEED", matrixSeed))
			for _, name := range row.want { // the others follow from the inputs
				if faults()[name] != nil || name == "lose-disk" {
					row.plan.want = append(row.plan.want, name)
				}
			}
			s := run(t, row.plan)
			for _, name := range row.want {
				if s.done[name] == 0 {
					t.Errorf("seed %d: %s did not take place: %v", row.plan.seed, name, s.done)
				}
			}
		})
	}
}

// TestEveryAnswer lets the broker answer each kind of request with each error
// once, while events flow.
func TestEveryAnswer(t *testing.T) {
	if testing.Short() {
		t.Skip("the seeds show some of it")
	}
	t.Parallel()
	s := newStory(t, plan{seed: matrixSeed, events: 1000, steps: 100})
	for _, tier := range tiers() {
		s.start(tier, "", nil)
	}
	list := slices.Concat(failedEnds(), failedRequests())
	for _, f := range list {
		s.fail("fail-request", f)
		s.send()
		time.Sleep(150 * time.Millisecond)
		s.disturb("rehash") // lets members ask for what they know
		s.bury()            // no error is a reason to end
	}
	for range 10 {
		s.restart(tiers()[s.rng.IntN(3)])
		s.send()
		time.Sleep(100 * time.Millisecond)
	}
	for _, f := range list {
		s.plan.want = append(s.plan.want, f.text())
	}
	for len(s.lacking()) > len(list)/4 && len(s.events) > 0 {
		s.restart(tiers()[s.rng.IntN(3)])
		s.disturb("rehash")
		s.send()
		time.Sleep(100 * time.Millisecond)
	}
	for _, text := range s.lacking() {
		t.Logf("nobody asked for %s", text)
	}
	if n := len(s.lacking()); n > len(list)/4 {
		t.Errorf("%d of %d answers were not given", n, len(list))
	}
	s.plan.want = nil
	for len(s.events)+len(s.rules) > 0 {
		s.send()
	}
	s.mend()
	s.settle()
	s.judgeRun()
}

// shown reads the values of the rows that stand.
func (s *story) shown() map[string]string {
	s.t.Helper()
	rows := map[string]string{}
	err := stream.ReadTopic(s.ctx, line.StreamConn(s.conn), s.log, s.spec.Contributions(), func(rec stream.Record) error {
		if rec.Value == nil {
			return nil
		}
		var row avro.ContributionRow
		if err := s.codecs.ContributionRow.Decode(rec.Value, &row); err != nil {
			return err
		}
		rows[string(rec.Key)] = fmt.Sprintf("%x %s", row.Value, row.Currency)
		if row.IsDeleted {
			delete(rows, string(rec.Key))
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return rows
}

// TestOrder is row 20: in whichever order the events come, far too late and
// deals before their touches among them, the rows at rest are the same.
func TestOrder(t *testing.T) {
	if testing.Short() {
		t.Skip("the seeds show some of it")
	}
	t.Parallel()
	var want map[string]string
	for _, input := range [][]string{nil, {"reversed"}, {"shuffled"}, {"repeated-apart", "shuffled"}} {
		s := run(t, plan{seed: matrixSeed, events: 300, input: input})
		got := s.shown()
		if want == nil {
			want = got
		}
		if !maps.Equal(got, want) {
			t.Errorf("%v: %d rows, other than the %d of the order in which they happened", input, len(got), len(want))
		}
	}
}

// TestBrokerRestart is row 13: the broker is closed and started again under a
// line at work.
func TestBrokerRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("restarts take seconds")
	}
	t.Parallel()
	s := newStory(t, plan{seed: matrixSeed, events: 400, disk: true})
	for _, tier := range tiers() {
		s.start(tier, "", nil)
	}
	for range 3 {
		s.send()
		time.Sleep(200 * time.Millisecond)
		s.restartBroker()
		s.did("broker-restart", "in order")
	}
	for len(s.events)+len(s.rules) > 0 {
		s.send()
	}
	s.settle()
	s.judgeRun()
}

// resetGroup forgets where a group stood. Members that were killed hold it for
// a session.
func (s *story) resetGroup(consumer string) {
	s.t.Helper()
	cl := s.client()
	defer cl.Close()
	var err error
	for end := time.Now().Add(patience()); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		var out kadm.DeleteGroupResponse
		if out, err = kadm.NewClient(cl).DeleteGroup(s.ctx, s.group(consumer)); err == nil && out.Err == nil || errors.Is(err, kerr.GroupIDNotFound) {
			return
		}
	}
	s.t.Fatalf("group %s cannot be reset: %v", consumer, err)
}

// stopAll stops all instances of a tier and returns their directories.
func (s *story) stopAll(tier string) []string {
	s.t.Helper()
	var dirs []string
	for len(s.running[tier]) > 0 {
		dirs = append(dirs, s.stop(tier, 0))
	}
	return dirs
}

// ingested reports whether what the feeds hold is on journeys.
func (s *story) ingested() bool {
	for _, g := range s.spec.Groups() {
		if g.Name == s.group(attributor.Consumer) {
			break
		}
		if ok, err := stream.CaughtUp(s.ctx, line.StreamConn(s.conn), s.log, g.Name, g.Topics...); err != nil || !ok {
			return false
		}
	}
	return true
}

// until waits for a condition that instances bring about.
func (s *story) until(what string, ok func() bool) {
	s.t.Helper()
	for !ok() {
		if s.ctx.Err() != nil {
			s.t.Fatalf("timed out waiting until %s\n%s", what, s.state())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// halted reports whether a partition of the tier's only instance is halted for
// the reason.
func (s *story) halted(tier, reason string) bool {
	for _, st := range s.running[tier][0].svc.Status() {
		for _, p := range st.Partitions {
			if p.Phase == "halted" && strings.Contains(p.Error, reason) {
				return true
			}
		}
	}
	return false
}

// TestChangelogDeleted is rows 18 and 27: a tier whose changelog was deleted
// halts and does not begin anew by itself. Told to, it builds its state again
// from its whole input, announces a new generation where it writes a ledger, and
// what is published is the same.
func TestChangelogDeleted(t *testing.T) {
	if testing.Short() {
		t.Skip("a rebuild takes seconds")
	}
	for _, tier := range []string{"attributor", "reporter"} {
		t.Run(tier, func(t *testing.T) {
			t.Parallel()
			s := run(t, plan{seed: matrixSeed, events: 300})
			before := s.shown()
			consumer, _, changelog := s.changelog(tier)
			dir := s.stopAll(tier)[0]
			if err := s.cluster.DeleteTopic(changelog); err != nil {
				t.Fatal(err)
			}
			s.apply()
			s.start(tier, dir, nil)
			s.until("the tier halts", func() bool { return s.halted(tier, "changelog was deleted") })
			if after := s.shown(); !maps.Equal(before, after) {
				t.Errorf("%d rows stand after the halt, %d before", len(after), len(before))
			}
			dir = s.stopAll(tier)[0]
			s.resetGroup(consumer)
			s.start(tier, dir, nil)
			s.settle()
			s.check()
			if after := s.shown(); !maps.Equal(before, after) {
				t.Errorf("%d rows stand after the rebuild, %d before, or other values", len(after), len(before))
			}
		})
	}
}

// TestOffsetsForward is the last of row 17: a group that somebody moved past
// what the state has seen halts, and goes on when it is set back.
func TestOffsetsForward(t *testing.T) {
	if testing.Short() {
		t.Skip("a halt takes seconds")
	}
	t.Parallel()
	s := newStory(t, plan{seed: matrixSeed, events: 300})
	for _, tier := range tiers() {
		s.start(tier, "", nil)
	}
	s.send()
	s.settle()
	consumer, topic, _ := s.changelog("attributor")
	dir := s.stop("attributor", 0)
	for len(s.events)+len(s.rules) > 0 {
		s.send()
	}
	s.until("all facts are on journeys", s.ingested)
	move := func(to func(kadm.ListedOffset) int64) {
		t.Helper()
		cl := s.client()
		defer cl.Close()
		adm := kadm.NewClient(cl)
		ends, err := adm.ListEndOffsets(s.ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		var offsets kadm.Offsets
		ends.Each(func(o kadm.ListedOffset) { offsets.AddOffset(o.Topic, o.Partition, to(o), -1) })
		s.until("the group is empty", func() bool { return adm.CommitAllOffsets(s.ctx, s.group(consumer), offsets) == nil })
	}
	move(func(o kadm.ListedOffset) int64 { return o.Offset })
	s.start("attributor", dir, nil)
	s.until("the tier halts", func() bool { return s.halted("attributor", "moved the group forward") })
	dir = s.stop("attributor", 0)
	move(func(kadm.ListedOffset) int64 { return 0 })
	s.start("attributor", dir, nil)
	s.settle()
	s.judgeRun()
}

// TestZombies is row 3: an instance of each tier sleeps at each point of a batch
// for longer than its group waits and wakes beside its successor.
func TestZombies(t *testing.T) {
	if testing.Short() {
		t.Skip("each sleep takes seconds")
	}
	for _, tier := range tiers() {
		t.Run(tier, func(t *testing.T) {
			t.Parallel()
			s := newStory(t, plan{seed: matrixSeed, events: 1200, steps: 200})
			for _, tier := range tiers() {
				s.start(tier, "", nil)
			}
			s.start(tier, "", nil) // who takes over
			s.send()
			points := stream.Points()[:6]
			for n, p := range points {
				b := &bullet{point: p, hit: doze}
				for _, i := range s.running[tier] {
					i.arm(b) // whichever comes there first
				}
				s.flow(len(points)-n, fmt.Sprintf("%s did not come to %s", tier, p), b.fired.Load)
				s.done["doze at "+string(p)]++
				time.Sleep(sessionTimeout * 3 / 2)
			}
			for len(s.events)+len(s.rules) > 0 {
				s.send()
			}
			s.mend()
			s.settle()
			s.judgeRun()
		})
	}
}

// TestTooBig is row 26: a backlog whose changes do not fit one transaction of
// the store is worked off in halves.
func TestTooBig(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a backlog")
	}
	t.Parallel()
	s := newStory(t, plan{seed: matrixSeed, events: 12_000, batch: 20_000})
	s.start("ingest", "", nil)
	for len(s.events)+len(s.rules) > 0 {
		s.send()
	}
	s.until("all facts are on journeys", s.ingested)
	for _, tier := range []string{"attributor", "reporter"} {
		s.start(tier, "", nil)
	}
	s.settle()
	s.judgeRun()
	if n := s.logged("batch too big"); n == 0 {
		t.Error("every batch did fit, so nothing was shown")
	}
}

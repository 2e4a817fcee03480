package sim_test

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tracksource/deploy/kafka"
	"tracksource/internal/attributor"
	"tracksource/internal/ingest"
	"tracksource/internal/reporter"
	"tracksource/stream"
)

// faults are the things that can happen to a line at work, by name. Each is
// given a tier, does its thing or finds that it cannot be done now, and notes
// with did what took place.
func faults() map[string]func(s *story, tier string) {
	return map[string]func(*story, string){
		"kill":          (*story).armKill,
		"kill-restore":  (*story).killRestore,
		"doze":          func(s *story, tier string) { s.arm(tier, "doze", doze) },
		"stall":         func(s *story, tier string) { s.arm(tier, "stall", stall) },
		"lose-reply":    (*story).loseReply,
		"lose-end":      (*story).loseEnd,
		"delay-end":     (*story).delayEnd,
		"fail-end":      func(s *story, _ string) { s.failRequest("fail-end", failedEnds()) },
		"fail-request":  func(s *story, _ string) { s.failRequest("fail-request", failedRequests()) },
		"join":          (*story).join,
		"leave":         (*story).leave,
		"restart":       (*story).restart,
		"swap-disks":    (*story).swapDisks,
		"age-disk":      (*story).ageDisk,
		"move-leader":   (*story).moveLeader,
		"rehash":        (*story).rehash,
		"hang-txn":      (*story).hangTransaction,
		"offsets-back":  (*story).offsetsBack,
		"clock":         (*story).clock,
		"registry-away": (*story).registryAway,
	}
}

func (s *story) armKill(tier string) { s.arm(tier, "kill", kill) }

// arm lets something happen to an instance of the tier at a point of the
// protocol.
func (s *story) arm(tier, name string, hit func(*instance) error) {
	list := s.running[tier]
	points := stream.Points()[:6] // of a batch
	if len(list) == 0 {
		return
	}
	i := list[s.rng.IntN(len(list))]
	if i.net.IsCut() || i.isArmed() {
		return
	}
	b := s.bullet(points[s.rng.IntN(len(points))], hit)
	i.arm(b)
	s.t.Logf("%s: %s is armed at %s", name, filepath.Base(i.dir), b.point)
	s.watch(b.fired.Load, name)
}

// watch counts a fault under its names if it has happened when all is over.
func (s *story) watch(happened func() bool, names ...string) {
	s.watching = append(s.watching, watched{happened, names})
}

// killRestore loses the disk of an instance and kills it in the restore of the
// next, twice.
func (s *story) killRestore(tier string) {
	if len(s.running[tier]) != 1 {
		return
	}
	s.stop(tier, 0)
	dir := ""
	for range 2 {
		b := &bullet{point: stream.MidRestore, hit: kill}
		i := s.start(tier, dir, b)
		for end := time.Now().Add(patience()); !b.fired.Load() && time.Now().Before(end); {
			if i.svc.Ready() == nil {
				return // nothing was there to restore
			}
			time.Sleep(10 * time.Millisecond)
		}
		s.ended(i)
		s.did("kill-restore", "of %s", filepath.Base(i.dir))
		s.bury()
		dir = i.dir
	}
	s.start(tier, dir, nil)
}

// loseReply lets the broker do what is asked and the caller see its connection
// break.
func (s *story) loseReply(tier string) {
	keys := []kmsg.Key{kmsg.TxnOffsetCommit, kmsg.Produce, kmsg.InitProducerID, kmsg.AddPartitionsToTxn, kmsg.Heartbeat, kmsg.Fetch}
	s.network(tier, func(i *instance) { i.net.Lose(keys[s.rng.IntN(len(keys))].Int16(), 1) }, "lose-reply")
}

// loseEnd loses the answer to a commit.
func (s *story) loseEnd(tier string) {
	s.network(tier, func(i *instance) { i.net.Lose(kmsg.EndTxn.Int16(), 1) }, "lose-end")
}

// delayEnd holds the answer to a commit back for longer than the client waits.
func (s *story) delayEnd(tier string) {
	s.network(tier, func(i *instance) { i.net.Delay(kmsg.EndTxn.Int16(), 1, transactionTimeout*6/5) }, "delay-end")
}

func (s *story) network(tier string, do func(*instance), name string) {
	list := s.running[tier]
	if len(list) == 0 {
		return
	}
	i := list[s.rng.IntN(len(list))]
	before := i.net.Hits()
	do(i)
	s.t.Logf("%s of %s", name, filepath.Base(i.dir))
	s.watch(func() bool { return i.net.Hits() > before }, name)
}

// failed is a request and how the broker answers it.
type failed struct {
	key kmsg.Key
	err *kerr.Error
}

func (f failed) text() string { return f.key.Name() + " " + f.err.Message }

// failedEnds are answers to a commit that has not happened.
func failedEnds() []failed {
	var out []failed
	for _, err := range []*kerr.Error{kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.ConcurrentTransactions, kerr.UnknownServerError} {
		out = append(out, failed{kmsg.EndTxn, err})
	}
	return out
}

// failedRequests are passing and lasting errors of everything else that a
// session asks. After RequestTimedOut and NotEnoughReplicasAfterAppend the work
// has been done all the same.
func failedRequests() []failed {
	var out []failed
	for key, errs := range map[kmsg.Key][]*kerr.Error{
		kmsg.TxnOffsetCommit: {kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.RequestTimedOut, kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.UnknownServerError},
		kmsg.Heartbeat:       {kerr.NotCoordinator, kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.UnknownServerError},
		kmsg.Produce:         {kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend, kerr.NotEnoughReplicas, kerr.InvalidTxnState, kerr.UnknownServerError},
		kmsg.InitProducerID:  {kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.ConcurrentTransactions, kerr.UnknownServerError},
		kmsg.OffsetFetch:     {kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.UnstableOffsetCommit, kerr.UnknownServerError},
		kmsg.JoinGroup:       {kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.UnknownMemberID},
		kmsg.SyncGroup:       {kerr.RebalanceInProgress, kerr.NotCoordinator, kerr.UnknownServerError},
		kmsg.Fetch:           {kerr.NotLeaderForPartition, kerr.UnknownServerError, kerr.KafkaStorageError},
		kmsg.ListOffsets:     {kerr.NotLeaderForPartition, kerr.LeaderNotAvailable, kerr.UnknownServerError},
	} {
		for _, err := range errs {
			out = append(out, failed{key, err})
		}
	}
	slices.SortFunc(out, func(a, b failed) int { return strings.Compare(a.key.Name()+a.err.Message, b.key.Name()+b.err.Message) })
	return out
}

// failRequest makes the broker answer the next request of a kind with an error.
// Those of the test's own producer are left alone.
func (s *story) failRequest(name string, list []failed) {
	f := list[s.rng.IntN(len(list))]
	s.fail(name, f)
}

func (s *story) fail(name string, f failed) {
	h := s.cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{f.key}, Err: f.err, Count: 1 + s.rng.IntN(2),
		When: func(req kmsg.Request) bool {
			p, ok := req.(*kmsg.ProduceRequest)
			return !ok || p.TransactionID != nil
		},
	})
	s.t.Logf("%s: %s answers %s", name, f.key.Name(), f.err.Message)
	s.cleanup = append(s.cleanup, h.Remove)
	s.watch(func() bool { return h.Hits() > 0 }, name, f.text())
}

func (s *story) join(tier string) {
	if len(s.running[tier]) < 3 {
		s.did("join", "another %s", tier)
		s.start(tier, "", nil)
	}
}

func (s *story) leave(tier string) {
	if n := len(s.running[tier]); n > 1 {
		s.did("leave", "one %s", tier)
		s.stop(tier, s.rng.IntN(n))
	}
}

func (s *story) restart(tier string) {
	if len(s.running[tier]) == 1 {
		dir := s.stop(tier, 0)
		s.did("restart", "%s", tier)
		s.start(tier, dir, nil)
	}
}

// stores are the directories of an instance's stores.
func (s *story) stores(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != "aside" {
			out = append(out, e.Name())
		}
	}
	return out
}

// swapDisks gives each of two instances the stores of the other.
func (s *story) swapDisks(tier string) {
	if len(s.running[tier]) < 2 {
		s.join(tier)
		return
	}
	a, b := s.stop(tier, 1), s.stop(tier, 0)
	if a == "" || b == "" {
		return
	}
	move := func(from, to string, names []string) {
		for _, name := range names {
			if err := os.Rename(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	ours, theirs, aside := s.stores(a), s.stores(b), s.t.TempDir()
	move(a, aside, ours)
	move(b, a, theirs)
	move(aside, b, ours)
	s.did("swap-disks", "%d stores of %s for %d of %s", len(ours), filepath.Base(a), len(theirs), filepath.Base(b))
	s.start(tier, a, nil)
	s.start(tier, b, nil)
}

// ageDisk restarts an instance on a copy of its disk from an earlier stop, or
// makes that copy.
func (s *story) ageDisk(tier string) {
	if len(s.running[tier]) != 1 {
		return
	}
	dir := s.stop(tier, 0)
	if dir == "" {
		return
	}
	if old := s.aged[dir]; old != "" {
		if err := os.RemoveAll(dir); err != nil {
			s.t.Fatal(err)
		}
		if err := os.CopyFS(dir, os.DirFS(old)); err != nil {
			s.t.Fatal(err)
		}
		s.did("age-disk", "of %s", filepath.Base(dir))
	} else {
		old := filepath.Join(s.root, "aged-"+filepath.Base(dir))
		if err := os.CopyFS(old, os.DirFS(dir)); err != nil {
			s.t.Fatal(err)
		}
		s.aged[dir] = old
	}
	s.start(tier, dir, nil)
}

func (s *story) moveLeader(string) {
	topics := append(s.topics(), s.spec.ResolveChangelog(), s.spec.AttributorChangelog(), s.spec.ReporterChangelog())
	topic := topics[s.rng.IntN(len(topics))]
	s.did("move-leader", "%s/0", topic)
	if err := s.cluster.MoveTopicPartition(topic, 0, int32(s.rng.IntN(brokers))); err != nil {
		s.t.Fatal(err)
	}
}

func (s *story) rehash(string) {
	s.did("rehash", "the coordinators")
	s.cluster.RehashCoordinators()
}

// changelog is where the state of a tier is.
func (s *story) changelog(tier string) (consumer, topic, changelog string) {
	switch tier {
	case "ingest":
		return ingest.ConsumerResolve, s.spec.Observations(), s.spec.ResolveChangelog()
	case "attributor":
		return attributor.Consumer, s.spec.Journeys(), s.spec.AttributorChangelog()
	}
	return reporter.Consumer, s.spec.Credits(), s.spec.ReporterChangelog()
}

func (s *story) group(consumer string) string { return s.spec.Prefix() + "." + consumer }

func (s *story) client(opts ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(s.conn.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner())}, opts...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	return cl
}

// hangTransaction leaves a transaction open on a changelog and restarts the
// tier: its restore has to wait until the broker gives the transaction up.
func (s *story) hangTransaction(tier string) {
	if len(s.running[tier]) != 1 {
		return
	}
	_, _, changelog := s.changelog(tier)
	cl := s.client(kgo.TransactionalID("intruder-"+changelog), kgo.TransactionTimeout(2*time.Second))
	s.t.Cleanup(cl.Close)
	ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second)
	defer cancel()
	err := cl.BeginTransaction()
	if err == nil {
		err = cl.ProduceSync(ctx, &kgo.Record{Topic: changelog, Partition: 0, Key: []byte("\x01intruder"), Value: []byte("x")}).FirstErr()
	}
	if err != nil {
		s.t.Logf("no transaction hangs: %v", err) // another fault met it
		return
	}
	dir := s.stop(tier, 0)
	s.did("hang-txn", "on %s", changelog)
	s.start(tier, dir, nil)
}

// offsetsBack sets a stopped group back to the start, or forgets its offsets:
// the checkpoint in the changelog wins.
func (s *story) offsetsBack(tier string) {
	if len(s.running[tier]) != 1 {
		return
	}
	consumer, topic, _ := s.changelog(tier)
	dir := s.stop(tier, 0)
	if dir == "" {
		return
	}
	cl := s.client()
	defer cl.Close()
	adm := kadm.NewClient(cl)
	group, forget := s.group(consumer), s.rng.IntN(2) == 0
	var err error
	for end := time.Now().Add(patience()); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if forget {
			_, err = adm.DeleteGroup(s.ctx, group)
			if kerr.IsRetriable(err) || errors.Is(err, kerr.GroupIDNotFound) {
				err = nil
			}
		} else {
			var zero kadm.Offsets
			for p := range s.spec.Partitions(kafka.KeyObservations) {
				if p < s.partitions(topic) {
					zero.AddOffset(topic, p, 0, -1)
				}
			}
			err = adm.CommitAllOffsets(s.ctx, group, zero)
		}
		if err == nil {
			s.did("offsets-back", "of %s, forgotten %t", group, forget)
			break
		}
	}
	if err != nil {
		s.t.Logf("offsets of %s stay: %v", group, err) // members that were killed linger
	}
	s.start(tier, dir, nil)
}

func (s *story) partitions(topic string) int32 {
	for _, key := range []string{kafka.KeyObservations, kafka.KeyJourneys, kafka.KeyCredits} {
		if strings.HasSuffix(topic, "."+key) {
			return s.spec.Partitions(key)
		}
	}
	return 1
}

// clock moves the wall clock of every instance, by up to a day.
func (s *story) clock(string) {
	d := time.Duration(s.rng.IntN(48*3600)-24*3600) * time.Second
	s.skew.Store(int64(d))
	s.did("clock", "%s", d)
}

func (s *story) registryAway(string) {
	// A record is next whose schema nobody has asked for yet.
	s.refused++
	unknown := binary.BigEndian.AppendUint32([]byte{0}, uint32(2_000_000+s.refused))
	s.events = slices.Insert(s.events, 0, stream.Message{Topic: s.spec.RawTopics()[0], Key: unknown, Value: append(unknown, 2)})
	s.sent++
	s.registry.away.Store(true)
	s.t.Log("registry-away")
	s.cleanup = append(s.cleanup, func() { s.registry.away.Store(false) })
	s.watch(func() bool { return s.registry.hits.Load() > 0 }, "registry-away")
}

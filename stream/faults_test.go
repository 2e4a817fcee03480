package stream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tracksource/internal/faultnet"
	"tracksource/stream"
)

// TestEndUnknown: the broker commits, the answer is lost. Going on with the
// same client would count the batch twice.
func TestEndUnknown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.start("a", newDisk(), func(c *stream.Config, _ *counter, _ *faultnet.Network) {
		// The group must outlive the deadline, or leaving it would mend the fault.
		c.TransactionTimeout = 3 * time.Second
	})
	r.send(50)
	r.settle()
	a.net.Delay(kmsg.EndTxn.Int16(), 1, 6*time.Second) // twice as long as it is waited for
	r.send(50)
	until(t, "an EndTxn was held back", func() bool { return a.net.Hits() > 0 })
	r.check()
	a.drain()
}

// TestStopWithBarrierInFlight: a barrier that was sent and not answered when the brokers
// went away is given up, and does not keep a worker from ending.
func TestStopWithBarrierInFlight(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.send(10)
	a := r.start("a", newDisk(), mortal, func(_ *stream.Config, _ *counter, n *faultnet.Network) {
		n.Delay(kmsg.Produce.Int16(), 1000, time.Minute)
	})
	until(t, "a barrier is in flight", func() bool { return a.net.Hits() > 0 })
	a.net.Cut()
	a.stop()
	_ = a.wait()
}

// TestGivenUpWhileJoining: a member joins again and learns that the group has
// given it up. Its client keeps the partitions and the positions in them, without
// a word of loss, while another member has gone on from there.
func TestGivenUpWhileJoining(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.send(60)
	restore := make(chan struct{})
	a := r.start("a", newDisk(), mortal, func(c *stream.Config, _ *counter, _ *faultnet.Network) {
		c.At = func(at stream.Point, _ int32) error {
			if at == stream.AfterBarrier {
				<-restore // it has positions and nothing else when it is given up
			}
			return nil
		}
	})
	until(t, "it has joined", func() bool { return a.w.Status().Joined })
	var armed atomic.Bool
	armed.Store(true)
	r.c.ControlKey(kmsg.JoinGroup.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		r.c.KeepControl()
		join := req.(*kmsg.JoinGroupRequest)
		if join.MemberID == "" || !strings.HasPrefix(join.MemberID, "tx-a") || !armed.CompareAndSwap(true, false) {
			return nil, nil, false
		}
		a.net.Freeze() // so that it learns of it late
		resp := join.ResponseKind().(*kmsg.JoinGroupResponse)
		resp.ErrorCode = kerr.UnknownMemberID.Code
		return resp, nil, true
	})
	b := r.start("b", newDisk(), mortal)
	until(t, "the member joins again", func() bool { return !armed.Load() })
	r.settle() // the other one has taken over
	b.drain()
	a.net.Thaw()
	close(restore)
	for range 10 {
		r.send(30)
		time.Sleep(100 * time.Millisecond)
	}
	r.check()
	a.drain()
}

// TestRevokedTwice: a partition goes away in a rebalance that the client does not
// report, because there was no transaction since the one before. Its Ticks must
// stop with it.
func TestRevokedTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.send(60)
	var pending atomic.Int64
	a := r.start("a", newDisk(), func(_ *stream.Config, c *counter, _ *faultnet.Network) { c.pending = &pending })
	r.settle()
	owned := func(i *instance) int { return len(i.w.Status().Partitions) }
	b := r.start("b", newDisk())
	until(t, "one half is given up", func() bool { return owned(a) == 2 && owned(b) == 2 && b.w.Ready() == nil })
	c := r.start("c", newDisk())
	d := r.start("d", newDisk())
	until(t, "another quarter is", func() bool { return owned(a) == 1 && owned(c)+owned(d) == 2 })
	pending.Store(4)
	until(t, "the ticks are through", func() bool { return pending.Load() <= 0 })
	r.check()
	for _, i := range []*instance{a, b, c, d} {
		i.drain()
	}
}

// TestTickCommitsOffsets: a transaction without input commits the offsets of
// the partitions it writes for, so that the group fences it.
func TestTickCommitsOffsets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.send(20)
	var pending, commits, ends atomic.Int64
	a := r.start("a", newDisk(), func(_ *stream.Config, c *counter, _ *faultnet.Network) { c.pending = &pending })
	r.settle()
	for _, k := range []kmsg.Key{kmsg.TxnOffsetCommit, kmsg.EndTxn} {
		r.c.ControlKey(k.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
			r.c.KeepControl()
			switch req := req.(type) {
			case *kmsg.TxnOffsetCommitRequest:
				for _, rt := range req.Topics {
					commits.Add(int64(len(rt.Partitions)))
				}
			case *kmsg.EndTxnRequest:
				ends.Add(1)
			}
			return nil, nil, false
		})
	}
	pending.Store(8)
	until(t, "the ticks are through", func() bool { return pending.Load() <= 0 && ends.Load() > 0 })
	a.drain()
	if commits.Load() < ends.Load() {
		t.Errorf("%d transactions committed the offsets of %d partitions", ends.Load(), commits.Load())
	}
	r.check()
}

// TestZombieTick: an instance that was thought dead wakes up in the middle of
// a Tick and must not get its transaction through.
func TestZombieTick(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.send(40)
	var pending atomic.Int64
	var ticking atomic.Bool
	asleep, wake := make(chan struct{}), make(chan struct{})
	var once atomic.Bool
	r.start("zombie", newDisk(), mortal, func(c *stream.Config, p *counter, n *faultnet.Network) {
		p.pending = &pending
		c.At = func(at stream.Point, _ int32) error {
			// The process is stopped: no heartbeat leaves it until it wakes.
			if at == stream.AfterFlush && ticking.Load() && once.CompareAndSwap(false, true) {
				n.Freeze()
				close(asleep)
				<-wake
				n.Thaw()
			}
			return nil
		}
	})
	r.settle()
	ticking.Store(true)
	pending.Store(1 << 40) // a tick may be aborted before it comes so far
	select {
	case <-asleep:
		pending.Store(0)
	case <-time.After(waitForLong):
		t.Fatal("no tick ran on the zombie")
	}
	b := r.start("b", newDisk(), mortal)
	until(t, "the other instance has taken over", func() bool { return b.w.Ready() == nil && len(b.w.Status().Partitions) == inParts })
	close(wake)
	r.send(40)
	r.check() // its checkpoint sequence shows any transaction of the zombie
}

// TestStoreThatMayNotBeUsed: each rule that sets a store aside, and the exact
// result that follows from the rebuild.
func TestStoreThatMayNotBeUsed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, reason string
		spoil        func(d *disk)
		opts         []option
	}{
		{"swapped partitions", "foreign", func(d *disk) { d.parts[0], d.parts[1] = d.parts[1], d.parts[0] }, nil},
		{"garbage meta", "unreadable", func(d *disk) { d.parts[0].meta = []byte("{") }, nil},
		{"aged", "aged", func(*disk) {}, []option{func(c *stream.Config, _ *counter, _ *faultnet.Network) {
			c.Clock = func() time.Time { return time.Now().Add(100 * time.Hour) }
		}}},
		{"changed behind our back", "digest", func(d *disk) { d.parts[0].data["stray"] = "1" }, []option{}},
		{"ahead of the changelog", "ahead", func(d *disk) {
			d.parts[0].meta = []byte(strings.Replace(string(d.parts[0].meta), `"position":`, `"position":9`, 1))
		}, nil},
		{"half restored", "restoring", func(d *disk) { d.parts[0].restoring = true }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.send(200)
			d := newDisk()
			a := r.start("a", d)
			r.check()
			a.drain()
			tt.spoil(d)
			a = r.start("a", d, tt.opts...)
			r.send(100)
			r.check()
			a.drain()
			if got := d.asides(); !slices.Contains(got, tt.reason) {
				t.Errorf("stores set aside for %v, want %q", got, tt.reason)
			}
		})
	}
}

// TestGroupOffsets: the checkpoint wins over offsets that are behind or gone,
// and a group that was moved forward halts its partition.
func TestGroupOffsets(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		move func(adm *kadm.Client) error
		halt string
	}{
		{"deleted", func(adm *kadm.Client) error {
			_, err := adm.DeleteGroup(context.Background(), group)
			return err
		}, ""},
		{"set back", func(adm *kadm.Client) error { return setOffset(adm, 0, 1) }, ""},
		{"set forward", func(adm *kadm.Client) error { return setOffset(adm, 0, 1000) }, "moved the group forward"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.send(200)
			d := newDisk()
			a := r.start("a", d)
			r.check()
			a.drain()
			r.vacate()
			if err := tt.move(kadm.NewClient(r.cl)); err != nil {
				t.Fatal(err)
			}
			a = r.start("a", d)
			if tt.halt != "" {
				until(t, "the partition halts", func() bool {
					err := a.w.Ready()
					return err != nil && strings.Contains(err.Error(), tt.halt)
				})
				a.drain()
				return
			}
			r.send(100)
			r.check()
			a.drain()
		})
	}
}

// TestLateOnce: a process that is stopped in the middle of a batch of one record
// until its transaction is over goes on; it is not too slow.
func TestLateOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var nap atomic.Bool
	a := r.start("a", newDisk(), transactions(6*time.Second), func(cfg *stream.Config, c *counter, _ *faultnet.Network) { cfg.BatchRecords, c.nap = 1, &nap })
	r.send(20)
	r.settle()
	nap.Store(true)
	r.send(20)
	r.check()
	a.drain()
	if nap.Load() {
		t.Error("nobody took the nap")
	}
}

// TestRestoreSmallStore: a store that takes little at once, because its memory is
// small, is restored in chunks.
func TestRestoreSmallStore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.start("a", newDisk())
	r.send(1000)
	r.check()
	a.drain()
	small := newDisk()
	small.takes = 1
	a = r.start("a", small)
	until(t, "the state is restored", func() bool { return a.w.Ready() == nil })
	a.drain()
	for p, s := range small.parts {
		if len(s.data) <= small.takes || s.restoring {
			t.Errorf("partition %d has %d keys, restoring %v", p, len(s.data), s.restoring)
		}
	}
}

// TestOffsetsDecidedBetween: the client asks for the group's offsets when it joins,
// the task when it has restored. A transaction that is decided between makes the
// client begin below; what comes again is skipped.
func TestOffsetsDecidedBetween(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.send(200)
	d := newDisk()
	a := r.start("a", d)
	r.check()
	a.drain()
	var hidden atomic.Int64
	r.c.ControlKey(kmsg.OffsetFetch.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		f, ok := req.(*kmsg.OffsetFetchRequest)
		if !ok || len(f.Groups) == 0 || len(f.Groups[0].Topics) == 0 {
			r.c.KeepControl() // the test looks at the group
			return nil, nil, false
		}
		resp, ok := f.ResponseKind().(*kmsg.OffsetFetchResponse)
		if !ok {
			return nil, nil, false
		}
		for _, g := range f.Groups {
			rg := kmsg.NewOffsetFetchResponseGroup()
			rg.Group = g.Group
			for _, ft := range g.Topics {
				rt := kmsg.NewOffsetFetchResponseGroupTopic()
				rt.Topic, rt.TopicID = ft.Topic, ft.TopicID
				for _, p := range ft.Partitions {
					rp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
					rp.Partition, rp.Offset = p, -1
					rt.Partitions = append(rt.Partitions, rp)
					hidden.Add(1)
				}
				rg.Topics = append(rg.Topics, rt)
			}
			resp.Groups = append(resp.Groups, rg)
		}
		return resp, nil, true
	})
	a = r.start("a", d)
	r.send(100)
	r.check()
	a.drain()
	if hidden.Load() == 0 {
		t.Error("the client was told its offsets")
	}
}

func setOffset(adm *kadm.Client, p int32, at int64) error {
	var os kadm.Offsets
	os.Add(kadm.Offset{Topic: inTopic, Partition: p, At: at, LeaderEpoch: -1})
	return adm.CommitAllOffsets(context.Background(), group, os)
}

// TestChangelogDeleted: a changelog that vanished is never taken for a fresh
// start.
func TestChangelogDeleted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.send(100)
	d := newDisk()
	a := r.start("a", d)
	r.check()
	a.drain()
	if err := r.c.DeleteTopic(changelog); err != nil {
		t.Fatal(err)
	}
	if err := r.c.CreateTopic(changelog, inParts, nil); err != nil {
		t.Fatal(err)
	}
	a = r.start("a", d)
	until(t, "the partitions halt", func() bool {
		err := a.w.Ready()
		return err != nil && strings.Contains(err.Error(), "the changelog was deleted")
	})
	a.drain()
}

// TestSmallerBatches: a batch that is too big or too slow is retried in
// smaller ones until it fits.
func TestSmallerBatches(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]option{
		"too big": func(_ *stream.Config, p *counter, _ *faultnet.Network) { p.maxBatch = 3 },
		"too slow": func(c *stream.Config, p *counter, _ *faultnet.Network) {
			c.TransactionTimeout, p.slow = 6*time.Second, 120*time.Millisecond
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.send(100)
			a := r.start("a", newDisk(), opt)
			r.check()
			a.drain()
		})
	}
}

// TestRecordThatNeverFits stops the worker with a clear error.
func TestRecordThatNeverFits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.send(1)
	// Only what a session of the group finds in a row counts.
	a := r.start("a", newDisk(), transactions(2*time.Second), func(_ *stream.Config, p *counter, _ *faultnet.Network) { p.slow = time.Hour })
	if err := a.wait(); err == nil || !strings.Contains(err.Error(), "single record does not fit") {
		t.Errorf("Run() = %v, want that a single record does not fit", err)
	}
}

// TestHangingTransaction: an open transaction on the changelog holds restore
// up until it is decided, and no longer.
func TestHangingTransaction(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.send(100)
	a := r.start("a", newDisk())
	r.check()
	a.drain()
	p, err := kgo.NewClient(kgo.SeedBrokers(r.c.ListenAddrs()...), kgo.TransactionalID("hanging"), kgo.TransactionTimeout(openMax),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := p.ProduceSync(context.Background(), &kgo.Record{Topic: changelog, Partition: 0, Key: []byte("\x01k0"), Value: []byte("999")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	said := &syncLog{}
	a = r.start("a", newDisk(), transactions(3*time.Second), func(c *stream.Config, _ *counter, _ *faultnet.Network) {
		c.Log = slog.New(slog.NewTextHandler(said, nil))
	})
	phase := func() string {
		for _, ps := range a.w.Status().Partitions {
			if ps.Partition == 0 {
				return ps.Phase
			}
		}
		return ""
	}
	until(t, "the other partitions are ready", func() bool {
		n := 0
		for _, ps := range a.w.Status().Partitions {
			if ps.Phase == "ready" {
				n++
			}
		}
		return n == inParts-1
	})
	until(t, "the restore says what it waits for", func() bool { return said.contains("a transaction that nobody ends") })
	// Were it ready with the transaction open, it would stay so.
	until(t, "partition 0 is restoring", func() bool { return phase() == "restoring" })
	if err := p.EndTransaction(context.Background(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	r.send(50)
	r.check()
	a.drain()
}

// TestMembersComeAndGo: partitions move between instances, disks are met again
// in an older state, and some instances are killed.
func TestMembersComeAndGo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	disks := []*disk{newDisk(), newDisk(), newDisk()}
	live := map[int]*instance{}
	for round := range 14 {
		r.send(50)
		n := r.rng.IntN(len(disks))
		switch i := live[n]; {
		case i == nil:
			live[n] = r.start(fmt.Sprint(n), disks[n], mortal)
		case round%3 == 0:
			i.net.Cut()
			i.stop()
			_ = i.wait()
			delete(live, n)
		default:
			i.drain()
			delete(live, n)
		}
		time.Sleep(time.Duration(r.rng.IntN(150)) * time.Millisecond) // let some of it happen
	}
	last := r.start("last", newDisk(), mortal)
	r.check()
	last.drain()
}

// TestFenced: a second live instance under the same transactional id ends with
// an error that says so.
func TestFenced(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	// A worker counts how often it was fenced within a minute, in which a loaded machine
	// may not come so far.
	began := time.Now()
	slow := func(c *stream.Config, _ *counter, _ *faultnet.Network) {
		c.Clock = func() time.Time { return began.Add(time.Since(began) / 10) }
	}
	a := r.start("same", newDisk(), slow)
	b := r.start("same", newDisk(), slow)
	deadline := time.Now().Add(2 * waitForLong) // each of nine sessions joins and restores
	for len(a.err) == 0 && len(b.err) == 0 && time.Now().Before(deadline) {
		r.send(5)
		time.Sleep(20 * time.Millisecond)
	}
	var err error
	select {
	case err = <-a.err:
	case err = <-b.err:
	default:
	}
	if !errors.Is(err, stream.ErrFenced) {
		t.Errorf("Run() = %v, want ErrFenced; one is at %+v, the other at %+v", err, a.w.Status(), b.w.Status())
	}
}

// syncLog keeps what is logged.
type syncLog struct {
	mu sync.Mutex
	b  strings.Builder // guarded by mu
}

func (l *syncLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *syncLog) contains(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.b.String(), text)
}

package attributor_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"tracksource/internal/attributor"
	"tracksource/internal/task"
	"tracksource/schemas/avro"
	"tracksource/state"
	"tracksource/stream"
)

// rig is a Processor over a state that is committed after each batch.
type rig struct {
	b      *testing.B
	l      *line // for what it knows of encoding
	kv     *counted
	p      *attributor.Processor
	commit func() error

	entries, outputs, bytes int // of the ledger; of all topics
}

// counted counts what is read.
type counted struct {
	task.KV
	gets, scanned int
}

func (c *counted) Get(key []byte) ([]byte, error) {
	c.gets++
	return c.KV.Get(key)
}

func (c *counted) Scan(from, to []byte, fn func(key, value []byte) (bool, error)) error {
	return c.KV.Scan(from, to, func(k, v []byte) (bool, error) {
		c.scanned++
		return fn(k, v)
	})
}

func (c *counted) ScanBack(from, to []byte, fn func(key, value []byte) (bool, error)) error {
	return c.KV.ScanBack(from, to, func(k, v []byte) (bool, error) {
		c.scanned++
		return fn(k, v)
	})
}

// stores are those that a benchmark runs over: a map, and Badger on disk with the
// memory that one of twelve partitions has.
func stores() []string { return []string{"map", "badger"} }

func newRig(b *testing.B, store string) *rig {
	b.Helper()
	r := &rig{b: b, l: newLine(b, codecs(b))}
	if store == "map" {
		kv := newOverlay()
		r.kv, r.commit = &counted{KV: kv}, func() error {
			kv.commit()
			return nil
		}
	} else {
		dir, err := state.OpenDir(state.Config{Path: b.TempDir(), MemoryBudget: 512 << 20, MaxOpen: 12, Log: quiet})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := dir.Close(); err != nil {
				b.Error(err)
			}
		})
		st, err := task.Stores(dir, "attributor").Open(7)
		if err != nil {
			b.Fatal(err)
		}
		kv, err := task.Of(st)
		if err != nil {
			b.Fatal(err)
		}
		r.kv, r.commit = &counted{KV: kv}, func() error { return st.Commit([]byte("meta")) }
	}
	var err error
	if r.p, err = attributor.New(r.l.cfg, stream.Assignment{Partition: 7, Generation: r.l.gen}, r.kv); err != nil {
		b.Fatal(err)
	}
	r.feed(r.l.records([]*avro.JourneyEvent{agreement(1, 1)}))
	r.rest()
	return r
}

func (r *rig) feed(records []stream.Record) {
	out := new(outputs)
	if err := r.p.Fold(context.Background(), records, out); err != nil {
		r.b.Fatal(err)
	}
	if err := r.commit(); err != nil {
		r.b.Fatal(err)
	}
	r.p.Committed()
	n, size := out.Emitted()
	r.outputs, r.bytes = r.outputs+n, r.bytes+size
	for i := range out.records {
		if out.records[i].topic == "credits" {
			r.entries++
		}
	}
}

func (r *rig) rest() {
	for r.p.Pending(time.Time{}) {
		r.feed(nil)
	}
}

// report says what one of n events cost beside time and memory.
func (r *rig) report(n int, from rig, reads counted) {
	per := func(total int, unit string) { r.b.ReportMetric(float64(total)/float64(n), unit) }
	per(r.entries-from.entries, "entries/op")
	per(r.outputs-from.outputs, "outputs/op")
	per(r.bytes-from.bytes, "out-B/op")
	per(r.kv.gets-reads.gets, "gets/op")
	per(r.kv.scanned-reads.scanned, "scanned/op")
}

// BenchmarkEvent is one event, and its commit, on an account with so many touches
// and deals: a touch that was somewhere else in the time that all deals look at.
func BenchmarkEvent(b *testing.B) {
	for _, store := range stores() {
		for _, touches := range []int{10, 100, 1000} {
			for _, deals := range []int{0, 1, 10} {
				b.Run(fmt.Sprintf("%s/touches=%d/deals=%d", store, touches, deals), func(b *testing.B) {
					r := newRig(b, store)
					for _, rec := range r.l.records(minutes("a", touches, day(2))) {
						r.feed([]stream.Record{rec})
					}
					for i := range deals {
						r.feed(r.l.records([]*avro.JourneyEvent{deal("a", fmt.Sprintf("d%d", i), 1, "100", "USD", "Closed Won")}))
					}
					var records []stream.Record
					placement := int64(0)
					more := func() {
						for range 100 {
							placement++
							late := touch("a", "late", placement, day(3).Add(time.Duration(placement%2)*time.Hour), []string{"acme", "globex"}[placement%2], "email")
							records = append(records, r.l.records([]*avro.JourneyEvent{late})...)
						}
					}
					more()
					r.feed(records[:1])
					from, reads, n := *r, *r.kv, 0
					b.ReportAllocs()
					for b.Loop() {
						if records = records[1:]; len(records) == 0 {
							b.StopTimer()
							more()
							b.StartTimer()
						}
						r.feed(records[:1])
						n++
					}
					r.report(n, from, reads)
				})
			}
		}
	}
}

// cpu is what the process has used of processors so far. Beside other work it says
// more than the time that passed.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkTouches is a batch of a thousand touches, each on another of so many
// accounts, behind all that is credited, as most touches are. All accounts were
// touched before, and one of fifty has a deal.
// BENCH_ACCOUNTS=1000000 adds a size.
func BenchmarkTouches(b *testing.B) {
	sizes := []int{10_000, 100_000}
	if n, err := strconv.Atoi(os.Getenv("BENCH_ACCOUNTS")); err == nil {
		sizes = append(sizes, n)
	}
	const batch = 1000
	for _, accounts := range sizes {
		b.Run(strconv.Itoa(accounts), func(b *testing.B) {
			r := newRig(b, "badger")
			name := func(n int) string { return fmt.Sprintf("account-%07d", n%accounts) }
			var events []*avro.JourneyEvent
			for n := range accounts {
				if events = append(events, touch(name(n), "first", 1, day(2), "globex", "email")); n%50 == 0 {
					events = append(events, deal(name(n), strconv.Itoa(n), 1, "100", "USD", "Qualification"))
				}
				if len(events) >= batch || n == accounts-1 {
					r.feed(r.l.records(events))
					events = events[:0]
				}
			}
			n := 0
			more := func() []stream.Record {
				events = events[:0]
				for range batch {
					n++
					// A prime far from any size spreads them over the accounts.
					events = append(events, touch(name(n*7919), strconv.Itoa(n), 1, day(15).Add(time.Duration(n)*time.Millisecond), "globex", "email"))
				}
				return r.l.records(events)
			}
			from, reads, spent := *r, *r.kv, time.Duration(0)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				records := more()
				b.StartTimer()
				began := cpu(b)
				r.feed(records)
				spent += cpu(b) - began
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "touches/s")
			b.ReportMetric(float64(n)/spent.Seconds(), "touches/cpu-s")
			r.report(n, from, reads)
		})
	}
}

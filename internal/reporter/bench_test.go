package reporter_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"
	"time"

	"tracksource/internal/reporter"
	"tracksource/internal/task"
	"tracksource/schemas/avro"
	"tracksource/state"
	"tracksource/stream"
)

// counter counts outputs and forgets them.
type counter struct{ records, bytes int }

func (c *counter) Emit(_ string, key, value []byte, _ ...stream.Header) {
	c.records++
	c.bytes += len(key) + len(value)
}

// mix is a ledger as campaigns write it: a change of a deal is eight entries of
// three models, of four measures and two partners; nine of ten deals change a
// recent day, whose keys change again and again, the others any day of the year.
type mix struct {
	b      *testing.B
	codecs *avro.Codecs
	lots   *rand.Rand

	sequence, offset int64
	running          map[string][]int64
	now              time.Time
}

func newMix(b *testing.B, codecs *avro.Codecs) *mix {
	return &mix{b: b, codecs: codecs, lots: rand.New(rand.NewPCG(1, 2)), running: map[string][]int64{}, now: start}
}

func (m *mix) records(n int) []stream.Record {
	partners := []string{"acme", "blue", "coda", "(none)"}
	channels := []string{"Email", "Paid Search", "Webinar", "Organic Social", "Event"}
	regions, segments := []string{"EMEA", "AMER", "APAC"}, []string{"Enterprise", "Mid-Market", "SMB"}
	pick := func(from []string) string { return from[m.lots.IntN(len(from))] }
	var out []stream.Record
	for len(out) < n {
		day := start.AddDate(0, 0, -m.lots.IntN(3))
		if m.lots.IntN(10) == 0 {
			day = start.AddDate(0, 0, -m.lots.IntN(365))
		}
		region, segment := pick(regions), pick(segments)
		for i := range 8 {
			e := avro.CreditEntry{
				Kind: "entry", Contract: "summit", Revision: 1, Account: []byte("account-0001234"), Conversion: "acme/salesforce/opportunity/0065g00000XyZab",
				Measure: []string{"opportunities", "pipeline_created", "pipeline_open", "pipeline_sourced"}[i/2], Day: day.Format(time.DateOnly),
				Partner: pick(partners), Channel: pick(channels), Asset: fmt.Sprintf("asset-%02d", m.lots.IntN(10)), Region: region, Segment: segment,
				Source: "newsletter", TouchCampaign: "this", Currency: "EUR", Exponent: 2,
				Models: []string{"first-touch", "last-touch", "position-based"}, Delta: make([]int64, 3),
				Generation: 1, Sequence: m.sequence + 1, EntryCount: 8, ChangeID: "3/1748/42", Cause: "object", CauseEvent: "acme/salesforce/0065g00000XyZab/17",
				AsOf: m.now,
			}
			key := fmt.Sprint(e.Measure, e.Day, e.Partner, e.Channel, e.Asset, e.Region, e.Segment)
			running := m.running[key]
			if running == nil {
				running = make([]int64, 3)
				m.running[key] = running
			}
			for k := range running {
				e.Delta[k] = m.lots.Int64N(100_000) - 20_000
				running[k] += e.Delta[k]
			}
			e.Running = running
			value, err := m.codecs.Credit.Append(nil, &e)
			if err != nil {
				m.b.Fatal(err)
			}
			m.sequence++
			out = append(out, stream.Record{Partition: 3, Offset: m.offset, Value: value, Timestamp: m.now})
			m.offset++
		}
	}
	return out[:n:n]
}

// plain is a KV that is a map. Nothing is scanned while entries are applied.
type plain map[string][]byte

func (p plain) Get(key []byte) ([]byte, error) { return p[string(key)], nil }

func (p plain) Put(key, value []byte) error {
	p[string(key)] = value
	return nil
}

func (p plain) PutNew(key, value []byte) error { return p.Put(key, value) }

func (p plain) Delete(key []byte) error {
	delete(p, string(key))
	return nil
}

func (p plain) Scan(_, _ []byte, _ func(key, value []byte) (bool, error)) error { return p.empty() }

func (p plain) ScanBack(_, _ []byte, _ func(key, value []byte) (bool, error)) error { return p.empty() }

func (p plain) empty() error {
	if len(p) > 0 {
		return errors.New("a map has no order")
	}
	return nil
}

// benchStore gives a store in memory or on disk, with the memory of one of twelve
// partitions, and what commits it.
func benchStore(b *testing.B, kind string) (task.KV, func() error) {
	b.Helper()
	if kind == "map" {
		return plain{}, func() error { return nil }
	}
	dir, err := state.OpenDir(state.Config{Path: b.TempDir(), MemoryBudget: 512 << 20, MaxOpen: 12, Log: quiet()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := dir.Close(); err != nil {
			b.Error(err)
		}
	})
	st, err := task.Stores(dir, "reporter").Open(3)
	if err != nil {
		b.Fatal(err)
	}
	kv, err := task.Of(st)
	if err != nil {
		b.Fatal(err)
	}
	return kv, func() error { return st.Commit([]byte("meta")) }
}

// BenchmarkEntries applies batches of entries, their commit included, with as much
// of the clock between them as a line that reads 100,000 entries a second has. The
// keys are all there before. visible is whether two partners see the rows.
func BenchmarkEntries(b *testing.B) {
	const batch = 1000
	for _, store := range []string{"map", "badger"} {
		for _, visible := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/visible=%v", store, visible), func(b *testing.B) {
				m := newMix(b, testCodecs(b))
				kv, commit := benchStore(b, store)
				policy := reporter.Policy{Revision: 1, Zone: time.UTC, LatenessDays: 30}
				if visible {
					policy.Open, policy.Own = []string{"acme"}, []string{"blue"}
				}
				policies := map[string]reporter.Policy{"summit": policy}
				p, err := reporter.New(reporter.Config{
					Codecs: m.codecs, Contributions: contributions, Partners: partners(), Alerts: alerts, Throttle: reporter.ThrottleDefault,
					Policies: func() map[string]reporter.Policy { return policies }, Log: quiet(),
				}, stream.Assignment{Partition: 3, Generation: 1000}, kv)
				if err != nil {
					b.Fatal(err)
				}
				var out counter
				feed := func(records []stream.Record) {
					if err := p.Fold(context.Background(), records, m.now, &out); err != nil {
						b.Fatal(err)
					}
					if err := commit(); err != nil {
						b.Fatal(err)
					}
					p.Committed()
					m.now = m.now.Add(time.Duration(len(records)) * 10 * time.Microsecond)
				}
				for range 300 {
					feed(m.records(batch))
				}
				out = counter{}
				n := 0
				var before, after runtime.MemStats
				var spent time.Duration
				var heap, objects uint64
				b.ResetTimer()
				for b.Loop() {
					b.StopTimer()
					records := m.records(batch)
					runtime.ReadMemStats(&before)
					b.StartTimer()
					began := cpu(b)
					feed(records)
					spent += cpu(b) - began
					b.StopTimer()
					runtime.ReadMemStats(&after)
					heap, objects, n = heap+after.TotalAlloc-before.TotalAlloc, objects+after.Mallocs-before.Mallocs, n+len(records)
					b.StartTimer()
				}
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "entries/s")
				b.ReportMetric(float64(n)/spent.Seconds(), "entries/cpu-s")
				b.ReportMetric(float64(out.records)/float64(n), "records/entry")
				b.ReportMetric(float64(heap)/float64(n), "B/entry")
				b.ReportMetric(float64(objects)/float64(n), "allocs/entry")
			})
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

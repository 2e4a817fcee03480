package bench_test

import (
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"testing"
	"time"

	"tracksource/deploy/kafka/local"
	"tracksource/internal/sample"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

func decode[T any](c *avro.Codec[T], b []byte) (v T, err error) {
	err = c.Decode(b, &v)
	return v, err
}

// accounts sends three events of each of n accounts: a visit of a known person,
// the account and its deal.
func (r *rig) accounts(n int) {
	r.b.Helper()
	var ms []stream.Message
	for i := range n {
		id := fmt.Sprintf("%07d", i)
		ms = append(ms,
			stream.Message{Topic: r.spec.RawTopic("map", "acme"), Key: []byte(id), Value: []byte(`{"messageId":"m` + id + `","type":"page","userId":"u` + id +
				`","timestamp":"2026-03-10T12:00:00Z","context":{"traits":{"email":"u@c` + id + `.com"},"campaign":{"source":"globex","medium":"email","name":"ai-launch-tour"}},` +
				`"properties":{"url":"https://acme.example/webinars/ai-readiness"}}`)},
			cdc(r.spec.RawTopic("crm", "acme"), "001"+id, "Account", `"Website":"c`+id+`.com","BillingCountry":"DE","NumberOfEmployees":500`),
			cdc(r.spec.RawTopic("crm", "acme"), "006"+id, "Opportunity",
				`"AccountId":"001`+id+`","StageName":"Qualification","Amount":1000,"CurrencyIsoCode":"USD","CreatedDate":1774000000000`),
		)
		if len(ms) >= 30_000 || i == n-1 {
			r.send(ms...)
			ms = ms[:0]
		}
	}
}

// cdc is a Salesforce change event that creates a record.
func cdc(topic, id, entity, fields string) stream.Message {
	return stream.Message{Topic: topic, Key: []byte(id), Value: []byte(`{"payload":{"ChangeEventHeader":{"entityName":"` + entity + `","recordIds":["` + id +
		`"],"changeType":"CREATE","transactionKey":"t` + id + `","sequenceNumber":1,"commitTimestamp":1774000000000,"commitNumber":1,"nulledFields":[]},` + fields + `}}`)}
}

// BenchmarkAccounts measures what state costs: heap and disk of each tier that
// has consumed three events of each account. BENCH_ACCOUNTS=1000000 adds a size.
func BenchmarkAccounts(b *testing.B) {
	sizes := []int{10_000, 100_000}
	if n, err := strconv.Atoi(os.Getenv("BENCH_ACCOUNTS")); err == nil {
		sizes = append(sizes, n)
	}
	for _, n := range sizes {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				r := newRig(b, "kfake")
				r.rules(sample.Generate(sample.Config{Events: 1}))
				r.accounts(n)
				for _, tier := range tiers() {
					r.footprint(tier, n)
				}
			}
		})
	}
}

// footprint runs a tier until it has consumed its input. The broker is in the
// same process, so the heap is what is freed when the tier is closed.
func (r *rig) footprint(tier string, accounts int) {
	r.b.Helper()
	dir := r.b.TempDir()
	took, open := r.work(tier, dir)
	disk := diskSize(r.b, dir)
	closed := heap()
	var topics []string
	for _, g := range r.groups(tier) {
		topics = append(topics, g.Topics...)
	}
	records, _ := r.volume(topics...)
	found.add(result{
		What: fmt.Sprintf("%s, %d accounts", tier, accounts), Broker: r.broker, Records: records, Seconds: took.Seconds(),
		Figures: map[string]float64{
			"records/s": float64(records) / took.Seconds(), "heap MiB": max(0, float64(open.HeapAlloc)-float64(closed.HeapAlloc)) / mib, "disk MiB": float64(disk) / mib,
		},
	})
}

// work runs a tier until it has consumed its input, and says how long that took
// and what the heap was before the tier was closed.
func (r *rig) work(tier, dir string) (took time.Duration, open runtime.MemStats) {
	r.b.Helper()
	began := time.Now()
	x := r.start(tier, dir)
	defer x.stop()
	x.caughtUp(tier)
	return time.Since(began), heap()
}

// backlogBound is how much live heap a tier may have, however much lies in front
// of it: the default budget of its stores and a few batches.
const backlogBound = (512 + 64) * mib

// live is the heap that the last collection found in use.
func live() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// TestBacklogMemory: behind an outage of an hour or in a burst, a tier works off
// what has piled up with the memory that it always has.
func TestBacklogMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("works off a large backlog")
	}
	local.SkipUnlessAvailable(t) // kfake would hold the backlog in this process
	r := newRig(t, "kafka")
	r.rules(sample.Generate(sample.Config{Events: 1}))
	r.accounts(20_000)
	for _, tier := range tiers() {
		heap()
		peak, quit, ended := uint64(0), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			for {
				select {
				case <-quit:
					return
				case <-time.After(20 * time.Millisecond):
				}
				peak = max(peak, live())
			}
		}()
		x := r.start(tier, t.TempDir())
		x.caughtUp(tier)
		close(quit)
		<-ended
		x.stop()
		records := int64(0)
		for _, g := range r.groups(tier) {
			n, _ := r.volume(g.Topics...)
			records += n
		}
		t.Logf("%s: %d records in front, live heap up to %d MiB", tier, records, peak/mib)
		if peak > backlogBound {
			t.Errorf("%s: %d MiB of live heap for a backlog of %d records, at most %d MiB", tier, peak/mib, records, backlogBound/mib)
		}
	}
}

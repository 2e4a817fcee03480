package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"tracksource/identity"
	"tracksource/internal/ingest"
	"tracksource/internal/task"
	"tracksource/schemas/avro"
	"tracksource/state"
	"tracksource/stream"
)

// perAccount is the identities of one account of the benchmark: a visitor, their
// user id, their address, the company's domain and its deal.
const perAccount = 5

// told is what one account's sources say: a visit that is known to be a user's,
// the user's address with its company, and a deal.
func told(account, event int) []avro.Observation {
	id, at := fmt.Sprintf("%07d", account), start.Add(time.Duration(event)*time.Second)
	visitor, user := node(identity.Anonymous, "acme", "anonymous:"+id), node(identity.Person, "acme", "user:"+id)
	address, domain, deal := node(identity.Email, "", "h"+id), node(identity.Domain, "", "c"+id+".com"), node(identity.Object, "acme", "006"+id)
	fact := func(n identity.Node, event string, parent identity.Node, e identity.Evidence) avro.Observation {
		return avro.Observation{
			Kind: "fact", Node: n.Bytes(), Reporter: "acme", Feed: "map", Source: "segment", EventID: event, OccurredAt: at,
			Origin: &avro.Origin{Topic: "raw"}, Links: []avro.Link{{Parent: parent.Bytes(), Evidence: int(e), At: at}},
		}
	}
	link := func(n, parent identity.Node, e identity.Evidence) avro.Observation {
		return avro.Observation{
			Kind: "link", Node: n.Bytes(), Reporter: "acme", Feed: "map", Source: "segment", OccurredAt: at,
			Links: []avro.Link{{Parent: parent.Bytes(), Evidence: int(e), At: at}},
		}
	}
	visit := fact(visitor, "visit-"+id+"-"+strconv.Itoa(event), user, identity.Login)
	visit.Touch = &avro.TouchFacts{Type: "visit", Asset: "/webinars/ai-readiness", UTMSource: "globex", UTMMedium: "email", UTMCampaign: "ai-launch-tour"}
	update := fact(deal, "deal-"+id+"-"+strconv.Itoa(event), domain, identity.Record)
	stage, amount := "Qualification", strconv.Itoa(event)
	update.Object = &avro.ObjectFacts{
		Type: "opportunity", ID: "006" + id, Order: int64(event), ModifiedAt: at,
		Fields: []avro.Field{{Name: "amount", Value: &amount}, {Name: "stage", Value: &stage}},
	}
	return []avro.Observation{visit, link(user, address, identity.Login), link(address, domain, identity.Address), update}
}

// disk is twelve partitions of observations with their resolvers over stores on
// disk, and nothing else of the line.
type disk struct {
	b         *testing.B
	codecs    *avro.Codecs
	stores    [partitions]*task.Store
	resolvers [partitions]*ingest.Resolver
	queues    [partitions][]stream.Record
}

func newDisk(b *testing.B) *disk {
	d := &disk{b: b, codecs: codecs(b)}
	dir, err := state.OpenDir(state.Config{Path: b.TempDir(), Log: quiet(), BootID: "b"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = dir.Close() })
	stores, stats := task.Stores(dir, "resolve"), ingest.NewStats()
	for p := range int32(partitions) {
		st, err := stores.Open(p)
		if err != nil {
			b.Fatal(err)
		}
		d.stores[p] = st.(*task.Store)
		d.resolvers[p], err = ingest.NewResolver(ingest.ResolveConfig{
			Codecs: d.codecs, Observations: "observations", Partitions: partitions, Journeys: "journeys", Stats: stats, Log: quiet(),
			DeadLetter: func(string, string) string { return "deadletter" },
		}, stream.Assignment{Partition: p}, d.stores[p])
		if err != nil {
			b.Fatal(err)
		}
	}
	return d
}

// Emit implements ingest.Emitter.
func (d *disk) Emit(topic string, key, value []byte, _ ...stream.Header) {
	if topic == "observations" {
		d.EmitTo(topic, stream.PartitionOf(key, partitions), key, value)
	}
}

// EmitTo implements ingest.Emitter.
func (d *disk) EmitTo(topic string, p int32, key, value []byte, _ ...stream.Header) {
	d.queues[p] = append(d.queues[p], stream.Record{Topic: topic, Partition: p, Key: key, Value: value})
}

func (d *disk) send(all []avro.Observation) {
	for i := range all {
		b, err := d.codecs.Observation.Append(nil, &all[i])
		if err != nil {
			d.b.Fatal(err)
		}
		d.Emit("observations", all[i].Node, b)
	}
}

// work folds all that is in the queues, as much as a transaction of the engine takes
// at once, and returns how many records that were.
func (d *disk) work() (records int) {
	const batch = 1000
	for busy := true; busy; {
		busy = false
		for p := range d.queues {
			n := min(batch, len(d.queues[p]))
			if n == 0 {
				continue
			}
			busy = true
			records += n
			work := d.queues[p][:n:n]
			d.queues[p] = d.queues[p][n:]
			if err := d.resolvers[p].Fold(context.Background(), work, start, d); err != nil {
				d.b.Fatal(err)
			}
			if err := d.stores[p].Commit([]byte("m")); err != nil {
				d.b.Fatal(err)
			}
			d.resolvers[p].Committed()
		}
	}
	return records
}

// BenchmarkResolve folds what accounts say, when so many identities are known: of
// forty events one is of an account that is new, which sends messages between
// identities. What is known is written as the first account is at rest, with the
// numbers of others in its place.
func BenchmarkResolve(b *testing.B) {
	for _, identities := range []int{10_000, 100_000, 1_000_000} {
		b.Run(strconv.Itoa(identities), func(b *testing.B) {
			d := newDisk(b)
			accounts := identities / perAccount
			d.fill(accounts)
			random := rand.New(rand.NewPCG(1, 1))
			records, event := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				for range 12_000 {
					event++
					account := random.IntN(accounts)
					if event%10 == 0 {
						account = accounts
						accounts++
					}
					all := told(account, event)
					if event%10 != 0 {
						all = all[:3]
					}
					d.send(all)
				}
				b.StartTimer()
				records += d.work()
			}
			b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// fill writes the state of n accounts.
func (d *disk) fill(n int) {
	const first = "0000000"
	d.send(told(0, 0))
	d.work()
	type pair struct{ node, key, value []byte }
	var like []pair
	for p := range d.stores {
		err := d.stores[p].Scan([]byte{0x10}, []byte{0x16}, func(key, value []byte) (bool, error) {
			at := 3 // behind the keyspace and a length
			if key[0] == 0x15 {
				at += 4 // the day
			}
			size := int(key[at-1])
			like = append(like, pair{bytes.Clone(key[at : at+size]), bytes.Clone(key), bytes.Clone(value)})
			return true, nil
		})
		if err != nil {
			d.b.Fatal(err)
		}
	}
	var chunks [partitions]map[string][]byte
	write := func(p int32) {
		if err := d.stores[p].ApplyChunk(func(yield func(k, v []byte) bool) {
			for k, v := range chunks[p] {
				if !yield([]byte(k), v) {
					return
				}
			}
		}); err != nil {
			d.b.Fatal(err)
		}
		chunks[p] = nil
	}
	for i := 1; i < n; i++ {
		id := fmt.Appendf(nil, "%07d", i)
		for _, l := range like {
			p := stream.PartitionOf(bytes.ReplaceAll(l.node, []byte(first), id), partitions)
			if chunks[p] == nil {
				chunks[p] = map[string][]byte{}
			}
			chunks[p][string(bytes.ReplaceAll(l.key, []byte(first), id))] = bytes.ReplaceAll(l.value, []byte(first), id)
			if len(chunks[p]) == 2000 {
				write(p)
			}
		}
	}
	for p := range d.stores {
		write(int32(p))
		if err := d.stores[p].Apply(func(func(k, v []byte) bool) {}, []byte("m")); err != nil {
			d.b.Fatal(err)
		}
	}
}

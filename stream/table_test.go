package stream_test

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tracksource/internal/faultnet"
	"tracksource/stream"
)

func quietLog() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// startTable runs a table over the out topic until the returned stop.
func (r *rig) startTable(d *disk, change ...func(*stream.TableConfig)) (*stream.Table, func()) {
	r.t.Helper()
	cfg := stream.TableConfig{
		Conn: stream.Conn{Brokers: r.c.ListenAddrs()}, Topic: outTopic, Stores: d, Log: quietLog(), Clock: time.Now,
	}
	for _, f := range change {
		f(&cfg)
	}
	tb, err := stream.NewTable(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- tb.Run(ctx) }()
	return tb, func() {
		r.t.Helper()
		cancel()
		if err := <-done; err != nil {
			r.t.Errorf("Run() = %v", err)
		}
		if err := tb.Close(); err != nil {
			r.t.Errorf("Close() = %v", err)
		}
	}
}

func (r *rig) wantTable(tb *stream.Table) {
	r.t.Helper()
	want := map[string]string{}
	for k, n := range r.truth {
		want[k] = strconv.Itoa(n)
	}
	if got := tb.Store().(*memStore).data; !maps.Equal(got, want) {
		r.t.Errorf("table = %v\nwant %v", got, want)
	}
}

// TestTable: ready means read to the end, a restart reads on, and a topic that
// was recreated is read from its start.
func TestTable(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.send(200)
	a := r.start("a", newDisk())
	r.check()
	d := newDisk()
	tb, stop := r.startTable(d)
	until(t, "the table is ready", func() bool { return tb.Ready() == nil })
	stop()
	r.wantTable(tb)

	r.send(200)
	r.check()
	a.drain()
	tb, stop = r.startTable(d)
	until(t, "the table is ready again", func() bool { return tb.Ready() == nil })
	stop()
	r.wantTable(tb)

	if err := r.c.DeleteTopic(outTopic); err != nil {
		t.Fatal(err)
	}
	if err := r.c.CreateTopic(outTopic, 3, nil); err != nil {
		t.Fatal(err)
	}
	tb, stop = r.startTable(d)
	until(t, "the table of the new topic is ready", func() bool { return tb.Ready() == nil })
	stop()
	clear(r.truth)
	r.wantTable(tb)
}

// TestTableProject: the store holds what is made of each record, however little of it
// fits one transaction, and is made again when the layout changes.
func TestTableProject(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.send(300)
	a := r.start("a", newDisk())
	r.check()
	defer a.drain()
	d := newDisk()
	d.takes = 3
	emptied := 0
	project := func(layout string) func(*stream.TableConfig) {
		return func(c *stream.TableConfig) {
			c.Layout, c.Emptied = layout, func() { emptied++ }
			c.Project = func(rec stream.Record, put func(key, value []byte)) error {
				put(append([]byte(layout+"/"), rec.Key...), rec.Value)
				put([]byte(layout+"-last"), rec.Key)
				return nil
			}
		}
	}
	for _, layout := range []string{"one", "one", "two"} {
		tb, stop := r.startTable(d, project(layout))
		until(t, "the table is ready", func() bool { return tb.Ready() == nil })
		until(t, "the table is current", func() bool { _, why := tb.Behind(); return why == "" })
		stop()
		got := maps.Clone(tb.Store().(*memStore).data)
		if got[layout+"-last"] == "" {
			t.Errorf("layout %s: the second row of a record is missing", layout)
		}
		delete(got, layout+"-last")
		want := map[string]string{}
		for k, n := range r.truth {
			want[layout+"/"+k] = strconv.Itoa(n)
		}
		if !maps.Equal(got, want) {
			t.Errorf("layout %s: table = %v\nwant %v", layout, got, want)
		}
	}
	if emptied != 1 {
		t.Errorf("emptied %d times, want once, for the new layout", emptied)
	}
}

// TestTableBehind: a table whose broker is gone says so and since when.
func TestTableBehind(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for a broker that is gone")
	}
	r := newRig(t)
	r.send(10)
	a := r.start("a", newDisk())
	r.check()
	a.drain()
	var net faultnet.Network
	net.Freeze()
	tb, stop := r.startTable(newDisk(), func(c *stream.TableConfig) { c.Conn.Dial = net.Dial })
	defer stop()
	if since, why := tb.Behind(); why == "" || !since.IsZero() {
		t.Errorf("before it is read a table is behind since %v: %q", since, why)
	}
	net.Thaw()
	until(t, "the table is current", func() bool { _, why := tb.Behind(); return why == "" })
	before, _ := tb.Behind()
	r.c.Close()
	until(t, "the table is behind", func() bool { _, why := tb.Behind(); return strings.Contains(why, "broker") })
	if since, _ := tb.Behind(); since.Before(before) {
		t.Errorf("behind since %v, and was current at %v", since, before)
	}
}

// TestReadTopicWaits: a reader of the whole topic does not stop before an open
// transaction.
func TestReadTopicWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p, err := kgo.NewClient(kgo.SeedBrokers(r.c.ListenAddrs()...), kgo.TransactionalID("open"), kgo.TransactionTimeout(openMax))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := p.ProduceSync(context.Background(), &kgo.Record{Topic: outTopic, Key: []byte("k"), Value: []byte("1")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	got := make(chan int, 1)
	go func() {
		n := 0
		if err := stream.ReadTopic(context.Background(), stream.Conn{Brokers: r.c.ListenAddrs()}, quietLog(), outTopic, func(stream.Record) error {
			n++
			return nil
		}); err != nil {
			t.Errorf("ReadTopic: %v", err)
		}
		got <- n
	}()
	select {
	case n := <-got:
		t.Fatalf("ReadTopic returned %d records before the transaction was decided", n)
	case <-time.After(2500 * time.Millisecond): // longer than the quiet that ends a read
	}
	if err := p.EndTransaction(context.Background(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if n := <-got; n != 1 {
		t.Errorf("ReadTopic returned %d records, want 1", n)
	}
}

// TestPartitionOf holds the hash against the Java client's, by way of kgo's.
func TestPartitionOf(t *testing.T) {
	t.Parallel()
	java := kgo.StickyKeyPartitioner(nil).ForTopic("t")
	for i := range 1000 {
		key := []byte(strconv.Itoa(i * 7919)[:1+i%4])
		if got, want := stream.PartitionOf(key, 12), java.Partition(&kgo.Record{Key: key}, 12); int(got) != want {
			t.Errorf("PartitionOf(%q) = %d, want %d", key, got, want)
		}
	}
}

// TestCaughtUp: not before the last record, and yes behind the last marker.
func TestCaughtUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	conn := stream.Conn{Brokers: r.c.ListenAddrs()}
	r.send(50)
	caughtUp := func(topic, group string) bool {
		t.Helper()
		ok, err := stream.CaughtUp(context.Background(), conn, quietLog(), group, topic)
		if err != nil {
			t.Fatalf("CaughtUp(%s, %s): %v", group, topic, err)
		}
		return ok
	}
	not := func(topic, group string) {
		t.Helper()
		if caughtUp(topic, group) {
			t.Errorf("group %s has caught up with %s", group, topic)
		}
	}
	not(inTopic, group)
	a := r.start("a", newDisk())
	r.settle()
	// No is also what it says of a broker that is slow.
	until(t, "it has caught up", func() bool { return caughtUp(inTopic, group) })
	a.drain()
	// A second stage whose input ends in markers.
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.c.ListenAddrs()...), kgo.ConsumerGroup("h"), kgo.ConsumeTopics(outTopic),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for n := 0; n < 50; {
		fs := cl.PollFetches(context.Background())
		n += fs.NumRecords()
		if n < 50 {
			not(outTopic, "h")
		}
	}
	if err := cl.CommitUncommittedOffsets(context.Background()); err != nil {
		t.Fatal(err)
	}
	until(t, "it has caught up behind the markers", func() bool { return caughtUp(outTopic, "h") })
}

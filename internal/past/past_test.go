package past_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tracksource/deploy/kafka"
	"tracksource/deploy/kafka/local"
	"tracksource/internal/answer"
	"tracksource/internal/follow"
	"tracksource/internal/line"
	"tracksource/internal/past"
	"tracksource/report"
	"tracksource/schemas/avro"
)

var quiet = slog.New(slog.DiscardHandler)

// patience is how long a test waits for a past, and a transaction for its end, on a
// machine that has much else to do.
const patience = 5 * time.Minute

// rig is a cluster whose topics a test writes, and the pasts of it.
type rig struct {
	t      testing.TB
	m      *kafka.Memory // nil for a real Kafka
	conn   kafka.Conn
	spec   kafka.Spec
	codecs *avro.Codecs
	reg    avro.Registry
	dir    string
	pasts  *past.Pasts
}

func newRig(t testing.TB, clock func() time.Time, opts ...kfake.Opt) *rig {
	t.Helper()
	m, err := kafka.StartMemory(kafka.MemoryConfig{Options: opts})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	r := onCluster(t, clock, m.Conn(), 12)
	r.m = m
	return r
}

// onCluster is a rig on a cluster that is there, with so many partitions.
func onCluster(t testing.TB, clock func() time.Time, conn kafka.Conn, n int32) *rig {
	t.Helper()
	spec, err := kafka.Load(kafka.ProfileLocal, kafka.Options{
		Feeds:      []kafka.Feed{{Kind: "crm", Partner: "acme"}},
		Partitions: map[string]int32{kafka.KeyObservations: n, kafka.KeyJourneys: n, kafka.KeyCredits: n, kafka.KeyFacts: n, kafka.KeyContributions: n},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kafka.Apply(t.Context(), conn, spec); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, conn: conn, spec: spec, reg: avro.NewMemory(), dir: filepath.Join(t.TempDir(), "past")}
	if r.codecs, err = avro.OpenCodecs(t.Context(), r.reg, avro.Subjects(spec.Prefix())); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(r.dir, "7"), 0o700); err != nil { // of an earlier life
		t.Fatal(err)
	}
	if r.pasts, err = past.New(past.Config{Kafka: conn, Spec: spec, Codecs: r.codecs, Log: quiet, Clock: clock, Dir: r.dir, Patience: patience}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.pasts.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(r.dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the directory of pasts is left behind: %v", err)
		}
	})
	return r
}

func (r *rig) writer(id string) *kgo.Client {
	r.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.conn.Brokers...), kgo.TransactionalID(id), kgo.TransactionTimeout(patience), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(cl.Close)
	return cl
}

func encode[T any](t testing.TB, c *avro.Codec[T], v T) []byte {
	t.Helper()
	b, err := c.Append(nil, &v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// row is the n-th version of a row of an asset, with so many cents.
func (r *rig) row(asset string, cents, n int64, at time.Time) *kgo.Record {
	r.t.Helper()
	row := avro.ContributionRow{
		Contract: "tour", Measure: "revenue", Model: "linear", Day: "2026-02-01", Partner: "acme", Channel: "Email", Asset: asset,
		Currency: "EUR", Version: n, AsOf: at, UpdatedAt: at,
	}
	if err := errors.Join(row.SetValue(cents, 2), row.SetConfident(cents, 2)); err != nil {
		r.t.Fatal(err)
	}
	key := avro.ContributionKey{
		Contract: row.Contract, Measure: row.Measure, Model: row.Model, Day: row.Day, Partner: row.Partner, Channel: row.Channel, Asset: asset,
	}
	return &kgo.Record{
		Topic: r.spec.Contributions(), Partition: int32(len(asset)) % r.spec.Partitions(kafka.KeyContributions), Timestamp: at,
		Key: encode(r.t, r.codecs.ContributionKey, key), Value: encode(r.t, r.codecs.ContributionRow, row),
	}
}

func (r *rig) alert(id string, at time.Time) *kgo.Record {
	return &kgo.Record{
		Topic: r.spec.Alerts(), Timestamp: at, Key: []byte(id), Value: encode(r.t, r.codecs.Alert, avro.Alert{ID: id, RaisedAt: at}),
	}
}

// txn writes records in one transaction.
func (r *rig) txn(cl *kgo.Client, end kgo.TransactionEndTry, records ...*kgo.Record) {
	r.t.Helper()
	if err := cl.BeginTransaction(); err != nil {
		r.t.Fatal(err)
	}
	if err := cl.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		r.t.Fatal(err)
	}
	if err := cl.EndTransaction(context.Background(), end); err != nil {
		r.t.Fatal(err)
	}
}

// write writes records outside of transactions, whose markers the broker stamps: the
// records have times of the test's own.
func (r *rig) write(records ...*kgo.Record) {
	r.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.conn.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		r.t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		r.t.Fatal(err)
	}
}

// between returns a time behind all that was written, and in front of what will be.
func (r *rig) between() time.Time {
	at := time.Now()
	for time.Now().UnixMilli() <= at.UnixMilli() {
		runtime.Gosched() // stamps are of milliseconds
	}
	return at
}

// told is everything that a test asks of what is followed.
func told(f *follow.Follow) (string, error) {
	sums, err := f.Sum("tour", "revenue", "linear", report.Ask{By: []report.Dimension{report.Asset}})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, s := range sums.Breakdowns {
		fmt.Fprintf(&b, "%s %s", s.Total.Text(2), s.Unattributed.Text(2))
		for _, g := range s.Groups {
			fmt.Fprintf(&b, " %q=%s", g.Key, g.Value.Text(2))
		}
	}
	fmt.Fprint(&b, " as of ", sums.AsOf.UTC())
	err = f.Alerts(nil, func(a *avro.Alert, _ follow.AlertPlace) (bool, error) {
		fmt.Fprintf(&b, " %s@%s", a.ID, a.RaisedAt.UTC())
		return true, nil
	})
	return b.String(), err
}

// past is what was told at positions.
func (r *rig) past(at time.Time, positions follow.Positions) (text string, err error) {
	err = r.pasts.Read(context.Background(), positions, at, func(f *follow.Follow, _ answer.Line) error {
		return f.Still(func(now follow.Positions) error {
			if now.String() != positions.String() {
				return fmt.Errorf("the past of %s stands at %s", positions, now)
			}
			text, err = told(f)
			return err
		})
	})
	return text, err
}

// live follows the topics until the test ends, from when it has read all that there is.
func (r *rig) live() *follow.Follow {
	r.t.Helper()
	l, err := line.Open(context.Background(), line.Config{
		Kafka: r.conn, Spec: r.spec, Registry: r.reg, DataDir: r.t.TempDir(), Log: quiet, Clock: time.Now,
	}, follow.TopicsOf(r.spec)...)
	if err != nil {
		r.t.Fatal(err)
	}
	f, err := follow.Open(l, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	svc := &line.Service{Line: l, Tables: f.Tables()}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- svc.Run(ctx) }()
	r.t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, svc.Close()); err != nil {
			r.t.Error(err)
		}
	})
	for svc.Ready() != nil {
		select {
		case err := <-done:
			done <- err
			r.t.Fatalf("it ended: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	return f
}

// TestSameAnswers: whatever was told at a moment while records came in, in transactions
// of which some were aborted and one is open, is told again by its positions.
func TestSameAnswers(t *testing.T) {
	r := newRig(t, time.Now)
	f := r.live()
	open := r.writer("open")
	var wg sync.WaitGroup
	const writers, txns = 3, 30
	// Each look lets some more transactions begin, so that there are looks between them
	// whichever side is slow. Among two in a row of one writer there is a commit: so many
	// are a change for the next look.
	const between = 2 * writers
	begin := make(chan struct{}, writers*txns)
	t.Cleanup(sync.OnceFunc(func() { close(begin) }))
	for w := range writers {
		cl := r.writer(fmt.Sprint("w", w))
		wg.Go(func() {
			for i := range int64(txns) {
				if _, ok := <-begin; !ok {
					return // the test has failed
				}
				end := kgo.TryCommit
				if i%4 == 3 {
					end = kgo.TryAbort
				}
				now := time.Now()
				r.txn(cl, end, r.row(strings.Repeat("a", w+1), i*100+int64(w), i+1, now), r.row(strings.Repeat("a", w+4), i, i+1, now), r.alert(fmt.Sprint(w, i%5), now))
			}
		})
	}
	type moment struct {
		at        time.Time
		positions follow.Positions
		told      string
	}
	var moments []moment
	look := func() (more bool) {
		t.Helper()
		_, changed := f.Version()
		err := f.Still(func(at follow.Positions) error {
			text, err := told(f)
			if again, _ := told(f); again != text {
				t.Errorf("while it stands still it is told\n%s\nand then\n%s", text, again)
			}
			moments = append(moments, moment{time.Now(), at, text})
			// The marker behind the last record changes nothing that is told.
			more = at[r.spec.Alerts()][0] < 2*writers*txns-1
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for range between {
			select {
			case begin <- struct{}{}:
			default: // all of them have begun or may
			}
		}
		if more {
			<-changed
		}
		return more
	}
	for look() {
	}
	wg.Wait()
	// A transaction that stays open in front of what others commit: the tables do not see
	// behind it, and neither does their past.
	if err := open.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := open.ProduceSync(t.Context(), r.row("open", 1, 1, time.Now())).FirstErr(); err != nil {
		t.Fatal(err)
	}
	step := max(len(moments)/6, 1)
	for i := 0; i < len(moments); i += step {
		m := moments[i]
		if got, err := r.past(m.at, m.positions); err != nil || got != m.told {
			t.Errorf("at %s it was told\n%s\nand is told now\n%s\nerror %v", m.positions, m.told, got, err)
		}
	}
	if err := open.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	if least := writers * txns / between; len(moments) < least {
		t.Errorf("%d moments were looked at, want %d at least", len(moments), least)
	}
}

// TestTime: a time between two transactions has the first and not the second, whenever it
// is asked for; one that is to come, and one in front of all, are refused.
func TestTime(t *testing.T) {
	begin := time.Now()
	r := newRig(t, func() time.Time { return time.Now().Add(time.Minute) })
	w := r.writer("w")
	oldest := r.row("a", 100, 1, time.Now())
	r.txn(w, kgo.TryCommit, oldest, r.alert("one", time.Now()))
	first := r.between()
	r.txn(w, kgo.TryAbort, r.row("a", 900, 2, time.Now()), r.alert("none", time.Now()))
	r.txn(w, kgo.TryCommit, r.row("a", 200, 2, time.Now()), r.row("bb", 5, 1, time.Now()), r.alert("two", time.Now()))
	second := r.between()
	for range 2 {
		for at, want := range map[time.Time]string{first: `1.00 0.00 ["a"]=1.00`, second: `2.05 0.00 ["a"]=2.00 ["bb"]=0.05`} {
			positions, err := r.pasts.Positions(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := r.past(at, positions); err != nil || !strings.HasPrefix(got, want+" as of") {
				t.Errorf("at %s, %s, it is %s, error %v, want %s", at, positions, got, err, want)
			}
		}
		r.txn(w, kgo.TryCommit, r.row("a", 300, 3, time.Now()), r.row("ccc", 7, 1, time.Now()), r.alert("three", time.Now()))
	}
	for at, want := range map[time.Time]string{begin.Add(-time.Second): "there are no contributions from before " + oldest.Timestamp.UTC().Format(time.RFC3339), time.Now().Add(time.Hour): "is not past: it is "} {
		if _, err := r.pasts.Positions(t.Context(), at); !isRefused(err, want) {
			t.Errorf("at %s: %v, want %s", at, err, want)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := r.pasts.Positions(short, time.Now().Add(time.Minute-time.Second)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("of a time that has only just passed it is not waited for: %v", err)
	}
}

func isRefused(err error, want string) bool {
	var e *answer.Error
	return errors.As(err, &e) && e.Parameter == "as_of" && strings.Contains(e.Detail, want)
}

// TestRefused: what cannot be read any more is refused with what is known of why.
func TestRefused(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now := start.Add(40 * 24 * time.Hour)
	clock := func() time.Time { return now }
	// One that does not call itself embedded has topics that are compacted.
	r := newRig(t, clock, kfake.ClusterID("somebody-else"))
	day := func(n int) time.Time { return start.Add(time.Duration(n) * 24 * time.Hour) }
	for n := range 40 {
		r.write(r.row("a", int64(n), int64(n+1), day(n)), r.alert("one", day(n)))
	}
	positionsAt := func(at time.Time) follow.Positions {
		t.Helper()
		p, err := r.pasts.Positions(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	refusal := func(name, want string, change func(p follow.Positions)) {
		t.Helper()
		p := positionsAt(day(10))
		if change != nil {
			change(p)
		}
		if _, err := r.past(day(10), p); !isRefused(err, want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	refusal("a topic too few", "positions are of the topics", func(p follow.Positions) { delete(p, r.spec.Alerts()) })
	refusal("another number of partitions", "of 11 partitions of "+r.spec.Facts()+", which has 12", func(p follow.Positions) { p[r.spec.Facts()] = p[r.spec.Facts()][:11] })
	refusal("behind the end", "made anew since", func(p follow.Positions) { p[r.spec.Control()][0] = 1 })
	if got, err := r.past(day(10), positionsAt(day(10))); err != nil || !strings.HasPrefix(got, "0.10") {
		t.Errorf("of day 10 it is %s, error %v", got, err)
	}
	if _, err := r.past(day(3), positionsAt(day(3))); !isRefused(err, "keeps every version for 35 days only (min.compaction.lag.ms)") || !isRefused(err, "as of 2026-03-06T12:01:00Z or later") {
		t.Errorf("of day 3: %v", err)
	}
	if got, err := r.past(day(6), positionsAt(day(6))); err != nil || !strings.HasPrefix(got, "0.06") {
		t.Errorf("of day 6 it is %s, error %v", got, err)
	}
	// The end is a position that nothing can have been taken from, however old it is.
	now = day(100)
	if got, err := r.past(day(60), positionsAt(day(60))); err != nil || !strings.HasPrefix(got, "0.39") {
		t.Errorf("of day 60, behind all, it is %s, error %v", got, err)
	}
	now = day(40)
	if _, err := r.past(day(2), positionsAt(day(20))); !isRefused(err, "was written at") {
		t.Errorf("with records that are younger than the time: %v", err)
	}
	cl, err := kadm.NewOptClient(kgo.SeedBrokers(r.conn.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	before := positionsAt(day(12))
	emptied := kadm.Offsets{}
	emptied.Add(kadm.Offset{Topic: r.spec.Contributions(), Partition: 1, At: before[r.spec.Contributions()][1] + 1})
	if _, err := cl.DeleteRecords(t.Context(), emptied); err != nil {
		t.Fatal(err)
	}
	if _, err := r.past(day(12), before); !isRefused(err, "was emptied in front of offset") {
		t.Errorf("of an emptied topic: %v", err)
	}
}

// TestKept: two pasts are kept, of others the one that was asked for longest ago goes, and
// none while somebody asks of it.
func TestKept(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := newRig(t, func() time.Time { return start.Add(time.Hour) })
	var positions []follow.Positions
	for i := range 3 {
		at := start.Add(time.Duration(i) * time.Minute)
		r.write(r.row("a", int64(i), int64(i+1), at), r.alert("one", at))
		p, err := r.pasts.Positions(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		positions = append(positions, p)
	}
	onDisk := func(want string) {
		t.Helper()
		entries, err := os.ReadDir(r.dir)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("on disk are %q, want %q", got, want)
		}
	}
	ask := func(ctx context.Context, i int, within func()) error {
		return r.pasts.Read(ctx, positions[i], time.Time{}, func(f *follow.Follow, line answer.Line) error {
			if line != nil {
				t.Error("of no time there is a line")
			}
			within()
			got, err := told(f)
			if want := fmt.Sprintf("0.0%d", i); err == nil && !strings.HasPrefix(got, want) {
				t.Errorf("past %d is %s", i, got)
			}
			return err
		})
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	must(ask(t.Context(), 0, func() { onDisk("1") }))
	must(ask(t.Context(), 1, func() {
		must(ask(t.Context(), 0, func() { onDisk("1 2") })) // is kept
		must(ask(t.Context(), 2, func() {
			onDisk("2 3")
			short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := ask(short, 0, func() {}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("with two in use a third is %v", err)
			}
		}))
		// Many who want the same wait for one reading.
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { must(ask(t.Context(), 0, func() {})) })
		}
		wg.Wait()
		onDisk("2 4")
	}))
	must(r.pasts.Close())
	if err := ask(t.Context(), 0, func() {}); err == nil || !strings.Contains(err.Error(), "being stopped") {
		t.Errorf("once closed: %v", err)
	}
}

// TestGivenUp: a past is read to its end also where who asked first has given up.
func TestGivenUp(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := newRig(t, func() time.Time { return start.Add(time.Hour) })
	r.write(r.row("a", 7, 1, start))
	positions, err := r.pasts.Positions(t.Context(), start)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	given := make(chan struct{})
	r.m.Cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		cancel()
		r.m.Cluster.SleepControl(func() { <-given })
		return nil, nil, false
	})
	err = r.pasts.Read(ctx, positions, start, func(*follow.Follow, answer.Line) error { return errors.New("it was asked") })
	if !errors.Is(err, context.Canceled) || err.Error() != "what was known at 2026-03-01T12:00:00Z is being read (0 of at most 1 records): ask again in a while" {
		t.Errorf("who gives up gets %v", err)
	}
	close(given)
	if got, err := r.past(start, positions); err != nil || !strings.HasPrefix(got, "0.07") {
		t.Errorf("it is %s, error %v", got, err)
	}
	if entries, err := os.ReadDir(r.dir); err != nil || len(entries) != 1 || entries[0].Name() != "1" {
		t.Errorf("it was read again: %v, error %v", entries, err)
	}
}

// TestPatience: who asks for a past that is read for long is told how far it is, and who
// asks again gets it, or why it could not be read, from the one reading.
func TestPatience(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name string
		at   time.Time // of the positions, as far as their asker knows
		want string    // of the error once it was read; empty for the past
	}{
		{"and is read", start, ""},
		{"and cannot be read", start.Add(-time.Hour), "contributions has in front of its position what was written at 2026-03-01T12:00:00Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, func() time.Time { return start.Add(time.Hour) })
			r.write(r.row("a", 7, 1, start))
			positions, err := r.pasts.Positions(t.Context(), start)
			if err != nil {
				t.Fatal(err)
			}
			given := make(chan struct{})
			r.m.Cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
				r.m.Cluster.SleepControl(func() { <-given })
				return nil, nil, false
			})
			hasty, err := past.New(past.Config{Kafka: r.conn, Spec: r.spec, Codecs: r.codecs, Log: quiet, Clock: func() time.Time { return start.Add(time.Hour) }, Dir: filepath.Join(t.TempDir(), "past"), Patience: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			defer hasty.Close()
			ask := func() error {
				return hasty.Read(t.Context(), positions, tt.at, func(f *follow.Follow, _ answer.Line) error {
					_, err := told(f)
					return err
				})
			}
			busy := new(past.Busy)
			for end := time.Now().Add(time.Minute); busy.AtMost == 0; {
				if err := ask(); !errors.As(err, &busy) || time.Now().After(end) {
					t.Fatalf("while it is read: %v", err)
				}
			}
			if got := busy.Error(); !strings.Contains(got, "is being read (0 of at most 1 records): ask again") {
				t.Errorf("while it is read: %s", got)
			}
			close(given)
			// A reading takes longer than patience lasts, so that only one that was begun
			// before can answer.
			for end := time.Now().Add(time.Minute); ; {
				if err = ask(); !errors.As(err, &busy) || time.Now().After(end) {
					break
				}
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("once it was read: %v, want %q", err, tt.want)
			}
		})
	}
}

// TestKafka: on a real Kafka the broker's stamps tell what was there at a time, whatever
// producers stamped; a transaction that was open then counts once it is committed; and
// what may be compacted at any time is refused.
func TestKafka(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a broker")
	}
	local.SkipUnlessAvailable(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cluster, err := local.Start(ctx, local.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Stop)
	r := onCluster(t, func() time.Time { return time.Now().Add(30 * time.Second) }, cluster.Conn(), 3)
	future := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	w, open := r.writer("w"), r.writer("open")
	r.txn(w, kgo.TryCommit, r.row("a", 100, 1, future), r.alert("one", future))
	r.txn(w, kgo.TryAbort, r.row("a", 900, 2, future), r.alert("none", future))
	if err := open.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := open.ProduceSync(ctx, r.row("a", 200, 3, future)).FirstErr(); err != nil {
		t.Fatal(err)
	}
	at := r.between()
	r.txn(w, kgo.TryCommit, r.row("a", 300, 4, future), r.alert("two", future))
	positions, err := r.pasts.Positions(ctx, at)
	if err != nil {
		t.Fatal(err)
	}
	short, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	if err := r.pasts.Read(short, positions, at, func(*follow.Follow, answer.Line) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while a transaction is open in front of %s: %v", positions, err)
	}
	if err := open.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if again, err := r.pasts.Positions(ctx, at); err != nil || again.String() != positions.String() {
		t.Errorf("of the same time the positions are %s and then %s, error %v", positions, again, err)
	}
	if got, err := r.past(at, positions); err != nil || !strings.HasPrefix(got, `2.00 0.00 ["a"]=2.00`) || !strings.Contains(got, "one@") || strings.Contains(got, "two@") {
		t.Errorf("it is %s, error %v", got, err)
	}
	later, err := r.pasts.Positions(ctx, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	admin, err := kadm.NewOptClient(kgo.SeedBrokers(r.conn.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	lag := "1"
	if _, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "min.compaction.lag.ms", Value: &lag}}, r.spec.Contributions()); err != nil {
		t.Fatal(err)
	}
	// The controller has taken it; the broker tells it once it has heard of it.
	for kept := map[string]time.Duration{}; kept[r.spec.Contributions()] != time.Millisecond; {
		if kept, err = kafka.Kept(ctx, r.conn, r.spec.Contributions()); err != nil {
			t.Fatal(err)
		}
	}
	second := positions[r.spec.Contributions()]
	second[1]-- // another past, so that it is not told by the one that is kept
	if _, err := r.past(at, positions); !isRefused(err, "keeps every version for 1ms only") {
		t.Errorf("where versions are compacted at once: %v", err)
	}
	if got, err := r.past(time.Time{}, later); err != nil || !strings.HasPrefix(got, "3.00") {
		t.Errorf("of the end it is %s, error %v", got, err)
	}
}

// TestLine: the feeds as they stood at a time, with their newest record and dead letters.
func TestLine(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := newRig(t, func() time.Time { return start.Add(time.Hour) })
	raw, dead := r.spec.RawTopic("crm", "acme"), r.spec.DeadLetterTopic("crm", "acme")
	for i := range 6 {
		at := start.Add(time.Duration(i) * time.Minute)
		letter := &kgo.Record{Topic: dead, Timestamp: at, Value: []byte("x"), Headers: []kgo.RecordHeader{{Key: "tracksource.code", Value: fmt.Appendf(nil, "code-%d", i%2)}}}
		r.write(&kgo.Record{Topic: raw, Partition: int32(i % 3), Timestamp: at, Value: []byte("x")}, letter, r.row("a", 1, int64(i), at), r.alert("one", at))
	}
	positions, err := r.pasts.Positions(t.Context(), start.Add(3*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	for minute, want := range map[int]string{3: "12:03:00 [2 1 1] map[code-0:2 code-1:2] 4", 2: "12:02:00 [1 1 1] map[code-0:2 code-1:1] 3", 5: "12:05:00 [2 2 2] map[code-0:3 code-1:3] 6"} {
		err = r.pasts.Read(t.Context(), positions, start.Add(time.Duration(minute)*time.Minute), func(_ *follow.Follow, l answer.Line) error {
			state, err := l.State(t.Context())
			if err != nil {
				return err
			}
			if len(state.Feeds) != 1 || len(state.Groups) != 0 {
				t.Fatalf("the line is %+v", state)
			}
			if got := fmt.Sprint(state.Feeds[0].Newest.Format(time.TimeOnly), " ", state.Feeds[0].Ends, " ", state.Feeds[0].Codes, " ", state.Feeds[0].Dead); got != want {
				t.Errorf("at minute %d the feed is %s, want %s", minute, got, want)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

package answer_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/internal/answer"
	"tracksource/internal/control"
	"tracksource/internal/daemon"
	"tracksource/internal/follow"
	"tracksource/money"
	"tracksource/report"
	"tracksource/report/render"
	"tracksource/schemas/avro"
	"tracksource/state"
	"tracksource/stream"
)

const (
	packageRows  = 1_000_000
	packageDeals = 100_000
	packageDays  = 400
)

// packageMeasures are the measures of the rows, and how many of a hundred rows they are:
// people and credited values have more dimensions than what is whole for each partner.
func packageMeasures() map[string]int {
	return map[string]int{
		"pipeline_created": 12, "pipeline_open": 8, "revenue": 10, "opportunities": 12, "won": 8, "lost": 8, "inquiry": 8, "MQL": 8, "SAL": 7, "SQL": 8,
		"pipeline_sourced": 2, "revenue_sourced": 2, "pipeline_influenced": 2, "revenue_influenced": 2, "pipeline_co_sell": 1, "revenue_co_sell": 1, "opportunities_influenced": 1,
	}
}

// large is a campaign of 400 days: its million rows are of all measures under three of its
// models, its deals of five partners have six touches on the average.
type large struct {
	*rig
	rng  *rand.Rand
	zone *contract.Contract
}

func (l *large) pick(of string, n int) string { return of + strconv.Itoa(l.rng.IntN(n)) }

func (l *large) partner() string {
	return []string{"acme", "globex", "initech", "umbrella", "(none)"}[l.rng.IntN(5)]
}

func (l *large) segment() string {
	return []string{"Enterprise", "Mid-Market", "Small Business"}[l.rng.IntN(3)]
}

// send has records of a topic followed, some thousands at a time.
func (l *large) send(topic string, n int, record func(i int) (key, value []byte)) {
	l.t.Helper()
	const most = 4000
	for i := 0; i < n; i += most {
		var records []stream.Record
		for at := i; at < min(n, i+most); at++ {
			key, value := record(at)
			records = append(records, stream.Record{Topic: topic, Offset: int64(at), Key: key, Value: value, Timestamp: now})
		}
		if err := l.follow.Take(topic, records...); err != nil {
			l.t.Fatal(err)
		}
	}
}

func (l *large) fillRows() {
	var names []string
	for name, share := range packageMeasures() {
		for range share {
			names = append(names, name)
		}
	}
	today, _ := money.ParseDay("2026-05-20")
	models := []string{"first-touch", "last-touch", "linear"}
	l.send(l.spec.Contributions(), packageRows, func(i int) (key, value []byte) {
		day := today.Add(-l.rng.IntN(packageDays)).String()
		m := attribution.MeasureNamed(names[i/len(models)%len(names)])
		row := avro.ContributionRow{
			Contract: campaign, Measure: m.Name, Model: models[i%len(models)], Day: day, Partner: l.partner(), Channel: l.pick("Channel ", 24), Asset: l.pick("asset-", 60),
			Region: l.pick("Region ", 4), Segment: l.segment(), Source: l.pick("source-", 40), TouchCampaign: "this", Escrow: "(none)", Booked: day,
			Currency: "USD", Version: 1, UpdatedAt: now, AsOf: now,
		}
		exponent := 2
		if m.Count {
			row.Currency, exponent = "", attribution.CountExponent
		}
		amount := 1000 + l.rng.Int64N(5_000_000)
		if err := errors.Join(row.SetValue(amount, exponent), row.SetConfident(amount/10*9, exponent)); err != nil {
			l.t.Fatal(err)
		}
		k := keyOf(&row)
		return encoded(l.t, l.codecs.ContributionKey, k), encoded(l.t, l.codecs.ContributionRow, row)
	})
}

func (l *large) fillFacts(deals int) {
	l.t.Helper()
	l.send(l.spec.Facts(), deals, func(i int) (key, value []byte) {
		f := l.facts(i)
		k := avro.FactsKey{Contract: f.Contract, Conversion: f.Conversion, Account: f.Account, Revision: f.Revision, SourcePartition: f.SourcePartition}
		return encoded(l.t, l.codecs.FactsKey, k), encoded(l.t, l.codecs.Facts, *f)
	})
}

// facts draws one deal: two in five are won, one is lost, two are open.
func (l *large) facts(i int) *avro.Facts {
	created := now.Add(-time.Duration(1+l.rng.IntN(packageDays*24)) * time.Hour)
	closed := created.Add(time.Duration(24+l.rng.IntN(60*24)) * time.Hour)
	f := &avro.Facts{
		Kind: "facts", Generation: 1, Contract: campaign, Revision: 1, Account: company(i), Conversion: fmt.Sprintf("acme/salesforce/opportunity/006%012d", i),
		State: "open", Stage: "Qualification", Milestone: "SQL", CreatedAt: &created, CloseDate: closed.Format(time.DateOnly),
		Amount: strconv.Itoa(500+l.rng.IntN(90_000)) + ".00", Currency: "USD", LeadSource: []string{"Webinar", "Web", "Partner", "Event"}[l.rng.IntN(4)], CampaignID: "701AILAUNCHTOUR",
		Region: l.pick("Region ", 4), Segment: l.segment(), Sourced: avro.FactsSourced{Partner: l.partner(), By: "touch"}, AsOf: now,
	}
	f.Stages = []avro.FactsStage{{Stage: "Qualification", State: "open", Milestone: "SQL", At: created, EventID: fmt.Sprint("q", i)}}
	if end := l.rng.IntN(5); end <= 2 && closed.Before(now) {
		f.State, f.Stage, f.Milestone = "won", "Closed Won", ""
		if end == 2 {
			f.State, f.Stage = "lost", "Closed Lost"
		}
		f.Stages = append(f.Stages, avro.FactsStage{Stage: f.Stage, State: f.State, At: closed, EventID: fmt.Sprint("w", i)})
	}
	touches := 3 + l.rng.IntN(7)
	at := created.AddDate(0, 0, -30)
	var early, all []int32
	for n := range touches {
		at = at.Add(time.Duration(1+l.rng.IntN(2*35*24/touches)) * time.Hour)
		item := fmt.Sprintf("%08x-%04x-%d", l.rng.Uint32(), l.rng.Uint32()&0xFFFF, n)
		f.Touches = append(f.Touches, avro.FactsTouch{
			ID: avro.FactsItem{Reporter: "globex", Source: "ga4", Item: item}, At: at, Type: "visit", Channel: l.pick("Channel ", 24), Partner: l.partner(),
			Asset: l.pick("asset-", 60), Source: l.pick("source-", 40), Campaign: "this", Person: fmt.Sprintf("%016x%016x", i, l.rng.IntN(3)),
		})
		if !at.After(created) {
			early = append(early, int32(n))
		}
		if f.State == "open" || !at.After(closed) {
			all = append(all, int32(n))
		}
	}
	f.Rules = []string{"campaign: utm_campaign; channel: GA4 Email; partner: credit.utm_source." + f.Sourced.Partner}
	cents := int64(0)
	_, _ = fmt.Sscan(strings.ReplaceAll(f.Amount, ".", ""), &cents)
	measure := func(name string, day time.Time, path []int32) {
		m := attribution.MeasureNamed(name)
		out := avro.FactsMeasure{
			Measure: name, Day: l.zone.Day(day).String(), At: &day, Value: 1_000_000, Exponent: attribution.CountExponent, InScope: true, Path: path,
			Influenced: []string{"acme", "globex"}, CoSell: []string{"globex"}, Confidence: avro.FactsConfidence{Identity: 700_000 + l.rng.IntN(300_000), Taxonomy: 1_000_000, Currency: 1_000_000, Agreement: 1_000_000, Overall: 700_000 + l.rng.IntN(300_000)},
		}
		if !m.Count {
			out.Value, out.Exponent, out.Currency = cents, 2, "USD"
		}
		f.Measures = append(f.Measures, out)
	}
	for _, name := range []string{"opportunities", "pipeline_created", "pipeline_sourced", "SQL"} {
		measure(name, created, early)
	}
	switch f.State {
	case "open":
		measure("pipeline_open", created, early)
	case "won":
		for _, name := range []string{"revenue", "revenue_sourced", "won"} {
			measure(name, closed, all)
		}
	case "lost":
		measure("lost", closed, all)
	}
	return f
}

// packageFigures are what a part of making a package took, in a process of its own.
type packageFigures struct {
	Seconds []float64 // of the first time and of one when all is in memory
	PeakKiB int64     // what the process had at most, with what it maps of the store
	OwnKiB  int64     // the same without what it maps, looked at all the time
	Bytes   int64     // of JSON
}

// memory is a line of what the kernel says of this process's memory, in KiB.
func memory(name string) (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			return strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		}
	}
	return 0, fmt.Errorf("no %s in /proc/self/status", name)
}

// ownPeak looks at the memory that is this process's own until it is stopped, which returns
// the most that it saw.
func ownPeak() (stop func() int64) {
	done, most := make(chan struct{}), make(chan int64)
	go func() {
		peak, tick := int64(0), time.NewTicker(20*time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if now, err := memory("RssAnon"); err == nil {
					peak = max(peak, now)
				}
			case <-done:
				most <- peak
				return
			}
		}
	}()
	return func() int64 { close(done); return <-most }
}

// The parts of making a package: what the reporter does, what the command does, and both
// in one process.
const (
	partReporter = "reporter"
	partCommand  = "command"
	partBoth     = "both"
)

// TestPackagePart is one part of BenchmarkPackage, in the process that is measured.
func TestPackagePart(t *testing.T) {
	part, dir := os.Getenv("BENCH_PACKAGE_PART"), os.Getenv("BENCH_PACKAGE_DIR")
	if part == "" {
		t.Skip("a part of BenchmarkPackage")
	}
	var out packageFigures
	own := ownPeak()
	var ask func() []byte
	if part != partCommand {
		ask = packageAsker(t, dir)
	}
	saved := filepath.Join(dir, "package.json")
	for range 2 {
		began := time.Now()
		var answered []byte
		if part != partCommand {
			answered = ask()
			out.Bytes = int64(len(answered))
		}
		if part == partReporter {
			out.Seconds = append(out.Seconds, time.Since(began).Seconds())
			if err := os.WriteFile(saved, answered, 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if part == partCommand {
			var err error
			if answered, err = os.ReadFile(saved); err != nil {
				t.Fatal(err)
			}
			began = time.Now()
		}
		rendered(t, answered)
		out.Seconds = append(out.Seconds, time.Since(began).Seconds())
	}
	out.OwnKiB = own()
	var err error
	if out.PeakKiB, err = memory("VmHWM"); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, part+".json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// packageAsker opens the store of the benchmark and returns what asks for its package, in
// JSON as the API writes it, while garbage is collected as the reporter does. The stores of
// the partitions that the reporter folds besides are open and idle.
func packageAsker(t testing.TB, dir string) func() []byte {
	const partitions, storesMax = 12, 20
	codecs, spec := wire(t)
	stores, err := state.OpenDir(state.Config{Path: filepath.Join(dir, "store"), MaxOpen: storesMax, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stores.Close() })
	for i := range partitions {
		if _, err := stores.Open(fmt.Sprintf("reporter-%03d", i)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := follow.Offline(follow.Config{Codecs: codecs, Spec: spec, Log: quiet, Clock: func() time.Time { return now }}, stores)
	if err != nil {
		t.Fatal(err)
	}
	a, err := answer.New(answer.Config{Follow: f, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	garbage := new(daemon.Garbage)
	return func() []byte {
		defer garbage.Eager()()
		p, err := a.Package(ctx, operator, answer.Query{Campaign: campaign, Window: "365d", By: []string{"partner", "channel"}})
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// rendered does with an answer what the command does.
func rendered(t testing.TB, answered []byte) {
	p := new(report.Package)
	if err := json.Unmarshal(answered, p); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Check(), p.CheckSums()); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	err := render.Files(p, render.Formats(), func(name string) (io.WriteCloser, error) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		file, err := os.Create(path) //nolint:gosec // names of a renderer, below a directory of the test
		if err != nil {
			return nil, err
		}
		return &buffered{bufio.NewWriterSize(file, 1<<16), file}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

type buffered struct {
	*bufio.Writer
	file *os.File
}

func (b *buffered) Close() error { return errors.Join(b.Flush(), b.file.Close()) }

// BenchmarkPackage makes a package of a million rows and 100,000 deals, in processes that
// start when the rows are on disk: the reporter's part, the command's, and both in one.
// What a process has of the processors is what a machine that does other things as well can
// compare. BENCH_PACKAGE_STORE names a directory in which the store is kept for another run.
func BenchmarkPackage(b *testing.B) {
	dir := os.Getenv("BENCH_PACKAGE_STORE")
	if dir == "" {
		dir = b.TempDir()
	}
	if _, err := os.Stat(filepath.Join(dir, "filled")); err != nil {
		fillStore(b, dir)
		settleStore(b, dir)
	}
	for _, part := range []string{partReporter, partCommand, partBoth} {
		b.Run(part, func(b *testing.B) {
			var of packageFigures
			var took time.Duration
			for b.Loop() {
				c := exec.CommandContext(b.Context(), os.Args[0], "-test.run", "^TestPackagePart$") //nolint:gosec // this very test
				c.Env = append(os.Environ(), "BENCH_PACKAGE_PART="+part, "BENCH_PACKAGE_DIR="+dir)
				if out, err := c.CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
				took = c.ProcessState.UserTime() + c.ProcessState.SystemTime()
				found, err := os.ReadFile(filepath.Join(dir, part+".json"))
				if err != nil {
					b.Fatal(err)
				}
				if err := json.Unmarshal(found, &of); err != nil {
					b.Fatal(err)
				}
			}
			const kibPerMiB = 1024
			b.ReportMetric(of.Seconds[0], "s/cold")
			b.ReportMetric(of.Seconds[1], "s/warm")
			b.ReportMetric(took.Seconds(), "cpu-s/both-times")
			b.ReportMetric(float64(of.PeakKiB)/kibPerMiB, "MiB/peak")
			b.ReportMetric(float64(of.OwnKiB)/kibPerMiB, "MiB/own-peak")
			b.ReportMetric(float64(of.Bytes)/(kibPerMiB*kibPerMiB), "MiB/json")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// settleStore lets a process make a package that nobody measures: who opens a store that was
// just filled puts its files in order beside, which takes some hundred MiB of its own.
func settleStore(b *testing.B, dir string) {
	b.Helper()
	c := exec.CommandContext(b.Context(), os.Args[0], "-test.run", "^TestPackagePart$") //nolint:gosec // this very test
	c.Env = append(os.Environ(), "BENCH_PACKAGE_PART="+partReporter, "BENCH_PACKAGE_DIR="+dir)
	if out, err := c.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
}

func fillStore(b *testing.B, dir string) {
	b.Helper()
	r := newRig(b, 0)
	stores, err := state.OpenDir(state.Config{Path: filepath.Join(dir, "store"), Log: quiet})
	if err != nil {
		b.Fatal(err)
	}
	if r.follow, err = follow.Offline(follow.Config{Codecs: r.codecs, Spec: r.spec, Log: quiet, Clock: func() time.Time { return now }}, stores); err != nil {
		b.Fatal(err)
	}
	c, err := control.Revise(document(), 0, now.AddDate(0, -3, 0))
	if err != nil {
		b.Fatal(err)
	}
	r.decide(c)
	l := &large{r, rand.New(rand.NewPCG(1, 2)), parsed(b)}
	l.fillRows()
	l.fillFacts(packageDeals)
	if err := errors.Join(stores.Close(), os.WriteFile(filepath.Join(dir, "filled"), nil, 0o600)); err != nil {
		b.Fatal(err)
	}
}

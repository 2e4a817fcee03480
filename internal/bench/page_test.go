package bench_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tracksource/internal/sample"
	"tracksource/stream"
)

const (
	// pageEvents is the sample that is on the page in front of it.
	pageEvents = 10_000
	// pageProbes are the deals that are followed to the page at each rate, and
	// pageAmount what the first of them is worth; each is worth one more than the one
	// before it.
	pageProbes = 100
	pageAmount = 1000
	// pageWait is how long a probe is waited for. A line that cannot carry the rate
	// is behind by more than that soon.
	pageWait = 20 * time.Second
	// pageSource is what no other touch came by, so that only probes are in the numbers.
	pageSource  = "probe"
	pageMeasure = "pipeline_created"
)

// pageRates are the events a second beside the probes; BENCH_RATE gives others, such
// as 0,2000.
func pageRates(b *testing.B) []int {
	text := os.Getenv("BENCH_RATE")
	if text == "" {
		return []int{0, 5000}
	}
	var rates []int
	for one := range strings.SplitSeq(text, ",") {
		rate, err := strconv.Atoi(one)
		if err != nil {
			b.Fatal(err)
		}
		rates = append(rates, rate)
	}
	return rates
}

// BenchmarkPage measures from a deal acknowledged by the broker, raw, to its amount in
// what a page shows: the API says that something changed, and the report is asked for
// again. With Chromium and its driver at hand it also measures until the page itself
// shows the amount.
func BenchmarkPage(b *testing.B) {
	for _, broker := range brokers() {
		b.Run(broker, func(b *testing.B) {
			rates := pageRates(b)
			for b.Loop() {
				r := newRig(b, broker)
				r.serves = true
				n := pageEvents
				for _, rate := range rates {
					n += rate * loadSeconds
				}
				world := sample.Generate(sample.Config{Events: n})
				r.rules(world)
				all := r.startAll()
				r.pageAccounts(pageProbes * (len(rates) + 1))
				p := &page{rig: r, url: all[tierReporter].page, others: world.Events[pageEvents:]}
				world.Events = world.Events[:pageEvents]
				r.events(world) // what there is to be summed
				r.rest(all)
				for _, rate := range rates {
					p.measure(rate, p.watch)
					r.rest(all)
				}
				if why := noBrowser(); why == nil {
					p.measure(0, p.browse)
				} else {
					b.Logf("no browser: %v", why)
				}
				for _, x := range all {
					x.stop()
				}
			}
		})
	}
}

// pageAccounts sends accounts that were touched once, each of which gets one deal.
func (r *rig) pageAccounts(n int) {
	topic := r.spec.RawTopic("crm", "acme")
	var ms []stream.Message
	for i := range n {
		ms = append(ms, cdc(topic, fmt.Sprintf("001PAGE%06d", i), "Account", fmt.Sprintf(`"Website":"page%d.example.com","BillingCountry":"DE","NumberOfEmployees":500`, i)))
		ms = append(ms, r.touch(fmt.Sprintf("page-%d", i), fmt.Sprintf("page%d", i), pageSource, fmt.Sprintf("page%d.example.com", i)))
	}
	r.send(ms...)
}

// page is the page of a rig, and what was sent.
type page struct {
	*rig
	url    string
	sent   int            // probes
	total  int64          // of their amounts
	others []sample.Event // to be sent beside them
}

// watched is a sight of the total at some time.
type watched struct {
	total string // decimal text
	at    time.Time
}

// measure sends probes one at a time beside so many other events a second and takes
// how long each is on its way.
func (p *page) measure(rate int, watch func(ctx context.Context) (what string, seen <-chan watched)) {
	p.b.Helper()
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	what, seen := watch(ctx)
	producer, err := stream.NewProducer(stream.Conn{Brokers: p.conn.Brokers}, p.log)
	if err != nil {
		p.b.Fatal(err)
	}
	defer producer.Close()
	what += ", idle"
	load := &load{}
	if rate > 0 {
		what = strings.TrimSuffix(what, "idle") + strconv.Itoa(rate) + "/s"
		load = p.load(rate)
	}
	var took []time.Duration
	for range pageProbes {
		p.total += int64(pageAmount + p.sent)
		deal := cdc(p.spec.RawTopic("crm", "acme"), fmt.Sprintf("006PAGE%06d", p.sent), "Opportunity", fmt.Sprintf(
			`"AccountId":"001PAGE%06d","StageName":"Qualification","Amount":%d,"CurrencyIsoCode":"USD","CreatedDate":1774000000000`, p.sent, pageAmount+p.sent))
		p.sent++
		if err := producer.Send(p.ctx, deal); err != nil {
			p.b.Fatal(err)
		}
		one, ok := p.arrives(seen, time.Now())
		if !ok && rate == 0 {
			p.b.Fatalf("%s: probe %d was not seen in %v", what, p.sent, pageWait)
		} else if !ok {
			what += ", not carried"
			break
		}
		took = append(took, one)
		// Not in step with anything, and longer than a row or a page is held.
		time.Sleep(300*time.Millisecond + time.Duration(p.sent%7)*13*time.Millisecond)
	}
	figures := map[string]float64{}
	if len(took) > 0 {
		figures["p50 ms"], figures["p99 ms"] = quantile(took, 0.5), quantile(took, 0.99)
	}
	if rate > 0 {
		figures["records/s"] = load.end()
	}
	found.add(result{What: what, Broker: p.broker, Records: int64(len(took)), Figures: figures})
}

// arrives waits until the total has what was sent so far.
func (p *page) arrives(seen <-chan watched, began time.Time) (took time.Duration, ok bool) {
	p.b.Helper()
	for limit := time.After(pageWait); ; {
		select {
		case w, open := <-seen:
			if !open {
				p.b.Fatal("nobody watches the page any more")
			}
			if strings.TrimSuffix(w.total, ".00") == strconv.FormatInt(p.total, 10) {
				return max(w.at.Sub(began), 0), true
			}
		case <-limit:
			return 0, false
		}
	}
}

// quantile is one of durations, in milliseconds.
func quantile(took []time.Duration, q float64) float64 {
	slices.Sort(took)
	return float64(took[int(q*float64(len(took)-1))].Microseconds()) / 1000
}

func (p *page) query() url.Values {
	return url.Values{"window": {"all"}, "source": {pageSource}, "measure": {pageMeasure}}
}

// watch does what a page does: it asks for the report whenever the stream says that
// something changed.
func (p *page) watch(ctx context.Context) (string, <-chan watched) {
	p.b.Helper()
	changes, seen := p.changes(ctx), make(chan watched, 1)
	go func() {
		defer close(seen)
		tag := ""
		for range changes {
			total, next, err := p.ask(ctx, tag)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				p.b.Error(err)
				return
			case next == tag:
				continue
			}
			tag = next
			select {
			case seen <- watched{total, time.Now()}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return "to the page's API", seen
}

// changes is the stream of changes. Those that come while nobody takes one are one.
func (p *page) changes(ctx context.Context) <-chan struct{} {
	p.b.Helper()
	resp, err := p.get(ctx, "/api/v1/events", nil, "")
	if err != nil {
		p.b.Fatal(err)
	}
	changes := make(chan struct{}, 1)
	go func() {
		defer close(changes)
		defer resp.Body.Close()
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if lines.Text() == "event: change" {
				select {
				case changes <- struct{}{}:
				default:
				}
			}
		}
	}()
	return changes
}

func (p *page) get(ctx context.Context, path string, q url.Values, tag string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(p.url, "/")+path+"?"+q.Encode(), nil)
	if err != nil {
		return nil, err
	}
	if tag != "" {
		req.Header.Set("If-None-Match", tag)
	}
	return http.DefaultClient.Do(req)
}

// ask asks for the report, unless it is that of the tag.
func (p *page) ask(ctx context.Context, tag string) (total, next string, err error) {
	resp, err := p.get(ctx, "/api/v1/report", p.query(), tag)
	if err != nil {
		return total, tag, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotModified:
		return total, tag, nil
	default:
		return total, tag, fmt.Errorf("report: %s", resp.Status)
	}
	var report struct {
		Tiles []struct{ Measure, Total string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&report); err != nil {
		return total, tag, err
	}
	for _, t := range report.Tiles {
		if t.Measure == pageMeasure {
			return t.Total, resp.Header.Get("ETag"), nil
		}
	}
	return total, tag, fmt.Errorf("the report has no %s", pageMeasure)
}

const browserDir = "../dashboard/e2e"

// noBrowser is why the page itself cannot be watched.
func noBrowser() error {
	for _, name := range []string{"chromium", "node"} {
		if _, err := exec.LookPath(name); err != nil {
			return err
		}
	}
	_, err := os.Stat(browserDir + "/node_modules")
	return err
}

// browse watches the page in a browser.
func (p *page) browse(ctx context.Context) (string, <-chan watched) {
	p.b.Helper()
	cmd := exec.CommandContext(ctx, "node", "watch.mjs", strings.TrimSuffix(p.url, "/")+"/?"+p.query().Encode(), pageMeasure)
	cmd.Dir, cmd.Stderr, cmd.Cancel = browserDir, os.Stderr, func() error { return cmd.Process.Signal(os.Interrupt) }
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		p.b.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "CHROMIUM="+chromium)
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.b.Fatal(err)
	}
	seen := make(chan watched, 1)
	go func() {
		defer close(seen)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			at, total, _ := strings.Cut(lines.Text(), " ")
			ms, err := strconv.ParseInt(at, 10, 64)
			if err != nil {
				p.b.Error(err)
				return
			}
			seen <- watched{total, time.UnixMilli(ms)}
		}
		_ = cmd.Wait() // it was told to end
	}()
	p.b.Cleanup(func() {
		for range seen { // until it has ended
		}
	})
	for range seen {
		break // it is open, and follows
	}
	return "to the page in Chromium", seen
}

// load is events that are sent at a rate.
type load struct {
	quit  chan struct{}
	ended chan struct{}
	sent  int
	began time.Time
	took  time.Duration
}

const (
	// loadEvery is how often a part of a second's events is sent.
	loadEvery = 20 * time.Millisecond
	// loadSeconds is for how long there are events: probes end before.
	loadSeconds = 90
)

// load sends events until it ends or has no more. What it could not send in time it
// sends with the next part: the rate is that of the whole.
func (p *page) load(rate int) *load {
	others := p.others[:rate*loadSeconds]
	p.others = p.others[len(others):]
	l := &load{quit: make(chan struct{}), ended: make(chan struct{}), began: time.Now()}
	producer, err := stream.NewProducer(stream.Conn{Brokers: p.conn.Brokers}, p.log)
	if err != nil {
		p.b.Fatal(err)
	}
	go func() {
		defer close(l.ended)
		defer producer.Close()
		defer func() { l.took = time.Since(l.began) }()
		tick := time.NewTicker(loadEvery)
		defer tick.Stop()
		for len(others) > 0 {
			select {
			case <-l.quit:
				return
			case <-tick.C:
			}
			due := min(int(time.Since(l.began).Seconds()*float64(rate))-l.sent, len(others))
			ms := make([]stream.Message, due)
			for i, e := range others[:due] {
				ms[i] = stream.Message{Topic: p.spec.RawTopic(e.Feed, e.Reporter), Key: e.Key, Value: e.Payload}
			}
			others = others[due:]
			if err := producer.Send(p.ctx, ms...); err != nil {
				p.b.Error(err)
				return
			}
			l.sent += due
		}
	}()
	return l
}

// end ends it and returns how many it sent a second.
func (l *load) end() float64 {
	close(l.quit)
	<-l.ended
	return float64(l.sent) / l.took.Seconds()
}

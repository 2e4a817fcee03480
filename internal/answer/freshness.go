package answer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tracksource/deploy/kafka"
	"tracksource/internal/control"
	"tracksource/internal/follow"
	"tracksource/internal/governance"
	"tracksource/internal/line"
	"tracksource/money"
	"tracksource/report"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// Line says how the topics in front of what is followed stand. An answer may be a few
// seconds old, and is nobody's to change.
type Line interface {
	State(ctx context.Context) (*LineState, error)
}

// LineState is how the line stands.
type LineState struct {
	Feeds  []FeedState
	Groups []GroupState
}

// FeedState is how one feed stands.
type FeedState struct {
	kafka.Feed
	Topic   string
	Ends    []int64   // the next offset of each of its partitions
	Newest  time.Time // of its records; zero without any
	Records int64
	Lag     int64
	// Dead is how many dead letters there are, Codes why the newest of them are.
	Dead  int64
	Codes map[string]int64
}

// GroupState is how far a consumer group is behind.
type GroupState struct {
	Group string
	// Lag is how many records are left to it. Of a partition with many it is the number
	// of their places, markers of transactions among them.
	Lag int64
}

// Broker asks the brokers how the line stands, once in a few seconds for all who ask.
type Broker struct {
	kafka kafka.Conn
	spec  kafka.Spec
	log   *slog.Logger
	clock func() time.Time
	wait  time.Duration // for an answer of the brokers

	mu    sync.Mutex // held while the brokers are asked
	at    time.Time  // guarded by mu
	state *LineState // guarded by mu
}

// NewBroker makes a Broker.
func NewBroker(conn kafka.Conn, spec kafka.Spec, log *slog.Logger, clock func() time.Time) *Broker {
	return &Broker{kafka: conn, spec: spec, log: log, clock: clock, wait: lineWait}
}

const (
	// lineAge is how old an answer of the brokers may be, lineWait how long one is
	// waited for.
	lineAge  = 5 * time.Second
	lineWait = 10 * time.Second
	// deadRead is how many places of each partition of dead letters are read for codes.
	deadRead = 2000
	// lagRead is up to how many places behind the end a partition is read, to count the
	// records in them. What is behind by more is so by about as many.
	lagRead = 64
	// headerCode is the header of a dead letter that says why it is one.
	headerCode = "tracksource.code"
)

// State implements Line.
func (b *Broker) State(ctx context.Context) (*LineState, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state != nil && b.clock().Sub(b.at) < lineAge {
		return b.state, nil
	}
	ctx, cancel := context.WithTimeout(ctx, b.wait)
	defer cancel()
	state, err := b.ask(ctx)
	if err != nil {
		return nil, err
	}
	b.state, b.at = state, b.clock()
	return state, nil
}

func (b *Broker) ask(ctx context.Context) (*LineState, error) {
	raw, dead := b.spec.RawTopics(), b.spec.DeadLetterTopics()
	ends, err := kafka.EndOffsets(ctx, b.kafka, slices.Concat(raw, dead)...)
	if err != nil {
		return nil, err
	}
	starts, err := kafka.StartOffsets(ctx, b.kafka, dead...)
	if err != nil {
		return nil, err
	}
	newest, err := kafka.NewestTimes(ctx, b.kafka, raw...)
	if err != nil {
		return nil, err
	}
	state := &LineState{}
	lags, err := b.lags(ctx, state)
	if err != nil {
		return nil, err
	}
	only := func(o kafka.Offsets, topic string) int64 { return kafka.Offsets{topic: o[topic]}.Total() }
	for _, f := range b.spec.Feeds() {
		topic, letters := b.spec.RawTopic(f.Kind, f.Partner), b.spec.DeadLetterTopic(f.Kind, f.Partner)
		one := FeedState{Feed: f, Topic: topic, Ends: ends.Of(topic), Newest: newest[topic], Records: only(ends, topic), Lag: only(lags, topic), Codes: map[string]int64{}}
		one.Dead = only(ends, letters) - only(starts, letters)
		if one.Dead > 0 {
			if err := b.codes(ctx, letters, &one, ends[letters], starts[letters]); err != nil {
				return nil, err
			}
		}
		state.Feeds = append(state.Feeds, one)
	}
	return state, nil
}

// lags notes how far each group is behind, and returns that of each partition. What is
// left of a partition is counted where it is little, since markers of transactions have
// places too: a line at rest would else be behind by one for each partition that a
// transaction wrote to. Offsets of the groups are asked for in front of the ends, which
// the groups in front of them move.
func (b *Broker) lags(ctx context.Context, state *LineState) (kafka.Offsets, error) {
	groups := b.spec.Groups()
	at := map[string]kafka.Offsets{}
	var topics []string
	for _, g := range groups {
		var err error
		if at[g.Name], err = kafka.GroupOffsets(ctx, b.kafka, g.Name); err != nil {
			return nil, err
		}
		topics = append(topics, g.Topics...)
	}
	starts, err := kafka.StartOffsets(ctx, b.kafka, topics...)
	if err != nil {
		return nil, err
	}
	ends, err := kafka.EndOffsets(ctx, b.kafka, topics...)
	if err != nil {
		return nil, err
	}
	lags, few := kafka.Offsets{}, map[string]map[int32]stream.Span{}
	for _, g := range groups {
		for _, topic := range g.Topics {
			lags[topic], few[topic] = map[int32]int64{}, map[int32]stream.Span{}
			for p, end := range ends[topic] {
				left := stream.Span{From: max(at[g.Name][topic][p], starts[topic][p]), End: end}
				if lags[topic][p] = max(left.End-left.From, 0); lags[topic][p] <= lagRead {
					few[topic][p] = left
				}
			}
		}
	}
	counts, err := stream.CountRecords(ctx, line.StreamConn(b.kafka), b.log, few)
	if err != nil {
		return nil, err
	}
	for topic, partitions := range counts {
		maps.Copy(lags[topic], partitions)
	}
	for _, g := range groups {
		one := GroupState{Group: g.Name}
		for _, topic := range g.Topics {
			one.Lag += kafka.Offsets{topic: lags[topic]}.Total()
		}
		state.Groups = append(state.Groups, one)
	}
	return lags, nil
}

// codes reads why the newest dead letters are some. Where that is all there are, their
// number is known to the last; else it is that of places, markers of transactions
// among them.
func (b *Broker) codes(ctx context.Context, topic string, to *FeedState, ends, starts map[int32]int64) error {
	var read int64
	err := stream.ReadTail(ctx, line.StreamConn(b.kafka), b.log, topic, deadRead, func(r stream.Record) error {
		if code := r.Header(headerCode); code != nil { // else a note that one was replayed
			to.Codes[string(code)]++
			read++
		}
		return nil
	})
	if err != nil {
		return err
	}
	for p, end := range ends {
		if end-starts[p] > deadRead {
			return nil
		}
	}
	to.Dead = read
	return nil
}

// Freshness is how new what is known is, feed by feed: all of them for the operator,
// its own for a partner.
func (a *Answers) Freshness(ctx context.Context, v report.Viewer, _ Query) (FreshnessAnswer, error) {
	out := FreshnessAnswer{Envelope: a.envelope(), Feeds: []FeedLine{}, Line: []GroupLine{}}
	if a.cfg.Line == nil {
		return out, nil
	}
	state, err := a.cfg.Line.State(ctx)
	switch {
	case errors.Is(err, context.Canceled):
		return out, err
	case err != nil && !v.Operator:
		out.Behind.Why = cmp.Or(out.Behind.Why, "the brokers cannot be asked")
		return out, nil
	case err != nil:
		out.Behind.Why = cmp.Or(out.Behind.Why, "the brokers cannot be asked: "+err.Error())
		return out, nil
	}
	now := a.cfg.Clock()
	totals, err := a.controlTotals(ctx, money.DayOf(now, time.UTC))
	if err != nil {
		return out, err
	}
	counts, err := a.follow.FeedCounts()
	if err != nil {
		return out, err
	}
	for _, f := range state.Feeds {
		if !v.Operator && f.Partner != v.Partner {
			out.Withheld = true
			continue
		}
		one := FeedLine{
			Feed: f.Kind, Partner: f.Partner, Records: count(f.Records), Lag: count(f.Lag), DeadLetters: count(f.Dead),
			DeadCodes: []CodeCount{}, Completeness: totals[f.String()].completeness(),
		}
		if !f.Newest.IsZero() {
			one.LastEvent, one.AgeSeconds = ref(f.Newest), ref(int64(max(now.Sub(f.Newest), 0)/time.Second))
		}
		for code, n := range f.Codes {
			one.DeadCodes = append(one.DeadCodes, CodeCount{code, count(n)})
		}
		slices.SortFunc(one.DeadCodes, func(x, y CodeCount) int {
			return cmp.Or(cmp.Compare(f.Codes[y.Code], f.Codes[x.Code]), cmp.Compare(x.Code, y.Code))
		})
		if c, ok := counts[f.Feed]; ok {
			one.tell(c)
		}
		out.Feeds = append(out.Feeds, one)
	}
	for _, g := range state.Groups {
		if v.Operator {
			out.Line = append(out.Line, GroupLine{g.Group, count(g.Lag)})
		}
	}
	if v.Operator {
		out.Counters = lineCounters(state.Feeds, counts)
	}
	return out, nil
}

// lineCounters is what the feeds of a line come to, nil where nothing is told of them.
func lineCounters(feeds []FeedState, counts map[kafka.Feed]report.FeedCounts) *Counters {
	var sum report.FeedCounts
	var raw, dead int64
	told := false
	for _, f := range feeds {
		c, ok := counts[f.Feed]
		sum, told = sum.Add(c), told || ok
		raw, dead = raw+f.Records, dead+f.Dead
	}
	if !told {
		return nil
	}
	return &Counters{Raw: count(raw), Accepted: count(sum.Accepted), Duplicates: count(sum.Duplicates), DeadLetters: count(dead), Unresolved: count(sum.Unmatched)}
}

// tell puts in what became of the feed's events.
func (f *FeedLine) tell(c report.FeedCounts) {
	f.Accepted, f.Duplicates, f.Late = ref(count(c.Accepted)), ref(count(c.Duplicates)), ref(count(c.Late))
	f.Suppressed, f.Unmatchable = ref(count(c.Suppressed)), ref(count(c.Unmatchable))
	f.Touches, f.Unmatched = ref(count(c.Touches)), ref(count(c.Unmatched))
	if rate, ok := c.MatchRate(); ok {
		f.MatchRate = &rate
	}
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

// feedTotals is what control totals say of one feed.
type feedTotals struct {
	totals []report.DayTotal
	short  string // why the newest that does not agree does not
}

// controlTotals are those of the days that end on one, by feed.
func (a *Answers) controlTotals(ctx context.Context, last money.Day) (map[string]*feedTotals, error) {
	days := report.Span{From: last.Add(1 - report.TotalDays), To: last}
	// A total may be said some time after its day, and a day begins somewhere before UTC's.
	from := time.Unix(int64(days.From.Add(-1))*secondsPerDay, 0)
	out := map[string]*feedTotals{}
	err := a.follow.Alerts(nil, func(alert *avro.Alert, _ follow.AlertPlace) (bool, error) {
		if alert.Kind != control.AlertControlTotal {
			return alert.RaisedAt.After(from), ctx.Err()
		}
		feed, rest, _ := strings.Cut(alert.Subject, "/")
		_, text, _ := strings.Cut(rest, "/")
		day, err := money.ParseDay(text)
		if err != nil || !days.Holds(day) {
			return alert.RaisedAt.After(from), ctx.Err()
		}
		if out[feed] == nil {
			out[feed] = &feedTotals{}
		}
		of := out[feed]
		if stateOf(alert) != governance.AlertSettled && of.short == "" {
			of.short = fmt.Sprintf("%s (%s)", alert.Message, alert.RaisedAt.Format(time.DateOnly))
		}
		if t, ok := control.TotalOf(alert); ok {
			total, err := dayTotal(&t, day)
			if err != nil {
				return false, fmt.Errorf("control total %s: %w", alert.ID, err)
			}
			of.totals = append(of.totals, total)
		}
		return alert.RaisedAt.After(from), ctx.Err()
	})
	return out, err
}

const secondsPerDay = 24 * 60 * 60

func dayTotal(t *control.Total, day money.Day) (report.DayTotal, error) {
	out := report.DayTotal{Feed: t.Feed, Source: t.Source, Day: day, Sums: map[string]report.SaidCame{}}
	var err error
	number := func(n control.TotalNumber) report.SaidCame {
		said, err1 := report.ParseValue(n.Said)
		came, err2 := report.ParseValue(n.Came)
		err = errors.Join(err, err1, err2)
		return report.SaidCame{Said: said, Came: came}
	}
	out.Count = number(t.Count)
	for currency, n := range t.Sums {
		out.Sums[currency] = number(n)
	}
	return out, err
}

// completeness is what control totals say of a feed: unknown where no partner said
// any, short where the newest look at one did not agree.
func (t *feedTotals) completeness() Completeness {
	if t == nil {
		return Completeness{State: "unknown", Detail: fmt.Sprintf("no control total of the last %d days is known", report.TotalDays)}
	}
	var said, came report.Value
	for i := range t.totals {
		n := t.totals[i].Count
		said = said.Add(n.Said)
		came = came.Add(least(n.Came, n.Said))
	}
	out := Completeness{State: "ok", Detail: fmt.Sprintf("%s of %s events that were said came, in %d control totals", came.Text(0), said.Text(0), len(t.totals))}
	if share, ok := report.Ratio(came, said); ok {
		out.Share = &share
	}
	if t.short != "" {
		out.State, out.Detail = "short", t.short
	}
	return out
}

func least(a, b report.Value) report.Value {
	if a.Cmp(b) < 0 {
		return a
	}
	return b
}

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
	"tracksource/internal/follow"
	"tracksource/internal/line"
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

	mu    sync.Mutex // held while the brokers are asked
	at    time.Time  // guarded by mu
	state *LineState // guarded by mu
}

// NewBroker makes a Broker.
func NewBroker(conn kafka.Conn, spec kafka.Spec, log *slog.Logger, clock func() time.Time) *Broker {
	return &Broker{kafka: conn, spec: spec, log: log, clock: clock}
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
	ctx, cancel := context.WithTimeout(ctx, lineWait)
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
		one := FeedState{Feed: f, Newest: newest[topic], Records: only(ends, topic), Lag: only(lags, topic), Codes: map[string]int64{}}
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
	short, err := a.short(ctx)
	if err != nil {
		return out, err
	}
	now := a.cfg.Clock()
	for _, f := range state.Feeds {
		if !v.Operator && f.Partner != v.Partner {
			out.Withheld = true
			continue
		}
		one := FeedLine{
			Feed: f.Kind, Partner: f.Partner, Records: count(f.Records), Lag: count(f.Lag), DeadLetters: count(f.Dead),
			DeadCodes: []CodeCount{}, Completeness: Completeness{State: "unknown", Detail: "no total that the partner said was found to differ"},
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
		if detail, found := short[f.String()]; found {
			one.Completeness = Completeness{State: "short", Detail: detail}
		}
		out.Feeds = append(out.Feeds, one)
	}
	for _, g := range state.Groups {
		if v.Operator {
			out.Line = append(out.Line, GroupLine{g.Group, count(g.Lag)})
		}
	}
	if v.Operator && a.cfg.Counters != nil {
		out.Counters, err = a.cfg.Counters(ctx)
	}
	return out, err
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

// shortDays is for how long a total that does not agree speaks of its feed.
const shortDays = 30

// short is what was last found of feeds whose totals do not agree, by feed.
func (a *Answers) short(ctx context.Context) (map[string]string, error) {
	out, from := map[string]string{}, a.cfg.Clock().AddDate(0, 0, -shortDays)
	err := a.follow.Alerts(nil, func(alert *avro.Alert, _ follow.AlertPlace) (bool, error) {
		feed, _, _ := strings.Cut(alert.Subject, "/")
		if _, newer := out[feed]; alert.Kind == "control_total" && !newer {
			out[feed] = fmt.Sprintf("%s (%s)", alert.Message, alert.RaisedAt.Format(time.DateOnly))
		}
		return alert.RaisedAt.After(from), ctx.Err()
	})
	return out, err
}

package demo

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"tracksource/deploy/kafka"
	"tracksource/internal/check"
	"tracksource/internal/feedfile"
	"tracksource/internal/line"
	"tracksource/money"
	"tracksource/stream"
)

const (
	// sendChunk is how many sample events are sent at once.
	sendChunk = 200
	// liveHistory is the share of the sample that a live demo sends at once, so
	// that the page has something to show; the rest trickles.
	liveHistoryPercent = 60
	liveEvery          = 250 * time.Millisecond
	liveChunk          = 3

	restEvery = 250 * time.Millisecond
)

// Own is what a demo runs on instead of the sample.
type Own struct {
	Contract []byte // YAML
	Rates    []money.Rate
	Files    []File
}

// File is the events of one file of a feed.
type File struct {
	Feed   kafka.Feed
	Events []feedfile.Event
}

// Feeds are the feeds of the files, each once.
func (o Own) Feeds() []kafka.Feed {
	var feeds []kafka.Feed
	for _, f := range o.Files {
		if !slices.Contains(feeds, f.Feed) {
			feeds = append(feeds, f.Feed)
		}
	}
	return feeds
}

// feed sends what the topics do not hold yet: the contract and the rates, then
// the events from where the last run stopped, and with the history behind them what
// the sample's partners decide.
func (d *demo) feed(ctx context.Context) error {
	p, err := stream.NewProducer(line.StreamConn(d.conn), d.cfg.Log)
	if err != nil {
		return err
	}
	defer p.Close()
	in, err := d.input()
	if err != nil {
		return err
	}
	if err := d.sendControl(ctx, in); err != nil {
		return err
	}
	missing, err := d.missing(ctx, in.events)
	if err != nil {
		return err
	}
	done := len(in.events) - len(missing)
	if done > 0 {
		d.say("feeds:    going on behind %d of %d events\n", done, len(in.events))
	} else {
		d.say("feeds:    %s\n", in.about)
	}
	atOnce := len(in.events)
	if !d.cfg.Once {
		atOnce = atOnce * liveHistoryPercent / 100
	}
	governed := d.cfg.Once || in.start.IsZero()
	for {
		if !governed && done >= atOnce {
			governed = true
			if err := d.rest(ctx); err != nil {
				return err
			}
			if err := d.govern(ctx, in.start); err != nil {
				return err
			}
		}
		if len(missing) == 0 {
			return nil
		}
		n := sendChunk
		if done >= atOnce {
			n = liveChunk
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(liveEvery):
			}
		}
		n = min(n, len(missing))
		if err := p.Send(ctx, missing[:n]...); err != nil {
			return err
		}
		done, missing = done+n, missing[n:]
	}
}

// missing returns the messages that the raw topics do not hold. A run that was
// killed has sent some topics' part of a chunk and not the others', so nothing
// short of looking tells; what is there more than once in the sample is counted.
func (d *demo) missing(ctx context.Context, sample []stream.Message) ([]stream.Message, error) {
	digest := func(topic string, payload []byte) [sha256.Size]byte {
		return sha256.Sum256(append([]byte(topic+"\x00"), payload...))
	}
	held := map[[sha256.Size]byte]int{}
	for _, topic := range d.spec.RawTopics() {
		err := stream.ReadTopic(ctx, line.StreamConn(d.conn), d.cfg.Log, topic, func(r stream.Record) error {
			held[digest(topic, r.Value)]++
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	var missing []stream.Message
	for _, m := range sample {
		sum := digest(m.Topic, m.Value)
		if held[sum] > 0 {
			held[sum]--
			continue
		}
		missing = append(missing, m)
	}
	return missing, nil
}

// rest waits until every group has consumed everything and no partition has
// work of its own left.
func (d *demo) rest(ctx context.Context) error {
	calm := 0
	for {
		ok, err := AtRest(ctx, d.conn, d.spec, d.services, d.cfg)
		if err != nil {
			return err
		}
		if calm++; !ok {
			calm = 0
		}
		if calm == 2 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(restEvery):
		}
	}
}

// AtRest reports whether all services are ready without work of their own and
// all groups have consumed everything.
func AtRest(ctx context.Context, conn kafka.Conn, spec kafka.Spec, services []*line.Service, cfg Config) (bool, error) {
	for _, s := range services {
		if s.Ready() != nil {
			return false, nil
		}
		for _, st := range s.Status() {
			for _, p := range st.Partitions {
				if p.Pending {
					return false, nil
				}
			}
		}
	}
	moving, err := check.Moving(ctx, check.Config{Kafka: conn, Spec: spec, Log: cfg.Log})
	return moving == "" && err == nil, err
}

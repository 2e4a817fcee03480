package sim_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"tracksource/deploy/kafka"
	"tracksource/internal/control"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// TestEveryPoint kills one instance of each tier at every point of the protocol,
// one after the other, with events on their way, and starts it again on its disk.
func TestEveryPoint(t *testing.T) {
	if testing.Short() {
		t.Skip("the seeds kill at some points")
	}
	for _, tier := range tiers() {
		t.Run(tier, func(t *testing.T) {
			t.Parallel()
			s := newStory(t, plan{seed: 5, events: 1500, input: []string{"repeated"}, steps: 150})
			for _, tier := range tiers() {
				s.start(tier, "", nil)
			}
			s.send()
			for n, p := range stream.Points() {
				s.killAt(tier, p, len(stream.Points())-n)
			}
			for len(s.events)+len(s.rules) > 0 {
				s.send()
			}
			s.mend()
			s.settle()
			report := s.check()
			t.Logf("%s, kills %v", report, s.kills)
			for _, p := range stream.Points() {
				if s.kills[p] == 0 {
					t.Errorf("nothing was killed at %s", p)
				}
			}
		})
	}
}

// killAt kills the tier's instance at the point and starts it again, with so many points
// to come. The points of a restore come round at a start, the others with events.
func (s *story) killAt(tier string, p stream.Point, toCome int) {
	s.t.Helper()
	b := &bullet{point: p, hit: kill}
	i := s.running[tier][0]
	// A member that dies while it joins holds kfake's group up for the rebalance
	// timeout, five times over in ingest.
	s.until("the instance is ready", func() bool { return i.svc.Ready() == nil })
	switch p {
	case stream.AfterBarrier, stream.MidRestore:
		s.settle() // so that there is something to restore
		if dir := s.stop(tier, 0); p == stream.MidRestore {
			i = s.start(tier, "", b) // without the disk all of it is
		} else {
			i = s.start(tier, dir, b)
		}
	default:
		i.arm(b)
	}
	s.flow(toCome, fmt.Sprintf("%s did not come to %s", tier, p), b.fired.Load)
	s.ended(i)
	if p == stream.MidStore {
		// Nothing is open here. Of an engine that stores too early something is, and a store
		// that stands behind what the broker gives up later is set aside as foreign: that
		// would hide the mistake.
		_, _, changelog := s.changelog(tier)
		s.until("no transaction is open", func() bool { return !s.isOpen(changelog) })
	}
	for _, dead := range s.bury() {
		s.start(tier, dead.dir, nil)
	}
}

// isOpen reports whether a transaction on a topic has no end yet, or whether nobody knows.
func (s *story) isOpen(topic string) bool {
	committed, err := kafka.CommittedOffsets(s.ctx, s.conn, topic)
	if err != nil {
		return true
	}
	ends, err := kafka.EndOffsets(s.ctx, s.conn, topic)
	return err != nil || committed.Total() < ends.Total()
}

// TestTamperedTopics is the negative control of the whole: one record more in a
// topic of a system at rest is found, each by the invariant that it breaks.
func TestTamperedTopics(t *testing.T) {
	s := newStory(t, plan{seed: 7, events: 200})
	for _, tier := range tiers() {
		s.start(tier, "", nil)
	}
	for len(s.events)+len(s.rules) > 0 {
		s.send()
	}
	s.settle()
	s.check()
	for _, tier := range tiers() {
		s.stop(tier, 0)
	}
	wrong := func(name, want string, ms ...stream.Message) {
		t.Helper()
		if err := s.producer.Send(s.ctx, ms...); err != nil {
			t.Fatal(err)
		}
		report, err := s.judge()
		if err != nil {
			t.Fatal(err)
		}
		if report.Err() == nil || !strings.Contains(report.Err().Error(), want) {
			t.Errorf("%s: got %v, want %q", name, report.Err(), want)
		}
	}
	row := avro.ContributionRow{Contract: "ai-launch-tour", Measure: "revenue", Model: "linear", Day: "2026-03-01", Partner: "zeta", Currency: "USD", Version: 1}
	if err := errors.Join(row.SetValue(100, 2), row.SetConfident(50, 2)); err != nil {
		t.Fatal(err)
	}
	key, err := s.codecs.ContributionKey.Append(nil, &avro.ContributionKey{Contract: row.Contract, Measure: row.Measure, Model: row.Model, Day: row.Day, Partner: row.Partner})
	if err != nil {
		t.Fatal(err)
	}
	value, err := s.codecs.ContributionRow.Append(nil, &row)
	if err != nil {
		t.Fatal(err)
	}
	wrong("a row that nothing is behind", "ledger 0, rows 100, recomputed 0", stream.Message{Topic: s.spec.Contributions(), Key: key, Value: value})
	closing, err := control.Messages(s.codecs, s.spec.Control(), avro.Control{Kind: control.Period, Period: &avro.PeriodRecord{
		Campaign: tour, Action: "close", Day: "2026-02-10", By: "finance", Why: "the books", At: s.saidAt(0),
	}})
	if err != nil {
		t.Fatal(err)
	}
	wrong("a closing that nobody was told", "close ai-launch-tour 2026-02-10, was broadcast to nobody", closing...)
	raw := s.spec.RawTopics()[0]
	wrong("a raw record that nobody took", "became neither a fact nor a dispute nor a dead letter", stream.Message{Topic: raw, Key: []byte("k"), Value: []byte("{}")})
	wrong("garbage in the ledger", "unreadable record "+s.spec.Credits(), stream.Message{Topic: s.spec.Credits(), Key: []byte("k"), Value: []byte{9}})
}

package api_test

import (
	"context"
	"testing"
	"time"

	"tracksource/deploy/kafka"
	"tracksource/internal/answer"
	"tracksource/internal/api"
	"tracksource/internal/dashboard"
	"tracksource/internal/follow"
	"tracksource/schemas/avro"
	"tracksource/state"
)

// filled serves the world with the page, a while after its conversions.
func filled(t testing.TB, change ...func(*api.Config)) *api.Server {
	t.Helper()
	return filledBy(t, func(w *world, f *follow.Follow) func(context.Context, avro.Control) error { return w.decider(f) }, change...)
}

// filledBy is filled with what writes decisions.
func filledBy(t testing.TB, decide func(*world, *follow.Follow) func(context.Context, avro.Control) error, change ...func(*api.Config)) *api.Server {
	t.Helper()
	w := newWorld(t)
	spec, err := kafka.Load(kafka.ProfileLocal, kafka.Options{Feeds: []kafka.Feed{{Kind: "crm", Partner: "acme"}, {Kind: "map", Partner: "blue"}, {Kind: "crm", Partner: "zeta"}}})
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(change...)
	cfg.Clock = func() time.Time { return noon().AddDate(0, 0, 2) }
	dir, err := state.OpenDir(state.Config{Path: t.TempDir(), Log: cfg.Log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	f, err := follow.Offline(follow.Config{Codecs: w.codecs, Spec: spec, Log: cfg.Log, Clock: cfg.Clock}, dir)
	if err != nil {
		t.Fatal(err)
	}
	for topic, records := range w.topics {
		if err := f.Take(topic, records...); err != nil {
			t.Fatal(err)
		}
	}
	a, err := answer.New(answer.Config{Follow: f, Clock: cfg.Clock, Line: still{spec}, Decide: decide(w, f)})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Changes, cfg.Page = f, dashboard.Assets()
	s, err := api.New(cfg, a)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// still is a line that stands still.
type still struct{ spec kafka.Spec }

// State implements answer.Line.
func (s still) State(context.Context) (*answer.LineState, error) {
	state := &answer.LineState{Groups: []answer.GroupState{{Group: "tracksource.resolve", Lag: 3}}}
	for _, f := range s.spec.Feeds() {
		state.Feeds = append(state.Feeds, answer.FeedState{Feed: f, Newest: noon(), Records: 7, Dead: 1, Codes: map[string]int64{"code_of_" + f.Partner: 1}})
	}
	return state, nil
}

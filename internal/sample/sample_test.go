package sample_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"tracksource/internal/sample"
)

func hash(w sample.World) string {
	h := sha256.New()
	for _, e := range w.Events {
		fmt.Fprintf(h, "%s %s %s %s %s\n", e.Feed, e.Reporter, e.Key, e.Payload, e.At)
	}
	fmt.Fprint(h, w.Rates, w.Truth)
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

// TestSameSeedSameBytes: a sample can be made again, and another seed is
// another sample.
func TestSameSeedSameBytes(t *testing.T) {
	a, b, c := sample.Generate(sample.Config{}), sample.Generate(sample.Config{Seed: 1, Events: 2000}), sample.Generate(sample.Config{Seed: 2})
	if hash(a) != hash(b) {
		t.Error("two samples of one seed differ")
	}
	if hash(a) == hash(c) {
		t.Error("samples of two seeds are the same")
	}
}

// TestTruth: the sample has the size asked for, both partners' feeds, and
// events that come twice or cannot be used.
func TestTruth(t *testing.T) {
	for _, n := range []int{1, 50, 2000, 20_000} {
		w := sample.Generate(sample.Config{Events: n})
		if len(w.Events) != n || w.Truth.Raw != n {
			t.Errorf("%d events, truth %+v, want %d", len(w.Events), w.Truth, n)
		}
		if n < 2000 {
			continue
		}
		feeds := map[string]int{}
		for _, e := range w.Events {
			feeds[e.Feed+"."+e.Reporter]++
		}
		if len(feeds) != 6 || w.Truth.Duplicates == 0 || w.Truth.DeadLetters == 0 {
			t.Errorf("feeds %v, truth %+v", feeds, w.Truth)
		}
	}
}

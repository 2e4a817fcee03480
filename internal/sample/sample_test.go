package sample_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

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

// TestQuotas: every quarter of the campaign has a quota of all together and one of the
// partner that sources deals, so that coverage has something to be held against.
func TestQuotas(t *testing.T) {
	for _, c := range []struct {
		start string
		want  []string
	}{
		{"2026-01-05", []string{"2026-03-31 ", "2026-03-31 globex"}},
		{"2026-03-20", []string{"2026-03-31 ", "2026-03-31 globex", "2026-06-30 ", "2026-06-30 globex"}},
	} {
		start, err := time.Parse(time.DateOnly, c.start)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range sample.Generate(sample.Config{Events: 1, Start: start}).Amounts {
			if a.Measure == "quota" {
				got = append(got, a.Day+" "+a.Partner)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("begun on %s the quotas are %q, want %q", c.start, got, c.want)
		}
	}
}

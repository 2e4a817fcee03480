package follow_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"tracksource/internal/follow"
	"tracksource/report"
	"tracksource/stream"
)

func TestParsePositions(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "",
		"a.b:0":                             "",
		"a:1,2,3~b:9223372036854775807":     "",
		"a":                                 "no topic:offset",
		":1":                                "no topic:offset",
		"a b:1":                             "no topic:offset",
		"a:1~":                              "no topic:offset",
		"a:":                                "",
		"a:1,":                              "no offset of topic a",
		"a:-1":                              "no offset",
		"a:01":                              "no offset",
		"a:+1":                              "no offset",
		"a:9223372036854775808":             "no offset",
		"b:1~a:1":                           "not behind b",
		"a:1~a:2":                           "not behind a",
		"a:" + strings.Repeat("1", 20<<10):  "bytes, at most",
		strings.Repeat("a", 3) + ":1\x00":   "no offset",
		manyTopics(17):                      "more than 16 topics",
		"tracksource.contributions:1:2~b:3": "no offset",
	} {
		got, err := follow.ParsePositions(text)
		switch {
		case want == "" && (err != nil || got.String() != text):
			t.Errorf("ParsePositions(%.60q) is %q, error %v", text, got, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("ParsePositions(%.60q) has error %v, want %s", text, err, want)
		}
	}
}

func manyTopics(n int) string {
	p := follow.Positions{}
	for i := range n {
		p["t"+string(rune('a'+i))] = []int64{1}
	}
	return p.String()
}

func FuzzParsePositions(f *testing.F) {
	f.Add("tracksource.alerts:1~tracksource.facts:1,20,0")
	f.Add("a:01")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := follow.ParsePositions(text)
		if err == nil && p.String() != text {
			t.Errorf("%q is read and written as %q", text, p)
		}
	})
}

// TestStill: while records come in, each moment of standing still shows exactly the
// records in front of its positions, in sums that are kept in memory and in those of
// the store, however often it is asked.
func TestStill(t *testing.T) {
	r := newRig(t, 0)
	const n = 300
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range n {
			one := row("acme", "a", int64(i+1), int64(i+1))
			key, value := encode(t, r.codecs.ContributionKey, keyOf(&one)), encode(t, r.codecs.ContributionRow, one)
			if err := r.f.Take(r.spec.Contributions(), stream.Record{Partition: int32(i % 2), Offset: int64(i / 2), Key: key, Value: value}); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Go(func() {
		for i := range n {
			if err := r.f.Take(r.spec.Control(), stream.Record{Offset: int64(i), Value: []byte("of no schema")}); err != nil {
				t.Error(err)
			}
		}
	})
	seen := 0
	for seen < n {
		err := r.f.Still(func(at follow.Positions) error {
			seen = 0
			for _, next := range at[r.spec.Contributions()] {
				seen += int(next)
			}
			if seen == 0 {
				return nil
			}
			want := fmt.Sprintf("%d.%02d", seen/100, seen%100)
			for range 2 {
				_, changed := r.f.Version()
				sums, err := r.f.Sum("tour", "revenue", "linear", report.Ask{})
				if err != nil {
					return err
				}
				if got := texts(sums.Breakdowns); len(got) != 1 || !strings.HasSuffix(got[0], "="+want) {
					t.Errorf("behind %v the sums are %q, want %s", at, got, want)
				}
				one := row("acme", "a", 0, 0)
				key := keyOf(&one)
				held, ok, err := r.f.Row(&key)
				if err != nil || !ok || held.Version != int64(seen) {
					t.Errorf("behind %v the store has version %d, error %v", at, held.Version, err)
				}
				select {
				case <-changed:
					t.Errorf("behind %v something changed", at)
				default:
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	err := r.f.Still(func(at follow.Positions) error {
		topics := slices.Sorted(maps.Keys(at))
		want := []string{r.spec.Alerts(), r.spec.Contributions(), r.spec.Control(), r.spec.Facts()}
		if !slices.Equal(topics, want) || !slices.Equal(at[r.spec.Control()], []int64{n}) {
			t.Errorf("it stood still at %v", at)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

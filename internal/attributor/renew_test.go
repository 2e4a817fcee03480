package attributor_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"tracksource/attribution"
	"tracksource/internal/attributor"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// TestBooksOfAnotherVersion: a state that an older program posted is brought to the
// books of this one, all accounts of it, from the first record on and once.
func TestBooksOfAnotherVersion(t *testing.T) {
	l := testLine(t)
	l.cfg.SliceAccounts = 1
	l.feed(agreement(1, 1))
	for _, account := range []string{"a", "b", "c"} {
		l.feed(touch(account, "t1"+account, 1, day(2), "globex", "email"), touch(account, "t2"+account, 1, day(3), "acme", "social"),
			deal(account, "d"+account, 1, "100", "USD", "Qualification"))
	}
	l.rest()
	var want []string
	for _, e := range l.entries {
		if !attribution.IsAdditive(e.Measure) {
			want = append(want, e.Conversion+" "+e.Measure+" "+e.Partner)
		}
	}
	kv := newOverlay()
	for key, value := range l.kv.base {
		older, err := attributor.Older(key, value)
		if err != nil {
			t.Fatal(err)
		}
		if older == nil {
			continue
		}
		if err := kv.Put([]byte(key), older); err != nil {
			t.Fatal(err)
		}
	}
	kv.commit()
	p, err := attributor.New(l.cfg, stream.Assignment{Topic: "journeys", Partition: 7, Generation: l.gen}, kv)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	var upgraded time.Time
	fold := func(records []stream.Record) {
		t.Helper()
		out := new(outputs)
		if err := p.Fold(context.Background(), records, out); err != nil {
			t.Fatal(err)
		}
		kv.commit()
		p.Committed()
		for _, o := range out.records {
			var e avro.CreditEntry
			if o.topic != "credits" {
				continue
			}
			if err := l.cfg.Codecs.Credit.Decode(o.value, &e); err != nil {
				t.Fatal(err)
			}
			if e.Cause != attributor.CauseContract || e.CauseEvent != "contract/ai-launch-tour/1" || !e.AsOf.Equal(upgraded) {
				t.Errorf("entry %+v", e)
			}
			got = append(got, e.Conversion+" "+e.Measure+" "+e.Partner)
		}
	}
	if fold(nil); p.Pending(time.Time{}) || len(got) > 0 {
		t.Errorf("before any record, pending %t, posted %q", p.Pending(time.Time{}), got)
	}
	first := l.records([]*avro.JourneyEvent{agreement(1, 1)})
	upgraded = first[0].Timestamp
	for fold(first); p.Pending(time.Time{}); {
		fold(nil)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || len(want) != 15 {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	got = nil
	if fold(l.records([]*avro.JourneyEvent{agreement(1, 1)})); p.Pending(time.Time{}) || len(got) > 0 {
		t.Errorf("once more, posted %q", got)
	}
}

package dedupe_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"tracksource/dedupe"
	"tracksource/internal/task"
)

func TestMark(t *testing.T) {
	m := dedupe.Marks{KV: task.NewMemory(), ByID: 1, ByDay: 2}
	steps := []struct {
		id       string
		content  byte
		revision dedupe.Revision
		want     dedupe.Outcome
	}{
		{"a", 1, none, dedupe.New},
		{"a", 1, none, dedupe.Duplicate},
		{"a", 2, none, dedupe.Collision},
		{"a", 1, none, dedupe.Duplicate},
		{"ab", 1, none, dedupe.New},
		{"a", 3, dedupe.Revision{Source: 5}, dedupe.Restated},
		{"a", 3, dedupe.Revision{Source: 5}, dedupe.Duplicate},
		{"a", 3, dedupe.Revision{Source: 4}, dedupe.Duplicate},
		{"a", 1, none, dedupe.Superseded},
		{"a", 2, dedupe.Revision{Source: 5}, dedupe.Superseded}, // the greater content stays
		{"a", 4, dedupe.Revision{Source: 5}, dedupe.Restated},
		{"a", 4, dedupe.Revision{Mapping: 1}, dedupe.Duplicate}, // and takes the revision
		{"a", 9, dedupe.Revision{Source: 9}, dedupe.Superseded},
		{"a", 1, dedupe.Revision{Mapping: 2}, dedupe.Restated},
		{"a", 7, dedupe.Revision{Mapping: 2}, dedupe.Collision}, // read by the same rules
		{"a", 7, dedupe.Revision{Mapping: 2, Source: 1}, dedupe.Restated},
	}
	for i, s := range steps {
		got, _, err := m.Mark([]byte(s.id), 100, [16]byte{s.content}, s.revision, false)
		if err != nil || got != s.want {
			t.Errorf("step %d: Mark(%q) = %v, %v, want %v", i, s.id, got, err, s.want)
		}
	}
	if _, _, err := m.Mark(nil, 1, [16]byte{}, none, false); err == nil {
		t.Error("an empty id was marked")
	}
}

var none dedupe.Revision

// TestOrderOfRevisions: whatever the order of the same events, the same content
// stays.
func TestOrderOfRevisions(t *testing.T) {
	type event struct {
		content  byte
		revision int64
	}
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) event {
			return event{rapid.ByteRange(1, 4).Draw(t, "content"), rapid.Int64Range(1, 3).Draw(t, "revision")}
		}), 1, 12).Draw(t, "events")
		stays := func(list []event) byte {
			m, at := dedupe.Marks{KV: task.NewMemory(), ByID: 1, ByDay: 2}, byte(0)
			for _, e := range list {
				got, _, err := m.Mark([]byte("a"), 7, [16]byte{e.content}, dedupe.Revision{Source: e.revision}, false)
				if err != nil {
					t.Fatal(err)
				}
				if got == dedupe.New || got == dedupe.Restated {
					at = e.content
				}
			}
			return at
		}
		if a, b := stays(events), stays(rapid.Permutation(events).Draw(t, "other order")); a != b {
			t.Fatalf("content %d stays, in another order %d", a, b)
		}
	})
}

// TestExpireRestated: a mark that was restated to a later day outlives its first.
func TestExpireRestated(t *testing.T) {
	kv := task.NewMemory()
	m := dedupe.Marks{KV: kv, ByID: 1, ByDay: 2}
	for _, s := range []struct {
		day      uint32
		content  byte
		revision dedupe.Revision
		want     dedupe.Outcome
	}{{3, 1, none, dedupe.New}, {9, 2, dedupe.Revision{Source: 1}, dedupe.Restated}} {
		if got, _, err := m.Mark([]byte("a"), s.day, [16]byte{s.content}, s.revision, false); err != nil || got != s.want {
			t.Fatalf("%v, %v, want %v", got, err, s.want)
		}
	}
	for _, before := range []uint32{5, 10} {
		if _, _, err := m.Expire(&dedupe.Pass{Before: before}, 10); err != nil {
			t.Fatal(err)
		}
		want := map[uint32]int{5: 1, 10: 0}[before]
		if kv.Len() != want {
			t.Errorf("%d keys before day %d, want %d", kv.Len(), before, want)
		}
	}
}

// TestExpire: in slices of any size, exactly the marks before the day go.
func TestExpire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kv := task.NewMemory()
		m := dedupe.Marks{KV: kv, ByID: 1, ByDay: 2}
		days := rapid.SliceOfN(rapid.Uint32Range(0, 9), 0, 30).Draw(t, "days")
		for i, d := range days {
			if _, _, err := m.Mark([]byte(fmt.Sprint(i)), d, [16]byte{}, none, false); err != nil {
				t.Fatal(err)
			}
		}
		// Some are as older programs wrote them: without a day, with an entry by day.
		for i, d := range days {
			if !rapid.Bool().Draw(t, "old") {
				continue
			}
			id := fmt.Append(nil, i)
			for key, value := range map[string][]byte{
				"\x01" + string(id): append([]byte{1}, make([]byte, 16)...),
				string(append(binary.BigEndian.AppendUint32([]byte{2}, d), id...)): {1},
			} {
				if err := kv.Put([]byte(key), value); err != nil {
					t.Fatal(err)
				}
			}
		}
		before, limit := rapid.Uint32Range(0, 10).Draw(t, "before"), rapid.IntRange(2, 5).Draw(t, "limit")
		pass := dedupe.Pass{Before: before}
		for more := true; more; {
			if rapid.IntRange(0, 5).Draw(t, "begin anew") == 0 {
				pass = dedupe.Pass{Before: before}
			}
			var n int
			var err error
			if n, more, err = m.Expire(&pass, limit); err != nil || n > limit {
				t.Fatalf("Expire = %d, %v", n, err)
			}
		}
		for i, d := range days {
			want := dedupe.New
			if d >= before {
				want = dedupe.Duplicate
			}
			if got, _, err := m.Mark([]byte(fmt.Sprint(i)), d, [16]byte{}, none, false); err != nil || got != want {
				t.Fatalf("mark of day %d after expiry before %d: %v, %v, want %v", d, before, got, err, want)
			}
		}
		for more := true; more; {
			var err error
			if _, more, err = m.Expire(&dedupe.Pass{Before: 99}, 1000); err != nil {
				t.Fatal(err)
			}
		}
		if kv.Len() != 0 {
			t.Fatalf("%d keys are left of %d marks whose days are over", kv.Len(), len(days))
		}
	})
}

// TestFlag: a flag tells no events apart, stays with what is said last, and is told of
// by how much the number of those that have it changed.
func TestFlag(t *testing.T) {
	for _, revised := range []int64{0, 1} {
		m := dedupe.Marks{KV: task.NewMemory(), ByID: 1, ByDay: 2}
		at := func(mapping int64) dedupe.Revision { return dedupe.Revision{Mapping: mapping, Source: revised} }
		for i, s := range []struct {
			id       string
			content  byte
			revision dedupe.Revision
			flag     bool
			want     dedupe.Outcome
			flagged  int64
		}{
			{"a", 1, at(0), true, dedupe.New, 1},
			{"a", 1, at(0), true, dedupe.Duplicate, 0},
			{"a", 1, at(0), false, dedupe.Duplicate, 0},
			{"b", 1, at(0), false, dedupe.New, 0},
			{"a", 1, at(1), false, dedupe.Duplicate, -1}, // newer rules find more in the same
			{"a", 2, at(2), true, dedupe.Restated, 1},
			{"a", 1, at(0), false, dedupe.Superseded, 0},
			{"a", 3, at(3), true, dedupe.Restated, 0},
			{"a", 3, at(4), false, dedupe.Duplicate, -1},
		} {
			got, flagged, err := m.Mark([]byte(s.id), 100, [16]byte{s.content}, s.revision, s.flag)
			if err != nil || got != s.want || flagged != s.flagged {
				t.Errorf("step %d: %v, flagged %+d, %v; want %v, %+d", i, got, flagged, err, s.want, s.flagged)
			}
		}
	}
}

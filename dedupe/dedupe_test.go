package dedupe_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"tracksource/dedupe"
	"tracksource/internal/task"
)

func TestMark(t *testing.T) {
	m := dedupe.Marks{KV: task.NewMemory(), ByID: 1, ByDay: 2}
	steps := []struct {
		id      string
		content byte
		want    dedupe.Outcome
	}{
		{"a", 1, dedupe.New},
		{"a", 1, dedupe.Duplicate},
		{"a", 2, dedupe.Collision},
		{"a", 1, dedupe.Duplicate},
		{"ab", 1, dedupe.New},
	}
	for i, s := range steps {
		got, err := m.Mark([]byte(s.id), 100, [16]byte{s.content})
		if err != nil || got != s.want {
			t.Errorf("step %d: Mark(%q) = %v, %v, want %v", i, s.id, got, err, s.want)
		}
	}
	if _, err := m.Mark(nil, 1, [16]byte{}); err == nil {
		t.Error("an empty id was marked")
	}
}

// TestExpire: in slices of any size, exactly the marks before the day go.
func TestExpire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kv := task.NewMemory()
		m := dedupe.Marks{KV: kv, ByID: 1, ByDay: 2}
		days := rapid.SliceOfN(rapid.Uint32Range(0, 9), 0, 30).Draw(t, "days")
		for i, d := range days {
			if _, err := m.Mark([]byte(fmt.Sprint(i)), d, [16]byte{}); err != nil {
				t.Fatal(err)
			}
		}
		before, limit := rapid.Uint32Range(0, 10).Draw(t, "before"), rapid.IntRange(1, 5).Draw(t, "limit")
		for more := true; more; {
			var n int
			var err error
			if n, more, err = m.Expire(before, limit); err != nil || n > limit {
				t.Fatalf("Expire = %d, %v", n, err)
			}
		}
		left := 0
		for i, d := range days {
			want := dedupe.New
			if d >= before {
				want, left = dedupe.Duplicate, left+1
			}
			if got, err := m.Mark([]byte(fmt.Sprint(i)), d, [16]byte{}); err != nil || got != want {
				t.Fatalf("mark of day %d after expiry before %d: %v, %v, want %v", d, before, got, err, want)
			}
		}
		if kv.Len() != 2*len(days) {
			t.Fatalf("%d keys for %d marks", kv.Len(), len(days))
		}
	})
}

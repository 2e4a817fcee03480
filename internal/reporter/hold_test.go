package reporter_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"tracksource/schemas/avro"
)

const throttle = 250 * time.Millisecond

// heldRig is a rig with a throttle whose clock moves a millisecond a record, and
// the first row of a key published.
func heldRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, testCodecs(t), 0)
	r.throttle, r.step = throttle, time.Millisecond
	r.open()
	r.fold(true, r.records(generation(0, 1), credit(0, 1, 1, "acme", 100, 100)))
	if got := r.versions(); !slices.Equal(got, []string{"acme=1.00"}) {
		t.Fatalf("the first change published %v, want it at once", got)
	}
	return r
}

// versions are the rows that were published, in their order.
func (r *rig) versions() []string {
	r.t.Helper()
	var out []string
	for _, e := range r.log {
		if e.topic != contributions {
			continue
		}
		if len(e.value) == 0 {
			out[len(out)-1] += " gone"
			continue
		}
		row := r.row(e)
		text, err := row.ValueText(2)
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, row.Partner+"="+text)
	}
	return out
}

// change posts the next entry of acme alone.
func (r *rig) change(sequence, from, to int64) {
	r.t.Helper()
	r.fold(true, r.records(credit(0, 1, sequence, "acme", to-from, to)))
}

// TestThrottle: of a burst the first change is published at once and the last one
// when the interval is over, by a Tick.
func TestThrottle(t *testing.T) {
	r := heldRig(t)
	first := r.now.Add(throttle)
	for i := range int64(50) {
		r.change(i+2, 100+i, 101+i)
	}
	if got := r.versions(); len(got) != 1 {
		t.Fatalf("a burst published %v within the interval", got)
	}
	if r.now = first.Add(-time.Millisecond); r.p.Pending(r.now) || !r.p.Waiting() {
		t.Error("a held key is pending before it is due, or not waited for")
	}
	if r.now = first; !r.p.Pending(r.now) {
		t.Fatal("a held key is not pending when it is due")
	}
	if n := r.settle(); n != 1 || r.p.Waiting() {
		t.Errorf("%d ticks, want 1; something is still held: %v", n, r.p.Waiting())
	}
	if got := r.versions(); !slices.Equal(got, []string{"acme=1.00", "acme=1.50"}) {
		t.Errorf("published %v, want the first and the last value", got)
	}
	// The trailing row begins an interval of its own.
	r.now = first.Add(throttle - 2*time.Millisecond)
	r.change(52, 150, 151)
	if got := r.versions(); len(got) != 2 {
		t.Errorf("published %v: the interval of the trailing row was not kept", got)
	}
	r.now = first.Add(throttle)
	r.change(53, 151, 152)
	if got := r.versions(); !slices.Equal(got, []string{"acme=1.00", "acme=1.50", "acme=1.52"}) || r.p.Pending(r.now) {
		t.Errorf("published %v, pending %v: a change behind the interval is published at once", got, r.p.Pending(r.now))
	}
}

// TestHeldChange: what becomes of a change that is held.
func TestHeldChange(t *testing.T) {
	for name, c := range map[string]struct {
		then func(r *rig)
		want string
	}{
		"a crash before it is due": {func(r *rig) {
			r.open()
			r.now = r.now.Add(throttle)
		}, "acme=1.00 acme=1.07"},
		"a crash with a change that was not committed": {func(r *rig) {
			r.fold(false, r.records(credit(0, 1, 3, "acme", 1, 108)))
			r.offset--
			r.open()
			r.now = r.now.Add(throttle)
		}, "acme=1.00 acme=1.07"},
		"a trailing row that was not committed": {func(r *rig) {
			r.now = r.now.Add(throttle)
			r.fold(false, nil)
		}, "acme=1.00 acme=1.07"},
		"it is taken back": {func(r *rig) {
			r.change(3, 107, 100)
			r.now = r.now.Add(throttle)
			if r.p.Pending(r.now) && len(r.fold(true, nil)) > 0 {
				r.t.Error("a value that came back was published")
			}
		}, "acme=1.00"},
		"the row goes": {func(r *rig) {
			r.change(3, 107, 0)
			r.now = r.now.Add(throttle)
		}, "acme=1.00 acme=0.00 gone"},
		"the row goes and comes back": {func(r *rig) {
			r.change(3, 107, 0)
			r.change(4, 0, 100)
			r.now = r.now.Add(throttle)
		}, "acme=1.00"},
		"nobody throttles any more": {func(r *rig) {
			r.throttle = 0
			r.open()
		}, "acme=1.00 acme=1.07"},
		"the next owner's clock is an hour behind": {func(r *rig) {
			r.now = r.now.Add(-time.Hour)
			r.open()
		}, "acme=1.00 acme=1.07"},
		"it is behind, and others are held by it": {func(r *rig) {
			r.now = r.now.Add(-time.Hour)
			r.open()
			r.fold(true, nil)
			r.fold(true, r.records(credit(0, 1, 3, "blue", 1, 1), credit(0, 1, 4, "acme", 1, 108)))
			r.fold(true, r.records(credit(0, 1, 5, "blue", 1, 2)))
			r.now = r.now.Add(throttle)
		}, "acme=1.00 acme=1.07 blue=0.01 acme=1.08 blue=0.02"},
	} {
		t.Run(name, func(t *testing.T) {
			r := heldRig(t)
			r.change(2, 100, 107)
			c.then(r)
			r.settle()
			if got := strings.Join(r.versions(), " "); got != c.want {
				t.Errorf("published %s, want %s", got, c.want)
			}
		})
	}
}

// TestHeldKeysDoNotPileUp: a batch releases as many keys as it can hold, and a
// Tick a slice of them.
func TestHeldKeysDoNotPileUp(t *testing.T) {
	r := newRig(t, testCodecs(t), 10)
	r.throttle, r.step = throttle, 0
	r.open()
	batch := func(name string, from, sequence int64) []avro.CreditEntry {
		var out []avro.CreditEntry
		for i := range int64(300) {
			out = append(out, credit(0, 1, sequence+i, fmt.Sprintf("%s%03d", name, i), 1, from+1))
		}
		return out
	}
	r.fold(true, r.records(append([]avro.CreditEntry{generation(0, 1)}, batch("p", 0, 1)...)...))
	r.fold(true, r.records(batch("p", 1, 301)...))
	if n := len(r.versions()); n != 300 {
		t.Fatalf("%d rows, want the 300 first ones", n)
	}
	if n := r.lists(); n != 2 {
		t.Errorf("300 held keys are in %d lists of the state, want 2", n)
	}
	r.now = r.now.Add(throttle)
	r.fold(true, nil)
	r.open() // with keys that are held, and some that are not any more
	if n := r.settle(); n != 29 {
		t.Errorf("%d ticks for 300 keys in slices of 10, want 29 more", n)
	}
	r.fold(true, r.records(batch("p", 2, 601)...))
	r.now = r.now.Add(throttle)
	r.fold(true, r.records(batch("q", 0, 901)...))
	if r.p.Pending(r.now) {
		t.Error("a batch as large as what was held left some of it")
	}
	want := map[string]string{}
	for i := range 300 {
		want[fmt.Sprintf("p%03d/linear", i)], want[fmt.Sprintf("q%03d/linear", i)] = "0.03", "0.01"
	}
	if got := r.values(); !maps.Equal(got, want) {
		t.Errorf("rows %v, want 0.03 and 0.01", got)
	}
	if n := r.lists(); n != 0 || r.p.Waiting() {
		t.Errorf("%d lists are left, something is held: %v", n, r.p.Waiting())
	}
}

// lists are the lists of held keys in the state.
func (r *rig) lists() int {
	r.t.Helper()
	n := 0
	err := r.kv.base.Scan([]byte{0x43}, []byte{0x44}, func(_, _ []byte) (bool, error) {
		n++
		return true, nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

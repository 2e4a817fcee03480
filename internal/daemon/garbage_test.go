package daemon_test

import (
	"runtime/debug"
	"runtime/metrics"
	"testing"

	"tracksource/internal/daemon"
)

func percent() uint64 {
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// TestEagerGarbage: garbage is collected eagerly while anybody asks for it, and then as
// before; never less often than the process was started to.
func TestEagerGarbage(t *testing.T) {
	off := ^uint64(0) // as the runtime writes none
	cases := map[string]struct {
		set          int
		before, then uint64
	}{
		"as Go does":  {100, 100, 25},
		"less often":  {400, 400, 25},
		"more often":  {20, 20, 20},
		"by no share": {-1, off, off},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			defer debug.SetGCPercent(debug.SetGCPercent(c.set))
			var g daemon.Garbage
			is := func(want uint64, when string) {
				t.Helper()
				if got := percent(); got != want {
					t.Errorf("%s the heap grows by %d %%, want %d", when, got, want)
				}
			}
			is(c.before, "at first")
			first := g.Eager()
			is(c.then, "for the first")
			second := g.Eager()
			first()
			first()
			is(c.then, "for the second")
			second()
			is(c.before, "in the end")
		})
	}
}

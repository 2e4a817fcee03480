package daemon

import (
	"runtime/debug"
	"sync"
)

// eagerPercent is by how much of what is in use the heap grows between two collections
// while they are eager: a quarter of what Go itself lets it grow by. A package holds columns
// and packed bytes, in which a collection has nothing to look for, so that collecting four
// times as often costs it little.
const eagerPercent = 25

// Garbage is how often this process collects its garbage, which is one setting for all of
// it. Whoever is about to use much memory for a short while asks for it to be collected
// eagerly, so that the most that the process has is nearer to what it uses; for good that
// would cost all else that it does. The zero value is ready. It is safe for concurrent use.
type Garbage struct {
	mu     sync.Mutex
	eager  int  // guarded by mu; those who are not done
	before int  // guarded by mu; what was set before the first of them
	own    bool // guarded by mu; whether it was set by the first of them
}

// Eager has garbage collected eagerly until done is called, by the last where several
// asked for it. Where the process was started to collect more often still (GOGC), or only
// by its limit (GOGC=off), it stays so.
func (g *Garbage) Eager() (done func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.eager++; g.eager == 1 {
		g.before = debug.SetGCPercent(eagerPercent)
		g.own = g.before > eagerPercent
		if !g.own {
			debug.SetGCPercent(g.before)
		}
	}
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.eager--; g.eager == 0 && g.own {
			debug.SetGCPercent(g.before)
		}
	})
}

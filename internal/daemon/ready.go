package daemon

import (
	"fmt"
	"sync"
)

// Condition is one thing that must hold before the process is ready, such as
// that its partitions are restored. Its methods are safe for concurrent use.
type Condition struct {
	name string
	of   *readiness
	why  string // guarded by of.mu; "" is met
}

// readiness is the list behind /readyz.
type readiness struct {
	mu         sync.Mutex
	conditions []*Condition // guarded by mu; grows only
	draining   bool         // guarded by mu; set once
}

// Condition adds a named condition to /readyz, which is missing until Met is
// called. A command declares all of its conditions before it meets the first;
// one that declares none is never ready.
func (e *Env) Condition(name string) *Condition {
	r := &e.ready
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &Condition{name: name, of: r, why: "not yet"}
	r.conditions = append(r.conditions, c)
	return c
}

// Met says that the condition holds from now on, until Missing.
func (c *Condition) Met() { c.set("") }

// Missing says that the condition does not hold, and why: "restoring 3 of 12
// partitions". The text is shown to whoever asks /readyz.
func (c *Condition) Missing(why string) {
	if why == "" {
		why = "no reason given"
	}
	c.set(why)
}

func (c *Condition) set(why string) {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.why = why
}

// drain makes the process unready for the rest of its life.
func (r *readiness) drain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.draining = true
}

// missing lists what stands between the process and being ready, one line each
// in the order of declaration. None means ready.
func (r *readiness) missing() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []string
	if r.draining {
		lines = append(lines, "process: stopping")
	}
	if len(r.conditions) == 0 {
		lines = append(lines, "process: starting")
	}
	for _, c := range r.conditions {
		if c.why != "" {
			lines = append(lines, fmt.Sprintf("%s: %s", c.name, c.why))
		}
	}
	return lines
}

package follow

import (
	"errors"
	"sync"
	"time"

	"tracksource/report"
	"tracksource/schemas/avro"
)

type cubeName struct{ campaign, measure, model string }

// cubeChange is a row as it now is; gone is one of which nothing but its name is
// known any more.
type cubeChange struct {
	row  avro.ContributionRow
	gone bool
}

// cubes are the rows that were asked for, in memory: each loaded from the store once
// and kept current from then on, until others need the room.
type cubes struct {
	max  int64
	load func(name cubeName, fn func(row *avro.ContributionRow) error) error

	mu      sync.Mutex
	entries map[cubeName]*cubeEntry // guarded by mu
	uses    uint64                  // guarded by mu; counts questions
}

// cubeEntry is one cube. Its lock is never taken with that of cubes held.
type cubeEntry struct {
	name   cubeName
	loaded chan struct{} // closed when the load is over, well or not
	used   uint64        // guarded by cubes.mu

	mu      sync.RWMutex
	cube    *report.Cube // guarded by mu; nil while it is loaded, and for good where it is too large
	asOf    time.Time    // guarded by mu
	loading bool         // guarded by mu
	pending []cubeChange // guarded by mu; that came while it is loaded
	err     error        // guarded by mu; why it was not loaded
}

// errTooLarge says that a cube does not fit, and that its rows are summed from disk.
var errTooLarge = errors.New("cube is larger than all room")

func (c *cubes) none() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries) == 0
}

func (c *cubes) empty() {
	c.mu.Lock()
	defer c.mu.Unlock()
	// Whoever is loading or reading one ends with what it has; nobody finds it again.
	c.entries = map[cubeName]*cubeEntry{}
}

// entry returns the entry of a name, and whether the caller is to load it.
func (c *cubes) entry(name cubeName) (*cubeEntry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uses++
	e, found := c.entries[name]
	if !found {
		e = &cubeEntry{name: name, loaded: make(chan struct{}), loading: true}
		c.entries[name] = e
	}
	e.used = c.uses
	return e, !found
}

func (c *cubes) forget(e *cubeEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[e.name] == e {
		delete(c.entries, e.name)
	}
}

func (c *cubes) sum(name cubeName, asks []report.Ask) ([]Sums, error) {
	e, mine := c.entry(name)
	if mine {
		c.fill(e)
	}
	<-e.loaded
	e.mu.RLock()
	cube, err := e.cube, e.err
	if cube == nil {
		e.mu.RUnlock()
		if errors.Is(err, errTooLarge) {
			return c.fromDisk(name, asks)
		}
		return nil, err
	}
	defer e.mu.RUnlock()
	out := make([]Sums, len(asks))
	for i, a := range asks {
		b, err := cube.Sum(a)
		if err != nil {
			return nil, err
		}
		out[i] = Sums{b, e.asOf}
	}
	return out, nil
}

// fill loads a cube. The entry is known before the store is read, so that a change
// that the reading does not see is pending; one that it does see is applied again,
// which its version makes harmless.
func (c *cubes) fill(e *cubeEntry) {
	cube := report.NewCube()
	var asOf time.Time
	n := 0
	err := c.load(e.name, func(row *avro.ContributionRow) error {
		const looked = 4096
		if n++; n%looked == 0 && cube.Bytes() > c.max {
			return errTooLarge
		}
		return apply(cube, &asOf, row, false)
	})
	e.mu.Lock()
	for i := range e.pending {
		if err == nil {
			err = apply(cube, &asOf, &e.pending[i].row, e.pending[i].gone)
		}
	}
	e.loading, e.pending = false, nil
	if err == nil {
		e.cube, e.asOf = cube, asOf
	}
	e.err = err
	e.mu.Unlock()
	if err != nil && !errors.Is(err, errTooLarge) {
		c.forget(e) // who asks next tries again
	}
	close(e.loaded)
	c.makeRoom()
}

// apply has a cube follow a row as it now is; gone is one of which nothing but its name is
// known any more.
func apply(cube *report.Cube, asOf *time.Time, r *avro.ContributionRow, gone bool) error {
	switch {
	case gone:
		name := NameOf(r)
		return cube.Drop(&name)
	case r.IsDeleted:
		name := NameOf(r)
		return cube.Delete(&name, r.Version)
	}
	row, err := RowOf(r)
	if err != nil {
		return err
	}
	if r.AsOf.After(*asOf) {
		*asOf = r.AsOf
	}
	return cube.Upsert(&row, r.Version)
}

// change brings all cubes up to date.
func (c *cubes) change(changes []cubeChange) error {
	by := map[*cubeEntry][]cubeChange{}
	c.mu.Lock()
	for i := range changes {
		r := &changes[i].row
		if e := c.entries[cubeName{r.Contract, r.Measure, r.Model}]; e != nil {
			by[e] = append(by[e], changes[i])
		}
	}
	c.mu.Unlock()
	for e, list := range by {
		if err := e.change(list); err != nil {
			return err
		}
	}
	c.makeRoom()
	return nil
}

func (e *cubeEntry) change(list []cubeChange) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.loading {
		e.pending = append(e.pending, list...)
		return nil
	}
	if e.cube == nil {
		return nil
	}
	for i := range list {
		if err := apply(e.cube, &e.asOf, &list[i].row, list[i].gone); err != nil {
			return err
		}
	}
	e.cube.Compact()
	return nil
}

// bytes is the room that an entry takes.
func (e *cubeEntry) bytes() int64 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.cube == nil {
		return 0
	}
	return e.cube.Bytes()
}

// makeRoom forgets the cubes that were not asked for longest, until the others fit.
// One that alone does not is summed from disk from then on.
func (c *cubes) makeRoom() {
	c.mu.Lock()
	list := make([]*cubeEntry, 0, len(c.entries))
	used := map[*cubeEntry]uint64{}
	for _, e := range c.entries {
		list, used[e] = append(list, e), e.used
	}
	c.mu.Unlock()
	sizes, total := map[*cubeEntry]int64{}, int64(0)
	for _, e := range list {
		sizes[e] = e.bytes()
		total += sizes[e]
	}
	for total > c.max {
		var oldest *cubeEntry
		for e, n := range sizes {
			if n > 0 && (oldest == nil || used[e] < used[oldest]) {
				oldest = e
			}
		}
		if oldest == nil {
			return
		}
		total -= sizes[oldest]
		if sizes[oldest] > c.max {
			oldest.mu.Lock()
			oldest.cube, oldest.err = nil, errTooLarge
			oldest.mu.Unlock()
		} else {
			c.forget(oldest)
		}
		delete(sizes, oldest)
	}
}

// fromDisk sums the rows of the store one by one.
func (c *cubes) fromDisk(name cubeName, asks []report.Ask) ([]Sums, error) {
	tallies := make([]*report.Tally, len(asks))
	for i, a := range asks {
		t, err := report.NewTally(a.By...)
		if err != nil {
			return nil, err
		}
		tallies[i] = t
	}
	var asOf time.Time
	err := c.load(name, func(r *avro.ContributionRow) error {
		row, err := RowOf(r)
		if err != nil {
			return err
		}
		if r.AsOf.After(asOf) {
			asOf = r.AsOf
		}
		for i := range asks {
			if seen, ok := asks[i].Take(&row); ok {
				tallies[i].Add(&seen)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]Sums, len(asks))
	for i, t := range tallies {
		out[i] = Sums{t.Breakdowns(), asOf}
	}
	return out, nil
}

package reporter

import (
	"cmp"
	"container/heap"
	"fmt"
	"math"
	"time"
)

// A key whose rows were published a moment ago is held: what changes meanwhile is
// published with its last value once the interval is over. Which keys are held,
// and until when, is state, so that who takes the partition over publishes them.

// holds are the held keys in memory, as many as change within an interval. A store
// of the kind that we have would answer which is due next by going over all that
// were deleted lately.
type holds struct {
	until map[string]int64 // by state key of the total, milliseconds
	// queue has each of them by time, and some that are held until another time or
	// not any more.
	queue queue
	max   int64 // none is held for longer
}

type held struct {
	until int64
	key   string
}

// queue implements heap.Interface; the earliest is first.
type queue []held

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return cmp.Compare(q[i].until, q[j].until) < 0 }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(held)) } //nolint:forcetypeassert // heap.Interface; only set pushes
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// set notes until when a key is held, 0 for not.
func (h *holds) set(key string, until int64) {
	if until == 0 {
		delete(h.until, key)
		return
	}
	h.until[key], h.max = until, max(h.max, until)
	heap.Push(&h.queue, held{until, key})
}

// next returns the key that is due first, without those that the queue is behind
// with.
func (h *holds) next() (held, bool) {
	for len(h.queue) > 0 {
		if first := h.queue[0]; h.until[first.key] == first.until {
			return first, true
		}
		heap.Pop(&h.queue)
	}
	return held{}, false
}

// ahead is the latest time until which a key may be held by a clock that shows
// now. One that is held longer was so by a clock that is ahead of this one, and is
// due.
func ahead(now time.Time, throttle time.Duration) int64 {
	return now.UnixMilli() + throttle.Milliseconds()
}

// due reports whether a key is.
func (h *holds) due(now time.Time, throttle time.Duration) bool {
	if latest := ahead(now, throttle); h.max > latest {
		for key, until := range h.until {
			if until > latest {
				h.set(key, overdue)
			}
		}
		h.max = latest
	}
	first, ok := h.next()
	return ok && first.until <= now.UnixMilli()
}

// overdue is a time at which a key is due by every clock.
const overdue = math.MinInt64

// open reports whether a row that is held until a time may be published now.
func (f *fold) open(until int64) bool {
	return until <= f.now.UnixMilli() || until > ahead(f.now, f.p.cfg.Throttle)
}

// release has the totals of keys that are due looked at when the batch is
// finished: as many as its records can hold again, so that they never pile up.
func (f *fold) release(records int) error {
	h := &f.p.holds
	for left := max(f.p.cfg.SliceKeys, records); left > 0 && h.due(f.now, f.p.cfg.Throttle); left-- {
		first, _ := heap.Pop(&h.queue).(held)
		d, err := readDims(spaceTotal.Parts([]byte(first.key)))
		if err != nil {
			return fmt.Errorf("held key: %w", err)
		}
		if _, err := f.total(d); err != nil {
			return err
		}
	}
	return nil
}

// hold notes until when the key of a total is held, 0 for not.
func (f *fold) hold(key string, t *dirty, until int64) error {
	if t.held == until {
		return nil
	}
	t.held = until
	f.p.holds.set(key, until)
	if until == 0 {
		return f.p.kv.Delete(heldKey(&t.dims))
	}
	return f.p.kv.Put(heldKey(&t.dims), spaceHeld.Value(nil))
}

// loadHolds reads which keys are held.
func (p *Processor) loadHolds() error {
	p.holds = holds{until: map[string]int64{}}
	var found []dims
	from, to := spaceHeld.Key().Range()
	err := p.kv.Scan(from, to, func(key, _ []byte) (bool, error) {
		d, err := readDims(spaceHeld.Parts(key))
		found = append(found, d)
		return true, err
	})
	if err != nil {
		return fmt.Errorf("load held keys: %w", err)
	}
	for i := range found {
		key := totalKey(&found[i])
		value, err := p.kv.Get(key)
		if err != nil {
			return err
		}
		if value == nil {
			return fmt.Errorf("%v is held and has no total", found[i])
		}
		t, err := decodeTotal(value, p.names)
		if err != nil {
			return fmt.Errorf("total: %w", err)
		}
		p.holds.set(string(key), t.held)
	}
	return nil
}

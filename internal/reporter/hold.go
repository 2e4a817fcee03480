package reporter

import (
	"cmp"
	"container/heap"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"tracksource/state"
)

// A key whose rows were published a moment ago is held: what changes meanwhile is
// published with its last value once the interval is over. Which keys are held,
// and until when, is state, so that who takes the partition over publishes them.

// holds are the held keys in memory, as many as change within an interval. A store
// of the kind that we have would answer which is due next by going over all that
// were deleted lately.
//
// The state names them in lists, one or a few for each batch: a key of its own for
// each would cost as much as its total. A list goes with the last of its keys.
type holds struct {
	of map[string]hold // by state key of the total
	// queue has each of them by time, and some that are held until another time or
	// not any more.
	queue queue
	max   int64          // none is held for longer
	left  map[uint64]int // keys that are held, by list

	// Of the batch in hand: where the next key is listed, which are listed anew, and
	// which lists are through.
	list  uint64
	fresh []string
	done  []uint64
}

// hold is until when a key is held, milliseconds, and the list that names it.
type hold struct {
	until int64
	list  uint64
}

// listedMax is how many keys a list names, so that its record stays far below what
// a broker takes.
const listedMax = 256

// held is a key in the queue.
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

// set notes until when a key is held, 0 for not. It comes to the list in hand.
func (h *holds) set(key string, until int64) {
	if was, ok := h.of[key]; ok {
		delete(h.of, key)
		if h.left[was.list]--; h.left[was.list] == 0 {
			delete(h.left, was.list)
			h.done = append(h.done, was.list)
		}
	}
	if until == 0 {
		return
	}
	h.fresh = append(h.fresh, key)
	h.add(key, hold{until, h.list})
	if h.left[h.list] == listedMax {
		h.list++
	}
}

func (h *holds) add(key string, held hold) {
	h.of[key], h.max = held, max(h.max, held.until)
	h.left[held.list]++
	h.push(key, held.until)
}

func (h *holds) push(key string, until int64) { heap.Push(&h.queue, held{until, key}) }

// next returns the key that is due first, without those that the queue is behind
// with.
func (h *holds) next() (held, bool) {
	for len(h.queue) > 0 {
		first := h.queue[0]
		if now, ok := h.of[first.key]; ok && now.until == first.until {
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
		for key, held := range h.of {
			if held.until > latest {
				h.of[key] = hold{overdue, held.list}
				h.push(key, overdue)
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
		d, err := readDims(first.key)
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
func (f *fold) hold(key string, t *dirty, until int64) {
	if t.held != until {
		t.held = until
		f.p.holds.set(key, until)
	}
}

// saveHolds stages the lists that the batch began and the end of those that it
// went through.
func (f *fold) saveHolds() error {
	h := &f.p.holds
	list := h.list - uint64(len(h.fresh)/listedMax)
	for part := range slices.Chunk(h.fresh, listedMax) {
		k := state.Key{}.Uint32(uint32(len(part)))
		for _, key := range part {
			k = k.String(key)
		}
		if err := f.p.kv.PutNew(heldKey(list), spaceHeld.Value(k)); err != nil {
			return err
		}
		list++
	}
	for _, done := range h.done {
		if err := f.p.kv.Delete(heldKey(done)); err != nil {
			return err
		}
	}
	h.fresh, h.done, h.list = h.fresh[:0], h.done[:0], list
	return nil
}

// loadHolds reads which keys are held.
func (p *Processor) loadHolds() error {
	h := holds{of: map[string]hold{}, left: map[uint64]int{}}
	lists := map[uint64][]string{}
	begin, end := spaceHeld.Key().Range()
	err := p.kv.Scan(begin, end, func(key, value []byte) (bool, error) {
		list, keys, err := readHeld(key, value)
		lists[list] = keys
		return true, err
	})
	if err != nil {
		return fmt.Errorf("load held keys: %w", err)
	}
	var from memory
	for _, list := range slices.Sorted(maps.Keys(lists)) {
		h.list = list + 1
		for _, key := range lists[list] {
			value, err := p.kv.Get([]byte(key))
			if err != nil {
				return err
			}
			if value == nil {
				continue // its rows and all that was said of it are gone
			}
			var t total
			if err := t.decode(value, p.names, &from); err != nil {
				return fmt.Errorf("total: %w", err)
			}
			// One that was held again is in a later list too; the first will do.
			if _, twice := h.of[key]; !twice && t.held != 0 {
				h.add(key, hold{t.held, list})
			}
		}
		if h.left[list] == 0 {
			h.done = append(h.done, list)
		}
	}
	p.holds = h
	return nil
}

package state

// hot keeps what a store holds under keys that are read again and again, over
// batches, within a bound. A cache of blocks, as Badger has one, would waste most of
// the four kilobytes that it keeps for a key whose neighbours nobody asks for, and a
// hit is still a search of the levels, of the block's table and of the block.
//
// A value comes in when a read finds it in the store. What is only written, and
// what is not there, would push out what is read; marks of events are both.
//
// The oldest half is dropped at once when the newer one is full. A key that was
// read since is in the newer one.
type hot struct {
	newer, older map[string]pair
	size, max    int // bytes of newer, and its bound
}

// pair is a key and its value. The key is the map's own once more, so that whoever
// reads it needs no copy.
type pair struct {
	key   string
	value []byte
}

// hotOverhead is what an entry costs beside its bytes: three headers, and its
// share of a table that is not full.
const hotOverhead = 100

func newHot(bytesMax int64) *hot {
	return &hot{newer: map[string]pair{}, older: map[string]pair{}, max: int(bytesMax / 2)}
}

func (h *hot) get(key []byte) (pair, bool) {
	if p, ok := h.newer[string(key)]; ok {
		return p, true
	}
	p, ok := h.older[string(key)]
	if ok {
		delete(h.older, p.key) // a key is in one of them
		h.keep(p)
	}
	return p, ok
}

// keep takes in what the store holds, whose value is never nil.
func (h *hot) keep(p pair) {
	cost := len(p.key) + len(p.value) + hotOverhead
	if h.size += cost; h.size > h.max {
		h.newer, h.older = h.older, h.newer
		clear(h.newer)
		h.size = cost
	}
	h.newer[p.key] = p
}

// changed follows a change of the store.
func (h *hot) changed(key string, value []byte) {
	if p, ok := h.newer[key]; ok {
		if value == nil {
			h.size -= len(key) + len(p.value) + hotOverhead
			delete(h.newer, key)
			return
		}
		h.size += len(value) - len(p.value)
		h.newer[key] = pair{p.key, value}
		return
	}
	if p, ok := h.older[key]; ok {
		delete(h.older, key)
		if value != nil {
			h.keep(pair{p.key, value})
		}
	}
}

// drop forgets everything.
func (h *hot) drop() {
	clear(h.newer)
	clear(h.older)
	h.size = 0
}

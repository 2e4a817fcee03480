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
	newer, older map[string][]byte
	size, max    int // bytes of newer, and its bound
}

// hotOverhead is what an entry costs beside its bytes: two headers, and its share
// of a table that is not full.
const hotOverhead = 80

func newHot(bytesMax int64) *hot {
	return &hot{newer: map[string][]byte{}, older: map[string][]byte{}, max: int(bytesMax / 2)}
}

func (h *hot) get(key []byte) ([]byte, bool) {
	if v, ok := h.newer[string(key)]; ok {
		return v, true
	}
	v, ok := h.older[string(key)]
	if ok {
		delete(h.older, string(key)) // a key is in one of them
		h.keep(key, v)
	}
	return v, ok
}

// keep takes in what the store holds, which is never nil.
func (h *hot) keep(key, value []byte) {
	h.size += len(key) + len(value) + hotOverhead
	if h.size > h.max {
		h.newer, h.older = h.older, h.newer
		clear(h.newer)
		h.size = len(key) + len(value) + hotOverhead
	}
	h.newer[string(key)] = value
}

// changed follows a change of the store.
func (h *hot) changed(key, value []byte) {
	if _, ok := h.older[string(key)]; ok {
		delete(h.older, string(key))
		if value != nil {
			h.keep(key, value)
		}
		return
	}
	old, ok := h.newer[string(key)]
	switch {
	case !ok:
	case value == nil:
		h.size -= len(key) + len(old) + hotOverhead
		delete(h.newer, string(key))
	default:
		h.size += len(value) - len(old)
		h.newer[string(key)] = value
	}
}

// drop forgets everything.
func (h *hot) drop() {
	clear(h.newer)
	clear(h.older)
	h.size = 0
}

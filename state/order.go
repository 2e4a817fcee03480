package state

import (
	"iter"
	"slices"
	"strings"
)

// order is the keys of a batch's changes, sorted at any time: scans come between
// writes, and sorting anew for each would make a batch quadratic. It is a list of
// short sorted lists, so that one more key moves a few others and not thousands.
type order struct {
	parts [][]placed
	size  int // keys
}

// placed is a key and the place of its record.
type placed struct {
	key string
	at  int
}

// orderPart is how many keys one list has at most, and half of it after it was
// split.
const orderPart = 128

// find returns the part that key is in or belongs into, and its place there.
func (o *order) find(key string) (part, at int) {
	part, found := slices.BinarySearchFunc(o.parts, key, func(p []placed, key string) int {
		if p[len(p)-1].key < key {
			return -1
		}
		if p[0].key > key {
			return 1
		}
		return 0
	})
	if !found && part == len(o.parts) && part > 0 {
		part-- // behind all of them: at the end of the last one
	}
	if part == len(o.parts) {
		return part, 0
	}
	at, _ = slices.BinarySearchFunc(o.parts[part], key, func(p placed, key string) int { return strings.Compare(p.key, key) })
	return part, at
}

// insert adds a key that is not there.
func (o *order) insert(p placed) {
	part, at := o.find(p.key)
	o.size++
	if part == len(o.parts) {
		o.parts = append(o.parts, append(make([]placed, 0, orderPart), p))
		return
	}
	list := slices.Insert(o.parts[part], at, p)
	o.parts[part] = list
	if len(list) == orderPart {
		half := append(make([]placed, 0, orderPart), list[orderPart/2:]...)
		o.parts[part] = list[:orderPart/2]
		o.parts = slices.Insert(o.parts, part+1, half)
	}
}

// remove takes a key out that is there.
func (o *order) remove(key string) {
	part, at := o.find(key)
	o.size--
	if o.parts[part] = slices.Delete(o.parts[part], at, at+1); len(o.parts[part]) == 0 {
		o.parts = slices.Delete(o.parts, part, part+1)
	}
}

// all yields the keys in their order.
func (o *order) all() iter.Seq[placed] {
	return func(yield func(placed) bool) {
		for _, part := range o.parts {
			for _, p := range part {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// run is the keys of a range of the order from one of its ends, as long as the order
// does not change.
type run struct {
	parts [][]placed
	// at is the place of the next key in the first part, or behind it in the last.
	at   int
	end  string // first key behind the range, or from its end the first of the range
	back bool
}

// between returns the keys in [from, to), from the last to the first if back is set.
func (o *order) between(from, to string, back bool) run {
	if back {
		part, at := o.find(to)
		return run{parts: o.parts[:min(part+1, len(o.parts))], at: at, end: from, back: true}
	}
	part, at := o.find(from)
	return run{parts: o.parts[part:], at: at, end: to}
}

// peek returns the key whose turn it is.
func (r *run) peek() (next placed, ok bool) {
	for len(r.parts) > 0 {
		last := len(r.parts) - 1
		switch {
		case r.back && r.at > 0:
			next = r.parts[last][r.at-1]
			return next, next.key >= r.end
		case r.back:
			if r.parts = r.parts[:last]; last > 0 {
				r.at = len(r.parts[last-1])
			}
		case r.at < len(r.parts[0]):
			next = r.parts[0][r.at]
			return next, next.key < r.end
		default:
			r.parts, r.at = r.parts[1:], 0
		}
	}
	return placed{}, false
}

// drop steps behind the key whose turn it is.
func (r *run) drop() {
	if r.back {
		r.at--
	} else {
		r.at++
	}
}

func (o *order) clear() {
	clear(o.parts)
	o.parts, o.size = o.parts[:0], 0
}

package state

import "slices"

// order is the keys of a batch's changes, sorted at any time: scans come between
// writes, and sorting anew for each would make a batch quadratic. It is a list of
// short sorted lists, so that one more key moves a few others and not thousands.
type order struct{ parts [][]string }

// orderPart is how many keys one list has at most, and half of it after it was
// split.
const orderPart = 128

// find returns the part that key belongs into, its place there and whether it is
// there.
func (o *order) find(key string) (part, at int, found bool) {
	part, found = slices.BinarySearchFunc(o.parts, key, func(p []string, key string) int {
		if p[len(p)-1] < key {
			return -1
		}
		if p[0] > key {
			return 1
		}
		return 0
	})
	if !found && part == len(o.parts) && part > 0 {
		part-- // behind all of them: at the end of the last one
	}
	if part == len(o.parts) {
		return part, 0, false
	}
	at, found = slices.BinarySearch(o.parts[part], key)
	return part, at, found
}

func (o *order) insert(key string) {
	part, at, found := o.find(key)
	switch {
	case found:
		return
	case part == len(o.parts):
		o.parts = append(o.parts, append(make([]string, 0, orderPart), key))
		return
	}
	p := slices.Insert(o.parts[part], at, key)
	o.parts[part] = p
	if len(p) == orderPart {
		half := append(make([]string, 0, orderPart), p[orderPart/2:]...)
		o.parts[part] = p[:orderPart/2]
		o.parts = slices.Insert(o.parts, part+1, half)
	}
}

func (o *order) remove(key string) {
	part, at, found := o.find(key)
	if !found {
		return
	}
	if o.parts[part] = slices.Delete(o.parts[part], at, at+1); len(o.parts[part]) == 0 {
		o.parts = slices.Delete(o.parts, part, part+1)
	}
}

// run is the keys of a range of the order from one of its ends, as long as the order
// does not change.
type run struct {
	parts [][]string
	// at is the place of the next key in the first part, or behind it in the last.
	at   int
	end  string // first key behind the range, or from its end the first of the range
	back bool
}

// between returns the keys in [from, to), from the last to the first if back is set.
func (o *order) between(from, to string, back bool) run {
	if back {
		part, at, _ := o.find(to)
		return run{parts: o.parts[:min(part+1, len(o.parts))], at: at, end: from, back: true}
	}
	part, at, _ := o.find(from)
	return run{parts: o.parts[part:], at: at, end: to}
}

// peek returns the key whose turn it is.
func (r *run) peek() (key string, ok bool) {
	for len(r.parts) > 0 {
		last := len(r.parts) - 1
		switch {
		case r.back && r.at > 0:
			key = r.parts[last][r.at-1]
			return key, key >= r.end
		case r.back:
			if r.parts = r.parts[:last]; last > 0 {
				r.at = len(r.parts[last-1])
			}
		case r.at < len(r.parts[0]):
			key = r.parts[0][r.at]
			return key, key < r.end
		default:
			r.parts, r.at = r.parts[1:], 0
		}
	}
	return "", false
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
	o.parts = o.parts[:0]
}

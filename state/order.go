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

// place is one in the order, as long as the order does not change.
type place struct {
	parts [][]string
	at    int // in the first part
}

// from returns the place of the first key that is not below key.
func (o *order) from(key string) place {
	part, at, _ := o.find(key)
	return place{o.parts[part:], at}
}

// next returns the key at the place and steps behind it.
func (p *place) next() (key string, ok bool) {
	for len(p.parts) > 0 {
		if p.at < len(p.parts[0]) {
			p.at++
			return p.parts[0][p.at-1], true
		}
		p.parts, p.at = p.parts[1:], 0
	}
	return "", false
}

func (o *order) clear() {
	clear(o.parts)
	o.parts = o.parts[:0]
}

package identity

import (
	"bytes"
	"cmp"
	"time"
)

// Evidence says how strongly a link is believed. The numbers are stored; the
// gaps are for kinds that are yet to come.
type Evidence int32

// The kinds of evidence, weakest first.
const (
	// Inferred is a guess, such as the company behind an IP address.
	Inferred Evidence = 10
	// Asserted is what a page or a form said about a visitor, such as a company
	// domain in an event parameter.
	Asserted Evidence = 30
	// Address is the domain of somebody's own e-mail address.
	Address Evidence = 50
	// Login is somebody who made themselves known under two identifiers at once.
	Login Evidence = 60
	// Record is what a CRM record says of itself: its account, its website.
	Record Evidence = 70
	// AccountMap is a row of the imported account map.
	AccountMap Evidence = 90
)

// Link is evidence that an identity belongs under Parent, as of At (event time).
type Link struct {
	Parent   Node
	Evidence Evidence
	At       time.Time
}

// ValidFor reports whether the link may lead up from child: only a parent of a
// strictly higher level may, and only one that could be encoded.
func (l Link) ValidFor(child Node) bool {
	return l.Parent.Level > child.Level && l.Parent.check() == nil
}

// Compare is the total order over the evidence for one child: it is negative
// when a is preferred to b, positive when b is preferred to a, and zero only for
// the same evidence. Preferred is, in this order, the parent of the higher level,
// the stronger evidence, the later time (a correction replaces what it
// corrects), the parent whose bytes are smaller. Times are compared in
// microseconds, which is what the wire keeps: an order that saw more before the
// wire than after it could change its mind in a replay.
func Compare(a, b Link) int {
	if c := cmp.Compare(b.Parent.Level, a.Parent.Level); c != 0 {
		return c
	}
	if c := cmp.Compare(b.Evidence, a.Evidence); c != 0 {
		return c
	}
	if c := cmp.Compare(b.At.UnixMicro(), a.At.UnixMicro()); c != 0 {
		return c
	}
	return bytes.Compare(a.Parent.Bytes(), b.Parent.Bytes())
}

// BestPerson is [Best] among the links to parents that are people: who child is. An
// address belongs to its contact and to the company of its domain, and Best has the
// company alone.
func BestPerson(child Node, links []Link) (best Link, ok bool) {
	if !child.Level.Personal() {
		return best, false
	}
	for _, l := range links {
		if l.Parent.Level.Personal() && l.ValidFor(child) && (!ok || Compare(l, best) < 0) {
			best, ok = l, true
		}
	}
	return best, ok
}

// Best returns the one parent of child that the links give evidence for, the
// same for every order and any repetition of the links; ok is false when none of
// them may lead up from child. Because Compare is a total order, keeping only
// the best link seen so far loses nothing.
func Best(child Node, links []Link) (best Link, ok bool) {
	for _, l := range links {
		if !l.ValidFor(child) {
			continue
		}
		if !ok || Compare(l, best) < 0 {
			best, ok = l, true
		}
	}
	return best, ok
}

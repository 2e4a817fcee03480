package ingest

import (
	"errors"
	"fmt"
	"time"

	"tracksource/identity"
	"tracksource/state"
)

// The keyspaces of the resolve and control stores; docs/state-layout.md.
var (
	spaceNode    = state.Keyspace{ID: 0x10, Version: 4, Name: "node"}
	spaceChild   = state.Keyspace{ID: 0x11, Version: 1, Name: "child"}
	spaceItem    = state.Keyspace{ID: 0x12, Version: 1, Name: "item"}
	spaceObject  = state.Keyspace{ID: 0x13, Version: 1, Name: "object"}
	spaceCounts  = state.Keyspace{ID: 0x16, Version: 1, Name: "counts"}
	spaceControl = state.Keyspace{ID: 0x17, Version: 1, Name: "control"}
	spaceTotal   = state.Keyspace{ID: 0x18, Version: 1, Name: "total"}
	spaceWatch   = state.Keyspace{ID: 0x19, Version: 1, Name: "watch"}
)

// The prefixes of the dedupe marks.
const (
	prefixMark    = 0x14
	prefixMarkDay = 0x15
)

func nodeKey(node []byte) []byte { return spaceNode.Key().Bytes(node) }

func childKey(parent, child []byte) []byte { return spaceChild.Key().Bytes(parent).Bytes(child) }

func itemKey(node []byte, reporter, source, item string) []byte {
	return spaceItem.Key().Bytes(node).String(reporter).String(source).String(item)
}

func objectKey(node []byte, reporter, source, item string) []byte {
	return spaceObject.Key().Bytes(node).String(reporter).String(source).String(item)
}

func countsKey(feed FeedID) []byte { return spaceCounts.Key().String(feed.Feed).String(feed.Reporter) }

// markID is what makes an event one: whom it is about, its reporter, its source and
// its id. A mapping may turn the event to somebody else, and then it is taken back
// from whom it was about: two marks, which may lie in one partition or in two.
func markID(node []byte, reporter, source, event string) []byte {
	return state.Key{}.Bytes(node).String(reporter).String(source).String(event)
}

// nodeState is what a partition knows of one of its identities.
type nodeState struct {
	up       []byte // parent by the best link; nil: none
	evidence int32  // of that link
	at       int64  // of that link, microseconds
	same     []byte // the greatest identity that this one was merged with, if it is greater; nil: none
	attached uint64 // own counter of attach and detach messages
	root     []byte // account as told by the parent; the node itself until then
	placed   uint64 // number of the last place message taken from parent
	places   uint64 // own counter of place messages to children
	// Whether there ever were items on the node and children below it. Most nodes
	// have neither, and looking for them costs more than all else when they move.
	items, children bool
	erased          bool // nothing is taken in any more
}

func newNodeState(node []byte) nodeState { return nodeState{root: node} }

// parent is who says where the node belongs, nil without one: what it was merged
// with goes before its links, which it has handed on.
func (n nodeState) parent() []byte {
	if n.same != nil {
		return n.same
	}
	return n.up
}

func (n nodeState) encode() []byte {
	k := state.Key{}.Bytes(n.up).Uint32(uint32(n.evidence)).Uint64(uint64(n.at)).Uint64(n.attached)
	return spaceNode.Value(k.Bytes(n.root).Uint64(n.placed).Uint64(n.places).Bytes(n.same).Uint32(flag(n.items)).Uint32(flag(n.children)).Uint32(flag(n.erased)))
}

func flag(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// The versions of node values from which on they have what the node was merged
// with, whether there are items and children, and whether it is erased.
const (
	versionNodeMerged = 2
	versionNodeFlags  = 3
	versionNodeErased = 4
)

func decodeNodeState(b []byte) (nodeState, error) {
	body, err := spaceNode.Body(b)
	if err != nil {
		return nodeState{}, err
	}
	p := state.Keyspace{}.Parts(append([]byte{0}, body...))
	n := nodeState{
		up: p.Bytes(), evidence: int32(p.Uint32()), at: int64(p.Uint64()), attached: p.Uint64(),
		root: p.Bytes(), placed: p.Uint64(), places: p.Uint64(),
	}
	if b[0] >= versionNodeMerged {
		n.same = p.Bytes()
	}
	n.items, n.children = true, true // nobody knows
	if b[0] >= versionNodeFlags {
		n.items, n.children = p.Uint32() == 1, p.Uint32() == 1
	}
	if b[0] >= versionNodeErased {
		n.erased = p.Uint32() == 1
	}
	if len(n.up) == 0 {
		n.up = nil
	}
	if len(n.same) == 0 {
		n.same = nil
	}
	return n, p.End()
}

// link returns the state's best evidence, ok is false without any.
func (n nodeState) link() (l identity.Link, ok bool, err error) {
	if n.up == nil {
		return l, false, nil
	}
	parent, err := identity.Parse(n.up)
	if err != nil {
		return l, false, fmt.Errorf("stored parent: %w", err)
	}
	return identity.Link{Parent: parent, Evidence: identity.Evidence(n.evidence), At: time.UnixMicro(n.at)}, true, nil
}

// childState is what a parent knows of one child.
type childState struct {
	number   uint64
	attached bool
}

func (c childState) encode() []byte {
	return spaceChild.Value(state.Key{}.Uint64(c.number).Uint32(flag(c.attached)))
}

func decodeChildState(b []byte) (childState, error) {
	body, err := spaceChild.Body(b)
	if err != nil {
		return childState{}, err
	}
	p := state.Keyspace{}.Parts(append([]byte{0}, body...))
	c := childState{number: p.Uint64(), attached: p.Uint32() == 1}
	return c, p.End()
}

// errBroken marks a record of our own that breaks an invariant.
var errBroken = errors.New("broken invariant")

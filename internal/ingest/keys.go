package ingest

import (
	"bytes"
	"errors"
	"time"

	"tracksource/identity"
	"tracksource/schemas/avro"
	"tracksource/state"
)

// The keyspaces of the resolve and control stores; docs/state-layout.md.
var (
	spaceNode    = state.Keyspace{ID: 0x10, Version: 5, Name: "node"}
	spaceChild   = state.Keyspace{ID: 0x11, Version: 1, Name: "child"}
	spaceItem    = state.Keyspace{ID: 0x12, Version: 1, Name: "item"}
	spaceObject  = state.Keyspace{ID: 0x13, Version: 1, Name: "object"}
	spaceCounts  = state.Keyspace{ID: 0x16, Version: 1, Name: "counts"}
	spaceControl = state.Keyspace{ID: 0x17, Version: 1, Name: "control"}
	spaceTotal   = state.Keyspace{ID: 0x18, Version: 1, Name: "total"}
	spaceWatch   = state.Keyspace{ID: 0x19, Version: 1, Name: "watch"}
	spaceShift   = state.Keyspace{ID: 0x1a, Version: 1, Name: "shift"}
)

// The prefixes of the dedupe marks.
const (
	prefixMark    = 0x14
	prefixMarkDay = 0x15
)

func nodeKey(node []byte) []byte { return spaceNode.Key().Bytes(node) }

func shiftKey(node []byte) []byte { return spaceShift.Key().Bytes(node) }

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
	return make(state.Key, 0, 3*2+2+len(node)+len(reporter)+len(source)+len(event)).Bytes(node).String(reporter).String(source).String(event)
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
	// Whom the node belongs to is asked of the parent that is a person. It is another
	// one than up for those that are linked to a company as well: an address belongs
	// to its contact and to the company of its domain.
	who         []byte // best parent that is a person; nil: none
	whoEvidence int32  // of that link
	whoAt       int64  // of that link, microseconds
	person      []byte // as told by that parent; the node itself until then; nil: nobody
	told        uint64 // number of the last place message taken from it
}

func newNodeState(node []byte) nodeState {
	n := nodeState{root: node}
	if personal(node) {
		n.person = node
	}
	return n
}

// personal reports whether an encoded node is somebody.
func personal(node []byte) bool {
	return len(node) > 0 && identity.Level(node[0]).Personal()
}

// parent is who says where the node belongs, nil without one: what it was merged
// with goes before its links, which it has handed on.
func (n nodeState) parent() []byte {
	if n.same != nil {
		return n.same
	}
	return n.up
}

// known is who says whom the node belongs to, nil without one.
func (n nodeState) known() []byte {
	if n.same != nil && personal(n.same) {
		return n.same
	}
	return n.who
}

// parents are those that the node is attached to.
func (n nodeState) parents() [][]byte {
	var all [][]byte
	if p := n.parent(); p != nil {
		all = append(all, p)
	}
	if p := n.known(); p != nil && !bytes.Equal(p, n.parent()) {
		all = append(all, p)
	}
	return all
}

func (n nodeState) encode() []byte {
	k := append(make(state.Key, 0, nodeFixedBytes+len(n.up)+len(n.root)+len(n.same)+len(n.who)+len(n.person)), spaceNode.Version)
	k = k.Bytes(n.up).Uint32(uint32(n.evidence)).Uint64(uint64(n.at)).Uint64(n.attached)
	k = k.Bytes(n.root).Uint64(n.placed).Uint64(n.places).Bytes(n.same).Uint32(flag(n.items)).Uint32(flag(n.children)).Uint32(flag(n.erased))
	return n.encodePerson(k)
}

// What of a node's person is there already: most are known by the one link that they
// have, and belong to the one that it leads to.
const (
	whoIsUp      = 1 << iota // the link to a person is the best of all
	personIsWho              // the person is the parent
	personIsRoot             // the person stands in for an account
)

func (n nodeState) encodePerson(k state.Key) state.Key {
	repeats := uint32(0)
	if n.who != nil && bytes.Equal(n.who, n.up) {
		repeats |= whoIsUp
	}
	switch {
	case n.person == nil:
	case bytes.Equal(n.person, n.who):
		repeats |= personIsWho
	case bytes.Equal(n.person, n.root):
		repeats |= personIsRoot
	}
	k = k.Uint32(repeats).Uint64(n.told)
	if repeats&whoIsUp == 0 {
		k = k.Bytes(n.who).Uint32(uint32(n.whoEvidence)).Uint64(uint64(n.whoAt))
	}
	if repeats&(personIsWho|personIsRoot) == 0 {
		k = k.Bytes(n.person)
	}
	return k
}

func (n *nodeState) decodePerson(p *state.Parts) {
	repeats := p.Uint32()
	n.told = p.Uint64()
	if n.who, n.whoEvidence, n.whoAt = n.up, n.evidence, n.at; repeats&whoIsUp == 0 {
		n.who, n.whoEvidence, n.whoAt = p.Bytes(), int32(p.Uint32()), int64(p.Uint64())
	}
	switch {
	case repeats&personIsWho != 0:
		n.person = n.who
	case repeats&personIsRoot != 0:
		n.person = n.root
	default:
		n.person = p.Bytes()
	}
}

// nodeFixedBytes is a node's value without its identities, at most.
const nodeFixedBytes = 1 + 5*2 + 6*4 + 6*8

func flag(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// The versions of node values from which on they have what the node was merged
// with, whether there are items and children, whether it is erased, and whom it
// belongs to.
const (
	versionNodeMerged = 2
	versionNodeFlags  = 3
	versionNodeErased = 4
	versionNodePerson = 5
)

func decodeNodeState(node, b []byte) (nodeState, error) {
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
	switch {
	case b[0] >= versionNodePerson:
		n.decodePerson(p)
	case !n.erased && personal(node):
		n.person = bytes.Clone(node) // until its evidence comes again
	}
	for _, b := range []*[]byte{&n.up, &n.same, &n.who, &n.person} {
		if len(*b) == 0 {
			*b = nil
		}
	}
	return n, p.End()
}

// links are the state's best evidence, at most one to any parent and one to a
// person.
func (n nodeState) links() []avro.Link {
	var all []avro.Link
	if n.up != nil {
		all = append(all, avro.Link{Parent: n.up, Evidence: int(n.evidence), At: time.UnixMicro(n.at)})
	}
	if n.who != nil && !bytes.Equal(n.who, n.up) {
		all = append(all, avro.Link{Parent: n.who, Evidence: int(n.whoEvidence), At: time.UnixMicro(n.whoAt)})
	}
	return all
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

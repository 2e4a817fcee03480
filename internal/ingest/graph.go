package ingest

import (
	"bytes"
	"fmt"
	"slices"

	"tracksource/identity"
	"tracksource/schemas/avro"
)

// evidence takes in links alone. They are a set, so a repetition changes
// nothing and nothing is counted.
func (r *Resolver) evidence(obs *avro.Observation, out Emitter) error {
	n, err := r.node(obs.Node)
	if err != nil {
		return err
	}
	if n.erased {
		return r.eraseAll(obs.Same, out)
	}
	if err := r.link(obs, &n, out); err != nil {
		return err
	}
	return r.putNode(obs.Node, n)
}

// erase forgets somebody: their items are taken off their account and what they
// said is dropped, they belong nowhere and take no evidence, and facts about them
// are suppressed from now on. Whoever a source says is the same person is erased
// with them, whenever it says so. Marks stay, which are hashes of ids, and children,
// which lose what stood above them.
func (r *Resolver) erase(node []byte, out Emitter) error {
	n, err := r.node(node)
	if err != nil || n.erased {
		return err
	}
	for _, parent := range n.parents() {
		if err := r.announce(kindDetach, parent, node, &n, out); err != nil {
			return err
		}
	}
	same, err := r.mergedBelow(node)
	if err != nil {
		return err
	}
	if n.same != nil {
		same = append(same, n.same)
	}
	if err := r.eraseAll(same, out); err != nil {
		return err
	}
	n = nodeState{root: bytes.Clone(node), erased: true, attached: n.attached, places: n.places, items: n.items, children: n.children}
	if err := r.shift(node, &n, nil, out); err != nil {
		return err
	}
	if err := r.dropObjects(node); err != nil {
		return err
	}
	if n.children {
		if err := r.relay(node, &n, out); err != nil {
			return err
		}
	}
	return r.putNode(node, n)
}

// eraseAll passes the order to forget somebody on to who is the same.
func (r *Resolver) eraseAll(nodes [][]byte, out Emitter) error {
	for _, node := range nodes {
		if err := r.tell(out, bytes.Clone(node), &avro.Observation{Kind: kindErase}); err != nil {
			return err
		}
	}
	return nil
}

// mergedBelow lists the attached children that were merged into the node: they are
// of its own level.
func (r *Resolver) mergedBelow(node []byte) ([][]byte, error) {
	children, err := r.children(node)
	return slices.DeleteFunc(children, func(child []byte) bool { return child[0] != node[0] }), err
}

// dropObjects forgets what the node's objects were made of. A person is few of them.
func (r *Resolver) dropObjects(node []byte) error {
	var objects [][]byte
	from, to := spaceObject.Key().Bytes(node).Range()
	err := r.kv.Scan(from, to, func(key, _ []byte) (bool, error) {
		objects = append(objects, bytes.Clone(key))
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("scan objects: %w", err)
	}
	for _, key := range objects {
		if err := r.kv.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

func (r *Resolver) node(node []byte) (nodeState, error) {
	b, err := r.kv.Get(nodeKey(node))
	if err != nil {
		return nodeState{}, fmt.Errorf("read node: %w", err)
	}
	if b == nil {
		return newNodeState(bytes.Clone(node)), nil
	}
	return decodeNodeState(node, b)
}

func (r *Resolver) putNode(node []byte, n nodeState) error {
	return r.kv.Put(nodeKey(node), n.encode())
}

// link takes evidence into the node: what it belongs under, and what it is the
// same as.
func (r *Resolver) link(obs *avro.Observation, n *nodeState, out Emitter) error {
	if len(obs.Links) == 0 && len(obs.Same) == 0 {
		return nil
	}
	was := *n
	better, err := n.believe(obs)
	if err != nil {
		return err
	}
	for _, other := range obs.Same {
		if err := r.merge(obs.Node, n, other, out); err != nil {
			return err
		}
	}
	// What a merged identity belongs under, the one that it was merged with does.
	if links := n.links(); n.same != nil && len(links) > 0 && (better || !bytes.Equal(n.same, was.same)) {
		if err := r.tell(out, n.same, &avro.Observation{Kind: kindLink, Links: links}); err != nil {
			return err
		}
	}
	return r.attach(obs.Node, &was, n, out)
}

// believe keeps the best link of all and the best one to a person, and reports
// whether either is another one than before.
func (n *nodeState) believe(obs *avro.Observation) (better bool, err error) {
	child, err := identity.Parse(obs.Node)
	if err != nil {
		return false, fmt.Errorf("%w: %w", errBroken, err)
	}
	var links []identity.Link
	for _, l := range append(n.links(), obs.Links...) {
		parent, err := identity.Parse(l.Parent)
		if err != nil {
			return false, fmt.Errorf("%w: link: %w", errBroken, err)
		}
		links = append(links, identity.Link{Parent: parent, Evidence: identity.Evidence(l.Evidence), At: l.At})
	}
	if best, ok := identity.Best(child, links); ok {
		better = put(best, &n.up, &n.evidence, &n.at)
	}
	if best, ok := identity.BestPerson(child, links); ok {
		better = put(best, &n.who, &n.whoEvidence, &n.whoAt) || better
	}
	return better, nil
}

// put sets a link's parts in the state, and reports whether one of them changed.
func put(l identity.Link, parent *[]byte, evidence *int32, at *int64) bool {
	p, e, t := l.Parent.Bytes(), int32(l.Evidence), l.At.UnixMicro()
	if bytes.Equal(p, *parent) && e == *evidence && t == *at {
		return false
	}
	*parent, *evidence, *at = p, e, t
	return true
}

// merge takes in that the node and another of its level are one. Of all that are
// one each keeps the greatest that it knows and tells it of the others, so that
// at rest they form one tree under the greatest of all, in whatever order merges
// arrive. Which of them survived in the CRM does not matter: their links are
// shared, and the latest is believed.
func (r *Resolver) merge(node []byte, n *nodeState, other []byte, out Emitter) error {
	same := func(lower, greater []byte) error {
		return r.tell(out, bytes.Clone(lower), &avro.Observation{Kind: kindLink, Same: [][]byte{greater}})
	}
	if len(other) == 0 || other[0] != node[0] {
		return fmt.Errorf("%w: merged with an identity of another level", errBroken)
	}
	other = bytes.Clone(other)
	switch by := bytes.Compare(other, node); {
	case by == 0, bytes.Equal(other, n.same):
		return nil
	case by < 0:
		return same(other, node)
	case n.same == nil:
		n.same = other
		return nil
	case bytes.Compare(other, n.same) < 0:
		return same(other, n.same)
	}
	old := n.same
	n.same = other
	return same(old, other)
}

// attach tells a change of parents to those concerned; where the node then belongs,
// and to whom, comes back as place messages. One that stays a parent in another way
// is told again, so that it says again what was not taken from it before.
func (r *Resolver) attach(node []byte, was, n *nodeState, out Emitter) error {
	parent, known := n.parent(), n.known()
	moved, turned := !bytes.Equal(parent, was.parent()), !bytes.Equal(known, was.known())
	if !moved && !turned {
		return nil
	}
	for _, old := range was.parents() {
		if bytes.Equal(old, parent) || bytes.Equal(old, known) {
			continue
		}
		if err := r.announce(kindDetach, old, node, n, out); err != nil {
			return err
		}
	}
	if moved {
		n.placed = 0
		if err := r.announce(kindAttach, parent, node, n, out); err != nil {
			return err
		}
	}
	if !turned {
		return nil
	}
	n.told = 0
	if moved && bytes.Equal(known, parent) {
		return nil
	}
	return r.announce(kindAttach, known, node, n, out)
}

// announce tells a parent that the node is its child, or is no longer.
func (r *Resolver) announce(kind string, parent, node []byte, n *nodeState, out Emitter) error {
	n.attached++
	return r.tell(out, bytes.Clone(parent), &avro.Observation{Kind: kind, Attach: &avro.Attach{Child: node, Number: int64(n.attached)}})
}

// tell sends a message to an identity.
func (r *Resolver) tell(out Emitter, to []byte, msg *avro.Observation) error {
	msg.Node = to
	b, err := r.cfg.Codecs.Observation.Append(nil, msg)
	if err != nil {
		return err
	}
	out.Emit(r.cfg.Observations, bytes.Clone(to), b)
	return nil
}

// child takes note of a child that came or left. One that came is told where
// it belongs.
func (r *Resolver) child(obs *avro.Observation, out Emitter) error {
	m := obs.Attach
	if m == nil {
		return fmt.Errorf("%w: %s without its message", errBroken, obs.Kind)
	}
	key := childKey(obs.Node, m.Child)
	b, err := r.kv.Get(key)
	if err != nil {
		return fmt.Errorf("read child: %w", err)
	}
	var c childState
	if b != nil {
		if c, err = decodeChildState(b); err != nil {
			return err
		}
	}
	if uint64(m.Number) <= c.number {
		return nil
	}
	c = childState{number: uint64(m.Number), attached: obs.Kind == kindAttach}
	if err := r.kv.Put(key, c.encode()); err != nil {
		return err
	}
	if !c.attached {
		return nil
	}
	n, err := r.node(obs.Node)
	if err != nil {
		return err
	}
	if n.erased && m.Child[0] == obs.Node[0] {
		return r.eraseAll([][]byte{m.Child}, out)
	}
	n.children = true
	n.places++
	if err := r.tellPlace(obs.Node, bytes.Clone(m.Child), n, out); err != nil {
		return err
	}
	return r.putNode(obs.Node, n)
}

func (r *Resolver) tellPlace(parent, child []byte, n nodeState, out Emitter) error {
	return r.tell(out, child, &avro.Observation{
		Kind:  kindPlace,
		Place: &avro.Place{Parent: parent, Root: n.root, Number: int64(n.places), Person: n.person},
	})
}

// place takes note of where the node belongs and of whom it belongs to, each from
// the parent of now that says so, if it is news. Its items move there, and it is
// relayed to its children.
func (r *Resolver) place(obs *avro.Observation, out Emitter) error {
	m := obs.Place
	if m == nil {
		return fmt.Errorf("%w: place without its message", errBroken)
	}
	n, err := r.node(obs.Node)
	if err != nil {
		return err
	}
	root, person, news := n.root, n.person, false
	if bytes.Equal(m.Parent, n.parent()) && uint64(m.Number) > n.placed {
		root, n.placed, news = m.Root, uint64(m.Number), true
	}
	if bytes.Equal(m.Parent, n.known()) && uint64(m.Number) > n.told {
		person, n.told, news = m.Person, uint64(m.Number), true
	}
	if !news {
		return nil
	}
	if bytes.Equal(root, n.root) && bytes.Equal(person, n.person) {
		return r.putNode(obs.Node, n)
	}
	n.root, n.person = bytes.Clone(root), bytes.Clone(person)
	if n.items {
		if err := r.shift(obs.Node, &n, nil, out); err != nil {
			return err
		}
	}
	if n.children {
		if err := r.relay(obs.Node, &n, out); err != nil {
			return err
		}
	}
	return r.putNode(obs.Node, n)
}

// children lists the attached children of a node.
func (r *Resolver) children(node []byte) ([][]byte, error) {
	var children [][]byte
	from, to := spaceChild.Key().Bytes(node).Range()
	err := r.kv.Scan(from, to, func(key, value []byte) (bool, error) {
		c, err := decodeChildState(value)
		if err != nil {
			return false, err
		}
		p := spaceChild.Parts(key)
		p.Bytes() // the node itself
		child := bytes.Clone(p.Bytes())
		if c.attached {
			children = append(children, child)
		}
		return true, p.End()
	})
	if err != nil {
		return nil, fmt.Errorf("scan children: %w", err)
	}
	return children, nil
}

// relay tells the attached children where they now belong.
func (r *Resolver) relay(node []byte, n *nodeState, out Emitter) error {
	children, err := r.children(node)
	if err != nil {
		return err
	}
	for _, child := range children {
		n.places++
		if err := r.tellPlace(node, child, *n, out); err != nil {
			return err
		}
	}
	return nil
}

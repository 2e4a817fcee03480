package ingest

import (
	"bytes"
	"fmt"
	"slices"
	"time"

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
	if parent := n.parent(); parent != nil {
		n.attached++
		if err := r.tell(out, parent, &avro.Observation{Kind: kindDetach, Attach: &avro.Attach{Child: node, Number: int64(n.attached)}}); err != nil {
			return err
		}
	}
	if err := r.retract(node, out); err != nil {
		return err
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
	moved := !bytes.Equal(n.root, node)
	n.up, n.evidence, n.at, n.same, n.placed = nil, 0, 0, nil, 0
	n.root, n.erased = bytes.Clone(node), true
	if moved {
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

// retract takes all items of a node off its account, for good: their numbers stay,
// so that no older version of them is ever believed, and nothing else.
func (r *Resolver) retract(node []byte, out Emitter) error {
	items, err := r.items(node)
	if err != nil {
		return err
	}
	for i := range items {
		ev := items[i].ev
		if ev.Removed {
			continue
		}
		feed := FeedID{Feed: ev.Feed, Reporter: ev.Reporter}
		c := r.counts[feed]
		c.Unresolved -= unresolved(&ev)
		r.counts[feed], r.changed[feed] = c, true
		ev.Removed, ev.Touch, ev.Object = true, nil, nil
		if err := r.emit(items[i].key, &ev, out); err != nil {
			return err
		}
	}
	var objects [][]byte
	from, to := spaceObject.Key().Bytes(node).Range()
	err = r.kv.Scan(from, to, func(key, _ []byte) (bool, error) {
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
	return decodeNodeState(b)
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
	was, partner := n.parent(), n.same
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
	if n.same != nil && n.up != nil && (better || !bytes.Equal(n.same, partner)) {
		err := r.tell(out, n.same, &avro.Observation{
			Kind: kindLink, Links: []avro.Link{{Parent: n.up, Evidence: int(n.evidence), At: time.UnixMicro(n.at)}},
		})
		if err != nil {
			return err
		}
	}
	return r.attach(obs.Node, was, n, out)
}

// believe keeps the best link, and reports whether it is another one than before.
func (n *nodeState) believe(obs *avro.Observation) (better bool, err error) {
	child, err := identity.Parse(obs.Node)
	if err != nil {
		return false, fmt.Errorf("%w: %w", errBroken, err)
	}
	was, found, err := n.link()
	if err != nil {
		return false, err
	}
	var links []identity.Link
	if found {
		links = append(links, was)
	}
	for _, l := range obs.Links {
		parent, err := identity.Parse(l.Parent)
		if err != nil {
			return false, fmt.Errorf("%w: link: %w", errBroken, err)
		}
		links = append(links, identity.Link{Parent: parent, Evidence: identity.Evidence(l.Evidence), At: l.At})
	}
	best, ok := identity.Best(child, links)
	if !ok || found && identity.Compare(best, was) == 0 {
		return false, nil
	}
	n.up, n.evidence, n.at = best.Parent.Bytes(), int32(best.Evidence), best.At.UnixMicro()
	return true, nil
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

// attach tells a change of parent to both; where the node then belongs comes back
// as a place message.
func (r *Resolver) attach(node, was []byte, n *nodeState, out Emitter) error {
	parent := n.parent()
	if bytes.Equal(parent, was) {
		return nil
	}
	if was != nil {
		n.attached++
		if err := r.tell(out, was, &avro.Observation{Kind: kindDetach, Attach: &avro.Attach{Child: node, Number: int64(n.attached)}}); err != nil {
			return err
		}
	}
	n.placed = 0
	n.attached++
	return r.tell(out, parent, &avro.Observation{Kind: kindAttach, Attach: &avro.Attach{Child: node, Number: int64(n.attached)}})
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
		Place: &avro.Place{Parent: parent, Root: n.root, Number: int64(n.places)},
	})
}

// place takes note of where the node belongs, moves its items there and relays
// it to its children, if it is news and comes from the parent of now.
func (r *Resolver) place(obs *avro.Observation, out Emitter) error {
	m := obs.Place
	if m == nil {
		return fmt.Errorf("%w: place without its message", errBroken)
	}
	n, err := r.node(obs.Node)
	if err != nil {
		return err
	}
	if !bytes.Equal(m.Parent, n.parent()) || uint64(m.Number) <= n.placed {
		return nil
	}
	n.placed = uint64(m.Number)
	if bytes.Equal(m.Root, n.root) {
		return r.putNode(obs.Node, n)
	}
	n.root = bytes.Clone(m.Root)
	if n.items {
		if err := r.move(obs.Node, n.root, out); err != nil {
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

// move puts the node's items under another account: a tombstone under the old
// one and the item under the new one, in the same transaction.
func (r *Resolver) move(node, root []byte, out Emitter) error {
	items, err := r.items(node)
	if err != nil {
		return err
	}
	for i := range items {
		ev := items[i].ev
		if ev.Removed {
			continue // it is on no account
		}
		gone, was := ev, unresolved(&ev)
		gone.Placement++
		gone.Removed, gone.Touch, gone.Object = true, nil, nil
		b, err := r.cfg.Codecs.Journey.Append(nil, &gone)
		if err != nil {
			return err
		}
		out.Emit(r.cfg.Journeys, bytes.Clone(gone.Account), b)
		ev.Placement, ev.Account = gone.Placement, root
		if err := r.emit(items[i].key, &ev, out); err != nil {
			return err
		}
		feed := FeedID{Feed: ev.Feed, Reporter: ev.Reporter}
		c := r.counts[feed]
		c.Unresolved += unresolved(&ev) - was
		r.counts[feed], r.changed[feed] = c, true
	}
	return nil
}

// storedItem is an item as it was last written.
type storedItem struct {
	key []byte
	ev  avro.JourneyEvent
}

// items reads those of a node.
func (r *Resolver) items(node []byte) ([]storedItem, error) {
	var items []storedItem
	from, to := spaceItem.Key().Bytes(node).Range()
	err := r.kv.Scan(from, to, func(key, value []byte) (bool, error) {
		it := storedItem{key: bytes.Clone(key)}
		if err := r.cfg.Codecs.Journey.DecodeBare(value, &it.ev); err != nil {
			return false, fmt.Errorf("stored item: %w", err)
		}
		items = append(items, it)
		return true, nil
	})
	if err != nil {
		return nil, fmt.Errorf("scan items: %w", err)
	}
	return items, nil
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

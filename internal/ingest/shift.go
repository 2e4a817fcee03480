package ingest

import (
	"bytes"
	"fmt"

	"tracksource/schemas/avro"
)

// Bounds of what one transaction moves: who did thousands of things and turns out to
// belong elsewhere would not fit into one.
const (
	// shiftItemsDefault is all items of nearly every node.
	shiftItemsDefault = 64
	// shiftSlices is how many times that a batch or a Tick takes up what was left.
	shiftSlices = 4
)

// shift brings the node's items behind a key to where the node now belongs, or takes
// them off for good if it was erased. What is more than one transaction should hold is
// left for the batches and Ticks that follow; an item that changes meanwhile moves
// with its change.
func (r *Resolver) shift(node []byte, n *nodeState, from []byte, out Emitter) error {
	next, err := r.shiftSome(node, n, from, out)
	switch {
	case err != nil:
		return err
	case next != nil:
		r.shifting = true
		return r.kv.Put(shiftKey(node), append([]byte{spaceShift.Version}, next...))
	case r.shifting: // something may be left of an earlier move
		return r.kv.Delete(shiftKey(node))
	}
	return nil
}

// shiftLeft takes up what is left of moves, some of it.
func (r *Resolver) shiftLeft(out Emitter) error {
	for range shiftSlices {
		node, from, err := r.left()
		if err != nil {
			return err
		}
		if node == nil {
			r.shifting = false
			return nil
		}
		n, err := r.node(node)
		if err != nil {
			return err
		}
		if err := r.shift(node, &n, from, out); err != nil {
			return err
		}
	}
	return nil
}

// left returns a node of whose move something is left, and the key behind which it is;
// nil when there is none.
func (r *Resolver) left() (node, from []byte, err error) {
	first, behind := spaceShift.Key().Range()
	err = r.kv.Scan(first, behind, func(key, value []byte) (bool, error) {
		node = bytes.Clone(spaceShift.Parts(key).Bytes())
		body, err := spaceShift.Body(value)
		from = bytes.Clone(body)
		return false, err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("scan moves: %w", err)
	}
	return node, from, nil
}

// shiftSome moves the next items behind a key, nil for the first, and returns the key
// of the last one; nil when there is no more.
func (r *Resolver) shiftSome(node []byte, n *nodeState, from []byte, out Emitter) (next []byte, err error) {
	items, err := r.itemsBehind(node, from)
	if err != nil {
		return nil, err
	}
	for i := range items {
		if n.erased {
			err = r.retract(&items[i], out)
		} else {
			err = r.move(&items[i], n, out)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(items) == r.cfg.ShiftItems {
		return items[len(items)-1].key, nil
	}
	return nil, nil
}

// storedItem is an item as it was last written.
type storedItem struct {
	key []byte
	ev  avro.JourneyEvent
}

// itemsBehind reads the next items of a node behind a key, nil for the first.
func (r *Resolver) itemsBehind(node, behind []byte) ([]storedItem, error) {
	var items []storedItem
	from, to := spaceItem.Key().Bytes(node).Range()
	if behind != nil {
		from = append(bytes.Clone(behind), 0)
	}
	err := r.kv.Scan(from, to, func(key, value []byte) (bool, error) {
		it := storedItem{key: bytes.Clone(key)}
		if err := r.cfg.Codecs.Journey.DecodeBare(value, &it.ev); err != nil {
			return false, fmt.Errorf("stored item: %w", err)
		}
		items = append(items, it)
		return len(items) < r.cfg.ShiftItems, nil
	})
	if err != nil {
		return nil, fmt.Errorf("scan items: %w", err)
	}
	return items, nil
}

// move puts an item under another account: a tombstone under the old one and the item
// under the new one, in the same transaction. One whose person alone is another is
// said anew where it is.
func (r *Resolver) move(item *storedItem, n *nodeState, out Emitter) error {
	ev := item.ev
	if ev.Removed || bytes.Equal(ev.Account, n.root) && bytes.Equal(ev.Person, n.person) {
		return nil // it is on no account, or there already
	}
	was := standingOf(&ev)
	if !bytes.Equal(ev.Account, n.root) {
		if err := r.leave(&ev, out); err != nil {
			return err
		}
	}
	ev.Account, ev.Person = n.root, n.person
	r.recount(&ev, was, standingOf(&ev))
	return r.emit(item.key, &ev, out)
}

// recount changes the counts of an item's feed by what the item was and what it is.
func (r *Resolver) recount(ev *avro.JourneyEvent, was, is standing) {
	if was == is {
		return
	}
	feed := FeedID{Feed: ev.Feed, Reporter: ev.Reporter}
	c := r.counts[feed]
	c.turn(was, is)
	r.counts[feed], r.changed[feed] = c, true
}

// leave writes a tombstone of the item under the account that it is on.
func (r *Resolver) leave(ev *avro.JourneyEvent, out Emitter) error {
	ev.Placement++
	gone := *ev
	gone.Removed, gone.Touch, gone.Object, gone.Person = true, nil, nil, nil
	b, err := r.cfg.Codecs.Journey.Append(nil, &gone)
	if err != nil {
		return err
	}
	out.Emit(r.cfg.Journeys, bytes.Clone(gone.Account), b)
	return nil
}

// retract takes an item off its account, for good: its number stays, so that no older
// version of it is ever believed, and nothing else.
func (r *Resolver) retract(item *storedItem, out Emitter) error {
	ev := item.ev
	if ev.Removed {
		return nil
	}
	r.recount(&ev, standingOf(&ev), standing{})
	ev.Removed, ev.Touch, ev.Object, ev.Person = true, nil, nil, nil
	// Not a native event of the item's causes this.
	ev.Reason, ev.EventID = reasonErasure, reasonErasure
	return r.emit(item.key, &ev, out)
}

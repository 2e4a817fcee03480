package ingest

import (
	"bytes"

	"tracksource/state"
)

// Redecode runs the decoders of the state and reports whether what they read is
// read again as the same.
func Redecode(b []byte) (same bool) {
	same = true
	if n, err := decodeNodeState(nil, b); err == nil {
		again, err := decodeNodeState(nil, n.encode())
		same = err == nil && bytes.Equal(again.encode(), n.encode())
	}
	if c, err := decodeChildState(b); err == nil {
		again, err := decodeChildState(c.encode())
		same = same && err == nil && again == c
	}
	if o, err := decodeObject(b); err == nil {
		o.state()
		_, err = o.encode()
		same = same && err == nil
	}
	return same
}

// StateExamples are values of each kind of state.
func StateExamples() [][]byte {
	n := nodeState{up: []byte("p"), same: []byte("s"), evidence: 1, at: 2, attached: 3, root: []byte("r"), placed: 4, places: 5, items: true, who: []byte("w"), whoEvidence: 7, whoAt: 8, person: []byte("x"), told: 9}
	c := childState{number: 6, attached: true}
	known := n // by the one link that it has
	known.who, known.whoEvidence, known.whoAt, known.person = n.up, n.evidence, n.at, n.up
	alone := nodeState{root: []byte("r"), person: []byte("r")}
	erased := nodeState{root: []byte("r"), erased: true}
	return [][]byte{n.encode(), known.encode(), alone.encode(), erased.encode(), c.encode(), []byte("\x01" + `{"folded":{"fields":{"a":{"value":"b"}},"stages":[{"won":"true"}],"deleted":{"value":"true"}},"recent":[{"fields":[{"Name":"c","Value":"d"}]},{"retracted":true}]}`)}
}

// Roundtrip reports the examples of nodes that are not read as they were written.
func Roundtrip() (bad [][]byte) {
	for _, b := range StateExamples()[:4] {
		n, err := decodeNodeState(nil, b)
		if err != nil || !bytes.Equal(n.encode(), b) {
			bad = append(bad, b)
		}
	}
	return bad
}

// OlderNode is what the version before persons wrote of a person under a company,
// as this one reads it: whose it is, and what that is.
func OlderNode(node []byte) (person, root []byte, err error) {
	k := state.Key{}.Bytes([]byte("up")).Uint32(1).Uint64(2).Uint64(3).Bytes([]byte("root")).Uint64(4).Uint64(5).Bytes(nil).Uint32(1).Uint32(1).Uint32(0)
	b := spaceNode.Value(k)
	b[0] = versionNodeErased
	n, err := decodeNodeState(node, b)
	return n.person, n.root, err
}

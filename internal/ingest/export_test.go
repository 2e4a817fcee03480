package ingest

import "bytes"

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
	return [][]byte{n.encode(), c.encode(), []byte("\x01" + `{"folded":{"fields":{"a":{"value":"b"}},"stages":[{"won":"true"}],"deleted":{"value":"true"}},"recent":[{"fields":[{"Name":"c","Value":"d"}]},{"retracted":true}]}`)}
}

package reporter

import "bytes"

// Redecode runs the decoders of the state and reports whether what they read is
// written as the same bytes again.
func Redecode(b []byte) (same bool) {
	same = true
	if s, err := decodeSource(b); err == nil {
		again, err := decodeSource(s.encode())
		same = err == nil && bytes.Equal(again.encode(), s.encode())
	}
	if p, err := decodePart(b); err == nil {
		same = same && bytes.Equal(p.encode(), b)
	}
	if t, err := decodeTotal(b); err == nil {
		same = same && bytes.Equal(t.encode(), b)
	}
	return same
}

// StateExamples are values of each kind of state.
func StateExamples() [][]byte {
	s := sourceState{generation: 1, last: 2, gap: 3, retiring: true, cursor: []byte("c"), retiredAt: 4, retiredBy: 5}
	p := part{generation: 1, shares: []share{{unit: unit{"linear", "USD", 2}, value: -3, sequence: 4}}}
	return [][]byte{s.encode(), p.encode(), (&total{}).encode()}
}

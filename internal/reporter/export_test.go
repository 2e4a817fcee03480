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
	if k, err := decodeBook("b", b); err == nil {
		again, err := decodeBook("b", k.encode())
		same = same && err == nil && bytes.Equal(again.encode(), k.encode())
	}
	var t, again total
	if err := t.decode(b, nil, &memory{}); err == nil {
		err := again.decode(t.append(nil), names{}, &memory{})
		same = same && err == nil && bytes.Equal(again.append(nil), t.append(nil))
	}
	return same
}

// SourceKey is the state key of a source.
func SourceKey(source int32) []byte { return sourceKey(source) }

// StateExamples are values of each kind of state.
func StateExamples() [][]byte {
	s := sourceState{generation: 1, last: 2, gap: 3, retiring: true, cursor: []byte("c"), retiredAt: 4, retiredBy: 5}
	t := total{audience: 1, held: 2, models: []model{{
		name: "linear", version: 3, shown: shown{shownRow, amount{4, 3}, "EUR", 2, true}, until: 5, asOf: 6, updated: 7, offset: 8,
		sums: []sum{{currency: "EUR", exponent: 2, amount: amount{9, 8}, live: 1, born: 10}},
	}}, parts: []part{{source: 11, generation: 12, shares: []share{{unit: unit{"linear", "EUR", 2}, amount: amount{-3, -2}, sequence: 4}}}}}
	k := book{
		revision: 1, since: 2, audiences: []audience{{1, []string{"acme"}, []string{"blue", "coda"}}},
		sweep: sweep{active: true, from: "2026-01-01", to: "2026-01-02", cursor: []byte("c")},
	}
	return [][]byte{s.encode(), t.append(nil), (&total{}).append(nil), k.encode()}
}

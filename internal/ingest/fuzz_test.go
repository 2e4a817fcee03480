package ingest_test

import (
	"testing"

	"tracksource/identity"
	"tracksource/internal/ingest"
)

// FuzzState: any bytes in the stores of resolve give a value or an error.
func FuzzState(f *testing.F) {
	for _, b := range ingest.StateExamples() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !ingest.Redecode(b) {
			t.Errorf("%x is read, and written as something else", b)
		}
	})
}

// TestNodeState: each form in which a node is kept is read as it was written, and a
// person of an older store is itself until its evidence comes again.
func TestNodeState(t *testing.T) {
	for _, b := range ingest.Roundtrip() {
		t.Errorf("%x is read as something else", b)
	}
	for _, n := range []identity.Node{node(identity.Person, "acme", "u"), node(identity.Object, "acme", "006")} {
		var want []byte
		if n.Level.Personal() {
			want = n.Bytes()
		}
		if person, root, err := ingest.OlderNode(n.Bytes()); err != nil || string(person) != string(want) || string(root) != "root" {
			t.Errorf("%v of an older store belongs to %q on %q: %v", n, person, root, err)
		}
	}
}

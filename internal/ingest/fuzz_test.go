package ingest_test

import (
	"testing"

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

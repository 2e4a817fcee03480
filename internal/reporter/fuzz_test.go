package reporter_test

import (
	"testing"

	"tracksource/internal/reporter"
)

// FuzzState: any bytes in the reporter's stores give a value or an error.
func FuzzState(f *testing.F) {
	for _, b := range reporter.StateExamples() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !reporter.Redecode(b) {
			t.Errorf("%x is read, and written as something else", b)
		}
	})
}

package stream_test

import (
	"testing"

	"tracksource/internal/parallel"
)

// sideBySide is how many tests run at once: each has a broker of its own, and all of
// them together take less than a tenth of a core.
const sideBySide = 8

func TestMain(m *testing.M) { parallel.Main(m, sideBySide) }

package attribution

import (
	"cmp"
	"fmt"
	"strings"
)

// Newer reports whether the first of two touches of one id is the one that counts:
// the later one, of equal times that of the greatest identity. Whoever keeps
// journeys need not hand on the other.
func Newer(a, b Touch) bool {
	if c := cmp.Or(a.At.Compare(b.At), strings.Compare(a.Node, b.Node)); c != 0 {
		return c > 0
	}
	// The same touch with other content comes of no feed; any order will do.
	return fmt.Sprintf("%#v", a) > fmt.Sprintf("%#v", b)
}

// Package parallel lets the tests of a package wait side by side: those that run a line
// or a broker spend most of their time on timeouts of groups and transactions, and as
// many at once as there are cores leave the cores idle.
//
// It knows the flags of the testing package and nothing else.
package parallel

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"testing"
)

// Main runs the tests of a package, at least n of those at once that call t.Parallel,
// and ends the process. Who gives -parallel decides alone.
func Main(m *testing.M, n int) {
	flag.Parse()
	if p := flag.Lookup("test.parallel").Value; p.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		if err := p.Set(strconv.Itoa(max(n, runtime.GOMAXPROCS(0)))); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

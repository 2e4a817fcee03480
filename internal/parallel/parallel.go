// Package parallel lets the tests of a package wait side by side: those that run a line
// or a broker spend most of their time on timeouts of groups and transactions, and as
// many at once as there are cores leave the cores idle.
//
// It knows the flags of the testing package and nothing else.
package parallel

import (
	"flag"
	"runtime"
	"strconv"
	"testing"
)

// Main runs the tests of a package, at least n of those at once that call t.Parallel. It
// is all of a TestMain: the process ends with what the tests have left in m.
func Main(m *testing.M, n int) { New(m, n).Run() }

// Tests are the tests of a package, with how many of them run at once.
type Tests struct {
	m *testing.M
	n int
}

// New takes at least n tests at once. Who gives -parallel decides alone.
func New(m *testing.M, n int) Tests { return Tests{m: m, n: n} }

// Run runs them and returns what the process ends with.
func (t Tests) Run() int {
	flag.Parse()
	if p := flag.Lookup("test.parallel").Value; p.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		if err := p.Set(strconv.Itoa(max(t.n, runtime.GOMAXPROCS(0)))); err != nil {
			panic(err)
		}
	}
	return t.m.Run()
}

package sim_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"

	"tracksource/internal/parallel"
)

const (
	seedsDefault = 24
	seedsShort   = 3
	// sideBySide is how many runs go on at once: they wait for timeouts most of the time.
	sideBySide = 4
)

func TestMain(m *testing.M) { parallel.Main(m, sideBySide) }

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s=%q is not a number", name, text)
	}
	return n
}

// swarm draws what a seed is about: some of the faults and some of the inputs,
// so that each can meet every other, and none hides another for ever.
func swarm(seed uint64) plan {
	rng := rand.New(rand.NewPCG(seed, 0x73776172))
	p := plan{seed: seed, input: []string{"repeated"}}
	names := faultNames()
	rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	p.faults = append([]string{"kill"}, names[:2+rng.IntN(5)]...)
	all := slices.Sorted(maps.Keys(inputs()))
	for _, name := range all {
		if rng.IntN(3) == 0 {
			p.input = append(p.input, name)
		}
	}
	return p
}

// TestSeeds runs the line under faults that a seed decides. Whatever happens to
// the instances, what is published at rest is what follows from the facts.
func TestSeeds(t *testing.T) {
	first, seeds := 1, seedsDefault
	if testing.Short() {
		seeds = seedsShort
	}
	seeds = number(t, "SIM_SEEDS", seeds)
	if seed := number(t, "SIM_SEED", 0); seed > 0 {
		first, seeds = seed, 1
	}
	var mu sync.Mutex
	done := map[string]int{}
	t.Run("seeds", func(t *testing.T) {
		for seed := first; seed < first+seeds; seed++ {
			t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
				t.Parallel()
				t.Cleanup(func() {
					if t.Failed() {
						t.Logf("run it again: SIM_SEED=%d go test ./internal/sim -run TestSeeds -v", seed)
					}
				})
				s := run(t, swarm(uint64(seed)))
				mu.Lock()
				defer mu.Unlock()
				for name, n := range s.done {
					done[name] += n
				}
				for p, n := range s.kills {
					done["kill at "+string(p)] += n
				}
			})
		}
	})
	for _, name := range slices.Sorted(maps.Keys(done)) {
		t.Logf("%4d %s", done[name], name)
	}
}

package follow

import (
	"tracksource/report"
	"tracksource/schemas/avro"
)

// VerdictsMax bounds the verdicts that are kept.
const VerdictsMax = verdictsMax

// Cubes are cubes over rows that a test hands out.
type Cubes struct{ *cubes }

// NewCubes makes cubes that load as load says.
func NewCubes(most int64, load func(campaign string, fn func(row *avro.ContributionRow) error) error) Cubes {
	return Cubes{&cubes{max: most, entries: map[cubeName]*cubeEntry{}, load: func(name cubeName, fn func(row *avro.ContributionRow) error) error {
		return load(name.campaign, fn)
	}}}
}

// Change brings a row up to date.
func (c Cubes) Change(row avro.ContributionRow) error { return c.change([]cubeChange{{row: row}}) }

// Sum asks one cube.
func (c Cubes) Sum(campaign string, ask report.Ask) (Sums, error) {
	s, err := c.sum(cubeName{campaign, "revenue", "linear"}, []report.Ask{ask})
	if err != nil {
		return Sums{}, err
	}
	return s[0], nil
}

// Held is how many cubes are in memory.
func (c Cubes) Held() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, e := range c.entries {
		if e.bytes() > 0 {
			n++
		}
	}
	return n
}

// HeldBytes is the room that cubes take.
func (f *Follow) HeldBytes() int64 {
	f.cubes.mu.Lock()
	defer f.cubes.mu.Unlock()
	var n int64
	for _, e := range f.cubes.entries {
		n += e.bytes()
	}
	return n
}

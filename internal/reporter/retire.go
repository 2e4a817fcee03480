package reporter

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

// retire does one slice: it takes back what older generations of one source
// said and its new generation has not replaced. The cursor in the source's
// state says how far it got, so that a restart goes on from there.
func (f *fold) retire() error {
	if len(f.p.retiring) == 0 {
		return nil
	}
	id := slices.Min(slices.Collect(maps.Keys(f.p.retiring)))
	s, err := f.source(id)
	if err != nil {
		return err
	}
	from, to := spaceTotal.Key().Range()
	if len(s.cursor) > 0 {
		from = s.cursor
	}
	var keys []dims
	read := 0
	s.cursor = nil
	err = f.p.kv.Scan(from, to, func(key, value []byte) (bool, error) {
		if read == f.p.cfg.SliceKeys {
			s.cursor = bytes.Clone(key)
			return false, nil
		}
		read++
		var t total
		if err := t.decode(value, f.p.names, &f.memory); err != nil {
			return false, fmt.Errorf("total: %w", err)
		}
		if at, found := t.part(id); !found || t.parts[at].generation == s.generation {
			return true, nil
		}
		d, err := readDims(string(key))
		keys = append(keys, d)
		return true, err
	})
	if err != nil {
		return err
	}
	for _, d := range keys {
		if err := f.takeBack(d, id, s); err != nil {
			return err
		}
	}
	if s.cursor == nil {
		s.retiring = false
		delete(f.p.retiring, id)
	}
	return nil
}

// takeBack takes back what a source said of a key, unless the batch in hand has
// replaced it.
func (f *fold) takeBack(d dims, source int32, s *sourceState) error {
	t, err := f.total(d)
	if err != nil {
		return err
	}
	at, found := t.part(source)
	if !found || t.parts[at].generation == s.generation {
		return nil
	}
	var moves []move
	for _, old := range t.parts[at].shares {
		moves = append(moves, move{old.unit, old.amount, amount{}})
	}
	// The parts of other sources can be so large that only the sum of all fits.
	if fault := t.check(moves); fault != "" {
		return fmt.Errorf("take back part: %s", fault)
	}
	t.apply(moves, stamp{updated: s.retiredAt, offset: s.retiredBy})
	t.parts = slices.Delete(t.parts, at, at+1)
	f.p.batch.retired++
	return nil
}

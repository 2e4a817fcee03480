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
	from, to := partRange(id).Range()
	if len(s.cursor) > 0 {
		from = s.cursor
	}
	var keys [][]byte
	var parts []*part
	read := 0
	s.cursor = nil
	err = f.p.kv.Scan(from, to, func(key, value []byte) (bool, error) {
		if read == f.p.cfg.SliceKeys {
			s.cursor = bytes.Clone(key)
			return false, nil
		}
		read++
		t, err := decodePart(value)
		if err != nil {
			return false, fmt.Errorf("part: %w", err)
		}
		if t.generation != s.generation {
			keys, parts = append(keys, bytes.Clone(key)), append(parts, t)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	for i, key := range keys {
		if err := f.takeBack(key, parts[i], s); err != nil {
			return err
		}
	}
	if s.cursor == nil {
		s.retiring = false
		delete(f.p.retiring, id)
	}
	return nil
}

func (f *fold) takeBack(key []byte, t *part, s *sourceState) error {
	parts := spacePart.Parts(key)
	parts.Uint32()
	d, err := readDims(parts)
	if err != nil {
		return err
	}
	total, err := f.total(&d)
	if err != nil {
		return err
	}
	var moves []move
	for _, old := range t.shares {
		moves = append(moves, move{old.unit, old.value, 0})
	}
	// The parts of other sources can be so large that only the sum of all fits.
	if fault := total.check(moves); fault != "" {
		return fmt.Errorf("take back part: %s", fault)
	}
	total.apply(moves, stamp{updated: s.retiredAt, offset: s.retiredBy})
	f.p.batch.retired++
	return f.p.kv.Delete(key)
}

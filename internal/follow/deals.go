package follow

import (
	"maps"
	"slices"
	"sync"

	"tracksource/schemas/avro"
)

// dealBooks are the deals of books that were asked for, decoded: to decode all of them
// for every question would cost more than to answer it.
type dealBooks struct {
	mu    sync.Mutex
	books map[string]*dealBook // guarded by mu
	max   int64                // bytes of each
}

// dealBook is one book's deals. What changes is only noted, and read when the book is
// asked for next: records of facts are many, and questions few.
type dealBook struct {
	dirtyMu sync.Mutex
	dirty   map[string]bool // guarded by dirtyMu; conversions that changed since they were read

	mu       sync.Mutex       // held while the book is brought up to date
	loaded   bool             // guarded by mu
	tooLarge bool             // guarded by mu; read from disk for every question
	deals    map[string]*Deal // guarded by mu; a Deal is never changed
	sizes    map[string]int64 // guarded by mu
	bytes    int64            // guarded by mu
	list     []*Deal          // guarded by mu; all of them in the order of conversions, never changed
}

func (d *dealBooks) empty() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.books = nil
}

// book returns the book of a name. It is known from then on, so that what changes
// while it is read is noted.
func (d *dealBooks) book(name string) *dealBook {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.books == nil {
		d.books = map[string]*dealBook{}
	}
	if d.books[name] == nil {
		d.books[name] = &dealBook{dirty: map[string]bool{}}
	}
	return d.books[name]
}

// isLoaded reports whether the deals of a book are in memory.
func (d *dealBooks) isLoaded(name string) bool {
	d.mu.Lock()
	b := d.books[name]
	d.mu.Unlock()
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.loaded
}

// note notes that a deal changed.
func (d *dealBooks) note(k *avro.FactsKey) {
	d.mu.Lock()
	b := d.books[k.Contract]
	d.mu.Unlock()
	if b == nil {
		return
	}
	b.dirtyMu.Lock()
	defer b.dirtyMu.Unlock()
	b.dirty[k.Conversion] = true
}

func (b *dealBook) changed() map[string]bool {
	b.dirtyMu.Lock()
	defer b.dirtyMu.Unlock()
	changed := b.dirty
	b.dirty = map[string]bool{}
	return changed
}

// decodedFactor is about how much more room facts take than their record.
const decodedFactor = 4

func (b *dealBook) put(conversion string, d *Deal, recordBytes int64) {
	b.drop(conversion)
	b.deals[conversion], b.sizes[conversion] = d, decodedFactor*recordBytes
	b.bytes += b.sizes[conversion]
}

func (b *dealBook) drop(conversion string) {
	b.bytes -= b.sizes[conversion]
	delete(b.deals, conversion)
	delete(b.sizes, conversion)
}

// deals returns the deals of a book; ok is false where they do not fit into memory.
func (f *Follow) deals(name string) (list []*Deal, ok bool, err error) {
	b := f.dealBooks.book(name)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tooLarge {
		return nil, false, nil
	}
	changed := b.changed()
	if !b.loaded {
		b.deals, b.sizes, b.bytes = map[string]*Deal{}, map[string]int64{}, 0
		err = f.scanDeals(name, func(d *Deal, recordBytes int64) (bool, error) {
			b.put(d.Newest().Deal.String(), d, recordBytes)
			return b.bytes <= f.dealBooks.max, nil
		})
	} else {
		for conversion := range changed {
			if err = f.refresh(b, name, conversion); err != nil {
				break
			}
		}
	}
	if err != nil {
		b.loaded = false // what was noted as changed is read again
		return nil, false, err
	}
	if b.bytes > f.dealBooks.max {
		b.tooLarge, b.deals, b.sizes, b.list = true, nil, nil, nil
		return nil, false, nil
	}
	if !b.loaded || len(changed) > 0 {
		b.list = make([]*Deal, 0, len(b.deals))
		for _, conversion := range slices.Sorted(maps.Keys(b.deals)) {
			b.list = append(b.list, b.deals[conversion])
		}
	}
	b.loaded = true
	return b.list, true, nil
}

// refresh reads one deal again.
func (f *Follow) refresh(b *dealBook, name, conversion string) error {
	b.drop(conversion)
	from, to := spaceFacts.Key().String(name).String(conversion).Range()
	return f.scanRange(from, to, new(names), func(d *Deal, recordBytes int64) (bool, error) {
		b.put(conversion, d, recordBytes)
		return true, nil
	})
}

// Deals calls fn for each deal that a book has facts of until it returns false. The
// deals are not fn's to change.
func (f *Follow) Deals(book string, fn func(d *Deal) (bool, error)) error {
	list, ok, err := f.deals(book)
	if err != nil {
		return err
	}
	if !ok {
		return f.scanDeals(book, func(d *Deal, _ int64) (bool, error) { return fn(d) })
	}
	for _, d := range list {
		if more, err := fn(d); err != nil || !more {
			return err
		}
	}
	return nil
}

// ScanDeals is [Follow.Deals] for who goes through all deals once and keeps what it needs:
// what is not in memory is read from disk, and not kept for others. A deal is fn's until it
// returns, and then the next one is read into it: its texts stay, and keep the record alive
// that they are parts of.
func (f *Follow) ScanDeals(book string, fn func(d *Deal) (bool, error)) error {
	if f.dealBooks.isLoaded(book) {
		return f.Deals(book, fn)
	}
	from, to := spaceFacts.Key().String(book).Range()
	return f.scanRange(from, to, &names{passing: new(Deal)}, func(d *Deal, _ int64) (bool, error) { return fn(d) })
}

func (f *Follow) scanDeals(book string, fn func(d *Deal, recordBytes int64) (bool, error)) error {
	from, to := spaceFacts.Key().String(book).Range()
	return f.scanRange(from, to, new(names), fn)
}

// scanRange puts the records of each deal together. Those of a deal follow each other.
func (f *Follow) scanRange(from, to []byte, known *names, fn func(d *Deal, recordBytes int64) (bool, error)) error {
	// The parts of a deal, and behind them where the next record is read. Their lists are
	// written over by those of the next deal.
	parts, size := make([]avro.Facts, 1), int64(0)
	n, more := 0, true
	flush := func() error {
		d, ok, err := dealOf(parts[:n], known)
		bytes := size
		n, size = 0, 0
		if err == nil && ok {
			more, err = fn(d, bytes)
		}
		return err
	}
	err := f.facts.scan(from, to, func(_, value []byte) (bool, error) {
		ok, err := f.partOver(value, &parts[n])
		if err != nil || !ok {
			return err == nil, err
		}
		if n > 0 && parts[0].Conversion != parts[n].Conversion {
			at := n
			if err := flush(); err != nil || !more {
				return false, err
			}
			parts[0], parts[at] = parts[at], parts[0]
		}
		if n++; n == len(parts) {
			parts = append(parts, avro.Facts{})
		}
		size += int64(len(value))
		return true, nil
	})
	if err == nil && more {
		err = flush()
	}
	return err
}

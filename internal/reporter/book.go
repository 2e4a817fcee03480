package reporter

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"time"

	"tracksource/contract"
	"tracksource/money"
	"tracksource/state"
)

// book is what is known of the book of one contract: by which policy its rows
// are published, and which of them have not met it yet.
type book struct {
	name     string
	revision int64     // of the contract's policy; 0: none is known yet
	final    money.Day // days before it are final; 0: none is
	since    int64     // when the policy or the day last changed, milliseconds
	// audiences are those under which rows may have been published, the one in
	// force last. A row has the number of its own.
	audiences []audience
	sweep     sweep

	proposed  bool   // not stored: it follows from the name
	finalText string // not stored: final as rows have days, empty for 0
	changed   bool   // not stored: by the batch in hand
}

// audience is who sees the rows of a book: partners that have topics.
type audience struct {
	number    uint32
	open, own []string // as in Policy
}

// sweep is what is left of publishing rows again. It takes rows of all days, or
// of those in [from, to), in the order of the keys of totals.
type sweep struct {
	active   bool
	all      bool
	from, to string
	cursor   []byte // key of the next total; empty at the start
}

// newBook makes the book of a contract that has no rows yet.
func newBook(name string) *book {
	b := &book{name: name, audiences: []audience{{}}}
	_, b.proposed = contract.CampaignOfBook(name)
	return b
}

// policyOf returns the policy of a book. What is proposed is shown to those who
// have signed, as what is agreed is.
func policyOf(policies map[string]Policy, name string) Policy {
	campaign, _ := contract.CampaignOfBook(name)
	return policies[campaign]
}

func (b *book) audience() *audience { return &b.audiences[len(b.audiences)-1] }

// isFinal reports whether the contract's lateness has passed for a day.
func (b *book) isFinal(day string) bool {
	return len(day) == len(b.finalText) && day < b.finalText
}

func (b *book) setFinal(day money.Day) {
	b.final, b.finalText = day, ""
	if day != 0 {
		b.finalText = day.String()
	}
}

// behind returns from which day on days are not final under a policy, and
// whether rows of the book have to follow it. An older policy than the book's is
// one of an instance that has not read the newer one yet.
func (b *book) behind(p Policy, now time.Time) (final money.Day, behind bool) {
	if p.Revision == 0 || p.Revision < b.revision {
		return b.final, false
	}
	final = b.finalBefore(p, now)
	a := b.audience()
	return final, p.Revision != b.revision || final != b.final || !slices.Equal(a.open, p.Open) || !slices.Equal(a.own, p.Own)
}

func (b *book) finalBefore(p Policy, now time.Time) money.Day {
	if b.proposed {
		return 0 // it may be withdrawn at any time
	}
	day := money.DayOf(now, p.Zone).Add(-p.LatenessDays)
	// At midnight the clock of one instance is a little ahead of the next one's:
	// what was final for it stays so. Only a clock that was wrong by days is taken back.
	if p.Revision == b.revision && b.final == day.Add(1) {
		return b.final
	}
	return day
}

// adopt puts a policy in force and begins to publish the rows that it changes.
func (b *book) adopt(p Policy, now time.Time) {
	final, behind := b.behind(p, now)
	if !behind {
		return
	}
	next := sweep{active: final != b.final}
	if next.active {
		was := b.finalText
		b.setFinal(final)
		next.from, next.to = min(was, b.finalText), max(was, b.finalText)
	}
	if a := b.audience(); !slices.Equal(a.open, p.Open) || !slices.Equal(a.own, p.Own) {
		next.active, next.all = true, true
		b.audiences = append(b.audiences, audience{a.number + 1, slices.Clone(p.Open), slices.Clone(p.Own)})
	}
	b.revision, b.changed = p.Revision, true
	if next.active {
		b.since = now.UnixMilli()
		b.sweep = b.sweep.join(next)
	}
}

// join is the sweep that does what is left of s and what next asks for, from the
// start.
func (s sweep) join(next sweep) sweep {
	if !s.active {
		return next
	}
	return sweep{active: true, all: s.all || next.all, from: min(s.from, next.from), to: max(s.to, next.to)}
}

// place says whether the sweep takes the total under a key. If it does not, next
// is the first key behind it that it might take.
func (s *sweep) place(key []byte, d *dims) (take bool, next []byte) {
	if s.all {
		return true, nil
	}
	prefix := spaceTotal.Key().String(d.Contract).String(d.Measure)
	from := slices.Clone(prefix).String(s.from)
	if bytes.Compare(key, from) < 0 {
		return false, from
	}
	if to := slices.Clone(prefix).String(s.to); bytes.Compare(key, to) < 0 {
		return true, nil
	}
	_, next = prefix.Range()
	return false, next
}

// sees calls fn for each partner of the audience that sees the rows of a credited
// partner.
func (a *audience) sees(credited string, fn func(partner string)) {
	for _, p := range a.open {
		fn(p)
	}
	if slices.Contains(a.own, credited) {
		fn(credited)
	}
}

// includes reports whether a partner sees the rows of a credited partner.
func (a *audience) includes(partner, credited string) bool {
	return slices.Contains(a.open, partner) || partner == credited && slices.Contains(a.own, partner)
}

func (b *book) encode() []byte {
	k := state.Key{}.Uint64(uint64(b.revision)).Uint32(uint32(b.final)).Uint64(uint64(b.since)).Uint32(uint32(len(b.audiences)))
	for _, a := range b.audiences {
		k = k.Uint32(a.number)
		for _, list := range [][]string{a.open, a.own} {
			k = k.Uint32(uint32(len(list)))
			for _, p := range list {
				k = k.String(p)
			}
		}
	}
	return spaceBook.Value(k.Byte(flag(b.sweep.active)).Byte(flag(b.sweep.all)).
		String(b.sweep.from).String(b.sweep.to).Bytes(b.sweep.cursor))
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

func decodeBook(name string, value []byte) (*book, error) {
	p, err := valueParts(spaceBook, value)
	if err != nil {
		return nil, err
	}
	b := newBook(name)
	b.revision = int64(p.Uint64())
	b.setFinal(money.Day(p.Uint32()))
	b.since = int64(p.Uint64())
	n, err := length(p, spaceBook)
	if err != nil {
		return nil, err
	}
	b.audiences = nil
	for range n {
		a := audience{number: p.Uint32()}
		for _, list := range []*[]string{&a.open, &a.own} {
			partners, err := length(p, spaceBook)
			if err != nil {
				return nil, err
			}
			for range partners {
				*list = append(*list, p.String())
			}
		}
		b.audiences = append(b.audiences, a)
	}
	b.sweep = sweep{active: p.Byte() == 1, all: p.Byte() == 1, from: p.String(), to: p.String(), cursor: bytes.Clone(p.Bytes())}
	if err := p.End(); err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, fmt.Errorf("%w: a book without an audience", state.ErrKey)
	}
	return b, nil
}

// book returns the book of a contract, made by its first entry.
func (f *fold) book(name string) *book {
	b := f.p.books[name]
	if b == nil {
		b = newBook(name)
		b.adopt(policyOf(f.policies, name), f.now)
		b.sweep, b.changed = sweep{}, true // there are no rows
		b.audiences = b.audiences[len(b.audiences)-1:]
		f.p.books[name] = b
	}
	return b
}

// adopt lets every book follow its policy.
func (f *fold) adopt() {
	for _, b := range f.p.books {
		b.adopt(policyOf(f.policies, b.name), f.now)
	}
}

// sweepSlice has some rows looked at again, those of the first book that has a sweep.
func (f *fold) sweepSlice() error {
	for _, name := range slices.Sorted(maps.Keys(f.p.books)) {
		if b := f.p.books[name]; b.sweep.active {
			return f.sweepBook(b)
		}
	}
	return nil
}

func (f *fold) sweepBook(b *book) error {
	from, to := spaceTotal.Key().String(b.name).Range()
	if len(b.sweep.cursor) > 0 {
		from = b.sweep.cursor
	}
	b.changed = true
	for left := f.p.cfg.SliceKeys; left > 0; {
		var found []dims
		var next []byte
		err := f.p.kv.Scan(from, to, func(key, _ []byte) (bool, error) {
			if left == 0 {
				next = bytes.Clone(key)
				return false, nil
			}
			left--
			d, err := readDims(string(key))
			if err != nil {
				return false, fmt.Errorf("total: %w", err)
			}
			take, behind := b.sweep.place(key, &d)
			if take {
				found = append(found, d)
			}
			next = behind
			return take, nil
		})
		if err != nil {
			return err
		}
		for i := range found {
			if _, err := f.total(found[i]); err != nil {
				return err
			}
		}
		if next == nil {
			b.sweep = sweep{}
			return nil
		}
		from = next
	}
	b.sweep.cursor = from
	return nil
}

// saveBooks stages the books that changed. An audience that no row has any more
// is forgotten.
func (f *fold) saveBooks() error {
	for _, b := range f.p.books {
		if !b.changed {
			continue
		}
		if !b.sweep.active {
			b.audiences = b.audiences[len(b.audiences)-1:]
		}
		b.changed = false
		if err := f.p.kv.Put(bookKey(b.name), b.encode()); err != nil {
			return err
		}
	}
	return nil
}

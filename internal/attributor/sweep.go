package attributor

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"tracksource/attribution"
	"tracksource/state"
	"tracksource/stream"
)

// restate has every account visited under the rules as they now are. rule is the
// rate or the closing that changed, empty for a contract.
func (f *fold) restate(ctx context.Context, rule string, at time.Time) error {
	s := f.rules.sweep
	if !s.active {
		s = sweep{active: true, since: at}
		f.cfg.Log.InfoContext(ctx, "restatement begins", "partition", f.source)
	}
	s.stop, s.wrapped = s.cursor, false
	if rule != "" {
		s.rule = rule
	}
	if at.After(s.asOf) {
		s.asOf = at
	}
	return f.putSweep(s)
}

// renew has every account visited if what is posted was computed by a program with
// other rules of a book. It waits for a record, whose Kafka time is the one as of which
// the figures change; a broadcast brings one to every partition each day.
func (f *fold) renew(ctx context.Context, records []stream.Record) error {
	if len(records) == 0 || f.rules.books == attribution.Version {
		return nil
	}
	f.cfg.Log.InfoContext(ctx, "books of another version", "partition", f.source, "posted", f.rules.books, "now", attribution.Version)
	if err := f.keepBooks(); err != nil {
		return err
	}
	return f.restate(ctx, "", records[0].Timestamp)
}

// keepBooks notes by which rules what is posted is computed from here on.
func (f *fold) keepBooks() error {
	f.rules.books = attribution.Version
	return f.kv.Put(controlKey(controlBooks), encodeNumber(attribution.Version))
}

func (f *fold) putSweep(s sweep) error {
	f.swept, f.rules.sweep = s, s
	if !s.active {
		f.rules.sweep = sweep{}
		return f.kv.Delete(controlKey(controlSweep))
	}
	return f.kv.Put(controlKey(controlSweep), s.encode())
}

// Bounds of what a sweep adds to one transaction: the smallest store takes
// about 300 KiB in one write, and a transaction should not hold up live events.
const (
	sweepStagedBytes    = 96 * 1024
	sweepEmittedRecords = 2000
	sweepEmittedBytes   = 8 << 20 // facts of long journeys are large
	sweepChunk          = 8       // accounts between two looks at the bounds
)

// sweepSlice takes the sweep some accounts further, at least one chunk, so that
// live events cannot starve it.
func (f *fold) sweepSlice(ctx context.Context) error {
	s := f.rules.sweep
	if !s.active {
		return nil
	}
	before, beforeBytes := f.out.Emitted()
	f.kv.staged = 0
	for left := f.cfg.SliceAccounts; left > 0 && s.active; {
		visit, next, err := f.visit(s, min(left, sweepChunk))
		if err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
		changes := f.rules.changes
		if err := f.settle(ctx, visit, &s); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
		next.accounts += int64(len(visit))
		next.changes += f.rules.changes - changes
		s, left = next, left-len(visit)
		records, size := f.out.Emitted()
		if records-before >= sweepEmittedRecords || size-beforeBytes >= sweepEmittedBytes || f.kv.staged >= sweepStagedBytes {
			break
		}
	}
	if !s.active {
		f.cfg.Log.InfoContext(ctx, "restatement ends", "partition", f.source,
			"since", s.since, "accounts", s.accounts, "changes", s.changes)
		if err := f.bury(); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
	}
	return f.putSweep(s)
}

// visit returns the next accounts of the round, n at most, and the sweep as it
// is behind them.
func (f *fold) visit(s sweep, n int) (visit []*account, next sweep, err error) {
	over := sweep{since: s.since, accounts: s.accounts, changes: s.changes}
	if len(f.rules.campaigns) == 0 {
		return nil, over, nil // nothing is due to anybody
	}
	for len(visit) < n {
		prefix, id, err := f.accountBehind(s.cursor)
		if err != nil {
			return nil, s, err
		}
		switch {
		case prefix == nil && (s.wrapped || len(s.stop) == 0):
			return visit, over, nil
		case prefix == nil:
			s.wrapped, s.cursor = true, nil
			continue
		case s.wrapped && bytes.Compare(prefix, s.stop) > 0:
			return visit, over, nil
		}
		s.cursor = prefix
		visit = append(visit, &account{id: id, asOf: s.asOf})
	}
	return visit, s, nil
}

// accountBehind returns the first account whose items are behind the cursor, nil
// if there is none.
func (f *fold) accountBehind(cursor []byte) (prefix, id []byte, err error) {
	from, to := spaceItem.Key().Range()
	if len(cursor) > 0 {
		_, from = state.Key(cursor).Range()
	}
	err = f.kv.Scan(from, to, func(key, _ []byte) (bool, error) {
		id = bytes.Clone(spaceItem.Parts(key).Bytes())
		return false, nil
	})
	if err != nil || id == nil {
		return nil, nil, err
	}
	return accountItems(id), id, nil
}

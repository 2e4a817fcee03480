package state

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// Sizes of one store, from which the instance's budget is shared out.
const (
	memtablesMax   = 2        // one being written, one being flushed
	memtableMin    = 2 << 20  // below it a batch of the engine does not fit
	memtableMax    = 64 << 20 // above it a flush stalls commits
	cacheMin       = 1 << 20
	storeOverhead  = 2 << 20 // goroutines, bloom filters, file handles
	budgetDefault  = 512 << 20
	maxOpenDefault = 24
)

// share is what one store may use of the instance's memory.
type share struct{ memtable, indexCache, hot int64 }

// shareOf divides a budget among maxOpen stores: half of what is left after
// the fixed overhead goes to memtables, a quarter to the cache of indices and one
// to single values that are read again (hot).
func shareOf(budget int64, maxOpen int) (share, error) {
	each := budget/int64(maxOpen) - storeOverhead
	need := int64(memtablesMax*memtableMin + 2*cacheMin)
	if each < need {
		return share{}, fmt.Errorf("a memory budget of %d MiB is too small for %d stores: give at least %d MiB",
			budget>>20, maxOpen, ((need+storeOverhead)*int64(maxOpen))>>20+1)
	}
	return share{
		memtable:   min(memtableMax, each/2/memtablesMax),
		indexCache: max(cacheMin, each/4),
		hot:        max(cacheMin, each/4),
	}, nil
}

// badgerOptions states every option that differs from Badger's default, and why.
func badgerOptions(path string, s share, log *slog.Logger) badger.Options {
	return badger.DefaultOptions(path).
		// One goroutine writes: conflict detection would only keep fingerprints.
		WithDetectConflicts(false).
		// Badger writes through mmap, so a killed process loses nothing; a lost host
		// may, which the boot id and the clean mark catch. The truth is in Kafka.
		WithSyncWrites(false).
		// Nothing goes to the value log: a value in it can outlive or miss its key
		// after a crash. 15% of the memtable is Badger's own bound for this.
		WithValueThreshold(min(1<<20, s.memtable*15/100)).
		WithValueLogFileSize(1 << 20).
		WithMemTableSize(s.memtable).
		WithNumMemtables(memtablesMax).
		// A cache of 0 would keep all indices in the heap.
		WithIndexCacheSize(s.indexCache).
		// Blocks are read where they lie in memory that is mapped. Compressed, each
		// look-up at random would unpack four kilobytes for a hundred bytes, which at a
		// million identities is a third of reading; it would save half of the disk.
		WithCompression(options.None).
		WithBlockCacheSize(0). // it is for unpacked blocks
		WithBaseTableSize(4 << 20).
		WithBaseLevelSize(16 << 20).
		WithNumLevelZeroTables(3).
		WithNumLevelZeroTablesStall(8).
		WithNumCompactors(2). // the least that Badger accepts
		// Old versions are of no use: a store has one reader's view, the newest.
		WithNumVersionsToKeep(1).
		WithMetricsEnabled(false). // expvar is global
		WithLogger(badgerLog{log})
}

// badgerLog hands Badger's warnings and errors to slog.
type badgerLog struct{ log *slog.Logger }

func (l badgerLog) line(level slog.Level, format string, args []any) {
	l.log.Log(context.Background(), level, "badger", "text", strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (l badgerLog) Errorf(format string, args ...any)   { l.line(slog.LevelError, format, args) }
func (l badgerLog) Warningf(format string, args ...any) { l.line(slog.LevelWarn, format, args) }
func (l badgerLog) Infof(format string, args ...any)    { l.line(slog.LevelDebug, format, args) }
func (l badgerLog) Debugf(string, ...any)               {}

package stream

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// The keys of a changelog partition. The first byte tells the engine's own
// records from the state's, whose keys are the store's keys behind keyState.
const (
	keyEngine = 0x00
	keyState  = 0x01
)

var (
	checkpointKey = []byte{keyEngine, 'C'}
	barrierKey    = []byte{keyEngine, 'B'}
)

// formatVersion is the version of checkpoint and meta. A newer one than this
// is refused: an older program must not go on with a newer program's state.
const formatVersion = 1

// checkpoint is the last record that a transaction writes to a changelog
// partition. It makes the changelog describe itself: whoever has read up to it
// has the state after exactly the inputs below Next.
type checkpoint struct {
	Format     int    `json:"format"`
	Next       int64  `json:"next"`       // next input offset
	Sequence   int64  `json:"sequence"`   // transactions of this partition so far
	Generation int64  `json:"generation"` // see Assignment
	Owner      string `json:"owner"`      // instance that wrote it, for people
	Digest     string `json:"digest"`     // hex of the state's digest after this transaction
	Keys       int64  `json:"keys"`
}

// meta is what a store keeps beside the state, in the same atomic write.
type meta struct {
	Format      int        `json:"format"`
	Cluster     string     `json:"cluster"`
	InputID     string     `json:"input_id"`     // topic ids, so that a recreated
	ChangelogID string     `json:"changelog_id"` // topic is not taken for the old one
	Partition   int32      `json:"partition"`
	Checkpoint  checkpoint `json:"checkpoint"`
	Position    int64      `json:"position"` // next changelog offset to read
	CommittedAt int64      `json:"committed_at"`
}

// barrier is the record that ends a restore: whatever is in front of it in the
// log is decided once it can be read with read_committed.
type barrier struct {
	Nonce string `json:"nonce"`
	Owner string `json:"owner"`
}

func digestText(sum [16]byte) string { return hex.EncodeToString(sum[:]) }

// errNewer says that a record was written by a newer program.
var errNewer = errors.New("written by a newer version of this program: run that version, or a newer one")

func decodeCheckpoint(b []byte) (checkpoint, error) {
	var c checkpoint
	if err := strictJSON(b, &c); err != nil {
		return c, fmt.Errorf("decode checkpoint: %w", err)
	}
	if c.Format > formatVersion {
		return c, fmt.Errorf("decode checkpoint: format %d: %w", c.Format, errNewer)
	}
	if c.Next < 0 || c.Sequence < 0 || c.Keys < 0 {
		return c, fmt.Errorf("decode checkpoint: negative count in %s", b)
	}
	return c, nil
}

func decodeMeta(b []byte) (meta, error) {
	var m meta
	if err := strictJSON(b, &m); err != nil {
		return m, fmt.Errorf("decode store meta: %w", err)
	}
	if m.Format > formatVersion {
		return m, fmt.Errorf("decode store meta: format %d: %w", m.Format, errNewer)
	}
	return m, nil
}

// strictJSON decodes one JSON value and nothing behind it. Unknown fields are
// left to the format version, so that a patch release may add one.
func strictJSON(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(v); err != nil {
		return err
	}
	if dec.More() {
		return errors.New("trailing bytes")
	}
	return nil
}

// encode marshals the engine's own plain structs, which cannot fail.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	return b
}

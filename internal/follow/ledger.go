package follow

import (
	"cmp"
	"fmt"

	"tracksource/schemas/avro"
	"tracksource/state"
	"tracksource/stream"
)

// Entry is an entry of the ledger with its place in the credits topic.
type Entry struct {
	Partition int32
	Offset    int64
	avro.CreditEntry
}

func pointerRange(k *avro.ContributionKey) state.Key {
	key := spacePointer.Key()
	for _, part := range [...]string{
		k.Contract, k.Measure, k.Day, k.Partner, k.Channel, k.Asset, k.Region, k.Segment, k.Source, k.TouchCampaign,
		k.Escrow, cmp.Or(k.Booked, k.Day),
	} {
		key = key.String(part)
	}
	return key
}

func (f *Follow) projectEntry(r *stream.Record, put func(key, value []byte)) error {
	var e avro.CreditEntry
	if err := f.cfg.Codecs.Credit.Decode(r.Value, &e); err != nil {
		return err
	}
	switch e.Kind {
	case kindGeneration:
		put(lifeKey(spaceLedgerLife, e.SourcePartition, r.Partition), lifeValue(spaceLedgerLife, e.Generation))
		// It counts from here on, and the store has it in a moment: to wait for that every
		// entry would be decoded a second time.
		f.ledgerLives.note(e.SourcePartition, e.Generation)
	case kindEntry:
		place := func(k state.Key) state.Key { return k.Uint32(uint32(r.Partition)).Uint64(uint64(r.Offset)) }
		put(place(spaceEntry.Key().String(e.Contract).String(e.Conversion)), spaceEntry.Value(r.Value))
		k := avro.ContributionKey{
			Contract: e.Contract, Measure: e.Measure, Day: e.Day, Partner: e.Partner, Channel: e.Channel, Asset: e.Asset,
			Region: e.Region, Segment: e.Segment, Source: e.Source, TouchCampaign: e.TouchCampaign, Escrow: e.Escrow, Booked: e.Booked,
		}
		put(place(pointerRange(&k)), spacePointer.Value(state.Key{}.String(e.Conversion)))
	}
	return nil
}

// Entries calls fn for the entries of a conversion of a book, by partition and then in
// their order, until it returns false. Those of a life that is over are left out.
func (f *Follow) Entries(book, conversion string, fn func(e *Entry) (bool, error)) error {
	prefix := spaceEntry.Key().String(book).String(conversion)
	from, to := prefix.Range()
	return f.ledger.scan(from, to, func(key, value []byte) (bool, error) {
		p := spaceEntry.Parts(key)
		_, _ = p.String(), p.String()
		e, over, err := f.entry(int32(p.Uint32()), int64(p.Uint64()), value)
		if err != nil || over {
			return err == nil, err
		}
		return fn(e)
	})
}

// EntriesOf calls fn for the entries that a row is the sum of, whatever the model of
// the key, by partition and then in their order, until it returns false.
func (f *Follow) EntriesOf(k *avro.ContributionKey, fn func(e *Entry) (bool, error)) error {
	prefix := pointerRange(k)
	from, to := prefix.Range()
	return f.ledger.scan(from, to, func(key, value []byte) (bool, error) {
		body, err := spacePointer.Body(value)
		if err != nil {
			return false, err
		}
		conversion := state.Keyspace{}.Parts(append([]byte{0}, body...)).String()
		place := key[len(prefix):]
		held, err := f.ledger.get(append(spaceEntry.Key().String(k.Contract).String(conversion), place...))
		if err != nil || held == nil {
			return err == nil, err
		}
		p := state.Keyspace{}.Parts(append([]byte{0}, place...))
		e, over, err := f.entry(int32(p.Uint32()), int64(p.Uint64()), held)
		if err != nil || over {
			return err == nil, err
		}
		return fn(e)
	})
}

func (f *Follow) entry(partition int32, offset int64, value []byte) (e *Entry, over bool, err error) {
	body, err := spaceEntry.Body(value)
	if err != nil {
		return nil, false, err
	}
	e = &Entry{Partition: partition, Offset: offset}
	if err := f.cfg.Codecs.Credit.Decode(body, &e.CreditEntry); err != nil {
		return nil, false, fmt.Errorf("entry in the table: %w", err)
	}
	return e, f.ledgerLives.over(e.SourcePartition, e.Generation), nil
}

package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"

	"tracksource/contract"
	"tracksource/deploy/kafka"
	"tracksource/internal/governance"
	"tracksource/internal/line"
	"tracksource/money"
	"tracksource/schemas/avro"
	"tracksource/state"
	"tracksource/stream"
)

// Config says where the control topic is. All fields are required.
type Config struct {
	Kafka  kafka.Conn
	Spec   kafka.Spec
	Codecs *avro.Codecs
	Log    *slog.Logger
}

// Book is what the control topic says now: what is in force, without what the
// service refuses.
type Book struct {
	Contracts map[string][]avro.ContractRecord   // by campaign, by revision
	Proposals map[string]avro.ContractRecord     // by campaign
	Mappings  map[Versioned][]avro.MappingRecord // by feed, by revision
	Rates     map[Pair]string                    // decimal text
	Accounts  map[Company]avro.AccountRecord
	Amounts   map[AmountKey][]avro.AmountRecord   // in the order of the topic: the last is in force
	Overlaps  map[OverlapKey][]avro.OverlapRecord // as Amounts
	Refused   int                                 // records that are not in force

	// What signatories said, each as far as it was taken in and in its order, by
	// campaign; acknowledgements of alerts of no campaign are under the empty one.
	Disputes         map[DisputeID]governance.Dispute // as they stand
	Periods          map[string][]avro.PeriodRecord
	Approvals        map[string][]avro.ApprovalRecord
	Signatures       map[string][]avro.SignatureRecord
	Acknowledgements map[string][]avro.AcknowledgementRecord
	Surveys          map[string][]avro.SurveyRecord
	Evaluations      map[string][]avro.EvaluationRecord

	values map[governance.Key][]byte
	agreed Agreed
}

// Pair is a currency pair on a day.
type Pair struct {
	Base, Quote string
	Day         money.Day
}

// Company is who a row of the account map is about.
type Company struct{ Domain, Reporter, CRMAccount string }

// Newest returns the newest revision of a campaign's contract, false without one.
func (b *Book) Newest(campaign string) (avro.ContractRecord, bool) {
	all := b.Contracts[campaign]
	if len(all) == 0 {
		return avro.ContractRecord{}, false
	}
	return all[len(all)-1], true
}

// NewBook makes an empty book.
func NewBook() *Book {
	return &Book{
		Contracts: map[string][]avro.ContractRecord{}, Proposals: map[string]avro.ContractRecord{},
		Mappings: map[Versioned][]avro.MappingRecord{}, Rates: map[Pair]string{}, Accounts: map[Company]avro.AccountRecord{},
		Amounts: map[AmountKey][]avro.AmountRecord{}, Overlaps: map[OverlapKey][]avro.OverlapRecord{},
		Disputes: map[DisputeID]governance.Dispute{}, Periods: map[string][]avro.PeriodRecord{}, Approvals: map[string][]avro.ApprovalRecord{},
		Signatures: map[string][]avro.SignatureRecord{}, Acknowledgements: map[string][]avro.AcknowledgementRecord{},
		Surveys: map[string][]avro.SurveyRecord{}, Evaluations: map[string][]avro.EvaluationRecord{},
		values: map[governance.Key][]byte{}, agreed: Agreed{},
	}
}

// NewestMapping returns the newest revision of a feed's mapping, false without one.
func (b *Book) NewestMapping(partner, feed string) (avro.MappingRecord, bool) {
	all := b.Mappings[OfMapping(partner, feed)]
	if len(all) == 0 {
		return avro.MappingRecord{}, false
	}
	return all[len(all)-1], true
}

// Read reads the control topic as it is now.
func Read(ctx context.Context, cfg Config) (*Book, error) {
	b := NewBook()
	err := stream.ReadTopic(ctx, line.StreamConn(cfg.Kafka), cfg.Log, cfg.Spec.Control(), func(r stream.Record) error {
		return b.Add(cfg.Codecs, r.Value)
	})
	if err != nil {
		return nil, fmt.Errorf("read what is decided: %w", err)
	}
	return b, nil
}

// Add takes in the next record of the control topic, in its order. What the
// service refuses is counted; an error is about the registry.
func (b *Book) Add(codecs *avro.Codecs, value []byte) error {
	var c avro.Control
	if err := codecs.Control.Decode(value, &c); errors.Is(err, avro.ErrRegistry) {
		return err
	} else if err != nil {
		b.Refused++
		return nil
	}
	return b.Take(&c)
}

// Judge returns a Refusal for a record that the service would not take in now.
func (b *Book) Judge(c *avro.Control) error {
	_, err := Judge(c, past{b})
	return err
}

// past is what a book has, as what records are judged by.
type past struct{ book *Book }

// Standing implements [Past].
func (p past) Standing(of Versioned) (Standing, error) {
	if of.Kind != Contract {
		return Standing{Revision: int64(len(p.book.Mappings[of]))}, nil
	}
	now := p.book.Standing(of.Name)
	var err error
	now.Agreed, err = p.book.agreed.Of(of.Name, now.Document)
	return now, err
}

// Value implements [Past].
func (p past) Value(key governance.Key) ([]byte, error) { return p.book.values[key], nil }

// Take is Add of a record that is decoded.
func (b *Book) Take(c *avro.Control) error {
	outcome, err := Judge(c, past{b})
	switch {
	case governance.IsRefusal(err):
		b.Refused++
		return nil
	case err != nil:
		return err
	case outcome.Again:
		return nil
	}
	for _, change := range outcome.Changes {
		if change.Value == nil {
			delete(b.values, change.Key)
		} else {
			b.values[change.Key] = change.Value
		}
	}
	if isSaid(c) {
		b.note(c, outcome)
		return nil
	}
	switch c.Kind {
	case Mapping:
		of := OfMapping(c.Mapping.Partner, c.Mapping.Feed)
		b.Mappings[of] = append(b.Mappings[of], *c.Mapping)
	case Contract:
		b.revise(c.Contract)
	case Rate:
		day, err := money.ParseDay(c.Rate.Day)
		if err != nil {
			return err
		}
		b.Rates[Pair{c.Rate.Base, c.Rate.Quote, day}] = c.Rate.Rate
	case Spend, Target, Cost:
		of := KeyOfAmount(c.Kind, c.Amount)
		b.Amounts[of] = append(b.Amounts[of], *c.Amount)
	case Overlap:
		of := KeyOfOverlap(c.Overlap)
		b.Overlaps[of] = append(b.Overlaps[of], *c.Overlap)
	case Account:
		who := Company{c.Account.Domain, c.Account.Reporter, c.Account.CRMAccount}
		if was, ok := b.Accounts[who]; !ok || c.Account.At.After(was.At) {
			b.Accounts[who] = *c.Account
		}
	}
	return nil
}

// Standing is what is in force of a campaign's contract.
func (b *Book) Standing(campaign string) Standing {
	newest, _ := b.Newest(campaign)
	return Standing{Revision: newest.Revision, Document: newest.Document, Proposal: b.Proposals[campaign].Hash}
}

func (b *Book) revise(r *avro.ContractRecord) {
	after := b.Standing(r.Campaign).After(r)
	if !r.Proposed {
		b.Contracts[r.Campaign] = append(b.Contracts[r.Campaign], *r)
	} else if r.Document != "" {
		b.Proposals[r.Campaign] = *r
	}
	if after.Proposal == "" {
		delete(b.Proposals, r.Campaign)
	}
}

// Messages makes the records of the control topic. Each has a key of its own, so
// that nothing but a correction of the same thing replaces it.
func Messages(codecs *avro.Codecs, topic string, controls ...avro.Control) ([]stream.Message, error) {
	ms := make([]stream.Message, len(controls))
	for i := range controls {
		b, err := codecs.Control.Append(nil, &controls[i])
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", controls[i].Kind, err)
		}
		ms[i] = stream.Message{Topic: topic, Partition: 0, Pinned: true, Key: key(&controls[i], b), Value: b}
	}
	return ms, nil
}

// key returns the key of a record in the control topic. Value is the record as it is
// encoded.
func key(c *avro.Control, value []byte) []byte {
	switch {
	case isSaid(c):
		// No two share a key: were one of them ever compacted away, another that was
		// refused because of it would be taken in.
		campaign, _ := governance.Concerns(c)
		sum := sha256.Sum256(value)
		return state.Key{}.String(c.Kind).String(campaign).String(hex.EncodeToString(sum[:]))
	case c.Contract != nil && c.Contract.Proposed:
		return state.Key{}.String(contract.ProposalBook(c.Contract.Campaign)).Uint64(uint64(c.Contract.RecordedAt.UnixMicro()))
	case c.Contract != nil:
		return state.Key{}.String(c.Contract.Campaign).Uint64(uint64(c.Contract.Revision))
	case c.Rate != nil:
		return state.Key{}.String(c.Rate.Base + c.Rate.Quote).String(c.Rate.Day)
	case c.Mapping != nil:
		return state.Key{}.String(Mapping).String(c.Mapping.Partner).String(c.Mapping.Feed).Uint64(uint64(c.Mapping.Revision))
	case c.Account != nil:
		return state.Key{}.String(Account).String(c.Account.Domain).String(c.Account.Reporter).String(c.Account.CRMAccount)
	case c.Amount != nil:
		k := KeyOfAmount(c.Kind, c.Amount)
		return state.Key{}.String(k.Kind).String(k.Campaign).String(k.Day).String(k.Partner).String(k.Payer).String(k.Channel).String(k.Asset).String(k.Measure)
	case c.Overlap != nil:
		k := state.Key{}.String(Overlap).String(c.Overlap.Campaign)
		for _, d := range []avro.DealName{c.Overlap.Deal, c.Overlap.Other} {
			k = k.String(d.Reporter).String(d.Source).String(d.ID)
		}
		return k.Uint64(uint64(c.Overlap.At.UnixMicro())) // each decision is kept
	}
	return []byte(c.Kind)
}

// Send writes records to the control topic, in portions, and tells progress after
// each; it may be nil.
func Send(ctx context.Context, cfg Config, controls []avro.Control, progress func(done, all int)) error {
	const portion = 1000
	p, err := stream.NewProducer(line.StreamConn(cfg.Kafka), cfg.Log)
	if err != nil {
		return err
	}
	defer p.Close()
	for done := 0; done < len(controls); {
		part := controls[done:min(len(controls), done+portion)]
		ms, err := Messages(cfg.Codecs, cfg.Spec.Control(), part...)
		if err != nil {
			return err
		}
		if err := p.Send(ctx, ms...); err != nil {
			return fmt.Errorf("after %d of %d records: %w", done, len(controls), err)
		}
		if done += len(part); progress != nil {
			progress(done, len(controls))
		}
	}
	return nil
}

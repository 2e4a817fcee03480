package control

import (
	"context"
	"fmt"
	"log/slog"

	"tracksource/deploy/kafka"
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
	Contracts map[string][]avro.ContractRecord // by campaign, by revision
	Rates     map[Pair]string                  // decimal text
	Accounts  map[Company]avro.AccountRecord
	Refused   int // records that are not in force
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

// Read reads the control topic as it is now.
func Read(ctx context.Context, cfg Config) (*Book, error) {
	b := &Book{Contracts: map[string][]avro.ContractRecord{}, Rates: map[Pair]string{}, Accounts: map[Company]avro.AccountRecord{}}
	err := stream.ReadTopic(ctx, line.StreamConn(cfg.Kafka), cfg.Log, cfg.Spec.Control(), func(r stream.Record) error {
		var c avro.Control
		if err := cfg.Codecs.Control.Decode(r.Value, &c); err != nil {
			b.Refused++
			return nil //nolint:nilerr // the service refuses it as well
		}
		return b.add(&c)
	})
	if err != nil {
		return nil, fmt.Errorf("read what is decided: %w", err)
	}
	return b, nil
}

func (b *Book) add(c *avro.Control) error {
	err := Judge(c, func(campaign string) (int64, error) { return int64(len(b.Contracts[campaign])), nil })
	if err != nil {
		b.Refused++
		return nil
	}
	switch c.Kind {
	case Contract:
		b.Contracts[c.Contract.Campaign] = append(b.Contracts[c.Contract.Campaign], *c.Contract)
	case Rate:
		day, err := money.ParseDay(c.Rate.Day)
		if err != nil {
			return err
		}
		b.Rates[Pair{c.Rate.Base, c.Rate.Quote, day}] = c.Rate.Rate
	case Account:
		who := Company{c.Account.Domain, c.Account.Reporter, c.Account.CRMAccount}
		if was, ok := b.Accounts[who]; !ok || c.Account.At.After(was.At) {
			b.Accounts[who] = *c.Account
		}
	}
	return nil
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
		ms[i] = stream.Message{Topic: topic, Partition: 0, Pinned: true, Key: key(&controls[i]), Value: b}
	}
	return ms, nil
}

func key(c *avro.Control) []byte {
	switch {
	case c.Contract != nil:
		return state.Key{}.String(c.Contract.Campaign).Uint64(uint64(c.Contract.Revision))
	case c.Rate != nil:
		return state.Key{}.String(c.Rate.Base + c.Rate.Quote).String(c.Rate.Day)
	case c.Account != nil:
		return state.Key{}.String(Account).String(c.Account.Domain).String(c.Account.Reporter).String(c.Account.CRMAccount)
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

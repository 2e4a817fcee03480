package stream

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Message is a record to send outside of a transaction.
type Message struct {
	Topic string
	// Partition is used when Pinned, else the key's hash decides.
	Partition int32
	Pinned    bool
	Key       []byte
	Value     []byte
	Headers   []Header
}

// Producer sends records as partners and operators do: idempotent, in no
// transaction.
type Producer struct{ cl *kgo.Client }

// NewProducer makes a Producer. It connects with the first Send.
func NewProducer(conn Conn, log *slog.Logger) (*Producer, error) {
	cl, err := kgo.NewClient(append(conn.options(),
		kgo.ClientID("track-source-producer"),
		kgo.WithLogger(logAdapter{log}),
		kgo.RecordPartitioner(partitioner()),
		kgo.RecordDeliveryTimeout(30*time.Second),
		kgo.ProducerBatchCompression(kgo.ZstdCompression(), kgo.SnappyCompression(), kgo.NoCompression()),
	)...)
	if err != nil {
		return nil, fmt.Errorf("open producer: %w", err)
	}
	return &Producer{cl}, nil
}

// Send sends ms and returns when all of them are acknowledged by all in-sync
// replicas. After an error some may have been written.
func (p *Producer) Send(ctx context.Context, ms ...Message) error {
	rs := make([]*kgo.Record, len(ms))
	for i, m := range ms {
		r := &kgo.Record{Topic: m.Topic, Partition: partitionByKey, Key: m.Key, Value: m.Value}
		if m.Pinned {
			r.Partition = m.Partition
		}
		for _, h := range m.Headers {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		rs[i] = r
	}
	if err := p.cl.ProduceSync(ctx, rs...).FirstErr(); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// Close closes the connections.
func (p *Producer) Close() { p.cl.Close() }

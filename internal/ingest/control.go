package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tracksource/contract"
	"tracksource/internal/task"
	"tracksource/money"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// The kinds of control records.
const (
	controlContract = "contract"
	controlRate     = "rate"
	controlHorizon  = "horizon"
)

// control takes the broadcasts that concern resolve into state: the horizon.
func (r *Resolver) control(c *avro.Control) error {
	if c == nil {
		return fmt.Errorf("%w: broadcast without its record", errBroken)
	}
	if c.Kind != controlHorizon || c.Horizon == nil {
		return nil
	}
	d, err := time.Parse(time.DateOnly, c.Horizon.Day)
	if err != nil {
		return fmt.Errorf("%w: horizon: %w", errBroken, err)
	}
	if h := dayOf(d); h > r.horizon {
		r.horizon, r.expiring = h, true
		return r.putHorizon()
	}
	return nil
}

// ControlConfig describes the control processor. All fields are required.
type ControlConfig struct {
	Codecs       *avro.Codecs
	Observations Broadcast
	Journeys     Broadcast
	Alerts       string
	Log          *slog.Logger
}

// Broadcast is a topic every partition of which gets each accepted record.
type Broadcast struct {
	Topic      string
	Partitions int32
}

// Controller is the processor of the control topic's one partition. It refuses
// what is stale or unreadable, with an alert that says why, and broadcasts the
// rest under a number that rises by one.
type Controller struct {
	cfg ControlConfig
	kv  task.KV
}

// NewController makes the processor.
func NewController(cfg ControlConfig, kv task.KV) *Controller { return &Controller{cfg, kv} }

// Pending implements stream.Processor: the controller works on input only.
func (c *Controller) Pending(time.Time) bool { return false }

// Committed implements stream.Processor.
func (c *Controller) Committed() {}

// Aborted implements stream.Processor.
func (c *Controller) Aborted() {}

// Process implements stream.Processor.
func (c *Controller) Process(ctx context.Context, b *stream.Batch) error {
	return c.Fold(ctx, b.Records, b)
}

// Fold is Process with the outputs apart.
func (c *Controller) Fold(ctx context.Context, records []stream.Record, out Emitter) error {
	for i := range records {
		rec := &records[i]
		var ctl avro.Control
		err := c.cfg.Codecs.Control.Decode(rec.Value, &ctl)
		if errors.Is(err, avro.ErrRegistry) {
			return fmt.Errorf("%w: %w", stream.ErrTransient, err)
		}
		var refused error
		if err != nil {
			refused = fmt.Errorf("unreadable record: %w", err)
		} else if refused, err = c.accept(&ctl); err != nil {
			return err
		}
		if refused != nil {
			c.cfg.Log.WarnContext(ctx, "control record refused", "offset", rec.Offset, "err", refused)
			if err := c.alert(rec, refused, out); err != nil {
				return err
			}
			continue
		}
		if err := c.broadcast(&ctl, out); err != nil {
			return err
		}
	}
	return nil
}

// accept checks a record and notes what it changes. refused says why it must
// not be broadcast; err is a failure of our own.
func (c *Controller) accept(ctl *avro.Control) (refused, err error) {
	switch {
	case ctl.Kind == controlContract && ctl.Contract != nil:
		return c.acceptContract(ctl.Contract)
	case ctl.Kind == controlRate && ctl.Rate != nil:
		r := ctl.Rate
		day, err := money.ParseDay(r.Day)
		if err != nil {
			return fmt.Errorf("rate %s/%s: %w", r.Base, r.Quote, err), nil
		}
		return new(money.Rates).Set(r.Base, r.Quote, day, r.Rate), nil
	case ctl.Kind == controlHorizon && ctl.Horizon != nil:
		_, refused := money.ParseDay(ctl.Horizon.Day)
		return refused, nil
	}
	return fmt.Errorf("kind %q is unknown or has no record", ctl.Kind), nil
}

func (c *Controller) acceptContract(r *avro.ContractRecord) (refused, err error) {
	key := []byte(spaceControl.Key().String("contract").String(r.Campaign))
	last, err := c.number(key)
	if err != nil {
		return nil, err
	}
	if r.Revision != int64(last)+1 || r.Previous != int64(last) {
		return fmt.Errorf("contract %s: revision %d on top of %d is stale, the newest is %d", r.Campaign, r.Revision, r.Previous, last), nil
	}
	sum := sha256.Sum256([]byte(r.Document))
	if hex.EncodeToString(sum[:]) != r.Hash {
		return fmt.Errorf("contract %s: the document does not have the hash it came with", r.Campaign), nil
	}
	doc, err := contract.Parse([]byte(r.Document))
	if err != nil {
		return fmt.Errorf("contract %s: %w", r.Campaign, err), nil
	}
	if doc.Campaign != r.Campaign {
		return fmt.Errorf("contract %s: the document is of campaign %s", r.Campaign, doc.Campaign), nil
	}
	return nil, c.putNumber(key, last+1)
}

// broadcast numbers the record and sends it to every partition.
func (c *Controller) broadcast(ctl *avro.Control, out Emitter) error {
	key := []byte(spaceControl.Key().String("number"))
	n, err := c.number(key)
	if err != nil {
		return err
	}
	if err := c.putNumber(key, n+1); err != nil {
		return err
	}
	ctl.Number = int64(n + 1)
	obs, err := c.cfg.Codecs.Observation.Append(nil, &avro.Observation{Kind: kindControl, Control: ctl})
	if err != nil {
		return err
	}
	ev, err := c.cfg.Codecs.Journey.Append(nil, &avro.JourneyEvent{Kind: kindControl, Control: ctl})
	if err != nil {
		return err
	}
	for p := range c.cfg.Observations.Partitions {
		out.EmitTo(c.cfg.Observations.Topic, p, nil, obs)
	}
	for p := range c.cfg.Journeys.Partitions {
		out.EmitTo(c.cfg.Journeys.Topic, p, nil, ev)
	}
	return nil
}

func (c *Controller) alert(rec *stream.Record, refused error, out Emitter) error {
	id := fmt.Sprintf("control-refused/%d", rec.Offset)
	b, err := c.cfg.Codecs.Alert.Append(nil, &avro.Alert{
		ID: id, Kind: "control_refused", Severity: "error", Subject: string(rec.Key),
		Message:  "a control record was refused: " + refused.Error(),
		Evidence: []string{fmt.Sprintf("%s/%d@%d", rec.Topic, rec.Partition, rec.Offset)}, RaisedAt: rec.Timestamp,
	})
	if err != nil {
		return err
	}
	out.Emit(c.cfg.Alerts, []byte(id), b)
	return nil
}

func (c *Controller) number(key []byte) (uint64, error) {
	b, err := c.kv.Get(key)
	if err != nil || b == nil {
		return 0, err
	}
	body, err := spaceControl.Body(b)
	if err != nil {
		return 0, err
	}
	if len(body) != 8 {
		return 0, fmt.Errorf("stored number of %d bytes", len(body))
	}
	return binary.BigEndian.Uint64(body), nil
}

func (c *Controller) putNumber(key []byte, n uint64) error {
	return c.kv.Put(key, spaceControl.Value(binary.BigEndian.AppendUint64(nil, n)))
}

var _ stream.Processor = (*Controller)(nil)

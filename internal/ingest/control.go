package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tracksource/contract"
	"tracksource/internal/control"
	"tracksource/internal/governance"
	"tracksource/internal/task"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// control takes the broadcasts that concern resolve into state: the horizon, and
// what contracts say of control totals.
func (r *Resolver) control(c *avro.Control) error {
	if c == nil {
		return fmt.Errorf("%w: broadcast without its record", errBroken)
	}
	if c.Kind == control.Contract && c.Contract != nil {
		if c.Contract.Proposed {
			return nil // nobody is held to it yet
		}
		agreed, err := contract.Parse([]byte(c.Contract.Document))
		if err != nil {
			return fmt.Errorf("%w: contract: %w", errBroken, err)
		}
		return r.totals.agree(agreed)
	}
	if c.Kind != control.Horizon || c.Horizon == nil {
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
	cfg    ControlConfig
	kv     task.KV
	agreed control.Agreed
}

// NewController makes the processor.
func NewController(cfg ControlConfig, kv task.KV) *Controller {
	return &Controller{cfg, kv, control.Agreed{}}
}

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
		var outcome governance.Outcome
		err := c.cfg.Codecs.Control.Decode(rec.Value, &ctl)
		switch {
		case errors.Is(err, avro.ErrRegistry):
			return fmt.Errorf("%w: %w", stream.ErrTransient, err)
		case err != nil:
			ctl, err = avro.Control{}, fmt.Errorf("unreadable record: %w", err)
		default:
			if outcome, err = c.accept(&ctl); err != nil && !governance.IsRefusal(err) {
				return err
			}
		}
		if refused := err; refused != nil {
			c.cfg.Log.WarnContext(ctx, "control record refused", "offset", rec.Offset, "err", refused)
			if err := c.alert(rec, &ctl, refused, out); err != nil {
				return err
			}
			continue
		}
		if outcome.Again {
			continue
		}
		for j := range outcome.Alerts {
			if err := emitAlert(c.cfg.Codecs, c.cfg.Alerts, &outcome.Alerts[j], out); err != nil {
				return err
			}
		}
		if err := c.pass(&ctl, outcome, out); err != nil {
			return err
		}
	}
	return nil
}

// accept checks a record and notes what it changes. A governance.Refusal says why it
// must not go on; any other error is a failure of our own.
func (c *Controller) accept(ctl *avro.Control) (governance.Outcome, error) {
	outcome, err := control.Judge(ctl, c)
	if err != nil {
		return outcome, err
	}
	for _, change := range outcome.Changes {
		key := saidKey(change.Key)
		if change.Value == nil {
			err = c.kv.Delete(key)
		} else {
			err = c.kv.Put(key, spaceControl.Value(change.Value))
		}
		if err != nil {
			return outcome, err
		}
	}
	of, revision, ok := control.Revision(ctl)
	if !ok {
		return outcome, nil
	}
	if of.Kind == control.Contract {
		now, err := c.Standing(of)
		if err != nil {
			return outcome, err
		}
		return outcome, c.stand(of, now, now.After(ctl.Contract))
	}
	return outcome, c.putNumber(revisionKey(of), uint64(revision))
}

// Standing implements [control.Past]. A state of before documents were kept has none,
// and the tool that sent the record has judged it by all.
func (c *Controller) Standing(of control.Versioned) (control.Standing, error) {
	revision, err := c.number(revisionKey(of))
	s := control.Standing{Revision: int64(revision)}
	if err != nil || of.Kind != control.Contract {
		return s, err
	}
	if s.Document, err = c.text(documentKey(of.Name)); err != nil {
		return s, err
	}
	if s.Agreed, err = c.agreed.Of(of.Name, s.Document); err != nil {
		return s, err
	}
	s.Proposal, err = c.text(proposalKey(of.Name))
	return s, err
}

// Value implements [control.Past].
func (c *Controller) Value(key governance.Key) ([]byte, error) {
	b, err := c.kv.Get(saidKey(key))
	if err != nil || b == nil {
		return nil, err
	}
	return spaceControl.Body(b)
}

// saidKey is where a value of governance lies.
func saidKey(k governance.Key) []byte {
	return spaceControl.Key().String("said").String(k.Of).String(k.Campaign).String(k.Name).String(k.Sub)
}

// stand keeps what a record changed of a contract.
func (c *Controller) stand(of control.Versioned, was, is control.Standing) error {
	if is.Revision != was.Revision {
		if err := c.putNumber(revisionKey(of), uint64(is.Revision)); err != nil {
			return err
		}
		if err := c.kv.Put(documentKey(of.Name), spaceControl.Value([]byte(is.Document))); err != nil {
			return err
		}
	}
	switch is.Proposal {
	case was.Proposal:
		return nil
	case "":
		return c.kv.Delete(proposalKey(of.Name))
	}
	return c.kv.Put(proposalKey(of.Name), spaceControl.Value([]byte(is.Proposal)))
}

func revisionKey(of control.Versioned) []byte {
	return spaceControl.Key().String(of.Kind).String(of.Name)
}

func documentKey(campaign string) []byte {
	return spaceControl.Key().String("document").String(campaign)
}

func proposalKey(campaign string) []byte {
	return spaceControl.Key().String("proposal").String(campaign)
}

// pass hands an accepted record on, to all or to those whom it concerns.
func (c *Controller) pass(ctl *avro.Control, outcome governance.Outcome, out Emitter) error {
	switch ctl.Kind {
	case control.Mapping, control.Spend, control.Target, control.Cost,
		control.Approval, control.Signature, control.Acknowledgement, control.Survey, control.Evaluation:
		return nil // whoever needs them reads the control topic itself
	case control.Dispute:
		return c.dispute(outcome.Dispute, out)
	case control.Account:
		return c.account(ctl.Account, out)
	case control.Overlap:
		return c.overlap(ctl.Overlap, out)
	case control.Erasure:
		for _, node := range ctl.Erasure.Nodes {
			if err := c.tell(&avro.Observation{Kind: kindErase, Node: node, OccurredAt: ctl.Erasure.At}, out); err != nil {
				return err
			}
		}
		return nil
	}
	return c.broadcast(ctl, out)
}

func (c *Controller) tell(obs *avro.Observation, out Emitter) error {
	b, err := c.cfg.Codecs.Observation.Append(nil, obs)
	if err != nil {
		return err
	}
	out.Emit(c.cfg.Observations.Topic, obs.Node, b)
	return nil
}

// account sends a row of the account map to the identity that it is about.
func (c *Controller) account(r *avro.AccountRecord, out Emitter) error {
	child, link, err := control.AccountLink(r)
	if err != nil {
		return err
	}
	return c.tell(&avro.Observation{
		Kind: kindLink, Node: child.Bytes(), OccurredAt: link.At,
		Links: []avro.Link{{Parent: link.Parent.Bytes(), Evidence: int(link.Evidence), At: link.At}},
	}, out)
}

// overlap sends a decision to the deal that it is about, numbered in the order of
// control: of two about the same deals the later one holds.
func (c *Controller) overlap(r *avro.OverlapRecord, out Emitter) error {
	n, err := c.next(control.Overlap)
	if err != nil {
		return err
	}
	node, object, err := control.OverlapObject(r, int64(n))
	if err != nil {
		return err
	}
	return c.tell(&avro.Observation{
		Kind: kindDecision, Node: node.Bytes(), Reporter: r.Deal.Reporter, Feed: "crm", Source: r.Deal.Source,
		EventID: fmt.Sprintf("%s/%d", control.Overlap, n), OccurredAt: r.At, Object: object,
	}, out)
}

// dispute sends a step of a dispute to the deal that it is about, numbered in the
// order of control.
func (c *Controller) dispute(d *governance.Dispute, out Emitter) error {
	n, err := c.next(control.Dispute)
	if err != nil {
		return err
	}
	node, object, err := control.DisputeObject(d, int64(n))
	if err != nil {
		return err
	}
	return c.tell(&avro.Observation{
		Kind: kindDecision, Node: node.Bytes(), Reporter: d.Deal.Reporter, Feed: "crm", Source: d.Deal.Source,
		EventID: fmt.Sprintf("%s/%d", control.Dispute, n), OccurredAt: object.ModifiedAt, Object: object,
	}, out)
}

// next counts what was handed on of a kind.
func (c *Controller) next(kind string) (uint64, error) {
	key := []byte(spaceControl.Key().String(kind))
	n, err := c.number(key)
	if err != nil {
		return 0, err
	}
	return n + 1, c.putNumber(key, n+1)
}

// broadcast numbers the record and sends it to every partition.
func (c *Controller) broadcast(ctl *avro.Control, out Emitter) error {
	n, err := c.next("number")
	if err != nil {
		return err
	}
	ctl.Number = int64(n)
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

// alert tells why a record was refused: the partner whose it was, if it is one of a
// partner's and of a campaign that there is.
func (c *Controller) alert(rec *stream.Record, ctl *avro.Control, refused error, out Emitter) error {
	campaign, partner := governance.Concerns(ctl)
	now, err := c.Standing(control.OfContract(campaign))
	if err != nil {
		return err
	}
	if now.Revision == 0 {
		campaign = ""
	}
	if !partnerID.MatchString(partner) {
		partner = ""
	}
	return emitAlert(c.cfg.Codecs, c.cfg.Alerts, &avro.Alert{
		ID: fmt.Sprintf("control-refused/%d", rec.Offset), Kind: "control_refused", Severity: "error", Campaign: campaign, Partner: partner, Subject: string(rec.Key),
		Message:  "a control record was refused: " + refused.Error(),
		Evidence: []string{fmt.Sprintf("%s/%d@%d", rec.Topic, rec.Partition, rec.Offset)}, RaisedAt: rec.Timestamp, State: governance.AlertOpen,
	}, out)
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

func (c *Controller) text(key []byte) (string, error) {
	b, err := c.kv.Get(key)
	if err != nil || b == nil {
		return "", err
	}
	body, err := spaceControl.Body(b)
	return string(body), err
}

func (c *Controller) putNumber(key []byte, n uint64) error {
	return c.kv.Put(key, spaceControl.Value(binary.BigEndian.AppendUint64(nil, n)))
}

var (
	_ stream.Processor = (*Controller)(nil)
	_ control.Past     = (*Controller)(nil)
)

package reporter

import (
	"context"
	"fmt"

	"tracksource/schemas/avro"
	"tracksource/stream"
)

// The kinds of alerts that a reporter raises.
const (
	// AlertGap: entries of a source are missing. Totals are right for every key
	// that the source has written since.
	AlertGap = "ledger_gap"
	// AlertMismatch: a running total does not follow from the one before it and
	// the delta. The running total is what counts.
	AlertMismatch = "ledger_mismatch"
	// AlertUnreadable: a record of credits is no entry and was left out.
	AlertUnreadable = "ledger_unreadable"
)

const severityCritical = "critical"

func (f *fold) gap(ctx context.Context, e *avro.CreditEntry, last int64, r *stream.Record) error {
	f.p.batch.gaps++
	f.p.cfg.Log.ErrorContext(ctx, "ledger entries are missing", "source_partition", e.SourcePartition,
		"generation", e.Generation, "last_sequence", last, "sequence", e.Sequence, "offset", r.Offset)
	return f.alert(r, &avro.Alert{
		Kind:    AlertGap,
		Subject: fmt.Sprintf("source partition %d", e.SourcePartition),
		Message: fmt.Sprintf("%d ledger entries are missing: compare the attributor's state with the ledger", e.Sequence-last-1),
		Evidence: []string{
			fmt.Sprintf("credits_partition=%d", f.p.partition), fmt.Sprintf("credits_offset=%d", r.Offset),
			fmt.Sprintf("source_partition=%d", e.SourcePartition), fmt.Sprintf("generation=%d", e.Generation),
			fmt.Sprintf("expected_sequence=%d", last+1), fmt.Sprintf("sequence=%d", e.Sequence),
		},
	})
}

func (f *fold) mismatch(ctx context.Context, e *avro.CreditEntry, i int, previous int64, r *stream.Record) error {
	f.p.batch.mismatches++
	f.p.cfg.Log.ErrorContext(ctx, "running total does not follow from the delta", "source_partition", e.SourcePartition,
		"generation", e.Generation, "sequence", e.Sequence, "offset", r.Offset, "model", e.Models[i],
		"previous", previous, "delta", e.Delta[i], "running", e.Running[i])
	return f.alert(r, &avro.Alert{
		Kind: AlertMismatch, Campaign: e.Contract, Partner: e.Partner,
		Subject: e.Models[i],
		Message: "a running total of the ledger is not the one before it plus the delta",
		Evidence: []string{
			fmt.Sprintf("credits_partition=%d", f.p.partition), fmt.Sprintf("credits_offset=%d", r.Offset),
			fmt.Sprintf("source_partition=%d", e.SourcePartition), fmt.Sprintf("generation=%d", e.Generation),
			fmt.Sprintf("sequence=%d", e.Sequence), "change=" + e.ChangeID,
			fmt.Sprintf("previous=%d", previous), fmt.Sprintf("delta=%d", e.Delta[i]),
			fmt.Sprintf("running=%d", e.Running[i]), fmt.Sprintf("exponent=%d", e.Exponent),
		},
	})
}

func (f *fold) unreadable(ctx context.Context, r *stream.Record, fault string) error {
	f.p.batch.unreadable++
	f.p.cfg.Log.ErrorContext(ctx, "ledger record left out", "offset", r.Offset, "fault", fault)
	return f.alert(r, &avro.Alert{
		Kind:    AlertUnreadable,
		Subject: fmt.Sprintf("credits partition %d", f.p.partition),
		Message: "a record of the ledger was left out: " + fault,
		Evidence: []string{
			fmt.Sprintf("credits_partition=%d", f.p.partition), fmt.Sprintf("credits_offset=%d", r.Offset),
		},
	})
}

// alert emits an alert about a record. Its id follows from the record, so that
// raising it again is raising the same one.
func (f *fold) alert(r *stream.Record, a *avro.Alert) error {
	a.ID = fmt.Sprintf("%s/%d/%d", a.Kind, f.p.partition, r.Offset)
	if a.Kind == AlertMismatch {
		a.ID += "/" + a.Subject
	}
	a.Severity, a.RaisedAt = severityCritical, r.Timestamp
	value, err := f.p.cfg.Codecs.Alert.Append(nil, a)
	if err != nil {
		return fmt.Errorf("raise alert: %w", err)
	}
	f.out.Emit(f.p.cfg.Alerts, []byte(a.ID), value)
	return nil
}

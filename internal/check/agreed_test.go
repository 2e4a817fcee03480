package check_test

import (
	"slices"
	"strings"
	"testing"

	"tracksource/contract/example"
	"tracksource/internal/check"
	"tracksource/schemas/avro"
)

// revised is the contract with a window in which no touch is; edits are pairs of
// texts.
func revised(revision int64, edits ...string) avro.Control {
	return edited(revision, append(edits, "lookback: 90d", "lookback: 1d", "days: 30", "days: 1"))
}

// proposed is one with a window in which all are.
func proposed(revision int64, edits ...string) avro.Control {
	c := edited(revision, append(edits, "lookback: 90d", "lookback: 30d"))
	c.Contract.Proposed = true
	return c
}

func edited(revision int64, edits []string) avro.Control {
	c := agreement()
	c.Contract.Revision, c.Contract.Previous = revision, revision-1
	c.Contract.Document = strings.NewReplacer(edits...).Replace(string(example.AILaunchTour()))
	c.Contract.Hash = hashOf(c.Contract.Document)
	return c
}

// signed is what was proposed, agreed.
func signed(c avro.Control) avro.Control {
	r := *c.Contract
	r.Proposed = false
	c.Contract = &r
	return c
}

func fromDay(day string) []string {
	return []string{"\nwindow:", "\nrestate_from: " + day + "\nwindow:"}
}

func withdrawn() avro.Control {
	c := proposed(2)
	c.Contract.Document = ""
	return c
}

// decided puts controls behind those of the world.
func decided(controls ...avro.Control) check.Input {
	in, number := world(), int64(2)
	controls = slices.Clone(controls)
	for i := range controls {
		in.Control = append(in.Control, check.At[avro.Control]{Offset: int64(2 + i), Value: controls[i]})
		if controls[i].Approval != nil || controls[i].Dispute != nil {
			continue
		}
		number++
		controls[i].Number = number
		in.Observations = append(in.Observations, check.At[check.Observation]{Offset: 1, Value: check.Observation{
			Observation: avro.Observation{Kind: "control", Control: &controls[i]},
		}})
		in.Journeys = append(in.Journeys, check.At[avro.JourneyEvent]{Offset: 1, Value: avro.JourneyEvent{Kind: "control", Control: &controls[i]}})
	}
	in.Alerts = check.Notices(in.Control)
	return in
}

// TestRevisions: the books follow each revision for its days, and a proposal is a
// book of its own. The ledger of the world is of the first revision alone.
func TestRevisions(t *testing.T) {
	const notBooked = "is worth 10001 and is not on the ledger"
	const worthless = "the conversion is worth 0"
	for _, tt := range []struct {
		name     string
		controls []avro.Control
		want     string // of the problem; empty: holds
	}{
		{"a revision from the day after the deal's", []avro.Control{revised(2, fromDay("2026-03-06")...)}, ""},
		{"a revision from the deal's day", []avro.Control{revised(2, fromDay("2026-03-05")...)}, worthless},
		{"a revision for all days", []avro.Control{revised(2)}, worthless},
		{"an older one from a later day", []avro.Control{revised(2, fromDay("2026-03-06")...), revised(3, fromDay("2026-03-05")...)}, worthless},
		{"a newer one from a later day", []avro.Control{revised(2, fromDay("2026-03-05")...), revised(3, fromDay("2026-03-06")...)}, worthless},
		{"a proposal without its book", []avro.Control{proposed(2)}, notBooked},
		{"a proposal that was withdrawn", []avro.Control{proposed(2), withdrawn()}, ""},
		{"a proposal that was agreed", []avro.Control{proposed(2), signed(proposed(2))}, ""},
		{"a proposal beside another revision", []avro.Control{proposed(2), revised(2, fromDay("2026-03-06")...)}, notBooked},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := check.Verify(decided(tt.controls...)).Err()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v\nwant %q", err, tt.want)
			}
		})
	}
}

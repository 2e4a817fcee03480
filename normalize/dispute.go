package normalize

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// DisputeType is the type of a partner's own event that disputes what a deal is
// credited with.
const DisputeType = "tracksource.dispute"

// DisputeStep is a step of a dispute as a partner says it in its feed: a record of its
// own, {"type": "tracksource.dispute", "action": "open", "campaign": "ai-launch-tour",
// "deal": "acme/salesforce/0065g00000XyZabAAF", "about": "sourcing", "by": "Partner
// Operations", "why": "registered in January", "at": "2026-03-02T11:00:00Z"}. Whose it is, the feed
// tells. Its own time only tells it from another one: it counts from its arrival, else
// a partner could date it back and dispute what has been closed since.
type DisputeStep struct {
	ID       string // by default made of what the event says, and then it says when
	Campaign string
	Deal     string // reporter/source/id; empty of withdraw
	Action   string // open or withdraw
	About    string // sourcing or credit; only of open
	Against  string // whose credit it is; empty for sourcing
	By, Why  string
}

// Bounds of what a step says, in bytes.
const (
	disputeNameMax = 200
	disputeWhyMax  = 1000
)

// ReadDispute reads a payload that is a step of a dispute; nil for any other. Its
// errors are Problems, which repeat nothing of what it says. An address is refused
// wherever it stands: the step is kept for the audit term and cannot be erased.
func ReadDispute(src Source, payload Value) (*DisputeStep, error) {
	o := object{v: payload}
	if o.text("type") != DisputeType {
		return nil, nil //nolint:nilnil // most payloads are none, which is no error
	}
	d := &DisputeStep{Action: o.text("action")}
	required := map[string][]string{"open": {"campaign", "deal", "about", "by", "why"}, "withdraw": {"id", "campaign", "by", "why"}}[d.Action]
	if required == nil {
		return nil, problem(BadField, "action of a dispute is neither open nor withdraw")
	}
	for _, name := range required {
		if _, err := o.required(name); err != nil {
			return nil, err
		}
	}
	for _, f := range []struct {
		name string
		to   *string
		most int
	}{
		{"id", &d.ID, disputeNameMax},
		{"campaign", &d.Campaign, disputeNameMax},
		{"deal", &d.Deal, disputeNameMax},
		{"about", &d.About, disputeNameMax},
		{"against", &d.Against, disputeNameMax},
		{"by", &d.By, disputeNameMax},
		{"why", &d.Why, disputeWhyMax},
	} {
		if *f.to = o.text(f.name); len(*f.to) > f.most {
			return nil, problem(BadField, "%s of a dispute has more than %d bytes", f.name, f.most)
		}
		if strings.Contains(*f.to, "@") {
			return nil, problem(BadField, "%s of a dispute has an address: name an office, and nobody", f.name)
		}
	}
	if err := d.finish(o, src); err != nil {
		return nil, err
	}
	return d, nil
}

// finish checks what hangs together and names a step that has no id.
func (d *DisputeStep) finish(o object, src Source) error {
	said := "" // tells what is said anew from what is sent again
	if o.has("at") {
		at, err := o.instant("at")
		if err != nil {
			return err
		}
		if at, err = occurred(src, at); err != nil {
			return err
		}
		said = at.Format(time.RFC3339Nano)
	}
	switch {
	case d.Action == "withdraw" && (d.About != "" || d.Against != ""):
		return problem(BadField, "what a dispute is about was said when it was opened")
	case d.Action == "withdraw":
		return nil
	case d.About != "sourcing" && d.About != "credit":
		return problem(BadField, "about of a dispute is neither sourcing nor credit")
	case d.About == "credit" && d.Against == "":
		return problem(MissingField, "against")
	case d.About == "sourcing" && d.Against != "":
		return problem(BadField, "a dispute about sourcing is against nobody")
	}
	if d.ID == "" {
		if said == "" {
			return problem(MissingField, "at, or an id")
		}
		h := sha256.New()
		for _, text := range []string{src.Reporter, d.Campaign, d.Deal, d.About, d.Against, d.By, d.Why, said} {
			h.Write([]byte(text + "\x00")) // no text has control characters
		}
		const idBytes = 12
		d.ID = "feed-" + hex.EncodeToString(h.Sum(nil)[:idBytes])
	}
	return nil
}

package attributor

import (
	"slices"
	"strings"

	"tracksource/attribution"
	"tracksource/schemas/avro"
)

// notice is something that somebody should know of an account.
type notice struct {
	mark
	kind, partner, message string
	evidence               []string
}

// notices are what the book of the account says that people have to act on, of each
// subject and reason one.
func notices(c *campaign, r attribution.Result) []notice {
	var list []notice
	for _, h := range r.Held {
		list = append(list, notice{
			mark{h.Conversion, h.Code},
			AlertHeld, c.rules.Newest().Contract.SystemOfRecord.Partner,
			h.Measure + " of " + h.Conversion + " is in no total (" + h.Code + "): " + h.Supply,
			[]string{h.Conversion},
		})
	}
	for _, d := range r.Disagreements {
		credited := "its credit is split among them"
		if d.Held {
			credited = "its credit is held until they agree"
		}
		evidence := make([]string, len(d.Evidence))
		for i, id := range d.Evidence {
			evidence[i] = id.String()
		}
		list = append(list, notice{
			mark{d.Touch.String(), AlertDisagreement},
			AlertDisagreement, "",
			"reporters credit the touch " + d.Touch.String() + " to " + strings.Join(d.Partners, " and ") + "; " + credited, evidence,
		})
	}
	for _, s := range r.Suspicions {
		deal, other := s.Deal.String(), s.Other.String()
		list = append(list, notice{
			mark{deal, AlertSuspected},
			AlertSuspected, s.Deal.Reporter,
			deal + " is in no total, since it may be the business of " + other + ": decide with track-source overlap resolve",
			[]string{deal, other},
		})
	}
	return list
}

// alerts raises one alert for each notice that is new, and returns what all are
// about, in order: what is raised is not raised again until it was resolved in
// between. Nobody is asked for what only a proposal lacks.
func (f *fold) alerts(c *campaign, a *account, raised []mark, list []notice) ([]mark, error) {
	if c.proposed {
		return nil, nil
	}
	var marks []mark
	for _, n := range list {
		if slices.Contains(marks, n.mark) {
			continue // held under another measure as well
		}
		marks = append(marks, n.mark)
		if slices.Contains(raised, n.mark) {
			continue
		}
		id := n.kind + "/" + c.id + "/" + n.subject
		if n.code != n.kind {
			id += "/" + n.code
		}
		b, err := f.cfg.Codecs.Alert.Append(nil, &avro.Alert{
			ID: id, Kind: n.kind, Severity: "warning", Campaign: c.id, Partner: n.partner, Subject: n.subject,
			Message: n.message, Evidence: n.evidence, RaisedAt: a.asOf,
		})
		if err != nil {
			return nil, err
		}
		f.out.Emit(f.cfg.Topics.Alerts, []byte(id), b)
	}
	return marks, nil
}

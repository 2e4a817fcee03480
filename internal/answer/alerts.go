package answer

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/internal/control"
	"tracksource/internal/follow"
	"tracksource/internal/governance"
	"tracksource/report"
	"tracksource/schemas/avro"
)

// alertsCounted bounds the alerts that actions are counted over.
const alertsCounted = 10_000

// Alerts lists what somebody should look at, the newest first, and what would settle
// it. Actions are counted over the newest 10,000 alerts that the viewer sees.
func (a *Answers) Alerts(ctx context.Context, v report.Viewer, q Query) (AlertsAnswer, error) {
	of, err := a.ask(v, &q)
	if err != nil {
		return AlertsAnswer{}, err
	}
	severities := []string{"", "info", "warning", "error", "critical"}
	if _, err := one("severity", q.Severity, severities); err != nil {
		return AlertsAnswer{}, &Error{Parameter: "severity", Detail: "there is no such severity", Allowed: severities[1:]}
	}
	state, err := one("state", q.State, []string{governance.AlertOpen, governance.AlertSettled, alertsAll})
	if err != nil {
		return AlertsAnswer{}, err
	}
	acknowledged, err := of.acknowledged()
	if err != nil {
		return AlertsAnswer{}, err
	}
	n, err := limit(&q)
	if err != nil {
		return AlertsAnswer{}, err
	}
	at, err := place(&q)
	if err != nil {
		return AlertsAnswer{}, err
	}
	out := AlertsAnswer{Alerts: []AlertLine{}}
	last := follow.AlertPlace(at)
	err = a.follow.Alerts(last, func(alert *avro.Alert, at follow.AlertPlace) (bool, error) {
		if !of.seesAlert(alert) || q.Kind != "" && alert.Kind != q.Kind || q.Severity != "" && alert.Severity != q.Severity || state != alertsAll && state != stateOf(alert) {
			return true, ctx.Err()
		}
		if len(out.Alerts) == n {
			out.Next = next(last)
			return false, nil
		}
		last = at
		out.Alerts = append(out.Alerts, of.alertLine(alert, acknowledged[alert.ID]))
		return true, nil
	})
	if err != nil {
		return AlertsAnswer{}, err
	}
	if out.Actions, err = of.actions(ctx); err != nil {
		return AlertsAnswer{}, err
	}
	out.Envelope = of.Envelope
	return out, nil
}

// alertsAll asks for alerts in every state.
const alertsAll = "all"

// stateOf is the state of an alert; those from before there were states are open.
func stateOf(a *avro.Alert) string { return cmp.Or(a.State, governance.AlertOpen) }

func (q *asked) alertLine(a *avro.Alert, by *avro.AcknowledgementRecord) AlertLine {
	line := AlertLine{
		ID: a.ID, Kind: a.Kind, Severity: a.Severity, Rung: a.Rung, Owner: a.Owner, Fallback: a.Fallback, Since: a.Since, Deadline: a.Deadline,
		State: stateOf(a), Partner: a.Partner, Subject: a.Subject, Message: a.Message, Evidence: append([]string{}, a.Evidence...), RaisedAt: a.RaisedAt,
	}
	if by != nil {
		line.Acknowledged = &Acknowledged{Partner: by.Partner, At: by.At}
		line.Acknowledged.By, line.Acknowledged.Why = q.words(by.Partner, by.By, by.Why)
	}
	return line
}

// acknowledged are the last words of who has taken an alert on, by alert.
func (q *asked) acknowledged() (map[string]*avro.AcknowledgementRecord, error) {
	out := map[string]*avro.AcknowledgementRecord{}
	campaign, _ := contract.CampaignOfBook(q.Campaign)
	err := q.follow.Decided(func(b *control.Book) error {
		for _, of := range []string{"", campaign} {
			for _, r := range b.Acknowledgements[of] {
				out[r.Alert] = &r
			}
		}
		return nil
	})
	return out, err
}

// seesAlert reports whether an alert is of the campaign, or of none, and the viewer's
// to see: an operator's is every one, a partner's what is about itself or its feeds, or
// about nobody in one of its campaigns.
func (q *asked) seesAlert(a *avro.Alert) bool {
	if name, _ := contract.CampaignOfBook(q.Campaign); a.Campaign != "" && a.Campaign != name {
		return false
	}
	switch {
	case q.sight == report.SeesAll:
		return true
	case a.Partner != "":
		return a.Partner == q.viewer.Partner
	}
	// What is of no campaign and names no partner is the operator's: a feed's alert
	// names its feed, whose owner is behind the dot.
	if a.Campaign == "" {
		return governance.FeedOwner(a.Subject) == q.viewer.Partner
	}
	return q.sight == report.SeesPartners
}

// actions are what would settle the alerts, those of which there are most first.
func (q *asked) actions(ctx context.Context) ([]Action, error) {
	counts, seen := map[string]int{}, 0
	err := q.follow.Alerts(nil, func(a *avro.Alert, _ follow.AlertPlace) (bool, error) {
		if q.seesAlert(a) && stateOf(a) == governance.AlertOpen {
			counts[a.Kind]++
			seen++
		}
		return seen < alertsCounted, ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	list := []Action{}
	for kind, n := range counts {
		action := actionFor(kind)
		action.Kind, action.Count = kind, strconv.Itoa(n)
		list = append(list, action)
	}
	slices.SortFunc(list, func(a, b Action) int {
		return cmp.Or(cmp.Compare(counts[b.Kind], counts[a.Kind]), cmp.Compare(a.Kind, b.Kind))
	})
	return list, nil
}

// actionFor is what settles a kind of alert. The kinds are an open set.
func actionFor(kind string) Action {
	const why = "Until then "
	switch kind {
	case "conversion_held":
		return Action{
			What: "Supply what the held deals lack", Why: why + "they are in no total.",
			Command: ref("track-source fx import rates.csv"),
		}
	case attribution.AlertOverlapSuspected:
		return Action{
			What: "Decide which deals are the same business", Why: why + "those that may be are in no total.",
			Command: ref("track-source overlap list"),
		}
	case "overlap_disagreement":
		return Action{
			What: "Agree whose touches these are", Why: "Reporters credit them to different partners: the credit is split or held until they agree.",
		}
	case "data_gap":
		return Action{What: "Export the objects again from the source", Why: "Changes of them were lost on the way, which nothing else can mend."}
	case governance.AlertDispute:
		return Action{
			What: "Settle the disputes", Why: why + "what they are about is in escrow.",
			Command: ref("track-source dispute list"),
		}
	case governance.AlertGuardrail:
		return Action{What: "Bring what is watched back within its bounds", Why: "A breach that persists climbs the ladder of the contract."}
	case control.AlertControlTotal:
		return Action{What: "Compare what was sent with what came", Why: "The partner says that it sent more or less than was taken in.", Command: ref("track-source deadletter list")}
	case "plain_address":
		return Action{What: "Let the source hash addresses", Why: "The contract has the partner send hashes, and addresses came plain."}
	case "ledger_gap", "ledger_mismatch", "ledger_unreadable":
		return Action{What: "Compare the attributor's state with the ledger", Why: "Entries are missing or do not follow from each other.", Command: ref("track-source fsck")}
	}
	return Action{What: "Look at the alerts of this kind", Why: "Each says what it found and where."}
}

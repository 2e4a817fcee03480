package demo

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tracksource/contract/example"
	"tracksource/internal/control"
	"tracksource/internal/governance"
	"tracksource/internal/line"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// The days of the sample's campaign on which its signatories decide.
const (
	disputedDay = 23 // Globex disputes a credit of days that are open still
	closedDay   = 20 // the last day of the period that is closed
	closingDay  = 24
	settledDay  = 28 // the dispute is upheld: an adjustment of the closed period
	surveyedDay = 29
	openDay     = 30 // another dispute, which stays open
)

// govern has the partners of the sample disagree, agree and close a period, as far as
// the control topic does not hold it yet. What is disputed are deals that are in the
// book by now; a sample that is too small has none.
func (d *demo) govern(ctx context.Context, start time.Time) error {
	closed := start.AddDate(0, 0, closedDay).Format(time.DateOnly)
	settled, open, err := d.disputable(ctx, closed)
	if err != nil {
		return err
	}
	at := func(day int) time.Time { return start.AddDate(0, 0, day).Add(15 * time.Hour) }
	dispute := func(id string, deal avro.DealName, day int) avro.DisputeRecord {
		return avro.DisputeRecord{
			ID: id, Campaign: example.Campaign, Partner: "globex", Deal: deal, Action: governance.DisputeOpen, About: governance.AboutCredit, Against: "acme",
			By: "Partner Operations", Why: "The registration came from our webinar.", At: at(day),
		}
	}
	var none avro.DealName
	var parts [3][]avro.Control // each when what the one before led to is in the books
	if settled != none {
		first := dispute("sample-1", settled, disputedDay)
		parts[0] = append(parts[0], avro.Control{Kind: control.Dispute, Dispute: &first})
		parts[2] = append(parts[2], avro.Control{Kind: control.Dispute, Dispute: &avro.DisputeRecord{
			ID: first.ID, Campaign: first.Campaign, Partner: first.Partner, Action: governance.DisputeResolve, Outcome: governance.DisputeUpheld, To: "globex",
			By: "Governance board", Why: "The list of attendees shows it.", At: at(settledDay),
		}})
	}
	parts[1] = append(parts[1], avro.Control{Kind: control.Period, Period: &avro.PeriodRecord{
		Campaign: example.Campaign, Action: governance.PeriodClose, Day: closed, By: "Controlling", Why: "The first three weeks are agreed.", At: at(closingDay),
	}})
	if open != none {
		second := dispute("sample-2", open, openDay)
		second.Why = "We ran this event alone."
		parts[2] = append(parts[2], avro.Control{Kind: control.Dispute, Dispute: &second})
	}
	for partner, score := range map[string]string{"acme": "9", "globex": "7.5"} {
		parts[2] = append(parts[2], avro.Control{Kind: control.Survey, Survey: &avro.SurveyRecord{
			Campaign: example.Campaign, Partner: partner, Day: at(surveyedDay).Format(time.DateOnly), Score: score,
			By: "Partner Marketing", Why: "Quarterly survey.", At: at(surveyedDay),
		}})
	}
	return d.decide(ctx, parts[:])
}

// decide sends what the control topic does not hold of each part and waits until all
// that follows is in the books.
func (d *demo) decide(ctx context.Context, parts [][]avro.Control) error {
	cfg := control.Config{Kafka: d.conn, Spec: d.spec, Codecs: d.codecs, Log: d.cfg.Log}
	book, err := control.Read(ctx, cfg)
	if err != nil {
		return err
	}
	for _, part := range parts {
		wanted := slices.DeleteFunc(part, func(c avro.Control) bool { return decidedAlready(book, &c) })
		if len(wanted) == 0 {
			continue
		}
		if err := control.Send(ctx, cfg, wanted, nil); err != nil {
			return fmt.Errorf("decide: %w", err)
		}
		if err := d.rest(ctx); err != nil {
			return err
		}
	}
	return nil
}

// decidedAlready reports whether a run before this one has decided it.
func decidedAlready(book *control.Book, c *avro.Control) bool {
	switch {
	case c.Dispute != nil:
		known, found := book.Disputes[control.DisputeID{Campaign: c.Dispute.Campaign, ID: c.Dispute.ID}]
		return found && (c.Dispute.Action == governance.DisputeOpen || !known.IsOpen())
	case c.Period != nil:
		return len(book.Periods[c.Period.Campaign]) > 0
	case c.Survey != nil:
		return slices.ContainsFunc(book.Surveys[c.Survey.Campaign], func(r avro.SurveyRecord) bool { return r.Partner == c.Survey.Partner })
	}
	return false
}

// disputable finds two deals of which both partners have a part: one of the days that
// are going to be closed, and one behind them.
func (d *demo) disputable(ctx context.Context, closed string) (before, behind avro.DealName, err error) {
	type deal struct {
		conversion string
		value      int64 // of the money that is disputed
		behind     bool
	}
	found := map[string]deal{} // by the key of facts
	err = stream.ReadTopic(ctx, line.StreamConn(d.conn), d.cfg.Log, d.spec.Facts(), func(r stream.Record) error {
		delete(found, string(r.Key))
		var f avro.Facts
		if r.Value == nil {
			return nil
		}
		if err := d.codecs.Facts.Decode(r.Value, &f); err != nil || f.Contract != example.Campaign || f.Excluded != "" {
			return err
		}
		one := deal{conversion: f.Conversion}
		for i := range f.Measures {
			m := &f.Measures[i]
			if m.Currency == "" || !m.InScope || m.Held != "" || !shared(&f, m) || one.value > m.Value {
				continue
			}
			one.value, one.behind = m.Value, m.Day > closed
		}
		if one.value > 0 {
			found[string(r.Key)] = one
		}
		return nil
	})
	if err != nil {
		return before, behind, fmt.Errorf("read facts: %w", err)
	}
	var list []deal
	for _, one := range found {
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b deal) int {
		return cmp.Or(cmp.Compare(b.value, a.value), strings.Compare(a.conversion, b.conversion))
	})
	name := func(wanted bool) (avro.DealName, error) {
		i := slices.IndexFunc(list, func(one deal) bool { return one.behind == wanted })
		if i < 0 {
			return avro.DealName{}, nil
		}
		return control.ParseDeal(list[i].conversion)
	}
	if before, err = name(false); err == nil {
		behind, err = name(true)
	}
	return before, behind, err
}

// shared reports whether both partners are credited in a measure.
func shared(f *avro.Facts, m *avro.FactsMeasure) bool {
	partners := map[string]bool{}
	for _, at := range m.Path {
		partners[f.Touches[at].Partner] = true
	}
	return partners["acme"] && partners["globex"]
}

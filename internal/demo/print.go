package demo

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"tracksource/attribution"
	"tracksource/deploy/kafka"
	"tracksource/internal/line"
	"tracksource/money"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// Result is what demo --once --json prints.
type Result struct {
	Contributions []Contribution `json:"contributions"`
	Events        Events         `json:"events"`
}

// Contribution is one row of the table: decimal text, never a float.
type Contribution struct {
	Campaign string `json:"campaign"`
	Measure  string `json:"measure"`
	Model    string `json:"model"`
	Day      string `json:"day"`
	Partner  string `json:"partner"`
	Channel  string `json:"channel"`
	Asset    string `json:"asset"`
	Region   string `json:"region"`
	Segment  string `json:"segment"`
	Value    string `json:"value"`
	Currency string `json:"currency"`

	minor int64 // the value in minor units
}

// Events says what became of the native events: raw is accepted, duplicates
// and dead letters together; unresolved touches are among the accepted.
type Events struct {
	Raw         int64 `json:"raw"`
	Accepted    int64 `json:"accepted"`
	Duplicates  int64 `json:"duplicates"`
	DeadLetters int64 `json:"dead_letters"`
	Unresolved  int64 `json:"unresolved"`
}

// events counts: raw events and dead letters in their topics, the others by
// what resolve has committed.
func (d *demo) events(ctx context.Context) (Events, error) {
	raw, err := kafka.EndOffsets(ctx, d.conn, d.spec.RawTopics()...)
	if err != nil {
		return Events{}, err
	}
	e := Events{Raw: raw.Total()}
	for _, c := range d.stats.Feeds() {
		e.Accepted += c.Accepted
		e.Duplicates += c.Duplicates
		e.Unresolved += c.Unresolved
	}
	for _, topic := range d.spec.DeadLetterTopics() {
		err := stream.ReadTopic(ctx, line.StreamConn(d.conn), d.cfg.Log, topic, func(stream.Record) error {
			e.DeadLetters++
			return nil
		})
		if err != nil {
			return Events{}, err
		}
	}
	return e, nil
}

// exponentOf is the number of decimals that a row is shown with.
func exponentOf(currency string) (int, error) {
	if currency == "" {
		return attribution.CountExponent, nil
	}
	return money.Exponent(currency)
}

// rows are the contributions as they stand in their topic, in the order of their
// fields; source and campaign of the touch are summed up. The topic itself is read,
// as what is followed may lag behind the line by a moment.
func (d *demo) rows(ctx context.Context) ([]Contribution, error) {
	standing := map[string]avro.ContributionRow{}
	err := stream.ReadTopic(ctx, line.StreamConn(d.conn), d.cfg.Log, d.spec.Contributions(), func(r stream.Record) error {
		delete(standing, string(r.Key))
		if r.Value == nil {
			return nil
		}
		var row avro.ContributionRow
		if err := d.codecs.ContributionRow.Decode(r.Value, &row); err != nil || row.IsDeleted {
			return err
		}
		standing[string(r.Key)] = row
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read contributions: %w", err)
	}
	sums := map[Contribution]int64{}
	for _, r := range standing {
		exponent, err := exponentOf(r.Currency)
		if err != nil {
			return nil, err
		}
		minor, err := r.ValueMinor(exponent)
		if err != nil {
			return nil, fmt.Errorf("contribution of %s: %w", r.Partner, err)
		}
		sums[Contribution{
			Campaign: r.Contract, Measure: r.Measure, Model: r.Model, Day: r.Day, Partner: r.Partner, Channel: r.Channel,
			Asset: r.Asset, Region: r.Region, Segment: r.Segment, Currency: r.Currency,
		}] += minor
	}
	return sorted(sums)
}

// sorted turns sums into rows, dropping those of nothing.
func sorted(sums map[Contribution]int64) ([]Contribution, error) {
	rows := []Contribution{} // not nil: an empty table is [] in JSON
	for r, minor := range sums {
		if minor == 0 {
			continue
		}
		exponent, err := exponentOf(r.Currency)
		if err != nil {
			return nil, err
		}
		r.Value, r.minor = money.Format(minor, exponent), minor
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b Contribution) int {
		return cmp.Or(
			strings.Compare(a.Campaign, b.Campaign), strings.Compare(a.Measure, b.Measure), strings.Compare(a.Model, b.Model),
			strings.Compare(a.Day, b.Day), strings.Compare(a.Partner, b.Partner), strings.Compare(a.Channel, b.Channel),
			strings.Compare(a.Asset, b.Asset), strings.Compare(a.Region, b.Region), strings.Compare(a.Segment, b.Segment),
			strings.Compare(a.Currency, b.Currency),
		)
	})
	return rows, nil
}

// print prints what came out.
func (d *demo) print(ctx context.Context) error {
	e, err := d.events(ctx)
	if err != nil {
		return err
	}
	rows, err := d.rows(ctx)
	if err != nil {
		return err
	}
	if d.cfg.JSON {
		return json.NewEncoder(d.cfg.Out).Encode(Result{Contributions: rows, Events: e})
	}
	d.say("events:   %d raw = %d accepted + %d duplicates + %d dead letters; %d touches unresolved\n",
		e.Raw, e.Accepted, e.Duplicates, e.DeadLetters, e.Unresolved)
	return d.table(rows)
}

// table prints the books one after the other, with their names where there are
// several: they are never added.
func (d *demo) table(rows []Contribution) error {
	books := distinct(rows, func(r Contribution) string { return r.Campaign })
	for _, name := range books {
		if len(books) > 1 {
			d.say("\nbook of %s\n", name)
		}
		if err := d.book(slices.DeleteFunc(slices.Clone(rows), func(r Contribution) bool { return r.Campaign != name })); err != nil {
			return err
		}
	}
	return nil
}

// book prints, for each measure, one line per partner and channel with a column
// per model, and the totals under them.
func (d *demo) book(rows []Contribution) error {
	models := distinct(rows, func(r Contribution) string { return r.Model })
	for _, measure := range measures() {
		sums, totals := map[[2]string]map[string]int64{}, map[string]int64{}
		currency := ""
		for _, r := range rows {
			if r.Measure != measure {
				continue
			}
			key := [2]string{r.Partner, r.Channel}
			if sums[key] == nil {
				sums[key] = map[string]int64{}
			}
			sums[key][r.Model] += r.minor
			totals[r.Model] += r.minor
			currency = r.Currency
		}
		if len(sums) == 0 {
			continue
		}
		if err := d.measure(measure, currency, models, sums, totals); err != nil {
			return err
		}
	}
	return nil
}

// measures lists the measures in the order in which they are read.
func measures() []string {
	return []string{
		attribution.MeasureRevenue, attribution.MeasurePipelineCreated, attribution.MeasurePipelineOpen,
		attribution.MeasureOpportunities, attribution.MeasureWon, attribution.MeasureLost,
	}
}

func (d *demo) measure(measure, currency string, models []string, sums map[[2]string]map[string]int64, totals map[string]int64) error {
	exponent, err := exponentOf(currency)
	if err != nil {
		return err
	}
	keys := make([][2]string, 0, len(sums))
	for k := range sums {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b [2]string) int { return cmp.Or(strings.Compare(a[0], b[0]), strings.Compare(a[1], b[1])) })
	d.say("\n%s\n", strings.TrimSpace(measure+" "+currency))
	w := tabwriter.NewWriter(d.cfg.Out, 14, 0, 2, ' ', tabwriter.AlignRight)
	line := func(partner, channel string, values map[string]int64) {
		_, _ = fmt.Fprintf(w, "%s\t%s\t", partner, channel)
		for _, m := range models {
			_, _ = fmt.Fprintf(w, "%s\t", money.Format(values[m], exponent))
		}
		_, _ = fmt.Fprintln(w)
	}
	_, _ = fmt.Fprintf(w, "partner\tchannel\t%s\t\n", strings.Join(models, "\t"))
	for _, k := range keys {
		line(k[0], k[1], sums[k])
	}
	line("total", "", totals)
	return w.Flush() // reports what any of the writes before it met
}

func distinct(rows []Contribution, of func(Contribution) string) []string {
	var out []string
	for _, r := range rows {
		if v := of(r); !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

package control

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/internal/governance"
	"tracksource/money"
	"tracksource/schemas/avro"
)

// AmountKey is what an amount is of: a later record of the same key replaces it.
type AmountKey struct {
	Kind, Campaign, Day, Partner, Payer, Channel, Asset, Measure string
}

// KeyOfAmount returns what the record is of.
func KeyOfAmount(kind string, r *avro.AmountRecord) AmountKey {
	return AmountKey{kind, r.Campaign, r.Day, r.Partner, r.Payer, r.Channel, r.Asset, r.Measure}
}

// InForce is the last of a history, false if there is none or it was taken back.
func InForce(history []avro.AmountRecord) (avro.AmountRecord, bool) {
	if len(history) == 0 || history[len(history)-1].Amount == "" {
		return avro.AmountRecord{}, false
	}
	return history[len(history)-1], true
}

func isAmount(kind string) bool { return kind == Spend || kind == Target || kind == Cost }

// Measures lists what a target may be of; those that are money come first.
func Measures() []string {
	return []string{
		attribution.MeasurePipelineCreated, attribution.MeasureRevenue, contract.TargetQuota,
		attribution.MeasureOpportunities, attribution.MeasureWon, contract.TargetReach,
	}
}

func counted(measure string) bool {
	return measure == attribution.MeasureOpportunities || measure == attribution.MeasureWon || measure == contract.TargetReach
}

// nameMax bounds each name of an amount, in bytes.
const nameMax = governance.NameMax

func judgeAmount(kind string, r *avro.AmountRecord) error {
	if r.Campaign == "" {
		return errors.New("campaign is missing")
	}
	if _, err := money.ParseDay(r.Day); err != nil {
		return err
	}
	for _, name := range []string{r.Campaign, r.Partner, r.Payer, r.Channel, r.Asset} {
		if len(name) > nameMax {
			return fmt.Errorf("a name of %d bytes, at most %d", len(name), nameMax)
		}
	}
	switch {
	case kind == Target && !slices.Contains(Measures(), r.Measure):
		return fmt.Errorf("measure %q, there are %s", cut(r.Measure), strings.Join(Measures(), ", "))
	case kind == Target && r.Payer != "":
		return errors.New("a target has no payer")
	case kind != Target && r.Measure != "":
		return errors.New("only a target has a measure")
	case kind != Target && r.Payer == "":
		return errors.New("payer is missing")
	case r.RecordedAt.IsZero():
		return errors.New("recorded_at is missing")
	case r.Amount == "":
		return nil
	}
	return judgeValue(r)
}

// judgeValue checks the amount that the record gives.
func judgeValue(r *avro.AmountRecord) error {
	currency := r.Currency
	if counted(r.Measure) {
		if currency != "" {
			return fmt.Errorf("%s are counted and have no currency", r.Measure)
		}
		currency = countCurrency
	}
	if strings.ContainsAny(r.Amount, "eE") {
		return fmt.Errorf("amount %s: write all its digits", cut(r.Amount))
	}
	amount, err := money.Parse(r.Amount, currency)
	if err != nil {
		return err
	}
	if amount.Minor < 0 {
		return fmt.Errorf("amount %s is negative", cut(r.Amount))
	}
	exponent, err := money.Exponent(currency)
	if err != nil {
		return err
	}
	if _, fraction, _ := strings.Cut(r.Amount, "."); len(strings.TrimRight(fraction, "0")) > exponent {
		return fmt.Errorf("amount %s has more than %d decimal places", cut(r.Amount), exponent)
	}
	return nil
}

// countCurrency is a currency without a minor unit: whole numbers are read by it.
const countCurrency = "JPY"

// ParseAmounts reads a file of spend, targets or costs of a campaign: CSV with the
// columns day, partner, payer, channel, asset, amount and currency, and measure
// for targets, in any order; at is when it is imported. An empty amount takes back
// what was imported before. The error names every line that cannot be used, at
// most 20, and then nothing of the file is.
func ParseAmounts(kind, campaign string, data []byte, at time.Time) ([]avro.AmountRecord, error) {
	t := table{columns: []string{"day", "partner", "channel", "asset", "amount", "currency"}, required: []string{"day", "amount"}}
	if kind == Target {
		t.columns = append(t.columns, "measure")
	} else {
		t.columns, t.required = append(t.columns, "payer"), append(t.required, "payer", "currency")
	}
	var records []avro.AmountRecord
	seen := map[AmountKey]int{}
	err := t.read(data, func(line int, field func(string) string) error {
		r := avro.AmountRecord{
			Campaign: campaign, Day: field("day"), Partner: field("partner"), Payer: field("payer"), Channel: field("channel"), Asset: field("asset"),
			Measure: field("measure"), Amount: field("amount"), Currency: strings.ToUpper(field("currency")), RecordedAt: at,
		}
		if kind == Target && r.Measure == "" {
			r.Measure = attribution.MeasurePipelineCreated
		}
		if err := judgeAmount(kind, &r); err != nil {
			return err
		}
		of := KeyOfAmount(kind, &r)
		if before, again := seen[of]; again {
			return fmt.Errorf("the same day and names as line %d: give their sum", before)
		}
		seen[of] = line
		records = append(records, r)
		return nil
	})
	return records, err
}

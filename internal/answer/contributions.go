package answer

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"

	"tracksource/internal/follow"
	"tracksource/report"
	"tracksource/schemas/avro"
	"tracksource/state"
)

// keyFormat begins the text of a contribution's key.
var keyFormat = state.Keyspace{ID: 1, Version: 1, Name: "contribution"}

func keyParts(k *avro.ContributionKey) [13]*string {
	return [...]*string{
		&k.Contract, &k.Measure, &k.Model, &k.Day, &k.Partner, &k.Channel, &k.Asset, &k.Region, &k.Segment, &k.Source, &k.TouchCampaign,
		&k.Escrow, &k.Booked,
	}
}

// KeyText writes the key of a contribution as a text that is safe in a URL.
func KeyText(k avro.ContributionKey) string {
	key := keyFormat.Key()
	for _, part := range keyParts(&k) {
		key = key.String(*part)
	}
	return base64.RawURLEncoding.EncodeToString(key)
}

// ParseKey reads what KeyText wrote.
func ParseKey(text string) (avro.ContributionKey, error) {
	var k avro.ContributionKey
	key, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err == nil {
		parts := keyFormat.Parts(key)
		for _, part := range keyParts(&k) {
			*part = parts.String()
		}
		err = parts.End()
	}
	if err != nil {
		return avro.ContributionKey{}, &Error{Parameter: "contribution", Detail: "give the key of a row of contributions", Allowed: []string{}}
	}
	return k, nil
}

// Contributions is the rows of a measure and model, by day and then by name.
func (a *Answers) Contributions(_ context.Context, v report.Viewer, q Query) (ContributionsAnswer, error) {
	of, err := a.askRows(v, &q)
	if err != nil {
		return ContributionsAnswer{}, err
	}
	m, err := of.measure(q.Measure)
	if err != nil {
		return ContributionsAnswer{}, err
	}
	n, err := limit(&q)
	if err != nil {
		return ContributionsAnswer{}, err
	}
	at, err := place(&q)
	if err != nil {
		return ContributionsAnswer{}, err
	}
	out := ContributionsAnswer{Rows: []ContributionLine{}}
	last := follow.RowPlace(at)
	err = of.follow.Rows(of.campaign.Book, m.Name, of.Model, of.view, of.window.Span, last, func(row *avro.ContributionRow, at follow.RowPlace) (bool, error) {
		if !of.passes(row) {
			return true, nil
		}
		if of.sight == report.SeesOwn && row.Partner != of.viewer.Partner {
			of.Withheld = true
			return true, nil
		}
		if len(out.Rows) == n {
			out.Next = next(last)
			return false, nil
		}
		last = at
		of.noteAsOf(row.AsOf)
		line, err := lineOf(row)
		out.Rows = append(out.Rows, line)
		return err == nil, err
	})
	out.Envelope = of.Envelope
	return out, err
}

// passes reports whether the filter lets a row pass.
func (q *asked) passes(r *avro.ContributionRow) bool {
	name := follow.NameOf(r)
	for d, values := range q.any {
		v, _ := name.Get(d)
		if !slices.Contains(values, v) {
			return false
		}
	}
	return true
}

func lineOf(r *avro.ContributionRow) (ContributionLine, error) {
	row, err := follow.RowOf(r)
	return ContributionLine{
		Measure: r.Measure, Model: r.Model, Day: r.Day, Partner: r.Partner, Channel: r.Channel, Asset: r.Asset, Region: r.Region,
		Segment: r.Segment, Source: r.Source, TouchCampaign: r.TouchCampaign,
		Escrow: r.Escrow, Booked: cmp.Or(r.Booked, r.Day), Value: text(row.Value, r.Currency), ConfidentValue: text(row.Confident, r.Currency), Currency: r.Currency, Version: r.Version,
		IsFinal: r.IsFinal, AsOf: r.AsOf, UpdatedAt: r.UpdatedAt, CreditsPartition: r.CreditsPartition, CreditsOffset: r.CreditsOffset,
		Key: KeyText(avro.ContributionKey{
			Contract: r.Contract, Measure: r.Measure, Model: r.Model, Day: r.Day, Partner: r.Partner, Channel: r.Channel,
			Asset: r.Asset, Region: r.Region, Segment: r.Segment, Source: r.Source, TouchCampaign: r.TouchCampaign,
			Escrow: r.Escrow, Booked: cmp.Or(r.Booked, r.Day),
		}),
	}, err
}

package normalize_test

import (
	"errors"
	"fmt"
	"testing"

	"tracksource/normalize"
)

func TestReadControlTotal(t *testing.T) {
	const salesforce = `{"control_total": {"source": "salesforce", "day": "2026-03-02", "count": 120`
	for in, want := range map[string]string{
		salesforce + `}}`: "&{salesforce 2026-03-02 120 []}",
		salesforce + `, "sums": {"USD": "1234.5", "JPY": 7, "": 1}}}`:                                      "&{salesforce 2026-03-02 120 [{ 100} {JPY 7} {USD 123450}]}",
		`{"control_total": null, "type": "page"}`:                                                          "<nil>",
		`[{"control_total": {}}]`:                                                                          "<nil>",
		`{"type": "page"}`:                                                                                 "<nil>",
		`{"control_total": 7}`:                                                                             "bad_field: control_total is not an object",
		`{"control_total": {}}`:                                                                            "bad_field: control_total: source is no name of a source, such as salesforce",
		`{"control_total": {"source": "../etc"}}`:                                                          "bad_field: control_total: source is no name of a source, such as salesforce",
		`{"control_total": {"source": "ga4", "day": "yesterday"}}`:                                         "bad_time: control_total: day is not YYYY-MM-DD",
		`{"control_total": {"source": "ga4", "day": "2026-03-02"}}`:                                        "bad_field: control_total: count is not a whole number",
		`{"control_total": {"source": "ga4", "day": "2026-03-02", "count": -1}}`:                           "bad_field: control_total: count is not a whole number",
		`{"control_total": {"source": "ga4", "day": "2026-03-02", "count": 1.5}}`:                          "bad_field: control_total: count is not a whole number",
		`{"control_total": {"source": "ga4", "day": "2026-03-02", "count": 1, "sums": [1]}}`:               "bad_field: control_total: sums is not an object of currencies",
		`{"control_total": {"source": "ga4", "day": "2026-03-02", "count": 1, "sums": {"EUX": 1}}}`:        "bad_currency: control_total: a sum is no amount in the currency that it is under",
		`{"control_total": {"source": "ga4", "day": "2026-03-02", "count": 1, "sums": {"EUR": 1e400}}}`:    "bad_amount: control_total: a sum is no amount in the currency that it is under",
		`{"control_total": {"source": "ga4", "day": "2026-03-02", "count": 1, "sums": {"EUR": {"a": 1}}}}`: "bad_amount: control_total: a sum is no amount in the currency that it is under",
	} {
		var r normalize.Reader
		payload, err := r.Read([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		total, err := normalize.ReadControlTotal(payload)
		got := fmt.Sprint(total)
		var p *normalize.Problem
		if errors.As(err, &p) {
			got = fmt.Sprintf("%s: %s", p.Code, p.Message)
		}
		if got != want {
			t.Errorf("%s\nis %s\nwant %s", in, got, want)
		}
	}
}

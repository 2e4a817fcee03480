package normalize_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tracksource/normalize"
)

// TestReadDispute: a step of a dispute is read from an event, and what is wrong with it
// is named without what it says.
func TestReadDispute(t *testing.T) {
	src := normalize.Source{Reporter: "globex", Received: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)}
	const said = `"campaign": "tour", "by": "Partner Operations", "why": "ours"`
	open := `{"type": "tracksource.dispute", "action": "open", "deal": "acme/salesforce/006", ` + said
	withdraw := `{"type": "tracksource.dispute", "action": "withdraw", ` + said
	for in, want := range map[string]string{
		open + `, "id": "d1", "about": "sourcing"}`:                   "&{d1 tour acme/salesforce/006 open sourcing  Partner Operations ours}",
		open + `, "id": 7, "about": "credit", "against": "globex"}`:   "&{7 tour acme/salesforce/006 open credit globex Partner Operations ours}",
		open + `, "about": "sourcing"}`:                               "missing_field: at, or an id",
		open + `, "about": "sourcing", "at": "2026-03-02T11:00:00Z"}`: "&{feed-cc3835b044972ebf6ddd97b1 tour acme/salesforce/006 open sourcing  Partner Operations ours}",
		withdraw + `, "id": "d1"}`:                                    "&{d1 tour  withdraw   Partner Operations ours}",
		`{"type": "page"}`:                                            "<nil>",
		`[` + open + `}]`:                                             "<nil>",
		`"tracksource.dispute"`:                                       "<nil>",
		`{"type": "tracksource.dispute"}`:                             "bad_field: action of a dispute is neither open nor withdraw",
		`{"type": "tracksource.dispute", "action": "resolve"}`:        "bad_field: action of a dispute is neither open nor withdraw",
		`{"type": "tracksource.dispute", "action": "open"}`:           "missing_field: campaign",
		withdraw + `}`:                                                "missing_field: id",
		withdraw + `, "id": "d1", "about": "credit"}`:                 "bad_field: what a dispute is about was said when it was opened",
		open + `}`:                                                                "missing_field: about",
		open + `, "about": {"x": 1}}`:                                             "missing_field: about",
		open + `, "about": "secret"}`:                                             "bad_field: about of a dispute is neither sourcing nor credit",
		open + `, "about": "credit"}`:                                             "missing_field: against",
		open + `, "about": "sourcing", "against": "globex"}`:                      "bad_field: a dispute about sourcing is against nobody",
		open + `, "about": "sourcing", "at": "yesterday"}`:                        "bad_time: at is not an RFC 3339 time",
		open + `, "about": "sourcing", "at": "1999-01-01T00:00:00Z"}`:             "bad_time: before the year 2000",
		open + `, "about": "sourcing", "at": "2026-03-09T00:00:00Z"}`:             "time_future: more than 24h0m0s ahead of its arrival",
		open + `, "about": "sourcing", "id": "ann@acme.com"}`:                     "bad_field: id of a dispute has an address: name an office, and nobody",
		open + `, "about": "credit", "against": "ann@acme.com"}`:                  "bad_field: against of a dispute has an address: name an office, and nobody",
		open + `, "about": "sourcing", "id": "` + strings.Repeat("x", 201) + `"}`: "bad_field: id of a dispute has more than 200 bytes",
	} {
		var r normalize.Reader
		payload, err := r.Read([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		step, err := normalize.ReadDispute(src, payload)
		got := fmt.Sprint(step)
		var p *normalize.Problem
		if errors.As(err, &p) {
			got = fmt.Sprintf("%s: %s", p.Code, p.Message)
		}
		if got != want {
			t.Errorf("%s\nis %s\nwant %s", in, got, want)
		}
	}
}

// FuzzReadDispute: whatever an event says is a step within its bounds, or a problem
// that repeats nothing of it.
func FuzzReadDispute(f *testing.F) {
	for _, in := range []string{
		`{"type":"tracksource.dispute","action":"open","campaign":"tour","deal":"acme/salesforce/006","about":"credit","against":"globex","by":"Ops","why":"ours","at":"2026-03-02T11:00:00Z"}`,
		`{"type":"tracksource.dispute","action":"withdraw","id":"d1","campaign":"tour","by":"Ops","why":"settled"}`,
	} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r normalize.Reader
		v, err := r.Read(b)
		if err != nil {
			return
		}
		step, err := normalize.ReadDispute(normalize.Source{Reporter: "globex", Received: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)}, v)
		switch {
		case err != nil:
			if p := (*normalize.Problem)(nil); !errors.As(err, &p) {
				t.Fatalf("%v is no problem", err)
			}
		case step != nil && (step.ID == "" || step.Campaign == "" || step.By == "" || step.Why == "" || len(step.Why) > 1000 ||
			step.Action == "open" && (step.Deal == "" || (step.About == "credit") != (step.Against != ""))):
			t.Fatalf("%+v", step)
		case step != nil && strings.Contains(fmt.Sprint(*step), "@"):
			t.Fatalf("an address in %+v", step)
		}
	})
}

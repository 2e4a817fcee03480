package mapping_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tracksource/identity"
	"tracksource/normalize"
	"tracksource/normalize/mapping"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func source(t testing.TB) normalize.Source {
	t.Helper()
	p, err := identity.NewPseudonymizer(bytes.Repeat([]byte("k"), 32))
	if err != nil {
		t.Fatal(err)
	}
	return normalize.Source{Feed: "crm", Reporter: "acme", Received: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC), Pseudonyms: p}
}

func decode(t testing.TB, data []byte) any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func parse(t testing.TB, text string) *mapping.Mapping {
	t.Helper()
	m, err := mapping.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// show prints events as people compare them.
func show(events []normalize.Event) string {
	var b strings.Builder
	for i, e := range events {
		fmt.Fprintf(&b, "event %d\n", i)
		if e.Problem != nil {
			fmt.Fprintf(&b, "  problem %s: %s\n", e.Problem.Code, e.Problem.Message)
		}
		for _, o := range e.Observations {
			fmt.Fprintf(&b, "  %s %s id=%q at=%s\n", o.Shape, o.Node, o.EventID, o.OccurredAt.UTC().Format(time.RFC3339Nano))
			if o.Touch != nil {
				fmt.Fprintf(&b, "    touch %+v\n", *o.Touch)
			}
			if o.Object != nil {
				fmt.Fprintf(&b, "    %s %s order=%d.%d deleted=%t\n", o.Object.Type, o.Object.ID, o.Object.Order, o.Object.SubOrder, o.Object.Deleted)
				for _, f := range o.Object.Fields {
					value := "(cleared)"
					if f.Value != nil {
						value = *f.Value
					}
					fmt.Fprintf(&b, "      %s = %s\n", f.Name, value)
				}
			}
			if o.HashScheme != "" {
				fmt.Fprintf(&b, "    hashed by %s\n", o.HashScheme)
			}
			if o.Unmatchable {
				b.WriteString("    unmatchable\n")
			}
			for _, l := range o.Links {
				fmt.Fprintf(&b, "    link to %s, evidence %d\n", l.Parent, l.Evidence)
			}
		}
	}
	return b.String()
}

// TestGolden applies each mapping of testdata to its events.
func TestGolden(t *testing.T) {
	names, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal("no mapping", err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			doc, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			base := strings.TrimSuffix(name, ".yaml")
			input, err := os.ReadFile(base + ".json")
			if err != nil {
				t.Fatal(err)
			}
			got := show(parse(t, string(doc)).Apply(source(t), decode(t, input)))
			if *update {
				if err := os.WriteFile(base+".golden", []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(base + ".golden")
			if err != nil || got != string(want) {
				t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
			}
		})
	}
}

// TestExplain says of each part where it comes from and what becomes of it, of the
// event what nobody reads, and of people nothing.
func TestExplain(t *testing.T) {
	doc, err := os.ReadFile("testdata/pardot.yaml")
	if err != nil {
		t.Fatal(err)
	}
	x := parse(t, string(doc)).Explain(map[string]any{
		"Id": "of ann@secret-mail.example", "Type": "Form", "Created At": "2026-03-08 01:30:00", "Hash": "ann@secret-mail.example", "Domain": "contoso.com", "Score": json.Number("7"), "Campaign": nil,
	})
	var lines []string
	for _, s := range x.Steps {
		lines = append(lines, fmt.Sprintf("%s %s <- %s (%s) = %s", s.Rule, s.Field, s.From, s.Found, s.Result))
	}
	got := strings.Join(lines, "\n") + "\nunread: " + strings.Join(x.Unread, ", ")
	want := strings.Join([]string{
		"activity id <- Id (text) = of (email)",
		"activity time <- Created At (text) = 2026-03-08T06:30:00Z",
		"activity identities.contact <- CRM Contact (nothing) = not said",
		"activity identities.email_domain <- Domain (text) = contoso.com",
		"activity identities.email_sha256 <- Hash (text) = (pseudonym)",
		"activity touch.crm_campaign <- Campaign (null) = empty",
		"activity touch.type <- Type (text) = form",
		"activity touch.utm_source <- Source (nothing) = newsletter",
		"unread: Score",
	}, "\n")
	if got != want {
		t.Errorf("it explains\n%s\nwant\n%s", got, want)
	}
}

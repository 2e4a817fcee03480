package governance_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tracksource/contract"
	"tracksource/internal/governance"
	"tracksource/money"
	"tracksource/schemas/avro"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// history plays a script: what was said on which day, a line each, and under it what
// followed.
type history struct {
	t        *testing.T
	settings map[string]string // of the contract
	revision int64
	agreed   *contract.Contract
	values   map[governance.Key][]byte
}

func newHistory(t *testing.T) *history {
	h := &history{t: t, settings: map[string]string{}, values: map[governance.Key][]byte{}}
	return h
}

func (h *history) get(k governance.Key) ([]byte, error) { return h.values[k], nil }

func (h *history) now() governance.Now {
	return governance.Now{Agreed: h.agreed, Revision: h.revision, Get: h.get}
}

// document is a contract of three partners with the settings that a script has made
// so far, each of them climb_after, reopen, revision, ladder or a guardrail's name.
func (h *history) document() []byte {
	var b strings.Builder
	b.WriteString(`campaign: {id: tour, name: Tour}
zone: America/New_York
currency: USD
partners:
  - {id: acme, role: host, currency: USD}
  - {id: globex, currency: EUR}
  - {id: initech, currency: USD}
system_of_record: {partner: acme, source: salesforce}
match: {utm_campaign: [tour]}
`)
	approvals, rails := "", ""
	for _, name := range slices.Sorted(maps.Keys(h.settings)) {
		value := h.settings[name]
		switch name {
		case "climb_after":
		case "owner":
		case "reopen", "revision":
			approvals += fmt.Sprintf("  %s: [%s]\n", name, value)
		default:
			target, limit, _ := strings.Cut(value, "/")
			rails += fmt.Sprintf("  %s: {target: %q, limit: %q}\n", name, target, limit)
		}
	}
	if approvals != "" {
		b.WriteString("approvals:\n" + approvals)
	}
	if rails != "" {
		b.WriteString("guardrails:\n" + rails)
	}
	owner := h.settings["owner"]
	fmt.Fprintf(&b, "escalation:\n  ladder:\n    - {rung: Lead, owner: %q, fallback: Marketer}\n    - {rung: Finance}\n    - {rung: Sponsors}\n  board: {rung: Board, fallback: Chair}\n", owner)
	if climb := h.settings["climb_after"]; climb != "" {
		b.WriteString("  climb_after: " + climb + "\n")
	}
	return []byte(b.String())
}

// contract agrees on a revision with settings such as climb_after=1d or
// accuracy=98%/95%, or proposes it.
func (h *history) contract(words []string, proposed bool) string {
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		h.settings[name] = value
	}
	text := h.document()
	doc, err := contract.Parse(text)
	if err != nil {
		h.t.Fatalf("%v\n%s", err, text)
	}
	r := avro.ContractRecord{Campaign: "tour", Revision: h.revision + 1, Previous: h.revision, Document: string(text), Hash: doc.Hash, Proposed: proposed}
	outcome, err := governance.Revise(h.now(), &r, doc)
	if err != nil {
		return h.followed(outcome, err)
	}
	h.apply(outcome)
	if !proposed {
		h.revision, h.agreed = r.Revision, doc
	}
	return fmt.Sprintf("  revision %d\n", r.Revision)
}

func (h *history) apply(outcome governance.Outcome) {
	for _, c := range outcome.Changes {
		if c.Value == nil {
			delete(h.values, c.Key)
		} else {
			h.values[c.Key] = c.Value
		}
	}
}

// followed tells what a record led to.
func (h *history) followed(outcome governance.Outcome, err error) string {
	switch {
	case governance.IsRefusal(err):
		return "  refused: " + err.Error() + "\n"
	case err != nil:
		h.t.Fatal(err)
	case outcome.Again:
		return "  said before\n"
	}
	var b strings.Builder
	for _, a := range outcome.Alerts {
		fmt.Fprintf(&b, "  %s %s: %s to %s", a.State, a.ID, a.Severity, a.Rung)
		for _, f := range [][2]string{{"owner", a.Owner}, {"fallback", a.Fallback}, {"partner", a.Partner}, {"since", a.Since}, {"until", a.Deadline}} {
			if f[1] != "" {
				fmt.Fprintf(&b, ", %s %s", f[0], f[1])
			}
		}
		fmt.Fprintf(&b, "\n    %s\n", a.Message)
	}
	return b.String()
}

// say plays one line.
func (h *history) say(line string) string {
	words := strings.Fields(line)
	switch words[0] {
	case "contract":
		return h.contract(words[1:], false)
	case "propose":
		return h.contract(words[1:], true)
	}
	day, err := money.ParseDay(words[0])
	if err != nil {
		h.t.Fatalf("%q: %v", line, err)
	}
	at, err := time.Parse(time.DateOnly, day.String())
	if err != nil {
		h.t.Fatal(err)
	}
	record := h.record(words[1:], day, at.Add(15*time.Hour))
	outcome, err := governance.Judge(h.now(), &record)
	text := h.followed(outcome, err)
	if err == nil && !outcome.Again {
		h.apply(outcome)
	}
	return text
}

// record reads what was said on a day.
func (h *history) record(words []string, day money.Day, at time.Time) avro.Control {
	const by, why = "Partner Operations", "because"
	arg := func(i int) string {
		if i < len(words) {
			return strings.Trim(words[i], "-")
		}
		return ""
	}
	switch words[0] {
	case "eval":
		rail, subject, _ := strings.Cut(words[1], "/")
		value := arg(2)
		band, _ := governance.Band(h.agreed.Guardrail(rail), value)
		g := h.agreed.Guardrail(rail)
		target, limit := g.Unit.Text(g.Target)+string(g.Unit), g.Unit.Text(g.Limit)+string(g.Unit)
		return avro.Control{Kind: "evaluation", Evaluation: &avro.EvaluationRecord{
			Campaign: "tour", Day: day.String(), Guardrail: rail, Subject: subject, Revision: h.revision, Value: value, Band: string(band),
			Target: target, Limit: limit, Attempts: 1, At: at.AddDate(0, 0, 1),
		}}
	case "open", "withdraw", "resolve":
		r := &avro.DisputeRecord{ID: words[1], Campaign: "tour", Action: words[0], By: by, Why: why, At: at}
		switch words[0] {
		case "open":
			r.Partner, r.Deal, r.About, r.Against = words[2], avro.DealName{Reporter: "acme", Source: "salesforce", ID: words[3]}, words[4], arg(5)
		case "withdraw":
			r.Partner = words[2]
		case "resolve":
			r.Outcome, r.To = words[2], arg(3)
			if strings.Contains(words[len(words)-1], "-sourced") {
				r.To = words[len(words)-1]
			}
		}
		return avro.Control{Kind: "dispute", Dispute: r}
	case "close", "reopen":
		return avro.Control{Kind: "period", Period: &avro.PeriodRecord{Campaign: "tour", Action: words[0], Day: words[1], By: by, Why: why, At: at}}
	case "approved", "refused":
		r := &avro.ApprovalRecord{Campaign: "tour", Partner: words[1], Decision: words[0], By: by, Why: why, At: at}
		if r.Of, r.Day = "reopen", arg(3); words[2] == "revision" {
			p, _, err := governance.Proposed(h.get, "tour")
			if err != nil {
				h.t.Fatal(err)
			}
			r.Of, r.Day, r.Revision, r.Hash = "revision", "", p.Revision, p.Hash
			if n, err := strconv.ParseInt(arg(3), 10, 64); err == nil {
				r.Revision = n
			}
		}
		return avro.Control{Kind: "approval", Approval: r}
	case "ack":
		return avro.Control{Kind: "acknowledgement", Acknowledgement: &avro.AcknowledgementRecord{Campaign: "tour", Partner: arg(1), Alert: words[2], By: by, Why: why, At: at}}
	}
	h.t.Fatalf("%q is not a line of a history", strings.Join(words, " "))
	return avro.Control{}
}

// play returns a script with what follows from each of its lines.
func (h *history) play(script string) string {
	var got strings.Builder
	for _, line := range strings.Split(strings.TrimSuffix(script, "\n"), "\n") {
		if strings.HasPrefix(line, " ") {
			continue // what followed
		}
		got.WriteString(line + "\n")
		if line != "" && !strings.HasPrefix(line, "#") {
			got.WriteString(h.say(line))
		}
	}
	return got.String()
}

// TestDocumentedHistory: the history that docs/governance.md shows is one.
func TestDocumentedHistory(t *testing.T) {
	text, err := os.ReadFile("../../docs/governance.md")
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := strings.Cut(string(text), "```history\n")
	want, _, found := strings.Cut(want, "```")
	if got := newHistory(t).play(want); !found || got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestHistories: what was said, what was raised and settled by it, on which rung,
// until when, and what was refused.
func TestHistories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no histories: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newHistory(t).play(string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

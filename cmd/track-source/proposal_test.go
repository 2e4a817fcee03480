package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"

	"tracksource/contract/example"
)

// TestContractPropose: a proposal runs beside what is agreed, is compared with it
// to the cent, and goes when it is withdrawn or agreed.
func TestContractPropose(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	agreed := w.settle()
	text := string(example.AILaunchTour())
	shorter := strings.NewReplacer("lookback: 90d", "lookback: 3d", "days: 30", "days: 3").Replace(text)
	first, proposal := w.file("first.yaml", text), w.file("proposal.yaml", shorter)
	compare := func(args ...string) []string {
		return w.flags(append([]string{"contract", "compare", "--campaign", "ai-launch-tour"}, args...)...)
	}
	w.says(exitFail, "nothing is proposed for campaign ai-launch-tour", compare()...)
	w.says(exitFail, "nothing is proposed", w.flags(because("contract", "withdraw", "--campaign", "ai-launch-tour")...)...)
	w.says(exitUsage, "--campaign is required", w.flags("contract", "withdraw")...)
	w.says(exitUsage, "--by is required", w.flags("contract", "withdraw", "--campaign", "ai-launch-tour")...)
	w.says(exitUsage, "--dimensions", compare("--dimensions", "partner,moon")...)
	w.says(exitOK, "revision 1 is this contract already", w.flags("contract", "propose", first)...)
	w.says(exitUsage, "--previous 1", w.flags("contract", "propose", proposal)...)
	w.says(exitFail, "so that models must stay", w.flags(because("contract", "propose", "--previous", "1",
		w.file("half.yaml", "restate_from: 2026-03-01\n"+strings.Replace(text, "models: [first-touch, last-touch, linear]", "models: [linear]", 1)))...)...)
	w.says(exitOK, "stay with the revisions before", w.flags(because("contract", "propose", "--previous", "1", "--dry-run", w.file("part.yaml", "restate_from: 2026-03-01\n"+text))...)...)
	w.says(exitUsage, "--by is required", w.flags("contract", "propose", proposal, "--previous", "1")...)
	w.says(exitOK, "accounts for all conversion days\ncampaign ai-launch-tour: proposal of revision 2", w.flags(because("contract", "propose", proposal, "--previous", "1")...)...)
	w.says(exitOK, "is proposed like this already", w.flags("contract", "propose", proposal, "--previous", "1")...)

	with := w.settle()
	if !reflect.DeepEqual(booksOf(t, with)["ai-launch-tour"], booksOf(t, agreed)["ai-launch-tour"]) {
		t.Error("a proposal has changed what is agreed")
	}
	if len(booksOf(t, with)["ai-launch-tour~proposed"]) == 0 {
		t.Error("the proposal has no contributions")
	}
	w.tool(exitOK, w.flags("fsck")...)
	w.says(exitOK, "revision 2 proposed", compare()...)
	w.says(exitOK, "total", compare("--dimensions", "")...)
	var c comparison
	if err := json.Unmarshal([]byte(w.tool(exitOK, compare("--json")...)), &c); err != nil {
		t.Fatal(err)
	}
	if c.Agreed.Revision != 1 || c.Proposed.Revision != 2 || c.OnTopOf != 1 || len(c.Differences) == 0 {
		t.Errorf("compares %+v, %+v, on top of %d, in %d numbers", c.Agreed, c.Proposed, c.OnTopOf, len(c.Differences))
	}
	changed := 0
	for _, d := range c.Differences {
		if d.Change == nil {
			t.Errorf("%+v has no change, and both have the same models", d)
		} else if strings.Trim(*d.Change, "-0.") != "" {
			changed++
		}
	}
	if changed == 0 {
		t.Error("three days instead of ninety change nothing")
	}

	w.says(exitOK, "would be withdrawn", w.flags(because("contract", "withdraw", "--campaign", "ai-launch-tour", "--dry-run")...)...)
	w.says(exitOK, "proposal of revision 2", w.flags(because("contract", "withdraw", "--campaign", "ai-launch-tour")...)...)
	if got := w.settle(); !reflect.DeepEqual(got, agreed) {
		t.Error("something is left of a proposal that was withdrawn")
	}
	w.says(exitOK, "sent", w.flags(because("contract", "propose", proposal, "--previous", "1")...)...)
	w.settle()
	w.says(exitOK, "campaign ai-launch-tour: revision 2", w.flags(because("contract", "apply", proposal, "--previous", "1")...)...)
	got := booksOf(t, w.settle())
	if !reflect.DeepEqual(got["ai-launch-tour"], renamed(booksOf(t, with)["ai-launch-tour~proposed"])) || len(got) != 1 {
		t.Errorf("what was proposed and is agreed makes other numbers of %d books", len(got))
	}
	w.says(exitFail, "nothing is proposed", compare()...)
	w.tool(exitOK, w.flags("fsck")...)
}

// TestComparisonTable: the whole of everything is shown, of the parts what differs,
// and what one of the books does not have is no zero.
func TestComparisonTable(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	c := comparison{
		Campaign: "summit", Agreed: version{3, "0123456789abcdef"}, Proposed: version{2, "fedcba9876543210"}, OnTopOf: 1,
		Differences: []difference{
			{"revenue", "first-touch", "EUR", "", "", text("10.00"), nil, nil},
			{"revenue", "linear", "EUR", "", "", text("10.00"), text("10.00"), text("0.00")},
			{"revenue", "linear", "EUR", "partner", "acme", text("6.00"), text("7.50"), text("1.50")},
			{"revenue", "linear", "EUR", "partner", "blue", text("4.00"), text("2.50"), text("-1.50")},
			{"revenue", "linear", "EUR", "channel", "Email", text("10.00"), text("10.00"), text("0.00")},
		},
	}
	const want = `campaign summit: revision 2 proposed, contract fedcba987654, beside revision 3 agreed, contract 0123456789ab
the proposal is on top of revision 1: propose it again on top of 3
MEASURE  MODEL        BY            AGREED  PROPOSED  DIFFERENCE  
revenue  first-touch  total         10.00   -         -           EUR
revenue  linear       total         10.00   10.00     +0.00       EUR
revenue  linear       partner acme  6.00    7.50      +1.50       EUR
revenue  linear       partner blue  4.00    2.50      -1.50       EUR
`
	var out bytes.Buffer
	if err := c.table(&out); err != nil || out.String() != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, &out, want)
	}
}

// booksOf are contributions by the book that they are of.
func booksOf(t *testing.T, contributions any) map[string][]map[string]any {
	t.Helper()
	list, ok := contributions.([]any)
	if !ok {
		t.Fatalf("contributions are a %T", contributions)
	}
	books := map[string][]map[string]any{}
	for _, c := range list {
		row, ok := c.(map[string]any)
		if !ok {
			t.Fatalf("a contribution is a %T", c)
		}
		name, _ := row["campaign"].(string)
		books[name] = append(books[name], row)
	}
	return books
}

// renamed are contributions of a proposal as those of what is agreed.
func renamed(rows []map[string]any) []map[string]any {
	var out []map[string]any
	for _, row := range rows {
		agreed := maps.Clone(row)
		agreed["campaign"] = "ai-launch-tour"
		out = append(out, agreed)
	}
	return out
}

package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"tracksource/contract/example"
)

func (w *world) file(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// says runs the tool and wants words of its output.
func (w *world) says(code int, want string, args ...string) {
	w.t.Helper()
	out, errOut := w.both(code, args...)
	if !strings.Contains(out+errOut, want) {
		w.t.Errorf("%v says\n%s%s\nwant %q", args, out, errOut, want)
	}
}

// because is what revisions behind the first are asked for.
func because(args ...string) []string {
	return append(args, "--by", "Revenue Operations", "--why", "as agreed on 3 March")
}

// TestContractApply: a line takes a new contract without a restart of anything
// but the demo, only from somebody who knew the one before, and only once.
func TestContractApply(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	before := w.settle() // the demo sends revision 1
	text := string(example.AILaunchTour())
	first := w.file("first.yaml", text)
	w.says(exitOK, "campaign ai-launch-tour, contract ", "contract", "validate", first)
	w.says(exitFail, "line 2", "contract", "validate", w.file("bad.yaml", "campaign:\n  ids: x\n"))
	w.says(exitUsage, "name one file", "contract", "validate")
	w.says(exitOK, "revision 1 is this contract already", w.flags("contract", "apply", first)...)

	second := w.file("second.yaml", strings.NewReplacer("lookback: 90d", "lookback: 3d", "days: 30", "days: 3").Replace(text))
	w.says(exitUsage, "--previous 1", w.flags("contract", "apply", second)...)
	w.says(exitFail, "the newest revision is 1, not 7", w.flags("contract", "apply", second, "--previous", "7")...)
	w.says(exitUsage, "--by is required", w.flags("contract", "apply", second, "--previous", "1")...)
	w.says(exitUsage, "--why is required", w.flags("contract", "apply", second, "--previous", "1", "--by", "Legal")...)
	w.says(exitFail, "an office", w.flags("contract", "apply", second, "--previous", "1", "--by", "ann@acme.com", "--why", "asked to")...)
	w.says(exitOK, "revision 2", w.flags(because("contract", "apply", second, "--previous", "1", "--dry-run")...)...)
	const change = "window.lookback: 90d -> 3d; restates every number"
	w.says(exitOK, change, w.flags(because("contract", "apply", second, "--previous", "1", "--dry-run")...)...)
	w.says(exitOK, change, w.flags("contract", "diff", second)...)
	w.says(exitOK, change, "contract", "diff", first, second)
	w.says(exitOK, "no difference", "contract", "diff", first, first)
	w.says(exitUsage, "name two files", "contract", "diff")
	w.says(exitOK, "json-schema.org", "contract", "schema")
	w.says(exitOK, "| utm_source | `globex` | credited to globex |", "taxonomy", first)
	w.says(exitOK, "utm_source,globex,credited to globex", "taxonomy", first, "--csv")
	if got := w.settle(); !reflect.DeepEqual(got, before) {
		t.Error("a dry run has changed contributions")
	}
	w.says(exitOK, "sent", w.flags(because("contract", "apply", second, "--previous", "1")...)...)
	w.says(exitFail, "the newest revision is 2, not 1", w.flags("contract", "apply", first, "--previous", "1")...)
	if got := w.settle(); reflect.DeepEqual(got, before) {
		t.Error("a window of three days instead of ninety changes nothing")
	}
	w.tool(exitOK, w.flags("fsck")...)
	w.says(exitOK, "revision 3", w.flags(because("contract", "apply", first, "--previous", "2")...)...)
	if got := w.settle(); !reflect.DeepEqual(got, before) {
		t.Error("with the first contract again, contributions are not what they were")
	}
	w.tool(exitOK, w.flags("fsck")...)
}

// TestFXImport: rates are sent once, and a correction restates.
func TestFXImport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	before := w.settle()
	rates := w.file("hist.csv", "Date,USD,JPY,CYP\n2026-03-03,1.09,160.1,N/A\n2026-03-02,1.08,160.2,0.58\n2020-01-02,1.1,120,N/A\n")
	w.says(exitUsage, "2026-3-1", w.flags("fx", "import", rates, "--from", "2026-3-1")...)
	w.says(exitUsage, "--currency", w.flags("fx", "import", rates, "--currency", "EURO")...)
	w.says(exitFail, "line 1", w.flags("fx", "import", w.file("bad.csv", "a,b\n"))...)
	w.says(exitOK, "nothing was sent", w.flags("fx", "import", rates, "--dry-run")...)
	w.says(exitOK, "4 rates: ", w.flags("fx", "import", rates)...) // not that of 2020
	w.says(exitOK, "4 rates: 0 new, 0 corrected, 4 known already; left out, since they are no currencies today: CYP", w.flags("fx", "import", rates)...)
	correction := "base,quote,day,rate\n"
	for day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() == 2026; day = day.AddDate(0, 0, 1) {
		correction += "EUR,USD," + day.Format(time.DateOnly) + ",2.5\n"
	}
	w.says(exitOK, " corrected", w.flags("fx", "import", w.file("again.csv", correction), "--source", "Treasury")...)
	if got := w.settle(); reflect.DeepEqual(got, before) {
		t.Error("a euro of 2.50 dollars changes nothing")
	}
	w.tool(exitOK, w.flags("fsck")...)
}

// TestAccountsImport: what the map joins is one account, and nothing is imported
// of a file with a line that cannot be used.
func TestAccountsImport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	before := w.settle()
	w.says(exitFail, "line 3: account:", w.flags("accounts", "import", w.file("bad.csv", "account,domain\nA,large-prospect.com\n,b.com\n"))...)
	// The buyer's company in the CRM belongs elsewhere than the buyer's domain: the
	// deal is apart from its touches, until a later map joins them.
	split := w.file("split.csv", "account,domain,reporter,crm_account\nLARGE,large-prospect.com,,\nOTHER,,acme,001000000000001AAA\n")
	w.says(exitOK, "2 rows: 2 new", w.flags("accounts", "import", split, "--as-of", "2026-03-01T00:00:00Z")...)
	w.says(exitOK, "2 known already", w.flags("accounts", "import", split, "--as-of", "2026-03-01T00:00:00Z")...)
	if got := w.settle(); reflect.DeepEqual(got, before) {
		t.Error("the map has moved nothing")
	}
	w.tool(exitOK, w.flags("fsck")...)
	joined := w.file("joined.csv", "crm_account,reporter,account\n001000000000001AAA,acme,LARGE\n")
	w.says(exitFail, "a newer map", w.flags("accounts", "import", joined, "--as-of", "2026-02-01T00:00:00Z")...)
	w.says(exitOK, "1 rows: 0 new, 1 moved", w.flags("accounts", "import", joined, "--as-of", "2026-03-02T00:00:00Z")...)
	if got := w.settle(); !reflect.DeepEqual(got, before) {
		t.Error("contributions of one account are not those of before the map")
	}
	w.tool(exitOK, w.flags("fsck")...)
}

// TestControlTotal: what a partner says it sent goes by the feed as its events do,
// is no event of its own, and spoils no books.
func TestControlTotal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	before := w.settle()
	total := `{"control_total": {"source": "salesforce", "day": "2026-03-02", "count": 2, "sums": {"USD": "150.00"}}}`
	in := w.file("total.ndjson", total+"\n")
	w.says(exitOK, "control total: 2 events of salesforce on 2026-03-02", "mapping", "test", "--feed", "crm", "--partner", "acme", "--in", in, "--explain")
	w.tool(exitOK, "send", in, "--feed", "crm.acme", "--bootstrap-servers", w.conn.String())
	if got := w.settle(); !reflect.DeepEqual(got, before) {
		t.Error("a control total has changed contributions")
	}
	w.says(exitOK, "+ 1 control totals", w.flags("fsck")...)
}

// TestCheck: before a launch the tool says what is missing, for people and for
// machines, and ends with 1.
func TestCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	w.settle()
	w.says(exitUsage, "--campaign is required", w.flags("check")...)
	w.says(exitUsage, "--as-of", w.flags("check", "--campaign", "ai-launch-tour", "--as-of", "today")...)
	w.says(exitFail, "campaign other has no contract there", w.flags("check", "--campaign", "other")...)
	out := w.tool(exitFail, w.flags("check", "--campaign", "ai-launch-tour", "--as-of", "2026-04-01T00:00:00Z")...)
	for _, want := range []string{"campaign ai-launch-tour\n", "touches on an account (", "utm_campaign of no campaign: ", "spring-update\n", "stage of deals without a rule: ", "Proposal\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("check says\n%s\nwant %q", out, want)
		}
	}
	w.says(exitFail, `"kind": "utm_campaign of no campaign"`, w.flags("check", "--campaign", "ai-launch-tour", "--json")...)
}

// TestDisputeByFeed: what a partner disputes in its feed goes the whole way to the
// book of the deal and back, with the event's place beside it, and spoils no books.
func TestDisputeByFeed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	before := w.settle()
	const said = `{"type": "tracksource.dispute", "id": "ours", "campaign": "ai-launch-tour", "by": "Partner Operations", "why": "our booth", `
	say := func(feed, rest string) {
		t.Helper()
		in := w.file("dispute.ndjson", said+rest+"}\n")
		w.says(exitOK, "a dispute: ", "mapping", "test", "--feed", "crm", "--partner", "globex", "--in", in, "--explain")
		w.tool(exitOK, "send", in, "--feed", feed, "--bootstrap-servers", w.conn.String())
		w.settle()
		w.says(exitOK, "+ 1 disputes", w.flags("fsck")...)
	}
	list := []string{"dispute", "list", "--campaign", "ai-launch-tour"}
	say("crm.globex", `"action": "open", "deal": "acme/salesforce/006000000000001AAA", "about": "credit", "against": "acme"`)
	w.says(exitOK, "open,ours,globex,acme/salesforce/006000000000001AAA,credit,acme,", w.flags(list...)...)
	say("map.globex", `"action": "withdraw"`)
	w.says(exitOK, "withdrawn,ours,globex,", w.flags(list...)...)
	if got := w.settle(); !reflect.DeepEqual(got, before) {
		t.Error("a dispute that was withdrawn has changed contributions")
	}
}

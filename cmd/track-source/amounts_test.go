package main

import (
	"reflect"
	"strings"
	"testing"
)

// TestAmounts: spend, targets and costs are replaced by key with their history
// kept, take part in no attribution, and nothing of a file with a bad line is
// imported.
func TestAmounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	before := w.settle()
	campaign := func(args ...string) []string { return w.flags(append(args, "--campaign", "ai-launch-tour")...) }
	spend := w.file("spend.csv", "day,payer,partner,channel,amount,currency\n2026-03-01,acme,globex,Email,1250.50,eur\n2026-03-02,acme,,,40,USD\n")
	w.says(exitUsage, "--campaign is required", w.flags("spend", "import", spend)...)
	w.says(exitFail, "campaign other has no contract", w.flags("spend", "import", spend, "--campaign", "other")...)
	w.says(exitFail, `"initech" is no partner`, campaign("spend", "import", w.file("who.csv", "day,payer,amount,currency\n2026-03-01,initech,1,USD\n"))...)
	w.says(exitFail, "line 3: ", campaign("spend", "import", w.file("bad.csv", "day,payer,amount,currency\n2026-03-01,acme,1,USD\n2026-03-02,acme,x,USD\n"))...)
	w.says(exitOK, "2 rows: 2 new, 0 replaced, 0 taken back, 0 known already; nothing was sent", campaign("spend", "import", spend, "--dry-run")...)
	w.says(exitOK, "2 rows: 2 new, 0 replaced, 0 taken back, 0 known already\n", campaign("spend", "import", spend)...)
	w.says(exitOK, "2 rows: 0 new, 0 replaced, 0 taken back, 2 known already\n", campaign("spend", "import", spend)...)
	corrected := w.file("corrected.csv", "amount,currency,day,payer,partner,channel\n1300,EUR,2026-03-01,acme,globex,Email\n,USD,2026-03-02,acme,,\n")
	w.says(exitOK, "2 rows: 0 new, 1 replaced, 1 taken back, 0 known already\n", campaign("spend", "import", corrected)...)
	w.says(exitOK, "0 taken back, 2 known already\n", campaign("spend", "import", corrected)...)

	if got, want := w.tool(exitOK, campaign("spend", "list")...), "day,payer,partner,channel,asset,amount,currency\n2026-03-01,acme,globex,Email,,1300,EUR\n"; got != want {
		t.Errorf("spend list prints\n%swant\n%s", got, want)
	}
	history := w.tool(exitOK, campaign("spend", "list", "--history")...)
	for _, want := range []string{"Email,,1250.50,EUR,20", "Email,,1300,EUR,20", ",,,40,USD,20", ",,,,USD,20"} {
		if !strings.Contains(history, want) {
			t.Errorf("the history is\n%swant %q", history, want)
		}
	}
	listed := w.file("listed.csv", w.tool(exitOK, campaign("spend", "list")...))
	w.says(exitOK, "1 rows: 0 new, 0 replaced, 0 taken back, 1 known already\n", campaign("spend", "import", listed)...)

	targets := w.file("targets.csv", "day,partner,measure,amount,currency\n2026-06-30,globex,revenue,500000,USD\n2026-06-30,,won,12,\n")
	w.says(exitOK, "2 rows: 2 new", campaign("targets", "import", targets)...)
	w.says(exitOK, "1 rows: 1 new", campaign("costs", "import", w.file("costs.csv", "day,payer,amount,currency\n2026-03-01,acme,99,USD\n"))...)
	if got, want := w.tool(exitOK, campaign("targets", "list")...), "day,partner,channel,asset,measure,amount,currency\n2026-06-30,,,,won,12,\n2026-06-30,globex,,,revenue,500000,USD\n"; got != want {
		t.Errorf("targets list prints\n%swant\n%s", got, want)
	}

	if got := w.settle(); !reflect.DeepEqual(got, before) {
		t.Error("money beside the contract changes contributions")
	}
	w.tool(exitOK, w.flags("fsck")...)
}

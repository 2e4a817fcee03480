package main

import (
	"io"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"tracksource/attribution"
	"tracksource/deploy/kafka"
)

// TestDispute: on a whole line a dispute puts what it is about in escrow and changes no
// total, an outcome moves it, and what is withdrawn leaves nothing.
func TestDispute(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	before := w.settle()
	if in := w.inEscrow(); len(in) > 0 {
		t.Fatalf("in escrow are %v, and nobody disputes anything", in)
	}
	open := func(deal, id, about string, more ...string) []string {
		return append(w.flags("dispute", "open", "--campaign", "ai-launch-tour", "--as", "globex", "--deal", deal, "--about", about, "--id", id,
			"--by", "Partner Operations", "--why", "ours"), more...)
	}
	_, said := w.both(exitFail, open("acme/salesforce/006000000000001ZZZ", "g0", "sourcing")...)
	known := regexp.MustCompile(`acme/salesforce/00\w+`).FindAllString(said[strings.Index(said, "there are such as"):], -1)
	if len(known) == 0 {
		t.Fatalf("it names no deals: %s", said)
	}
	deal := ""
	for _, d := range known { // the first that is in the totals
		var out, errOut strings.Builder
		if run(t.Context(), open(d, "g1", "sourcing"), &out, &errOut) == exitOK {
			deal = d
			break
		}
	}
	if deal == "" {
		t.Fatalf("none of %v can be disputed", known)
	}
	w.says(exitOK, "accepted", append(open(deal, "a1", "credit", "--against", "globex"), "--as", "acme")...)
	disputed := w.settle()
	if !reflect.DeepEqual(before, disputed) {
		t.Error("a dispute has changed what anybody has")
	}
	if in := w.inEscrow(); !in["pipeline_sourced"] || !in["pipeline_created"] {
		t.Errorf("in escrow are %v; want who sourced the deal, and globex's credits of it", in)
	}
	w.says(exitOK, ",g1,globex,"+deal+",sourcing,", w.flags("dispute", "list", "--campaign", "ai-launch-tour", "--open")...)
	w.says(exitOK, ",dispute,dispute/ai-launch-tour/g1,Revenue/partner governance board,", w.flags("alerts", "list")...)

	settle := func(args ...string) []string {
		return append(w.flags(append([]string{"dispute"}, args...)...), "--campaign", "ai-launch-tour", "--by", "Governance board", "--why", "looked at")
	}
	w.says(exitOK, "is withdrawn", settle("withdraw", "--id", "a1", "--as", "acme")...)
	w.says(exitOK, "is upheld", settle("resolve", "--id", "g1", "--outcome", "upheld", "--to", "unsourced")...)
	upheld := w.settle()
	if in := w.inEscrow(); len(in) > 0 {
		t.Errorf("in escrow are still %v", in)
	}
	if reflect.DeepEqual(before, upheld) {
		t.Errorf("nobody has lost what was upheld of %s", deal)
	}
	w.says(exitOK, "agree", w.flags("fsck")...)
	w.says(exitOK, "settled,critical,dispute,dispute/ai-launch-tour/g1,", w.flags("alerts", "list", "--all")...)
}

// inEscrow reads which measures have rows in escrow.
func (w *world) inEscrow() map[string]bool {
	w.t.Helper()
	f := controlFlags{registry: w.registry, cluster: clusterFlags{brokers: w.conn.Brokers, prefix: kafka.PrefixDefault, profile: kafka.ProfileLocal}}
	cfg, _, err := f.open(w.t.Context(), io.Discard)
	if err != nil {
		w.t.Fatal(err)
	}
	rows, err := rowsOf(w.t.Context(), cfg, "ai-launch-tour")
	if err != nil {
		w.t.Fatal(err)
	}
	measures := map[string]bool{}
	for i := range rows["ai-launch-tour"] {
		if r := &rows["ai-launch-tour"][i]; r.Escrow == attribution.EscrowDisputed {
			measures[r.Measure] = true
		}
	}
	return measures
}

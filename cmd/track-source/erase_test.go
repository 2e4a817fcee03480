package main

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestErase: who is erased by their address loses what they did under their user
// id, too; the deal stays, and what comes of them later changes nothing.
func TestErase(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	with := w.settle()
	key := filepath.Join(w.data, "pseudonym.key")
	people := w.file("people.txt", "# by request\nemail Buyer@Large-Prospect.com\n")
	w.says(exitUsage, "--pseudonym-key-file is required", w.flags("erase", people)...)
	w.says(exitUsage, "name a file", w.flags("erase", "--pseudonym-key-file", key)...)
	w.says(exitFail, "line 1: the kind is none of", w.flags("erase", w.file("bad.txt", "fax 123"), "--pseudonym-key-file", key)...)
	other := w.file("other.key", strings.Repeat("another deployment's key ", 3))
	w.says(exitOK, "see that it is the deployment's", w.flags("erase", people, "--dry-run", "--pseudonym-key-file", other)...)
	w.says(exitOK, "1 of 1 subjects are known; 2 identities would be ordered to be erased: 1 email 1 person", w.flags("erase", people, "--dry-run", "--pseudonym-key-file", key)...)
	if got := w.settle(); !reflect.DeepEqual(got, with) {
		t.Error("a dry run has erased something")
	}
	out, errOut := w.both(exitOK, w.flags("erase", people, "--pseudonym-key-file", key)...)
	if strings.Contains(strings.ToLower(out+errOut), "buyer@") {
		t.Errorf("it repeats whom it erases:\n%s%s", out, errOut)
	}
	without := w.settle()
	if reflect.DeepEqual(without, with) {
		t.Error("the touches of who was erased still count")
	}
	if out := w.tool(exitOK, w.flags("fsck")...); !strings.Contains(out, "agree") {
		t.Errorf("it says:\n%s", out)
	}
	again := w.file("again.ndjson", `{"type":"page","messageId":"later","userId":"u","timestamp":"2026-03-15T12:00:00Z","context":{"campaign":{"source":"globex","medium":"email","name":"ai-launch-tour"}}}`+"\n")
	w.says(exitOK, "1 events", "send", again, "--feed", "analytics.acme", "--bootstrap-servers", w.conn.String())
	if got := w.settle(); !reflect.DeepEqual(got, without) {
		t.Error("what came of them later counts")
	}
	if out := w.tool(exitOK, w.flags("fsck")...); !strings.Contains(out, "1 suppressed") {
		t.Errorf("it says:\n%s", out)
	}
}

// TestEraseContact: an address belongs to the company of its domain, and who has it
// is found all the same, with the role on a deal.
func TestEraseContact(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	rows := `{"attributes":{"type":"Contact"},"Id":"003000000000001AAA","AccountId":"001000000000001AAA","Email":"ann@large-prospect.com","SystemModstamp":"2026-03-15T12:00:00Z"}
{"attributes":{"type":"OpportunityContactRole"},"Id":"00K000000000001AAA","OpportunityId":"006000000000001AAA","ContactId":"003000000000001AAA","SystemModstamp":"2026-03-15T12:00:00Z"}
`
	w.says(exitOK, "2 events", "send", w.file("rows.ndjson", rows), "--feed", "crm.acme", "--bootstrap-servers", w.conn.String())
	w.settle()
	erase := w.flags("erase", w.file("people.txt", "email ann@large-prospect.com\n"), "--pseudonym-key-file", filepath.Join(w.data, "pseudonym.key"))
	w.says(exitOK, "1 of 1 subjects are known; 3 identities would be ordered to be erased: 1 contact 1 email 1 member", append(erase, "--dry-run")...)
	w.says(exitOK, "3 identities ordered to be erased", erase...)
	w.settle()
	w.says(exitOK, "agree", w.flags("fsck")...)
}

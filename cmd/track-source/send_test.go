package main

import (
	"reflect"
	"strings"
	"testing"
)

// TestSend: an export of a CRM as CSV, sent twice, changes a deal once, and says
// nothing where a newer change is known.
func TestSend(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	before := w.settle()
	feed := []string{"--feed", "crm.acme", "--bootstrap-servers", w.conn.String()}
	send := func(code int, want string, args ...string) {
		t.Helper()
		w.says(code, want, append(append([]string{"send"}, args...), feed...)...)
	}
	send(exitUsage, "name a file")
	send(exitFail, "does not say its format", w.file("x.txt", ""))
	send(exitFail, "line 2 is not JSON; 1 events were sent before", w.file("bad.ndjson", "{\"hello\":1}\n{"))
	// It says no stage: that the deal was there so early would be news.
	older := w.file("older.csv", "Id,AccountId,Amount,CurrencyIsoCode,LastModifiedDate\n006000000000001AAA,001000000000001AAA,7.00,USD,2026-03-01T00:00:00.000+0000\n")
	send(exitOK, "1 events, ", older, "--dry-run")
	send(exitOK, "sent to tracksource.raw.crm.acme", older)
	if got := w.settle(); !reflect.DeepEqual(got, before) {
		t.Error("an older row has overwritten a newer change")
	}
	newer := w.file("newer.csv", "Id,AccountId,StageName,Amount,CurrencyIsoCode,LastModifiedDate\n006000000000001AAA,001000000000001AAA,Qualification,5000.00,USD,2026-04-01T00:00:00.000+0000\n")
	send(exitOK, "sent 1 events\n", newer)
	after := w.settle()
	if reflect.DeepEqual(after, before) {
		t.Error("a newer row of an export changes nothing")
	}
	send(exitOK, "2 events, ", newer, older)
	if got := w.settle(); !reflect.DeepEqual(got, after) {
		t.Error("the same rows once more change something")
	}
	if out := w.tool(exitOK, w.flags("fsck")...); !strings.Contains(out, "agree") {
		t.Errorf("it says:\n%s", out)
	}
}

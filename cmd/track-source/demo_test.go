package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"tracksource/contract/example"
	"tracksource/internal/demo"
)

// TestDemoOnOwnFiles: a spreadsheet of deals and a file of touches are all that a
// partner needs for a first look, and a changed contract is in force at the next.
func TestDemoOnOwnFiles(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the whole line in one process takes seconds; internal/sim and internal/demo have it in short runs too")
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	demoRun := func(code int, args ...string) (string, string) {
		t.Helper()
		var out, errOut bytes.Buffer
		args = append([]string{"demo", "--once", "--json", "--data-dir", filepath.Join(dir, "data")}, args...)
		if got := run(t.Context(), args, &out, &errOut); got != code {
			t.Fatalf("%v ended with exit code %d, want %d\n%s\n%s", args, got, code, &out, &errOut)
		}
		return out.String(), errOut.String()
	}
	terms := write("campaign.yaml", string(example.AILaunchTour()))
	accounts := write("accounts.csv", "Id,Name,Website,BillingCountry,LastModifiedDate\n001000000000001AAA,Large Prospect,large-prospect.com,DE,2026-03-01T00:00:00.000+0000\n")
	deals := write("opps.csv", "Id,AccountId,StageName,Amount,CurrencyIsoCode,CreatedDate,LastModifiedDate\n"+
		"006000000000001AAA,001000000000001AAA,Qualification,1000.00,EUR,2026-03-20T00:00:00.000+0000,2026-03-21T00:00:00.000+0000\n")
	touches := write("touches.ndjson", `{"type":"page","messageId":"m1","userId":"u","timestamp":"2026-03-02T12:00:00Z","context":{"traits":{"email":"buyer@large-prospect.com"},"campaign":{"source":"globex","medium":"email","name":"ai-launch-tour"}}}`+"\n")
	rates := write("rates.csv", "Date,USD\n2026-03-18,1.5\n")
	args := []string{"--contract", terms, "--feed", "crm.acme=" + accounts, "--feed", "crm.acme=" + deals, "--feed", "map.globex=" + touches, "--rates", rates}
	result := func() demo.Result {
		t.Helper()
		out, _ := demoRun(exitOK, args...)
		var r demo.Result
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		return r
	}
	first := result()
	value := ""
	for _, c := range first.Contributions {
		if c.Measure == "pipeline_created" && c.Model == "last-touch" {
			value += c.Partner + " " + c.Value + " " + c.Currency
		}
	}
	if value != "globex 1500.00 USD" {
		t.Errorf("pipeline by last touch: %q, want what one euro deal is at a rate of 1.5: %+v", value, first)
	}
	if first.Events.Raw != 3 || first.Events.DeadLetters != 0 {
		t.Errorf("events %+v, want three and none refused", first.Events)
	}
	if again := result(); !reflect.DeepEqual(again, first) {
		t.Errorf("the same files once more: %+v, want %+v", again, first)
	}
	write("campaign.yaml", strings.NewReplacer("lookback: 90d", "lookback: 3d", "days: 30", "days: 3").Replace(string(example.AILaunchTour())))
	if changed := result(); reflect.DeepEqual(changed.Contributions, first.Contributions) {
		t.Error("a window of three days changes nothing")
	}

	for _, tt := range []struct {
		code int
		want string
		args []string
	}{
		{exitUsage, "belong together", []string{"--contract", terms}},
		{exitUsage, "belong together", []string{"--feed", "crm.acme=" + deals}},
		{exitUsage, "is not feed=file", []string{"--contract", terms, "--feed", "crm.acme"}},
		{exitUsage, "ends in .ndjson", []string{"--contract", terms, "--feed", "crm.acme=x"}},
		{exitUsage, "no such file", []string{"--contract", terms, "--feed", "crm.acme=x.csv"}},
		{exitFail, "line 1 is not JSON", []string{"--contract", terms, "--feed", "crm.acme=" + write("bad.ndjson", "{")}},
		{exitFail, "line 1", []string{"--contract", terms, "--rates", write("bad.csv", "a"), "--feed", "crm.acme=" + deals}},
	} {
		if _, errOut := demoRun(tt.code, tt.args...); !strings.Contains(errOut, tt.want) {
			t.Errorf("%v says %q, want %q", tt.args, errOut, tt.want)
		}
	}
}

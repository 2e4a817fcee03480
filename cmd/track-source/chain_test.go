package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// documented compares what a command printed with what docs/explain.md shows of it,
// behind the name of the golden file.
func documented(t *testing.T, name, got string) {
	t.Helper()
	const path = "../../docs/explain.md"
	page := readText(t, path)
	head := "<!-- " + name + " -->\n```text\n"
	before, rest, found := strings.Cut(page, head)
	shown, after, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatalf("%s shows no %s", path, name)
	}
	if *update && shown != got {
		if err := os.WriteFile(path, []byte(before+head+got+"```\n"+after), 0o600); err != nil {
			t.Fatal(err)
		}
		shown = got
	}
	if shown != got {
		t.Errorf("%s shows of %s\n%s\nand it is\n%s", path, name, shown, got)
	}
}

// golden compares what a command printed with a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

// answering is a reporter that gives one answer and keeps the last request.
type answering struct {
	status int
	body   string
	asked  *http.Request
	sent   string
}

func (a *answering) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.asked = r
	sent, _ := io.ReadAll(r.Body)
	a.sent = string(sent)
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

// asking runs the tool against a reporter that answers so.
func asking(t *testing.T, a *answering, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	server := httptest.NewServer(a)
	defer server.Close()
	var out, errOut bytes.Buffer
	code = run(t.Context(), append(args, "--reporter-url", server.URL), &out, &errOut)
	return code, out.String(), errOut.String()
}

func readText(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestExplainText: the chain of a deal and of a contribution, for people.
func TestExplainText(t *testing.T) {
	for _, tt := range []struct{ name, file, argument string }{
		{"explain_deal", "../../internal/answer/testdata/chain.json", "--opportunity"},
		{"explain_withheld", "../../internal/answer/testdata/chain_withheld.json", "--opportunity"},
		{"explain_differs", "../../internal/answer/testdata/chain_differs.json", "--opportunity"},
		{"explain_disputed", "../../internal/answer/testdata/chain_disputed.json", "--opportunity"},
		{"explain_row", "../../internal/answer/testdata/row.json", "--contribution"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := &answering{status: http.StatusOK, body: readText(t, tt.file)}
			code, out, errOut := asking(t, a, "explain", tt.argument, "x/y", "--campaign", "ai-launch-tour")
			if code != exitOK {
				t.Fatalf("ends with %d: %s", code, errOut)
			}
			if got := a.asked.URL.RequestURI(); got != "/api/v1/explain?campaign=ai-launch-tour&"+strings.TrimLeft(tt.argument, "-")+"=x%2Fy" {
				t.Errorf("asked %s", got)
			}
			golden(t, tt.name+".txt", out)
			if tt.name == "explain_deal" || tt.name == "explain_disputed" || tt.name == "explain_row" {
				documented(t, tt.name+".txt", out)
			}
			code, out, _ = asking(t, a, "explain", tt.argument, "x/y", "--json")
			if code != exitOK || strings.Join(strings.Fields(out), "") != strings.Join(strings.Fields(a.body), "") {
				t.Errorf("--json ends with %d and prints another answer", code)
			}
		})
	}
}

// TestAskFails: what is wrong is told with what to do, and how the command ends.
func TestAskFails(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	crm := filepath.Join(t.TempDir(), "crm.csv")
	if err := os.WriteFile(crm, []byte("Id\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	explain := []string{"explain", "--opportunity", "1"}
	for _, tt := range []struct {
		name   string
		args   []string
		answer answering
		code   int
		want   string
	}{
		{"nothing to explain", []string{"explain"}, answering{}, exitUsage, "--opportunity ID or --contribution KEY"},
		{"two things", append(explain, "--contribution", "k"), answering{}, exitUsage, "--opportunity ID or --contribution KEY"},
		{"no file", []string{"reconcile"}, answering{}, exitUsage, "--crm is required"},
		{"a file that is not there", []string{"reconcile", "--crm", crm + "x"}, answering{}, exitUsage, "no such file"},
		{"no deals", []string{"reconcile", "--crm", crm, "--deals", "0"}, answering{}, exitUsage, "--deals is at least 1"},
		{
			"an unknown deal", explain,
			answering{status: http.StatusNotFound, body: `{"title":"Not found","detail":"there is no such deal; allowed lists the nearest","parameter":"opportunity","allowed":["12","13"]}`},
			exitUsage, "opportunity: there is no such deal\nthere is: 12, 13",
		},
		{"no token", explain, answering{status: http.StatusUnauthorized, body: `{"detail":"sign in"}`}, exitFail, "sign in; give --token-file"},
		{"a reporter that is busy", explain, answering{status: http.StatusServiceUnavailable, body: `{"detail":"come again"}`}, exitFail, "come again"},
		{"something else", explain, answering{status: http.StatusFound, body: "<html>"}, exitFail, "302 Found and no reporter's"},
		{"no JSON", explain, answering{status: http.StatusOK, body: "<html>"}, exitFail, "not one that this program knows"},
		{"a text that a terminal would obey", explain, answering{status: http.StatusConflict, body: `{"detail":"\u001b[2Jgone"}`}, exitFail, ": [2Jgone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, out, errOut := asking(t, &tt.answer, tt.args...)
			if code != tt.code || out != "" || !strings.Contains(errOut, tt.want) {
				t.Errorf("ends with %d, prints %q and says %q, want %d and %q", code, out, errOut, tt.code, tt.want)
			}
		})
	}
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no reporter", append(explain, "--reporter-url", "http://127.0.0.1:1"), exitFail, "no reporter answers at http://127.0.0.1:1"},
		{"no URL", append(explain, "--reporter-url", "127.0.0.1:8080"), exitUsage, "no URL such as http://127.0.0.1:8080"},
		{"a token in the open", append(explain, "--reporter-url", "http://reporter.example", "--token-file", token), exitUsage, "give an https:// --reporter"},
		{"no token in the file", append(explain, "--token-file", os.DevNull), exitUsage, "not a file with a token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			if code := run(context.Background(), tt.args, &out, &errOut); code != tt.code || !strings.Contains(errOut.String(), tt.want) {
				t.Errorf("ends with %d and says %q, want %d and %q", code, &errOut, tt.code, tt.want)
			}
		})
	}
	a := &answering{status: http.StatusOK, body: "{}"}
	if code, _, errOut := asking(t, a, "explain", "--opportunity", "1", "--token-file", token, "--json"); code != exitOK || a.asked.Header.Get("Authorization") != "Bearer secret" {
		t.Errorf("ends with %d (%s), token %q", code, errOut, a.asked.Header.Get("Authorization"))
	}
}

// TestReconcileText: the export is sent as it is, and the answer printed for people.
func TestReconcileText(t *testing.T) {
	crm := filepath.Join(t.TempDir(), "crm.csv")
	const export = "Id,Amount\n1,2\n"
	if err := os.WriteFile(crm, []byte(export), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &answering{status: http.StatusOK, body: readText(t, "../../internal/answer/testdata/reconcile.json")}
	code, out, errOut := asking(t, a, "reconcile", "--crm", crm, "--measure", "revenue", "--from", "2026-03-01", "--to", "2026-03-31", "--columns", "id=Id")
	if code != exitOK || a.sent != export || a.asked.Header.Get("Content-Type") != "text/csv" {
		t.Fatalf("ends with %d (%s), sent %q as %s", code, errOut, a.sent, a.asked.Header.Get("Content-Type"))
	}
	if got := a.asked.URL.RequestURI(); got != "/api/v1/reconcile?columns=id%3DId&from=2026-03-01&limit=25&measure=revenue&to=2026-03-31" {
		t.Errorf("asked %s", got)
	}
	golden(t, "reconcile.txt", out)
	documented(t, "reconcile.txt", out)
}

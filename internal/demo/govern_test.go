package demo_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tracksource/internal/answer"
	"tracksource/internal/demo"
	"tracksource/internal/follow"
	"tracksource/report"
)

// TestGoverned: the partners of a demo that is watched disagree, close a period and
// settle one dispute of two; the next run on the same directory decides nothing twice.
// Their package is the same when it is made again as of the same moment.
func TestGoverned(t *testing.T) {
	if testing.Short() {
		t.Skip("two runs of the whole line")
	}
	dir := t.TempDir()
	var decided []string
	for run := range 2 {
		var alerts answer.AlertsAnswer
		watch(t, dir, func(page string) bool {
			response, err := http.Get(page + "/api/v1/alerts?kind=dispute&state=all")
			if err != nil {
				return false
			}
			defer func() { _ = response.Body.Close() }()
			if response.StatusCode != http.StatusOK || json.NewDecoder(response.Body).Decode(&alerts) != nil || len(alerts.Alerts) != 2 || !settledOne(alerts.Alerts) {
				return false
			}
			if run > 0 {
				packageAgain(t, page)
			}
			return true
		})
		var told []string
		for _, a := range alerts.Alerts {
			told = append(told, a.ID+" "+a.Message+" "+a.RaisedAt.String())
		}
		if run > 0 && strings.Join(told, "\n") != strings.Join(decided, "\n") {
			t.Errorf("the second run says\n%s\nand the first\n%s", told, decided)
		}
		decided = told
	}
}

// packageAgain makes a package, and again by its moment and its positions.
func packageAgain(t *testing.T, page string) {
	t.Helper()
	pull := func(query string) (*report.Package, string) {
		t.Helper()
		var body []byte
		for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
			response, err := http.Get(page + "/api/v1/package?window=all" + query)
			if err != nil {
				t.Fatal(err)
			}
			body, err = io.ReadAll(response.Body)
			_ = response.Body.Close()
			if err == nil && response.StatusCode == http.StatusOK {
				break
			}
			if err != nil || response.StatusCode != http.StatusServiceUnavailable || time.Now().After(end) {
				t.Fatalf("package%s: %d %.500s, error %v", query, response.StatusCode, body, err)
			}
		}
		var p report.Package
		if err := json.Unmarshal(body, &p); err != nil {
			t.Fatal(err)
		}
		p.Observed = report.Observed{} // cannot be seen again, as what is told of it
		p.Tables = slices.DeleteFunc(p.Tables, func(t report.Table) bool { return t.ID == "feeds" })
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		return &p, string(text)
	}
	first, text := pull("")
	if len(first.Tables) == 0 || first.Empty != "" {
		t.Errorf("the package has %d tables: %s", len(first.Tables), first.Empty)
	}
	at := "&as_of=" + first.AsOf.Time.Format(time.RFC3339Nano)
	if _, again := pull(at + "&positions=" + follow.Positions(first.AsOf.Positions).String()); again != text {
		t.Errorf("the package is\n%s\nand made again\n%s", text, again)
	}
	// Of a moment that the line was at work in nothing is known but that it is one.
	_, then := pull(at)
	if _, again := pull(at); again != then {
		t.Errorf("as of %s the package is\n%s\nand made again\n%s", at, then, again)
	}
}

// settledOne reports whether one of the disputes is upheld.
func settledOne(list []answer.AlertLine) bool {
	for _, a := range list {
		if strings.Contains(a.Message, "is upheld, it goes to globex") {
			return true
		}
	}
	return false
}

// watch runs a demo with a page until it shows what is wanted.
func watch(t *testing.T, dir string, wanted func(page string) bool) {
	t.Helper()
	out, in := io.Pipe()
	cfg := config(dir, in)
	cfg.Once, cfg.JSON = false, false
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		err := demo.Run(ctx, cfg)
		_ = in.CloseWithError(io.EOF)
		ended <- err
	}()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if page, ok := strings.CutPrefix(lines.Text(), "page:"); ok {
			go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the demo
			for tick := time.NewTicker(100 * time.Millisecond); ctx.Err() == nil && !wanted(strings.TrimSpace(page)); <-tick.C {
			}
			break
		}
	}
	if ctx.Err() != nil {
		t.Error("the page never showed it")
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tracksource/internal/answer"
	"tracksource/report"
	"tracksource/report/plan"
)

// demoing is a running demo.
type demoing struct {
	page, brokers, registry string
}

// startDemo runs a demo until the test ends. Its sample is through before it serves:
// otherwise it would trickle in.
func startDemo(t *testing.T, events string) demoing {
	t.Helper()
	dir := t.TempDir()
	does(t, "demo", "--once", "--data-dir", dir, "--events", events)
	return serveDemo(t, "--data-dir", dir, "--http", "127.0.0.1:0", "--events", events)
}

// serveDemo runs a demo with these flags until the test ends.
func serveDemo(t *testing.T, args ...string) demoing {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var out lockedBuffer
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, append([]string{"demo"}, args...), &out, os.Stderr) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	printed := regexp.MustCompile(`(?s)brokers: +(\S+) .*registry: (\S+) .*page: +(http\S+)\n`)
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if m := printed.FindStringSubmatch(out.String()); m != nil {
			return demoing{page: m[3], brokers: m[1], registry: m[2]}
		}
		select {
		case code := <-ended:
			ended <- code
			t.Fatalf("the demo ended with %d: %s", code, out.String())
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("the demo does not serve: %s", out.String())
		}
	}
}

// does runs the tool and wants it to work.
func does(t *testing.T, args ...string) string {
	t.Helper()
	var out, errOut bytes.Buffer
	if code := run(t.Context(), args, &out, &errOut); code != exitOK {
		t.Fatalf("%q ends with %d: %.2000s%s", args, code, &out, &errOut)
	}
	return out.String()
}

// ask asks the API, again while it is too busy to answer.
func (d demoing) ask(t *testing.T, question string, into any) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Second) {
		status, text := d.get(t, question)
		switch {
		case status == http.StatusOK:
			if err := json.Unmarshal(text, into); err != nil {
				t.Fatal(err)
			}
			return
		case status != http.StatusServiceUnavailable && status != http.StatusTooManyRequests || time.Now().After(end):
			t.Fatalf("%s is answered with %d: %s", question, status, text)
		}
	}
}

func (d demoing) get(t *testing.T, question string) (status int, text []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.page+"/api/v1/"+question, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := new(http.Client).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, text
}

// totals are what the API says of the campaign in the package's window, by measure.
func (d demoing) totals(t *testing.T, query string) map[string]string {
	t.Helper()
	var a answer.ReportAnswer
	d.ask(t, "report?"+query, &a)
	totals := map[string]string{}
	for _, tile := range a.Tiles {
		if tile.Total != nil {
			totals[tile.Measure] = *tile.Total
		}
	}
	return totals
}

// readmePackage is the command of the README that makes a package, without what opens a
// browser.
func readmePackage(t *testing.T) []string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^go run \./cmd/track-source (--campaign .*) --open$`).FindStringSubmatch(readText(t, "../../README.md"))
	if m == nil {
		t.Fatal("README.md does not show how a package is made")
	}
	return words(m[1])
}

// TestPackageDemo: the README's package of a demo sums to what the API says, is made
// again from its manifest when more has come, byte for byte, and is signed.
func TestPackageDemo(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs the whole line")
	}
	asked := readmePackage(t)
	d := startDemo(t, "300")
	dir := t.TempDir()
	first, again, plans := filepath.Join(dir, "first"), filepath.Join(dir, "again"), filepath.Join(dir, "plans")
	told, p, totals := d.settled(t, append(asked, "--plan-dir", plans, "--json"), first)
	resum(t, first, totals)
	for _, name := range []string{"snapshot.html", "summary.md", "tables.xlsx", "tables/contributions.csv", "package.json"} {
		if !slices.Contains(told.Files, name) {
			t.Errorf("there is no %s among %q", name, told.Files)
		}
	}

	at := []string{"--bootstrap-servers", d.brokers, "--registry", d.registry}
	signed := does(t, append([]string{"sign", "--package", first, "--as", "globex", "--by", "Partners", "--why", "agrees"}, at...)...)
	if !strings.Contains(signed, told.Manifest[:12]) {
		t.Errorf("signed is %s", signed)
	}
	d.change(t, p, at)
	d.remap(t, at)
	d.revise(t, p, at)
	does(t, "--again", filepath.Join(first, report.ManifestName), "--out", again, "--reporter", d.page, "--plan-dir", plans)
	sameFiles(t, first, again)

	told, later, _ := d.settled(t, append(asked, "--plan-dir", plans, "--json"), filepath.Join(dir, "later"))
	if s := later.Table("signatures"); s == nil || len(s.Rows) == 0 || !strings.Contains(strings.Join(s.Rows[0], " "), "globex") {
		t.Errorf("the next package does not tell who signed: %+v", s)
	}
	list, edited, err := plan.Decode([]byte(readText(t, told.Plan)))
	if err != nil || edited || list.Status != plan.Completed || list.TrackSource.Previous == "" || len(list.TrackSource.Approvals) == 0 || len(list.TrackSource.DataSources) == 0 {
		t.Errorf("the last plan (%v, edited %v): %+v", err, edited, list)
	}
	const why = "Alliance Management: Globex has another name (it changed partners[globex].name)"
	if !slices.ContainsFunc(list.TrackSource.ChangeLog, func(c plan.Change) bool {
		return c.Subject == "contract" && strings.HasPrefix(c.After, "revision 2 ") && c.Why == why
	}) {
		t.Errorf("the last plan does not tell why the contract changed: %+v", list.TrackSource.ChangeLog)
	}
	const remapped = "Marketing Operations: forms of their own"
	if !slices.ContainsFunc(list.TrackSource.ChangeLog, func(c plan.Change) bool {
		return c.Subject == "data_source" && c.Key == "analytics.acme" && c.Before == "native shapes" && strings.HasPrefix(c.After, "mapping revision 1 ") && c.Why == remapped
	}) {
		t.Errorf("the last plan does not tell why a feed is read otherwise: %+v", list.TrackSource.ChangeLog)
	}
	if out := does(t, "plan", "changes", "--plan-dir", plans, "--campaign", later.Campaign); !strings.Contains(out, why) || !strings.Contains(out, remapped) {
		t.Errorf("the changes of plans are\n%s", out)
	}
	if out := does(t, append([]string{"contract", "show", "--campaign", later.Campaign}, at...)...); !strings.Contains(out, "Alliance Management: Globex has another name") || !strings.Contains(out, "Alliance Management: the campaign's first agreement") {
		t.Errorf("the contract is\n%s", out)
	}
}

// remap puts a mapping in force that takes none of the sample's events, so that no figure
// changes. What is decided behind it is known no earlier.
func (d demoing) remap(t *testing.T, at []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "forms.yaml")
	if err := os.WriteFile(file, []byte(ownMapping), 0o600); err != nil {
		t.Fatal(err)
	}
	does(t, append([]string{"mapping", "apply", file, "--replay=false", "--by", "Marketing Operations", "--why", "forms of their own"}, at...)...)
}

// revise puts the next revision of the contract in force.
func (d demoing) revise(t *testing.T, p *report.Package, at []string) {
	t.Helper()
	document := does(t, append([]string{"contract", "show", "--campaign", p.Campaign, "--document"}, at...)...)
	file := filepath.Join(t.TempDir(), "renamed.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(document, "name: Globex,", "name: Globex Corporation,", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	does(t, append([]string{"contract", "apply", file, "--previous", "1", "--by", "Alliance Management", "--why", "Globex has another name"}, at...)...)
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		var a answer.ContractsAnswer
		if d.ask(t, "contracts", &a); len(a.Contracts) > 0 && a.Contracts[0].Revision == 2 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the reporter does not know the next revision")
		}
	}
}

// settled makes a package when the line is at rest: between two with the same figures it
// asks the API for the totals.
func (d demoing) settled(t *testing.T, args []string, out string) (told toldPackage, p *report.Package, totals map[string]string) {
	t.Helper()
	pull := func(out string) bool {
		var text, errOut bytes.Buffer
		if code := run(t.Context(), append(args, "--out", out, "--reporter", d.page), &text, &errOut); code != exitOK {
			t.Log(errOut.String()) // there is no contract yet
			return false
		}
		var err error
		if p, err = readPackage(out); err == nil {
			err = json.Unmarshal(text.Bytes(), &told)
		}
		if err != nil {
			t.Fatal(err)
		}
		return len(p.Table("contributions").Rows) > 0 && p.Observed.BehindSeconds == 0
	}
	figures := func() string { return mustJSON(t, []any{p.Table("contributions"), p.Table("disputes")}) }
	for end := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		if pull(filepath.Join(t.TempDir(), "before")) {
			before := figures()
			totals = d.totals(t, "campaign="+p.Campaign+"&view=as_known&from="+p.Question.From+"&to="+p.Question.To)
			if pull(out) && figures() == before {
				return told, p, totals
			}
			if err := os.RemoveAll(out); err != nil {
				t.Fatal(err)
			}
		}
		if time.Now().After(end) {
			t.Fatal("the figures do not come to rest")
		}
	}
}

func readPackage(dir string) (*report.Package, error) {
	text, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil {
		return nil, err
	}
	p := new(report.Package)
	return p, json.Unmarshal(text, p)
}

// resum adds the file of contributions up.
func resum(t *testing.T, dir string, totals map[string]string) {
	t.Helper()
	lines, err := csv.NewReader(strings.NewReader(readText(t, filepath.Join(dir, "tables", "contributions.csv")))).ReadAll()
	if err != nil || len(lines) < 3 {
		t.Fatalf("contributions.csv has %d lines, %v", len(lines), err)
	}
	for _, measure := range []string{"pipeline_created", "pipeline_open", "revenue", "opportunities", "won"} {
		at := slices.Index(lines[0], measure)
		if at < 0 {
			t.Errorf("contributions.csv has no %s: %q", measure, lines[0])
			continue
		}
		var sum report.Value
		for _, line := range lines[1:] {
			v, err := report.ParseValue(line[at])
			if err != nil {
				t.Fatal(err)
			}
			sum = sum.Add(v)
		}
		if want, err := report.ParseValue(totals[measure]); err != nil || sum.Cmp(want) != 0 {
			t.Errorf("%s of contributions.csv sums to %s, and the API says %q", measure, sum.Text(0), totals[measure])
		}
	}
}

// change has a partner's CRM say another amount of a deal, and waits until the book has it.
func (d demoing) change(t *testing.T, p *report.Package, at []string) {
	t.Helper()
	query := "campaign=" + p.Campaign + "&window=all"
	before := d.totals(t, query)["pipeline_created"]
	id := regexp.MustCompile(`acme/salesforce/opportunity/(\w+)`).FindStringSubmatch(mustJSON(t, p))
	if id == nil {
		t.Fatal("the package has no deal of acme")
	}
	export := filepath.Join(t.TempDir(), "opps.csv")
	row := "Id,Amount,LastModifiedDate\n" + id[1] + ",987654.32," + time.Now().UTC().Format(time.RFC3339) + "\n"
	if err := os.WriteFile(export, []byte(row), 0o600); err != nil {
		t.Fatal(err)
	}
	does(t, "send", "--feed", "crm.acme", "--type", "Opportunity", export, "--bootstrap-servers", d.brokers)
	for end := time.Now().Add(patience); d.totals(t, query)["pipeline_created"] == before; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("pipeline is %s still", before)
		}
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sameFiles compares two directories, byte for byte.
func sameFiles(t *testing.T, first, again string) {
	t.Helper()
	read := func(dir string) map[string]string {
		files := map[string]string{}
		err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				files[name] = readText(t, filepath.Join(dir, name))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	was, is := read(first), read(again)
	for name, text := range was {
		if is[name] != text {
			t.Errorf("%s came out otherwise", name)
		}
	}
	if len(was) != len(is) {
		t.Errorf("%d files, and %d again", len(was), len(is))
	}
}

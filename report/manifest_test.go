package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"tracksource/report"
)

func packaged(t interface{ Fatal(...any) }, pkg fstest.MapFS) {
	m, err := report.NewManifest(report.Manifest{
		Campaign: "ai-launch-tour", Title: "March", Window: "2026-03", AsOf: time.Date(2026, 4, 2, 6, 0, 0, 0, time.UTC), Revision: 3, Contract: strings.Repeat("ab", 32),
	}, pkg)
	if err != nil {
		t.Fatal(err)
	}
	text, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	pkg[report.ManifestName] = &fstest.MapFile{Data: text}
}

func packageOfMarch() fstest.MapFS {
	return fstest.MapFS{
		"report.csv":         {Data: []byte("partner,value\nacme,10.00\n")},
		"deals/acme.csv":     {Data: []byte("deal\n1\n")},
		"deals/globex.csv":   {},
		"deals-by-month.csv": {Data: []byte("x")}, // before deals/ as a name, behind it as a directory
	}
}

// TestManifestCounts: a manifest from before feeds had counts is read, its feeds have none
// rather than zeros, and it is written again as the bytes that were signed. One with
// counts keeps them.
func TestManifestCounts(t *testing.T) {
	feed := `{"feed":"crm","partner":"acme","topic":"raw","records":9,"offsets":[9],"newest":null,"age_seconds":-1,"limit_seconds":60,"fresh":false,"completeness":"","complete":true,"dead_letters":0%s}`
	counts := `,"counts":{"accepted":8,"duplicates":1,"late":0,"suppressed":0,"unmatchable":0,"touches":4,"unmatched":1}`
	for _, c := range []struct{ name, counts, rate string }{{"without", "", ""}, {"with", counts, "0.7500"}} {
		var signed bytes.Buffer
		err := json.Indent(&signed, []byte(`{"version":2,"campaign":"tour","title":"March","window":"30d","as_of":"2026-04-02T06:00:00Z","revision":3,"contract":"`+strings.Repeat("ab", 32)+
			`","made":{"question":{"window":"30d","from":"","to":"","detail":"full","dimensions":["partner"],"model":"linear","model_name":"Linear","view":"as_known"},"positions":{"t":[1]},"made_for":"","formats":["json"],"observed":{"behind_seconds":0,"behind_why":"","feeds":[`+
			fmt.Sprintf(feed, c.counts)+`]}},"files":[{"name":"package.json","sha256":"`+strings.Repeat("cd", 32)+`","bytes":1}]}`), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		signed.WriteByte('\n')
		m, _, err := report.ParseManifest(signed.Bytes())
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if rate, known := m.Made.Observed.Feeds[0].MatchRate(); rate != c.rate || known != (c.rate != "") {
			t.Errorf("%s: the match rate is %q, known %v; want %q", c.name, rate, known, c.rate)
		}
		if again, err := m.Encode(); err != nil || !bytes.Equal(again, signed.Bytes()) {
			t.Errorf("%s: written again (%v) it is\n%s\nwant\n%s", c.name, err, again, &signed)
		}
	}
}

// TestManifest: what was packaged is verified, its hash is that of the manifest's
// bytes, and every kind of change is named.
func TestManifest(t *testing.T) {
	tests := []struct {
		name   string
		change func(fstest.MapFS)
		says   string
	}{
		{"as it was", func(fstest.MapFS) {}, ""},
		{"changed", func(p fstest.MapFS) { p["report.csv"].Data = []byte("partner,value\nacme,10.01\n") }, "manifest says; changed: report.csv"},
		{"missing", func(p fstest.MapFS) { delete(p, "deals/globex.csv") }, "missing: deals/globex.csv"},
		{"added", func(p fstest.MapFS) { p["deals/blue.csv"] = &fstest.MapFile{} }, "not in the manifest: deals/blue.csv"},
		{"renamed", func(p fstest.MapFS) { p["r.csv"] = p["report.csv"]; delete(p, "report.csv") }, "missing: report.csv; not in the manifest: r.csv"},
		{"many", func(p fstest.MapFS) {
			for i := range 7 {
				p[fmt.Sprint("x", i)] = &fstest.MapFile{}
			}
		}, "x4 and 2 more"},
		{"link", func(p fstest.MapFS) { p["report.csv"].Mode = fs.ModeSymlink }, "no plain file"},
		{"without", func(p fstest.MapFS) { delete(p, report.ManifestName) }, "manifest.json"},
		{"no json", func(p fstest.MapFS) { p[report.ManifestName].Data = []byte("{") }, "cannot be read"},
		{"surplus", func(p fstest.MapFS) { p[report.ManifestName].Data = append(p[report.ManifestName].Data, '{') }, "something is behind it"},
		{"unknown member", edited(`"version": 1`, `"version": 1, "hidden": true`), "unknown field"},
		{"version of what is not told", edited(`"version": 1`, `"version": 2`), "made says how"},
		{"version", edited(`"version": 1`, `"version": 3`), "version 3 is not known"},
		{"no campaign", edited(`"ai-launch-tour"`, `""`), "say what the package is of"},
		{"long", edited(`"March"`, `"`+strings.Repeat("M", 201)+`"`), "at most 200 bytes"},
		{"outside", edited("deals/acme.csv", "../acme.csv"), "no file of a package"},
		{"itself", edited("report.csv", "manifest.json"), "no file of a package"},
		{"twice", edited("deals/globex.csv", "deals/acme.csv"), "each once"},
		{"hash", edited(`"sha256": "`, `"sha256": "A`), "no hash and size"},
		{"huge", func(p fstest.MapFS) { p[report.ManifestName].Data = make([]byte, 5<<20) }, "more than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pkg := packageOfMarch()
			packaged(t, pkg)
			tt.change(pkg)
			m, hash, err := report.ReadManifest(pkg)
			if tt.says != "" {
				if err == nil || !strings.Contains(err.Error(), tt.says) || hash != "" {
					t.Errorf("ReadManifest() = %s, %v, want %q", hash, err, tt.says)
				}
				return
			}
			sum := sha256.Sum256(pkg[report.ManifestName].Data)
			if err != nil || hash != hex.EncodeToString(sum[:]) || m.Title != "March" || len(m.Files) != 4 || m.Files[0].Name != "deals-by-month.csv" {
				t.Errorf("ReadManifest() = %+v, %s, %v", m, hash, err)
			}
		})
	}
}

// edited replaces a text in the manifest.
func edited(was, is string) func(fstest.MapFS) {
	return func(p fstest.MapFS) {
		f := p[report.ManifestName]
		f.Data = []byte(strings.Replace(string(f.Data), was, is, 1))
	}
}

// TestManifestMade: what a package can be made again from is read as it was written, and
// a part of it is none.
func TestManifestMade(t *testing.T) {
	for _, tt := range []struct{ was, is, says string }{
		{"", "", ""},
		{`"version": 2`, `"version": 1`, "made says how"},
		{`"window": "30d"`, `"window": ""`, "no window, model"},
		{`"window": "30d"`, `"window": "custom"`, "no days"},
		{`"model": "linear"`, `"model": ""`, "no window, model"},
		{`"detail": "full"`, `"detail": "some"`, "no window, model"},
		{`"partner"`, `"partner", "x"`, ""},
		{`"html"`, ``, "no formats"},
		{`"rows"`, `""`, "has no positions"},
		{`7`, `-7`, "has no positions"},
		{`"made_for": "acme"`, `"made_for": "acme", "made_by": "x"`, "unknown field"},
	} {
		pkg := packageOfMarch()
		made := report.Made{
			Question:  report.PackageQuestion{Window: "30d", Detail: report.Full, Dimensions: []string{"partner"}, Model: "linear", View: report.AsKnown},
			Positions: map[string][]int64{"rows": {7}}, MadeFor: "acme", Formats: []string{"html"}, Observed: report.Observed{BehindSeconds: 3},
		}
		m, err := report.NewManifest(report.Manifest{Campaign: "ai-launch-tour", Title: "M", AsOf: time.Date(2026, 4, 2, 6, 0, 0, 0, time.UTC), Made: &made}, pkg)
		if err != nil {
			t.Fatal(err)
		}
		text, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := report.ParseManifest([]byte(strings.Replace(string(text), tt.was, tt.is, 1)))
		if tt.says != "" {
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s for %s: %v, want %q", tt.is, tt.was, err, tt.says)
			}
		} else if err != nil || got.Made.Positions["rows"][0] != 7 || got.Made.Observed.BehindSeconds != 3 {
			t.Errorf("%s for %s: %+v, %v", tt.is, tt.was, got.Made, err)
		}
	}
}

// FuzzParseManifest: any bytes are a manifest or an error, and a manifest is written as
// it was read.
func FuzzParseManifest(f *testing.F) {
	f.Add([]byte("{}"))
	f.Add([]byte(`{"version":1,"campaign":"c","title":"t","window":"","as_of":"2026-04-02T06:00:00Z","revision":1,"contract":"","files":[{"name":"a","sha256":"` + strings.Repeat("ab", 32) + `","bytes":1}]}`))
	f.Add([]byte(`{"version":2,"campaign":"c","title":"t","as_of":"2026-04-02T06:00:00Z","made":{"question":{"window":"all","detail":"full","dimensions":["partner"],"model":"linear","view":"restated"},` +
		`"positions":{"rows":[1]},"formats":["json"],"observed":{"feeds":[{"feed":"crm"}]}},"files":[{"name":"a","sha256":"` + strings.Repeat("ab", 32) + `","bytes":1}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, _, err := report.ParseManifest(text)
		if err != nil {
			return
		}
		written, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := report.ParseManifest(written)
		if err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		if second, err := again.Encode(); err != nil || string(second) != string(written) {
			t.Fatalf("%s\nbecomes\n%s (%v)", written, second, err)
		}
	})
}

// TestManifestFindsAll: of any two packages exactly those differences are found that
// there are.
func TestManifestFindsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) map[string]string {
			return rapid.MapOfN(rapid.SampledFrom([]string{"a", "a-b", "a/b", "a/c/d", "b"}), rapid.SampledFrom([]string{"", "1", "2"}), 1, 4).Draw(t, label)
		}
		was, is := draw("was"), draw("is")
		for name := range was { // a name is a file or a directory
			for other := range is {
				if strings.HasPrefix(name, other+"/") || strings.HasPrefix(other, name+"/") {
					t.Skip()
				}
			}
		}
		build := func(files map[string]string) fstest.MapFS {
			pkg := fstest.MapFS{}
			for name, data := range files {
				for other := range files {
					if strings.HasPrefix(name, other+"/") {
						t.Skip()
					}
				}
				pkg[name] = &fstest.MapFile{Data: []byte(data)}
			}
			return pkg
		}
		first, second := build(was), build(is)
		packaged(t, first)
		second[report.ManifestName] = first[report.ManifestName]
		_, _, err := report.ReadManifest(second)
		found := map[string]string{}
		if e := (*report.ManifestError)(nil); errors.As(err, &e) {
			for what, names := range map[string][]string{"changed": e.Changed, "missing": e.Missing, "added": e.Added} {
				for _, n := range names {
					found[n] = what
				}
			}
		} else if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{}
		for name, data := range was {
			if now, there := is[name]; !there {
				want[name] = "missing"
			} else if now != data {
				want[name] = "changed"
			}
		}
		for name := range is {
			if _, known := was[name]; !known {
				want[name] = "added"
			}
		}
		if !maps.Equal(found, want) {
			t.Fatalf("found %v, want %v", found, want)
		}
	})
}

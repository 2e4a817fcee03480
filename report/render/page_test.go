package render_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"tracksource/report"
	"tracksource/report/render"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// sample is a package with something of everything.
func sample(t testing.TB) *report.Package {
	t.Helper()
	b, err := os.ReadFile("testdata/package.json")
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	p := new(report.Package)
	if err := d.Decode(p); err != nil {
		t.Fatal(err)
	}
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	return p
}

// written is the files of a package.
func written(t testing.TB, p *report.Package, formats ...render.Format) map[string]string {
	t.Helper()
	files := map[string]*closing{}
	if err := render.Files(p, formats, func(name string) (io.WriteCloser, error) {
		files[name] = new(closing)
		return files[name], nil
	}); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for name, f := range files {
		out[name] = f.String()
	}
	return out
}

type closing struct{ bytes.Buffer }

func (*closing) Close() error { return nil }

// TestPages holds what the pages of the sample say against the files in testdata.
func TestPages(t *testing.T) {
	for name, got := range written(t, sample(t), render.HTML, render.Markdown) {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is not what it was; -update rewrites it", name)
		}
	}
}

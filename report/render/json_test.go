package render_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tracksource/report"
	"tracksource/report/render"
)

// kept is a file in memory.
type kept struct{ bytes.Buffer }

func (*kept) Close() error { return nil }

func packageJSON(t interface{ Fatal(...any) }, p *report.Package) string {
	var file kept
	err := render.Files(p, []render.Format{render.JSON}, func(string) (io.WriteCloser, error) { return &file, nil })
	if err != nil {
		t.Fatal(err)
	}
	return file.String()
}

// TestJSONIsThePackage: what is written row by row is the package, whatever is in it.
func TestJSONIsThePackage(t *testing.T) {
	texts := rapid.SampledFrom([]string{"", "tables", "\n  \"tables\": null", "\n      \"rows\": null", "</script>", "Ä\u2028\x00", "\xff", `"`, "12.50"})
	rapid.Check(t, func(t *rapid.T) {
		table := rapid.Custom(func(t *rapid.T) report.Table {
			return report.Table{
				ID: texts.Draw(t, "id"), Note: texts.Draw(t, "note"), Columns: []report.Column{{ID: texts.Draw(t, "column")}},
				Rows:    rapid.OneOf(rapid.Just([][]string(nil)), rapid.SliceOfN(rapid.SliceOfN(texts, 0, 3), 0, 4)).Draw(t, "rows"),
				LeftOut: rapid.IntRange(0, 3).Draw(t, "left out"),
			}
		})
		p := &report.Package{
			Name: texts.Draw(t, "name"), Headline: texts.Draw(t, "headline"), Method: []report.Note{{Title: texts.Draw(t, "title"), Text: texts.Draw(t, "text")}},
			Tables: rapid.OneOf(rapid.Just([]report.Table(nil)), rapid.SliceOfN(table, 0, 3)).Draw(t, "tables"),
		}
		var got, want bytes.Buffer
		if err := json.Compact(&got, []byte(packageJSON(t, p))); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Compact(&want, text); err != nil {
			t.Fatal(err)
		}
		if got.String() != want.String() {
			t.Fatalf("got %s, want %s", &got, &want)
		}
	})
}

// TestJSONLines: a row is a line, so that two packages are compared line by line.
func TestJSONLines(t *testing.T) {
	p := &report.Package{Tables: []report.Table{
		{ID: "a", Columns: []report.Column{{ID: "x", Kind: report.TextColumn}}, Rows: [][]string{{"1", "2"}, {"3"}}}, {ID: "b", Rows: [][]string{}},
	}}
	const want = `  "tables": [
    {
      "id": "a",
      "title": "",
      "note": "",
      "columns": [
        {
          "id": "x",
          "title": "",
          "kind": "text",
          "currency": ""
        }
      ],
      "rows": [
        ["1","2"],
        ["3"]
      ],
      "left_out": 0
    },
    {
      "id": "b",
      "title": "",
      "note": "",
      "columns": null,
      "rows": [],
      "left_out": 0
    }
  ],
  "method": null,
`
	if got := packageJSON(t, p); !strings.Contains(got, want) || !strings.HasPrefix(got, "{\n  \"version\"") || !strings.HasSuffix(got, "}\n") {
		t.Errorf("got\n%s\nwant in it\n%s", got, want)
	}
}

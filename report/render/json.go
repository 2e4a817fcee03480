package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"tracksource/report"
)

// writeJSON writes the package as indented JSON, a row of a table on each line. Rows are
// written one by one: a package of many deals fits in memory once, not once more as text.
func writeJSON(w io.Writer, p *report.Package) error {
	all := *p
	all.Tables = nil
	before, after, err := around(&all, "  ", "tables")
	if err != nil {
		return err
	}
	out := &textWriter{w: w}
	out.put(before)
	if p.Tables == nil {
		out.put("null")
	} else {
		out.put("[")
		for i := range p.Tables {
			out.put(map[bool]string{true: "\n    ", false: ",\n    "}[i == 0])
			if err := out.table(&p.Tables[i]); err != nil {
				return fmt.Errorf("table %s: %w", p.Tables[i].ID, err)
			}
		}
		out.put("\n  ]")
	}
	out.put(after)
	out.put("\n")
	return out.err
}

// around is v as JSON in two parts, in front of the value of a member that is null and
// behind it. Lines but the first begin with the prefix, less one indentation.
func around(v any, prefix, member string) (before, after string, err error) {
	text, err := json.MarshalIndent(v, prefix[2:], "  ")
	if err != nil {
		return "", "", err
	}
	// No text of the value looks so: in JSON the ends of lines in it are escaped.
	name := []byte("\n" + prefix + `"` + member + `": `)
	at := bytes.Index(text, append(name, "null"...))
	if at < 0 {
		return "", "", fmt.Errorf("there is no %s that is null", member)
	}
	at += len(name)
	return string(text[:at]), string(text[at+len("null"):]), nil
}

// textWriter writes until there is an error.
type textWriter struct {
	w   io.Writer
	err error
}

func (t *textWriter) put(text string) {
	if t.err == nil {
		_, t.err = io.WriteString(t.w, text)
	}
}

func (t *textWriter) table(of *report.Table) error {
	about := *of
	about.Rows = nil
	before, after, err := around(&about, "      ", "rows")
	if err != nil {
		return err
	}
	t.put(before)
	switch {
	case of.Rows == nil:
		t.put("null")
	case len(of.Rows) == 0:
		t.put("[]")
	default:
		for i, row := range of.Rows {
			text, err := json.Marshal(row)
			if err != nil {
				return err
			}
			t.put(map[bool]string{true: "[\n        ", false: ",\n        "}[i == 0])
			t.put(string(text))
		}
		t.put("\n      ]")
	}
	t.put(after)
	return nil
}

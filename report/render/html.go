package render

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"time"

	"tracksource/report"
)

//go:embed assets
var assets embed.FS

// page is what a template is filled with.
type page struct {
	Style    template.CSS
	Policy   string
	Kind     string
	Story    *story
	Exhibits []*exhibit
	Rest     []*grid
	Empty    string // tables without rows
	Cards    []card
	Feeds    []*exhibit
}

// writeHTML writes the pages of a package.
func writeHTML(p *report.Package, create Create) error {
	t, err := template.New("").Funcs(template.FuncMap{"pieces": pieces}).ParseFS(assets, "assets/*.html")
	if err != nil {
		return err
	}
	css, err := assets.ReadFile("assets/page.css")
	if err != nil {
		return err
	}
	for _, name := range []string{"snapshot", "summary", "packet"} {
		if err := file(create, name+".html", func(w io.Writer) error { return writePage(w, p, name, t, css) }); err != nil {
			return err
		}
	}
	return nil
}

// writePage writes a page with the template of that name. The page asks nobody for
// anything: its policy allows the style that is in it, by its hash, and nothing else, so
// that even a name that got past the escaping could neither run nor call home.
func writePage(w io.Writer, p *report.Package, name string, t *template.Template, css []byte) error {
	sum := sha256.Sum256(css)
	pg := page{
		Style:  template.CSS(css), //nolint:gosec // it is ours
		Policy: fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; img-src data:; base-uri 'none'; form-action 'none'", base64.StdEncoding.EncodeToString(sum[:])),
		Kind:   name,
		Story:  tell(p),
	}
	switch name {
	case "snapshot":
		h := newHall(p)
		pg.Exhibits = h.exhibits()
		pg.Rest, pg.Empty = h.rest()
	case "summary":
		pg.Story = pg.Story.short()
	case "packet":
		h := newHall(p)
		h.feeds()
		pg.Cards, pg.Feeds = drillCards(p), h.shown
	}
	var b bytes.Buffer // a page is written whole or not at all
	if err := t.ExecuteTemplate(&b, name+".html", &pg); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// piece is a part of a sentence: text, or a day, which is not broken into lines.
type piece struct {
	Text string
	Day  bool
}

// pieces takes a sentence apart at its days.
func pieces(sentence string) []piece {
	var out []piece
	at := 0
	for i := 0; i+dayLen <= len(sentence); i++ {
		if _, err := time.Parse(time.DateOnly, sentence[i:i+dayLen]); err != nil {
			continue
		}
		if i > at {
			out = append(out, piece{Text: sentence[at:i]})
		}
		out = append(out, piece{sentence[i : i+dayLen], true})
		at = i + dayLen
		i = at - 1
	}
	if at < len(sentence) {
		out = append(out, piece{Text: sentence[at:]})
	}
	return out
}

// dayLen are the bytes of a day as it is written.
const dayLen = len(time.DateOnly)

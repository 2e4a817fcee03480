package render

import (
	"bytes"
	"io"
	"strings"

	"tracksource/report"
)

// writeSummaryMarkdown writes the executive summary: a page.
func writeSummaryMarkdown(w io.Writer, p *report.Package) error {
	var m markdown
	s := tell(p).short()
	m.title(s, s.Title)
	m.keyFigures(s)
	m.findings("Risks", s.Risks)
	m.more(s.More.Risks)
	m.findings("Opportunities", s.Opportunities)
	m.more(s.More.Opportunities)
	m.decisions(s)
	m.actions(s)
	_, err := w.Write(m.Bytes())
	return err
}

// writePacketMarkdown writes the weekly packet.
func writePacketMarkdown(w io.Writer, p *report.Package) error {
	var m markdown
	s := tell(p)
	m.title(s, "Weekly packet: "+s.Name)
	m.keyFigures(s)
	m.findings("Drivers", s.Drivers)
	m.decisions(s)
	m.actions(s)
	m.heading(2, "Appendix")
	for _, c := range drillCards(p) {
		m.heading(3, c.Title)
		for _, g := range c.Grids {
			m.grid(g)
		}
	}
	h := newHall(p)
	h.feeds()
	for _, e := range h.shown {
		m.heading(3, e.Title)
		for _, g := range e.Grids {
			m.grid(g)
		}
	}
	if len(s.Method) > 0 {
		m.heading(3, "Methodology")
		for _, n := range s.Method {
			m.block("- " + strong(n.Name) + ": " + mark(n.Text))
		}
		m.WriteByte('\n')
	}
	_, err := w.Write(m.Bytes())
	return err
}

// markdown is a text in the dialect of GitHub, which is CommonMark with tables.
type markdown struct{ bytes.Buffer }

// block writes a line.
func (m *markdown) block(line string) {
	m.WriteString(line)
	m.WriteByte('\n')
}

func (m *markdown) heading(level int, text string) {
	m.block(strings.Repeat("#", level) + " " + mark(text) + "\n")
}

// title writes all that stands above the figures.
func (m *markdown) title(s *story, title string) {
	m.heading(1, title)
	if s.Partners != "" {
		m.block(mark(s.Partners) + "\n")
	}
	var about []string
	for _, a := range s.About {
		if a.Text != "" {
			about = append(about, mark(a.Name)+": "+mark(a.Text))
		}
	}
	m.block(strings.Join(about, " · ") + "\n")
	for _, w := range s.Warnings {
		m.block("> " + strong(w.Name) + ": " + mark(w.Text) + "\n")
	}
	if s.Headline != "" {
		m.block(strong(s.Headline) + "\n")
	}
}

func (m *markdown) keyFigures(s *story) {
	if len(s.Tiles) == 0 {
		return
	}
	m.heading(2, "Key figures")
	m.row("Figure", "Value", "Light", "Against target", "Before", "Why")
	m.block("|---|---:|---|---|---:|---|")
	for i := range s.Tiles {
		t := &s.Tiles[i]
		before := t.Before
		if t.Change != "" {
			before += " (" + t.Change + ")"
		}
		of := t.Of
		if t.Expected != "" {
			of += ", " + t.Expected
		}
		m.row(t.Title, t.Value(), t.Word, of, before, t.Why)
	}
	m.WriteByte('\n')
}

func (m *markdown) findings(title string, list []finding) {
	m.heading(2, title)
	if len(list) == 0 {
		m.block("None.\n")
		return
	}
	for _, f := range list {
		line := "- " + mark(f.Text)
		if len(f.Evidence) > 0 {
			line += " (" + mark(pairs(f.Evidence)) + ")"
		}
		m.block(line)
	}
	m.WriteByte('\n')
}

// more says how many are left to the packet.
func (m *markdown) more(n int) {
	if n > 0 {
		m.block(count(int64(n)) + " more in the weekly packet.\n")
	}
}

// pairs are pairs in a sentence.
func pairs(list []pair) string {
	var out []string
	for _, e := range list {
		out = append(out, strings.TrimSpace(e.Name+" "+e.Text))
	}
	return strings.Join(out, "; ")
}

func (m *markdown) decisions(s *story) {
	m.heading(2, "Required decisions")
	if len(s.Decisions) == 0 {
		m.block("None.\n")
		return
	}
	m.row("Decision", "Owner", "Due", "Why")
	m.block("|---|---|---|---|")
	for _, d := range s.Decisions {
		m.row(d.Text, d.Owner, d.Due, d.Why)
	}
	m.WriteByte('\n')
	m.more(s.More.Decisions)
}

func (m *markdown) actions(s *story) {
	m.heading(2, "Action register")
	if len(s.Actions) == 0 {
		m.block("None.\n")
		return
	}
	m.row("Action", "Expected effect", "Evidence", "Owner", "Due", "Status")
	m.block("|---|---|---|---|---|---|")
	for _, a := range s.Actions {
		m.row(a.Text, a.Effect, pairs(a.Evidence), a.Owner, a.Due, a.Status)
	}
	m.WriteByte('\n')
	m.more(s.More.Actions)
}

// grid writes a table.
func (m *markdown) grid(g *grid) {
	if g.Caption != "" {
		m.block(strong(g.Caption) + "\n")
	}
	if g.Note != "" {
		m.block(mark(g.Note) + "\n")
	}
	var names []string
	rule := "|"
	for _, h := range g.Head {
		names = append(names, h.Text)
		if h.Num {
			rule += "---:|"
		} else {
			rule += "---|"
		}
	}
	m.row(names...)
	m.block(rule)
	for _, r := range g.Rows {
		var texts []string
		for _, c := range r {
			texts = append(texts, c.Text)
		}
		m.row(texts...)
	}
	m.WriteByte('\n')
	if g.More != "" {
		m.block(mark(g.More) + "\n")
	}
}

// row writes a row of a table.
func (m *markdown) row(cells ...string) {
	m.WriteByte('|')
	for _, c := range cells {
		m.WriteString(" " + mark(c) + " |")
	}
	m.WriteByte('\n')
}

func strong(text string) string {
	if text == "" {
		return ""
	}
	return "**" + mark(text) + "**"
}

// mark keeps text text: whatever means something in CommonMark, in its tables or to a
// site that makes links and formulas of text is escaped. A pipe is written as an entity,
// since not every reader of tables heeds a backslash before it.
func mark(text string) string {
	var b strings.Builder
	runes := []rune(text)
	for i, r := range runes {
		escape := strings.ContainsRune("\\`*_{}[]<>#~&$@", r)
		switch {
		case r == '|':
			b.WriteString("&#124;")
			continue
		case r == ':' && i+1 < len(runes) && runes[i+1] == '/':
			escape = true
		case r == '.' && i >= 3 && strings.EqualFold(string(runes[i-3:i]), "www"):
			escape = true
		case strings.ContainsRune("-+=", r) && i == 0:
			escape = true
		case (r == '.' || r == ')') && allDigits(runes[:i]) && (i+1 == len(runes) || runes[i+1] == ' '):
			escape = true
		}
		if escape {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// allDigits reports whether a list number may stand there.
func allDigits(runes []rune) bool {
	for _, r := range runes {
		if r < '0' || r > '9' {
			return false
		}
	}
	return len(runes) > 0
}

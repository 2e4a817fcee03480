package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tracksource/internal/plans"
	"tracksource/report"
)

// packageLines is how many lines of a table the terminal shows; files have all.
const packageLines = 15

// toldPackage is what --json prints.
type toldPackage struct {
	Status   string    `json:"status"` // planned, completed or failed
	Plan     string    `json:"plan"`
	Campaign string    `json:"campaign"`
	AsOf     time.Time `json:"as_of,omitzero"`
	Out      string    `json:"out"`
	Manifest string    `json:"manifest"` // the hash that partners sign
	Files    []string  `json:"files"`
	// There says that the directory held this very package already, Differ which files
	// of a package made again came out otherwise: workbooks, equal in content.
	There    bool     `json:"there"`
	Differ   []string `json:"differ"`
	Headline string   `json:"headline"`
	Empty    string   `json:"empty"` // why there is nothing to report
	Error    string   `json:"error"`
}

// write prints what became of a package for machines.
func (t toldPackage) write(w io.Writer) error {
	if t.Files == nil {
		t.Files = []string{}
	}
	if t.Differ == nil {
		t.Differ = []string{}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(t)
}

// tell prints what there is to see of the package, and opens its page.
func (f *reportFlags) tell(ctx context.Context, run *plans.Run, p *report.Package, m *madePackage) error {
	var err error
	if f.json {
		told := toldPackage{
			Status: string(run.Plan().Status), Plan: run.Path(), Campaign: p.Campaign, AsOf: p.AsOf.Time, Out: m.dir, Manifest: m.hash, There: m.there,
			Differ: m.differ, Headline: p.Headline, Empty: p.Empty,
		}
		for _, file := range m.files {
			told.Files = append(told.Files, file.Name)
		}
		err = told.write(f.stdout)
	} else {
		_, err = io.WriteString(f.stdout, packageText(run.Path(), p, m))
	}
	if err == nil && f.open {
		err = openPage(ctx, m)
	}
	return err
}

// tellPlan says where a plan is that is for review.
func (f *reportFlags) tellPlan(run *plans.Run) error {
	p := run.Plan()
	if f.json {
		return toldPackage{Status: string(p.Status), Plan: run.Path(), Campaign: p.TrackSource.Question.Campaign}.write(f.stdout)
	}
	_, err := fmt.Fprintf(f.stdout, "%s\nplanned in %s: no data was pulled; read it, then run the same without --plan-only\n", printable(p.Objective), shortPath(run.Path()))
	return err
}

// tellFailure says what the plan knows of a failure, for machines, and to whom it is
// escalated. The error is that of the tool.
func (f *reportFlags) tellFailure(run *plans.Run, failed error) error {
	p := run.Plan()
	if f.json {
		told := toldPackage{Status: string(p.Status), Plan: run.Path(), Campaign: p.TrackSource.Question.Campaign, Error: failed.Error()}
		if err := told.write(f.stdout); err != nil {
			return errors.Join(failed, err)
		}
	}
	text := "the plan is " + shortPath(run.Path())
	if p.Escalated() {
		e := p.TrackSource.Escalations[len(p.TrackSource.Escalations)-1]
		text += ", which escalates this to " + cmp.Or(e.Owner, e.Rung) + " until " + e.Deadline.Format(time.RFC3339)
	}
	return fmt.Errorf("%w\n%s", failed, printable(text))
}

// packageText is the package on a terminal: the story, what it rests on, and what next.
func packageText(planned string, p *report.Package, m *madePackage) string {
	var b strings.Builder
	line := func(format string, values ...any) {
		for i, v := range values {
			if text, ok := v.(string); ok {
				values[i] = printable(text)
			}
		}
		fmt.Fprintf(&b, format+"\n", values...)
	}
	days := p.Question.Window
	if p.Question.From != "" {
		days = p.Question.From + " to " + p.Question.To
	}
	line("%s, %s, by %s", p.Name, days, p.Question.ModelName)
	line("as of %s, contract revision %d", p.AsOf.Time.UTC().Format(time.RFC3339), p.Revision)
	if o := p.Observed; o.BehindSeconds != 0 || o.BehindWhy != "" {
		if o.BehindSeconds < 0 {
			line("the reporter had not read everything yet: %s", o.BehindWhy)
		} else {
			line("these numbers were %s behind: %s", time.Duration(o.BehindSeconds)*time.Second, o.BehindWhy)
		}
	}
	if p.Withheld {
		line("what the contract's visibility withholds is left out")
	}
	if p.Empty != "" {
		line("\nnothing to report: %s", p.Empty)
	}
	if p.Headline != "" && p.Empty == "" {
		line("\n%s", p.Headline)
	}
	spineText(&b, p.Spine)
	tableText(&b, p.Table("contributions"), "pipeline_open", "lost")
	for _, id := range []string{report.TableTargets, report.TableTargetCounts} {
		if t := p.Table(id); t != nil {
			tableText(&b, t, left(t, "measure", "partner", "target", "expected", "reached", "status", "projected")...)
		}
	}
	if len(p.Decisions) > 0 {
		line("\nto decide")
		for _, d := range p.Decisions {
			due := ""
			if d.Due != "" {
				due = " until " + d.Due
			}
			line("  %s%s: %s", d.Owner, due, d.Text)
		}
	}
	line("\n%s in %s", many(fmt.Sprint(len(m.files)), "file"), shortPath(m.dir))
	if m.there {
		line("they were there already, the same")
	}
	if len(m.differ) > 0 {
		line("the same as before but for workbooks, whose content is compared and not their bytes: %s", strings.Join(m.differ, ", "))
	}
	line("manifest %s, plan %s", m.hash, shortPath(planned))
	if p.Empty != "" {
		line("next: ask for other days, such as --window campaign")
		return b.String()
	}
	line("next: read it, then let each partner sign it: track-source sign --package %s --as PARTNER --by OFFICE --why REASON", shortPath(m.dir))
	return b.String()
}

// spineText is the key figures, with lights as words.
func spineText(b *strings.Builder, spine []report.KPI) {
	if len(spine) == 0 {
		return
	}
	g := grid{right: map[int]bool{1: true, 2: true}}
	g.row("key figure", "value", "target", "light", "why")
	for _, k := range spine {
		g.row(k.Title, report.Shown(k.Kind, k.Value, k.Currency), report.Shown(k.Kind, k.Target, k.Currency), string(k.Light), k.Why)
	}
	b.WriteString("\n")
	g.write(b)
}

// left are the columns of a table but those named.
func left(t *report.Table, but ...string) []string {
	var out []string
	for _, c := range t.Columns {
		if !slices.Contains(but, c.ID) {
			out = append(out, c.ID)
		}
	}
	return out
}

// tableText is the beginning of a table without some of its columns, and nothing of one
// without rows: a terminal is narrow, and the files have all.
func tableText(b *strings.Builder, t *report.Table, without ...string) {
	if t == nil || len(t.Rows) == 0 {
		return
	}
	g := grid{right: map[int]bool{}}
	var titles []string
	currency := ""
	for _, c := range t.Columns {
		if slices.Contains(without, c.ID) {
			continue
		}
		g.right[len(titles)] = slices.Contains([]report.ColumnKind{report.MoneyColumn, report.CountColumn, report.RatioColumn, report.DaysColumn}, c.Kind)
		titles = append(titles, c.Title)
		if c.Currency != "" {
			currency = ", " + c.Currency
		}
	}
	g.row(titles...)
	for _, r := range t.Rows[:min(len(t.Rows), packageLines)] {
		var cells []string
		for i, c := range t.Columns {
			if !slices.Contains(without, c.ID) {
				cells = append(cells, strings.TrimPrefix(report.Shown(c.Kind, r[i], c.Currency), c.Currency+" ")) // the title has the currency
			}
		}
		g.row(cells...)
	}
	_, _ = fmt.Fprintf(b, "\n%s%s\n", printable(t.Title), printable(currency))
	g.write(b)
	if more := len(t.Rows) - packageLines + t.LeftOut; more > 0 {
		_, _ = fmt.Fprintf(b, "  and %d more in the files\n", more)
	}
}

// shortPath is a path from the working directory, where it is below that.
func shortPath(path string) string {
	wd, err := filepath.Abs(".")
	if err != nil {
		return path
	}
	short, err := filepath.Rel(wd, path)
	if err != nil || strings.HasPrefix(short, "..") {
		return path
	}
	return short
}

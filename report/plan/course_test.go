package plan_test

import (
	"slices"
	"strings"
	"testing"

	"tracksource/report"
	"tracksource/report/plan"
)

// TestMappingChanges: each revision of a feed's mapping that came since the last plan is a
// line with its own reason, as far as the package tells of them, and the plan names the
// one in force.
func TestMappingChanges(t *testing.T) {
	const (
		untold  = "the package does not tell why it was put in force"
		renamed = "Marketing Operations: the CRM's stages were renamed"
	)
	two := mapped("map.acme", 2, "Web Operations", "forms have more fields")
	three := mapped("map.acme", 3, "Marketing Operations", "the CRM's stages were renamed")
	without := func(pkg *report.Package) {
		pkg.Tables = slices.DeleteFunc(pkg.Tables, func(t report.Table) bool { return t.ID == "mappings" })
	}
	for _, tt := range []struct {
		name   string
		rows   [][]string
		change func(q *plan.Question, pkg *report.Package, last *plan.Plan)
		reads  string // what reads map.acme in the end
		want   []string
	}{
		{"none", [][]string{mapped("map.acme", 1, "", "")}, nil, "1", nil},
		{"one", [][]string{two, mapped("map.acme", 1, "", "")}, nil, "2", []string{"map.acme 1 -> 2: Web Operations: forms have more fields"}},
		{"two, the newest first", [][]string{three, two, mapped("map.acme", 1, "", "")}, nil, "3", []string{
			"map.acme 2 -> 3: " + renamed, "map.acme 1 -> 2: Web Operations: forms have more fields",
		}},
		{"from before there were reasons", [][]string{mapped("map.acme", 2, "", "")}, nil, "2", []string{"map.acme 1 -> 2: no reason was given"}},
		{"one is not told", [][]string{three}, nil, "3", []string{"map.acme 2 -> 3: " + renamed, "map.acme 1 -> 2: " + untold}},
		{"more than are listed", [][]string{mapped("map.acme", 9, "Web Operations", "x")}, nil, "9", []string{
			"map.acme 8 -> 9: Web Operations: x", "map.acme 1 -> 8: 7 revisions were put in force, and the package does not tell why",
		}},
		{"the first of a feed", [][]string{mapped("map.acme", 1, "", ""), mapped("crm.acme", 1, "Sales Operations", "a schema of their own")}, nil, "1", []string{
			"crm.acme native shapes -> 1: Sales Operations: a schema of their own",
		}},
		{"an end", [][]string{unmapped("map.acme", 2, "Web Operations", "the native shapes do")}, nil, "native shapes, by 2", []string{
			"map.acme 1 -> native shapes, by 2: Web Operations: the native shapes do",
		}},
		{"an end, and another beginning", [][]string{three, unmapped("map.acme", 2, "Web Operations", "the native shapes do")}, nil, "3", []string{
			"map.acme native shapes, by 2 -> 3: " + renamed, "map.acme 1 -> native shapes, by 2: Web Operations: the native shapes do",
		}},
		{"of a feed that came", [][]string{mapped("map.acme", 1, "", ""), mapped("crm.globex", 2, "Partner Operations", "x"), mapped("crm.globex", 1, "", "")}, came, "1", []string{
			"crm.globex  -> tracksource.raw.crm.globex: seen on the line", "crm.globex 1 -> 2: Partner Operations: x", "crm.globex  -> 1: no reason was given",
		}},
		{"of a feed that came without one", [][]string{mapped("map.acme", 1, "", "")}, came, "1", []string{"crm.globex  -> tracksource.raw.crm.globex: seen on the line"}},
		{"of a feed that is not seen", [][]string{mapped("map.acme", 1, "", ""), mapped("crm.globex", 1, "Partner Operations", "x")}, nil, "1", nil},
		{"nothing is told any more", nil, func(_ *plan.Question, pkg *report.Package, _ *plan.Plan) { without(pkg) }, "", nil},
		{"nothing was told", [][]string{two, mapped("map.acme", 1, "", "")}, func(_ *plan.Question, _ *report.Package, last *plan.Plan) {
			for i := range last.TrackSource.DataSources {
				last.TrackSource.DataSources[i].Mapping = nil
			}
		}, "2", []string{"map.acme  -> 2: the last plan does not say how it was read"}},
		{"as of before", [][]string{}, func(q *plan.Question, _ *report.Package, _ *plan.Plan) { q.AsOf = "2026-10-01" }, "native shapes", []string{
			"map.acme 1 -> native shapes: asked for by --as-of",
		}},
		{"another line", [][]string{mapped("map.acme", 1, "", "")}, func(_ *plan.Question, pkg *report.Package, _ *plan.Plan) {
			pkg.Table("mappings").Rows[0][3] = mappingHash(7)
		}, "1", []string{"map.acme 1 -> 1: the reporter has it in force, and it is no later revision of the one before"}},
		{"its text is markup", [][]string{mapped("map.acme", 2, "=1+1", "<script>\n|x|")}, nil, "2", []string{"map.acme 1 -> 2: =1+1: <script> |x|"}},
		{"which one it is is not told", [][]string{{"map.acme", "acme", "2", "no hash", "2026-11-20T09:00:00Z", "", "x", "y"}}, nil, "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			last, q, pkg := first(t), asked, answer()
			*pkg.Table("mappings") = mappings(tt.rows...)
			if tt.change != nil {
				tt.change(&q, pkg, last)
			}
			p, news := next(t, last, q, pkg, noon.AddDate(0, 0, 7))
			var got []string
			for _, c := range news {
				if c.Subject == "data_source" {
					got = append(got, c.Key+" "+numbered(c.Before)+" -> "+numbered(c.After)+": "+c.Why)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
			i := slices.IndexFunc(p.TrackSource.DataSources, func(s plan.DataSource) bool { return s.Feed == "map.acme" })
			if got := reads(p.TrackSource.DataSources[i].Mapping); got != tt.reads {
				t.Errorf("map.acme is read by %q, want %q", got, tt.reads)
			}
		})
	}
}

// TestMappingRemembered: before the pull a plan says how feeds were read when the last one
// was completed, and that is no change.
func TestMappingRemembered(t *testing.T) {
	last, week := first(t), noon.AddDate(0, 0, 7)
	p := plan.New(plan.ID(week, 1), asked, plan.Past{Last: last}, week)
	for _, s := range p.TrackSource.DataSources {
		want := "native shapes"
		if s.Feed == "map.acme" {
			want = "1"
		}
		if got := reads(s.Mapping); got != want {
			t.Errorf("%s is read by %q, want %q", s.Feed, got, want)
		}
	}
	for _, c := range p.TrackSource.ChangeLog {
		if c.PlanID == p.PlanID && c.Subject == "data_source" {
			t.Errorf("before the pull the log has %+v", c)
		}
	}
}

// came is a feed that the last plan did not have.
func came(_ *plan.Question, pkg *report.Package, _ *plan.Plan) {
	pkg.Observed.Feeds = append(pkg.Observed.Feeds, feed("crm", "globex", true, true))
}

// numbered is the number of a mapping's revision in a text, and all of anything else. Its
// hash is that of the tests.
func numbered(text string) string {
	before, of, found := strings.Cut(text, "mapping revision ")
	if !found {
		return text
	}
	number, _, _ := strings.Cut(of, " ")
	return before + number
}

// reads is by what a plan says that a feed is read.
func reads(m *plan.Mapping) string {
	switch {
	case m == nil:
		return ""
	case m.Revision == 0:
		return "native shapes"
	case m.Hash == "":
		return numbered("native shapes, by mapping revision " + string(rune('0'+m.Revision)))
	}
	return string(rune('0' + m.Revision))
}

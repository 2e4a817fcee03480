package answer_test

import (
	"slices"
	"strings"
	"testing"

	"tracksource/contract"
	"tracksource/internal/answer"
	"tracksource/internal/control"
	"tracksource/report"
	"tracksource/schemas/avro"
)

// hooli joins with the third revision, and pied is to join with the next one.
var (
	hooli = report.Viewer{Partner: "hooli"}
	pied  = report.Viewer{Partner: "pied"}
)

// revised are three revisions and a proposal: the first one is from before there were
// reasons, the second changes a window and no partner, and the third lets hooli in.
func revised(t *testing.T, r *rig) {
	t.Helper()
	joined := func(document, partner string) string {
		line := "  - {id: initech, name: Initech, role: partner, currency: USD, visibility: own}\n"
		return strings.Replace(document, line, line+strings.ReplaceAll(line, "initech", partner), 1)
	}
	put := func(c avro.Control, err error, by, why string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		c.Contract.By, c.Contract.Why = by, why
		r.decide(c)
	}
	text := string(document())
	c, err := control.Revise([]byte(text), 0, now.AddDate(0, -3, 0))
	put(c, err, "", "")
	text = strings.Replace(text, "lateness: 30d", "lateness: 40d", 1)
	c, err = control.Revise([]byte(text), 1, now.AddDate(0, -2, 0))
	put(c, err, "Revenue Operations", "<b>CRM</b> is late")
	text = joined(text, "hooli")
	c, err = control.Revise([]byte(text), 2, now.AddDate(0, -1, 0))
	put(c, err, "Alliance Management", "Hooli has signed")
	c, err = control.Propose([]byte(joined(text, "pied")), 3, now)
	put(c, err, "Alliance Management", "Pied Piper wants to join")
}

func reasons(list []answer.RevisionSummary) string {
	var out []string
	for _, r := range list {
		text := r.By + ": " + r.Why
		if r.Withheld {
			text = "withheld" + strings.Trim(text, ": ")
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

// TestReasonsTold: whoever has signed a revision is told for whom it was made and why, and
// nobody else is.
func TestReasonsTold(t *testing.T) {
	r := newRig(t, 0)
	revised(t, r)
	const all = ": ; Revenue Operations: <b>CRM</b> is late; Alliance Management: Hooli has signed"
	const joined = "withheld; withheld; Alliance Management: Hooli has signed"
	for _, tt := range []struct {
		name   string
		viewer report.Viewer
		want   string
		books  int
	}{
		{"the operator", operator, all, 2},
		{"a signatory", globex, all, 2},
		{"one with its own rows", initech, all, 2},
		{"one that joined", hooli, joined, 2},
		{"one that is only proposed", pied, "withheld; withheld; withheld", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list, err := r.answers.Contracts(ctx, tt.viewer, answer.Query{})
			if err != nil || len(list.Contracts) != tt.books {
				t.Fatalf("%s, %v", show(t, list), err)
			}
			for _, c := range list.Contracts {
				if got := reasons(c.Revisions); got != tt.want {
					t.Errorf("of %s: %s, want %s", c.Campaign, got, tt.want)
				}
				want := "Hooli has signed"
				if c.Proposed {
					want = "Pied Piper wants to join"
				}
				if c.By != "Alliance Management" || c.Why != want {
					t.Errorf("%s is by %q because %q", c.Campaign, c.By, c.Why)
				}
			}
			g, err := r.answers.Governance(ctx, tt.viewer, answer.Query{Campaign: list.Contracts[0].Campaign})
			if err != nil || g.Proposal == nil || g.Proposal.By != "Alliance Management" || g.Proposal.Why != "Pied Piper wants to join" {
				t.Errorf("governance: %s, %v", show(t, g.Proposal), err)
			}
			slices.Reverse(g.Revisions)
			if got := reasons(g.Revisions); !g.Proposed && got != tt.want || g.Proposed && got != "" {
				t.Errorf("governance tells %s, want %s", got, tt.want)
			}
			if told := strings.Contains(tt.want, "withheld"); !g.Proposed && g.Withheld != (told || tt.viewer == initech) {
				t.Errorf("withheld is %v", g.Withheld)
			}
		})
	}
}

// TestRevisionTable: a package tells of each revision what it changed and why, to who has
// signed it.
func TestRevisionTable(t *testing.T) {
	r := newRig(t, 0)
	revised(t, r)
	const third = "3 | Alliance Management | Hooli has signed | partners[hooli].currency, partners[hooli].id, partners[hooli].name, partners[hooli].role, partners[hooli].visibility"
	const second = "2 | Revenue Operations | <b>CRM</b> is late | window.lateness"
	proposal := "4 | Alliance Management | Pied Piper wants to join | " + strings.ReplaceAll(strings.Split(third, " | ")[3], "hooli", "pied")
	for _, tt := range []struct {
		name   string
		viewer report.Viewer
		book   string
		want   []string
	}{
		{"the operator", operator, campaign, []string{third, second, "1 |  |  | "}},
		{"a signatory", globex, campaign, []string{third, second, "1 |  |  | "}},
		{"one that joined", hooli, campaign, []string{"3 | Alliance Management | Hooli has signed | "}},
		{"a proposal", operator, contract.ProposalBook(campaign), []string{proposal, third, second, "1 |  |  | "}},
		{"a proposal, for who is only proposed", pied, contract.ProposalBook(campaign), []string{"4 | Alliance Management | Pied Piper wants to join | "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := packaged(t, r, tt.viewer, answer.Query{Campaign: tt.book, Window: "all", Detail: "summary"})
			table := p.Table("revisions")
			var got []string
			for _, row := range table.Rows {
				got = append(got, strings.Join([]string{row[table.Column("revision")], row[table.Column("by")], row[table.Column("why")], row[table.Column("changes")]}, " | "))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
			if newest := table.Rows[0]; newest[table.Column("hash")] != p.Contract {
				t.Errorf("the newest is %s, the package is by %s", newest[table.Column("hash")], p.Contract)
			}
			if len(got) < 3 && !p.Withheld {
				t.Error("nothing is withheld")
			}
		})
	}
}

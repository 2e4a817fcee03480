package answer_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tracksource/contract"
	"tracksource/internal/answer"
	"tracksource/internal/control"
	"tracksource/internal/follow"
	"tracksource/report"
	"tracksource/schemas/avro"
)

// mappingOf is the document of a mapping of a feed, of which no two with other ids are alike.
func mappingOf(feed, partner, id string) []byte {
	return []byte("mapping: {partner: " + partner + ", feed: " + feed + ", source: own}\nrules:\n  - name: form\n    when: {path: kind, equals: form}\n" +
		"    id: " + id + "\n    time: at\n    identities: {email: mail}\n    touch: {type: {const: form}}\n")
}

// remap decides on the next revision of a feed's mapping, on top of one that its author saw.
func (r *rig) remap(feed, partner, document string, previous int64, by, why string) avro.MappingRecord {
	r.t.Helper()
	text := []byte(document)
	if document != "" {
		text = mappingOf(feed, partner, document)
	}
	c := control.Remap(partner, feed, text, previous, now.AddDate(0, -3, int(previous)))
	c.Mapping.By, c.Mapping.Why = by, why
	r.decide(c)
	return *c.Mapping
}

// remapped are mappings of two signatories and of a stranger: acme's CRM is read by two and
// then by none, its analytics once, globex' by one in the place of which another was refused.
func remapped(r *rig) {
	r.t.Helper()
	r.remap("crm", "globex", "id", 0, "", "")
	r.remap("crm", "acme", "id", 0, "", "")
	r.remap("crm", "acme", "key", 1, "Marketing Operations", "<b>stages</b> were renamed")
	r.remap("crm", "acme", "late", 1, "Revenue Operations", "did not know of the second")
	r.remap("analytics", "acme", "id", 0, "Web Operations", "forms of their own")
	r.remap("crm", "acme", "", 2, "Marketing Operations", "the native shapes do")
	r.remap("crm", "globex", "key", 1, "Partner Operations", "another CRM")
	r.remap("crm", "stranger", "id", 0, "Stranger Operations", "none of this campaign's")
}

// mappingsTold are the rows of a package's table but for hashes, as text.
func mappingsTold(t *testing.T, p *report.Package) []string {
	t.Helper()
	table := p.Table("mappings")
	if table == nil {
		t.Fatal("there is no table of mappings")
	}
	out := []string{}
	for _, row := range table.Rows {
		var cells []string
		for _, id := range []string{"feed", "partner", "revision", "ended", "by", "why"} {
			cells = append(cells, row[table.Column(id)])
		}
		out = append(out, strings.Join(cells, " | "))
	}
	return out
}

// TestMappingTable: a package tells of the revisions by which the signatories' feeds were
// read, of each why, and to a partner of its own alone.
func TestMappingTable(t *testing.T) {
	r := newRig(t, 0)
	revised(t, r)
	remapped(r)
	ofAcme := []string{
		"analytics.acme | acme | 1 |  | Web Operations | forms of their own",
		"crm.acme | acme | 3 | yes | Marketing Operations | the native shapes do",
		"crm.acme | acme | 2 |  | Marketing Operations | <b>stages</b> were renamed",
		"crm.acme | acme | 1 |  |  | ",
	}
	ofGlobex := []string{"crm.globex | globex | 2 |  | Partner Operations | another CRM", "crm.globex | globex | 1 |  |  | "}
	proposal := contract.ProposalBook(campaign)
	for _, tt := range []struct {
		name   string
		viewer report.Viewer
		book   string
		want   []string
	}{
		{"the operator", operator, campaign, slices.Concat(ofAcme, ofGlobex)},
		{"the host", acme, campaign, ofAcme},
		{"a partner that sees all partners", globex, campaign, ofGlobex},
		{"a partner without a mapping", initech, campaign, []string{}},
		{"a proposal", operator, proposal, slices.Concat(ofAcme, ofGlobex)},
		{"a proposal, for who is only proposed", pied, proposal, []string{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := packaged(t, r, tt.viewer, answer.Query{Campaign: tt.book, Window: "all", Detail: "summary"})
			if got := mappingsTold(t, p); !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
			table := p.Table("mappings")
			if table.LeftOut != 0 || strings.Contains(table.Note, "Of other partners' feeds nothing is told.") == tt.viewer.Operator {
				t.Errorf("%d rows are left out, and the note is %q", table.LeftOut, table.Note)
			}
			for _, row := range table.Rows {
				if row[table.Column("feed")] == "crm.acme" && row[table.Column("revision")] == "2" && row[table.Column("hash")] != control.Hash(mappingOf("crm", "acme", "key")) {
					t.Errorf("the second revision is %s", row[table.Column("hash")])
				}
			}
			text := encodedPackage(t, p)
			for of, secrets := range map[string][]string{
				"acme":   {"Web Operations", "Marketing Operations", "the native shapes do", control.Hash(mappingOf("crm", "acme", "key"))},
				"globex": {"Partner Operations", "another CRM", "crm.globex"}, "nobody": {"Stranger Operations", "crm.stranger", "did not know of the second"},
			} {
				for _, secret := range secrets {
					if told := tt.viewer.Operator && of != "nobody" || tt.viewer.Partner == of; !told && strings.Contains(text, secret) {
						t.Errorf("%q is told", secret)
					}
				}
			}
		})
	}
}

// TestMappingsWithheld: a partner that all of the contract is told says that something is
// kept from it where another's feed has a mapping, and not where its own alone have.
func TestMappingsWithheld(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	r.remap("crm", "globex", "id", 0, "", "")
	r.remap("crm", "stranger", "id", 0, "", "")
	q := answer.Query{Window: "all", Detail: "summary"}
	if p := packaged(t, r, globex, q); p.Withheld {
		t.Error("something is withheld where there is only the viewer's own")
	}
	r.remap("crm", "acme", "id", 0, "", "")
	if p := packaged(t, r, globex, q); !p.Withheld {
		t.Error("nothing is withheld, and the mapping of the host's feed is not told")
	}
	if p := packaged(t, r, operator, q); p.Withheld {
		t.Error("something is withheld from the operator")
	}
}

// TestMappingsAgain: a package that is made again tells of the mappings of its moment, byte
// for byte, whatever was put in force since.
func TestMappingsAgain(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	remapped(r)
	first := packaged(t, r, operator, answer.Query{Window: "all", Detail: "summary"})
	before := encodedPackage(t, first)
	r.remap("crm", "globex", "again", 2, "Partner Operations", "after the package")
	if later := encodedPackage(t, packaged(t, r, operator, answer.Query{Window: "all", Detail: "summary"})); !strings.Contains(later, "after the package") {
		t.Error("the next package does not tell of the next revision")
	}
	again := packaged(t, r, operator, answer.Query{
		Window: "all", Detail: "summary", AsOf: first.AsOf.Time.Format(time.RFC3339), Positions: follow.Positions(first.AsOf.Positions).String(),
	})
	if got := encodedPackage(t, again); got != before {
		t.Errorf("made again it is another: %s", firstDifference(before, got))
	}
}

// TestMappingsBounded: of a feed the newest fifty revisions are listed, and it is said how
// many there are beside.
func TestMappingsBounded(t *testing.T) {
	r := newRig(t, 0)
	r.agree()
	for n := range int64(53) {
		r.remap("crm", "acme", []string{"id", "key"}[n%2], n, "Marketing Operations", "once more")
	}
	r.remap("crm", "globex", "id", 0, "", "")
	table := packaged(t, r, operator, answer.Query{Window: "all", Detail: "summary"}).Table("mappings")
	got := table.Rows
	if len(got) != 51 || table.LeftOut != 3 || got[0][2] != "53" || got[49][2] != "4" || got[50][0] != "crm.globex" {
		t.Errorf("%d rows, %d left out: %v", len(got), table.LeftOut, got)
	}
}

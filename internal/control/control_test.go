package control_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tracksource/contract/example"
	"tracksource/identity"
	"tracksource/internal/control"
	"tracksource/internal/governance"
	"tracksource/schemas/avro"
)

var at = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// past is a revision of everything and nothing that signatories said.
type past struct {
	revision int64
	err      error
}

func (p past) Standing(control.Versioned) (control.Standing, error) {
	return control.Standing{Revision: p.revision}, p.err
}

func (p past) Value(governance.Key) ([]byte, error) { return nil, p.err }

// none knows nothing, one a contract of every campaign.
const (
	none = 0
	one  = 1
)

// TestJudge: whatever is not right is refused with a reason, by tools and by the
// service alike.
func TestJudge(t *testing.T) {
	revised := func(change func(*avro.ContractRecord)) *avro.Control {
		c, err := control.Revise(example.AILaunchTour(), 0, at)
		if err != nil {
			t.Fatal(err)
		}
		change(c.Contract)
		return &c
	}
	mapped := func(change func(*avro.MappingRecord)) *avro.Control {
		c := control.Remap("acme", "crm", []byte("mapping: {partner: acme, feed: crm, source: own}\nrules: [{name: a, id: i, time: t, identities: {user: u}}]\n"), 0, at)
		change(c.Mapping)
		return &c
	}
	person := identity.Node{Level: identity.Person, Scope: "acme", ID: "x"}
	company := identity.Node{Level: identity.CRMAccount, Scope: "acme", ID: "x"}
	for _, tt := range []struct {
		name string
		c    *avro.Control
		want string // empty: taken in
	}{
		{"a first contract", revised(func(*avro.ContractRecord) {}), ""},
		{"a stale contract", revised(func(r *avro.ContractRecord) { r.Revision = 2 }), "stale"},
		{"another hash", revised(func(r *avro.ContractRecord) { r.Hash = "x" }), "hash"},
		{"another campaign", revised(func(r *avro.ContractRecord) { r.Campaign = "x" }), "of campaign ai-launch-tour"},
		{"no contract", revised(func(r *avro.ContractRecord) { r.Document = "x"; r.Hash = control.Hash([]byte("x")) }), "contract ai-launch-tour: "},
		{"a reason", revised(func(r *avro.ContractRecord) { r.By, r.Why = "Revenue Operations", "as signed" }), ""},
		{"who, and not why", revised(func(r *avro.ContractRecord) { r.By = "Revenue Operations" }), "contract ai-launch-tour: it says who says so, and why"},
		{"why, and not who", revised(func(r *avro.ContractRecord) { r.By, r.Why = " ", "as signed" }), "contract ai-launch-tour: it says who says so, and why"},
		{"a person", revised(func(r *avro.ContractRecord) { r.By, r.Why = "ann@acme.com", "as signed" }), "an office"},
		{"a long reason of a contract", revised(func(r *avro.ContractRecord) { r.By, r.Why = "Legal", strings.Repeat("x", 1001) }), "the reason 1000"},
		{"a rate", &avro.Control{Kind: control.Rate, Rate: &avro.RateRecord{Base: "EUR", Quote: "USD", Day: "2026-03-01", Rate: "1.1"}}, ""},
		{"a rate of zero", &avro.Control{Kind: control.Rate, Rate: &avro.RateRecord{Base: "EUR", Quote: "USD", Day: "2026-03-01", Rate: "0"}}, "rate: EUR/USD"},
		{"a rate of no day", &avro.Control{Kind: control.Rate, Rate: &avro.RateRecord{Base: "EUR", Quote: "USD", Day: "x", Rate: "1"}}, "rate: EUR/USD"},
		{"a horizon", &avro.Control{Kind: control.Horizon, Horizon: &avro.HorizonRecord{Day: "2026-01-01"}}, ""},
		{"no horizon", &avro.Control{Kind: control.Horizon, Horizon: &avro.HorizonRecord{Day: "2026-13-01"}}, "horizon"},
		{"a domain", &avro.Control{Kind: control.Account, Account: &avro.AccountRecord{Account: "A", Domain: "www.acme.com", At: at}}, ""},
		{"a free mailer's domain", &avro.Control{Kind: control.Account, Account: &avro.AccountRecord{Account: "A", Domain: "gmail.com", At: at}}, "not the domain of a company"},
		{"both", &avro.Control{Kind: control.Account, Account: &avro.AccountRecord{Account: "A", Domain: "acme.com", Reporter: "acme", CRMAccount: "1", At: at}}, "either"},
		{"no account", &avro.Control{Kind: control.Account, Account: &avro.AccountRecord{Domain: "acme.com", At: at}}, "account"},
		{"no time", &avro.Control{Kind: control.Account, Account: &avro.AccountRecord{Account: "A", Domain: "acme.com"}}, "as of when"},
		{"an erasure", &avro.Control{Kind: control.Erasure, Erasure: &avro.ErasureRecord{Nodes: [][]byte{person.Bytes()}, At: at}}, ""},
		{"an erasure of a company", &avro.Control{Kind: control.Erasure, Erasure: &avro.ErasureRecord{Nodes: [][]byte{company.Bytes()}, At: at}}, "nobody"},
		{"an erasure of nobody", &avro.Control{Kind: control.Erasure, Erasure: &avro.ErasureRecord{At: at}}, "0 identities"},
		{"an erasure of bytes", &avro.Control{Kind: control.Erasure, Erasure: &avro.ErasureRecord{Nodes: [][]byte{{1}}, At: at}}, "not an identity"},
		{"a mapping", mapped(func(*avro.MappingRecord) {}), ""},
		{"the end of a mapping", mapped(func(r *avro.MappingRecord) { r.Document, r.Hash = "", control.Hash(nil) }), ""},
		{"a stale mapping", mapped(func(r *avro.MappingRecord) { r.Previous = 1 }), "stale"},
		{"another hash of a mapping", mapped(func(r *avro.MappingRecord) { r.Hash = "x" }), "hash"},
		{"a mapping of another feed", mapped(func(r *avro.MappingRecord) { r.Feed = "map" }), "the document is of crm.acme"},
		{"no mapping", mapped(func(r *avro.MappingRecord) { r.Document, r.Hash = "x", control.Hash([]byte("x")) }), "mapping of crm.acme: "},
		{"a reason of a mapping", mapped(func(r *avro.MappingRecord) { r.By, r.Why = "Marketing Operations", "a new form" }), ""},
		{"a mapping's office without a reason", mapped(func(r *avro.MappingRecord) { r.By = "Marketing Operations" }), "mapping of crm.acme: it says who says so, and why"},
		{"another kind", &avro.Control{Kind: "coffee"}, "unknown"},
		{"a kind without its record", &avro.Control{Kind: control.Rate}, "has no record"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := control.Judge(tt.c, past{})
			var refusal *control.Refusal
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.want != "" && (!errors.As(err, &refusal) || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want a refusal that says %q", err, tt.want)
			}
		})
	}
	broken := errors.New("disk")
	if _, err := control.Judge(revised(func(*avro.ContractRecord) {}), past{err: broken}); !errors.Is(err, broken) {
		t.Errorf("error %v, want that of the store", err)
	}
}

// TestReasonOfAWithdrawal: why something was proposed is not why it is withdrawn.
func TestReasonOfAWithdrawal(t *testing.T) {
	c, err := control.Propose(example.AILaunchTour(), 0, at)
	if err != nil {
		t.Fatal(err)
	}
	c.Contract.By, c.Contract.Why = "Revenue Operations", "a shorter lookback"
	got := control.Withdraw(*c.Contract, at).Contract
	if got.By != "" || got.Why != "" || got.Hash != c.Contract.Hash {
		t.Errorf("the withdrawal is %+v", got)
	}
}

// TestJudgeOverlap: a decision is about two deals of two CRMs in a campaign that has a
// contract, and says who made it, when and why.
func TestJudgeOverlap(t *testing.T) {
	for _, tt := range []struct {
		name     string
		change   func(*avro.OverlapRecord)
		revision int64
		want     string // empty: taken in
	}{
		{"whole", func(*avro.OverlapRecord) {}, one, ""},
		{"different", func(r *avro.OverlapRecord) { r.Decision = control.OverlapDifferent }, one, ""},
		{"two CRMs of one partner", func(r *avro.OverlapRecord) { r.Other.Reporter = "acme" }, one, ""},
		{"no contract", func(*avro.OverlapRecord) {}, none, `campaign "tour" has no contract`},
		{"one CRM", func(r *avro.OverlapRecord) { r.Other = avro.DealName{Reporter: "acme", Source: "salesforce", ID: "2"} }, one, "of one CRM"},
		{"a third way", func(r *avro.OverlapRecord) { r.Decision = "both" }, one, `"both"; write same or different`},
		{"nobody", func(r *avro.OverlapRecord) { r.By = " " }, one, "who made it, and why"},
		{"no reason", func(r *avro.OverlapRecord) { r.Why = "" }, one, "who made it, and why"},
		{"a long reason", func(r *avro.OverlapRecord) { r.Why = strings.Repeat("x", 1001) }, one, "the reason 1000"},
		{"no time", func(r *avro.OverlapRecord) { r.At = time.Time{} }, one, "when it was made"},
		{"no deal", func(r *avro.OverlapRecord) { r.Deal.ID = "" }, one, "deal: not an identity"},
		{"no source", func(r *avro.OverlapRecord) { r.Other.Source = "" }, one, "the source of a deal"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := avro.OverlapRecord{
				Campaign: "tour", Deal: avro.DealName{Reporter: "acme", Source: "salesforce", ID: "1"}, Other: avro.DealName{Reporter: "globex", Source: "hubspot", ID: "2"},
				Decision: control.OverlapSame, By: "ann", Why: "one order form", At: at,
			}
			tt.change(&r)
			_, err := control.Judge(&avro.Control{Kind: control.Overlap, Overlap: &r}, past{revision: tt.revision})
			var refusal *control.Refusal
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.want != "" && (!errors.As(err, &refusal) || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want a refusal that says %q", err, tt.want)
			}
		})
	}
}

func TestParseDeal(t *testing.T) {
	for text, want := range map[string]string{
		"acme/salesforce/0065g00000XyZab":                "acme/salesforce/0065g00000XyZabAAF",
		"acme/salesforce/opportunity/0065g00000XyZabAAF": "acme/salesforce/0065g00000XyZabAAF",
		"acme/own/0065g00000XyZab":                       "acme/own/0065g00000XyZab",
		"globex/hubspot/a/b":                             "globex/hubspot/a/b",
		"globex/hubspot":                                 "",
		"globex//7":                                      "",
		"/hubspot/7":                                     "",
		"globex/hubspot/":                                "",
	} {
		d, err := control.ParseDeal(text)
		if (err == nil) != (want != "") || err == nil && control.DealText(d) != want {
			t.Errorf("ParseDeal(%q) = %v, %v, want %q", text, d, err, want)
		}
	}
}

func TestParseAccounts(t *testing.T) {
	for _, tt := range []struct{ name, file, want string }{
		{"both kinds", "\ufeffaccount,domain,reporter,crm_account\nA, WWW.one.com ,,\nB,,acme,001\nA,www.one.com\n", "A www.one.com  ; B  acme 001"},
		{"one kind, another order", "crm_account,account,reporter\n001,A,acme\n", "A  acme 001"},
		{"nothing", "", "line 1 has no header"},
		{"an unknown column", "account,site\n", "line 1: unknown column \"site\""},
		{"a column twice", "account,account\n", "line 1: column account comes twice"},
		{"no account", "domain\none.com\n", "line 1: column account is missing"},
		{"a bad line", "account,domain\nA,one.com\n,two.com\n", "line 3: account: "},
		{"a free mailer", "account,domain\nA,gmail.com\n", "line 2: domain"},
		{"too many columns", "account,domain\nA,one.com,x\n", "line 2: 3 columns"},
		{"two accounts of one company", "account,domain\nA,one.com\nB,www.one.com\n", "line 3: one.com belongs to account B here and to A in line 2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			records, err := control.ParseAccounts([]byte(tt.file), at)
			var all []string
			for _, r := range records {
				all = append(all, fmt.Sprintf("%s %s %s %s", r.Account, r.Domain, r.Reporter, r.CRMAccount))
			}
			got := strings.Join(all, "; ")
			if err != nil {
				got = err.Error()
			}
			if got != tt.want && !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestParseSubjects: what stands in the file of people to be erased never comes
// back in an error.
func TestParseSubjects(t *testing.T) {
	p, err := identity.NewPseudonymizer(bytes.Repeat([]byte("k"), 32))
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := control.ParseSubjects([]byte("# who asked\nemail A@b.com\nemail a@b.com\n\nuser acme/u-42\ncontact acme/003\nphone +49 30 123456\n"), p)
	if err != nil || len(nodes) != 4 {
		t.Fatalf("%d people, %v, want four", len(nodes), err)
	}
	if want, _ := p.EmailNode("a@b.com"); nodes[0] != want {
		t.Errorf("%v, want %v", nodes[0], want)
	}
	for _, tt := range []struct{ file, want string }{
		{"", "nobody is named"},
		{"email secret-person\n", "line 1: what is behind email is none"},
		{"fax 123\n", "line 1: the kind is none of"},
		{"user secret-person\n", "line 1: behind user stands partner/id"},
		{"user a/1\nsecret-person@x.com\n", "line 2: the kind is none of"},
		{"email " + strings.Repeat("secret-person", 10_000), "too long"},
	} {
		_, err := control.ParseSubjects([]byte(tt.file), p)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret-person") {
			t.Errorf("error %v, want %q", err, tt.want)
		}
	}
}

// FuzzParseAccounts: whatever a file holds gives records that the service takes in,
// or an error.
func FuzzParseAccounts(f *testing.F) {
	f.Add([]byte("account,domain,reporter,crm_account\nA,one.com,,\nB,,acme,001\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		records, err := control.ParseAccounts(data, at)
		if err != nil {
			return
		}
		for i := range records {
			if _, err := control.Judge(&avro.Control{Kind: control.Account, Account: &records[i]}, past{}); err != nil {
				t.Errorf("%+v is read and refused: %v", records[i], err)
			}
		}
	})
}

// FuzzParseSubjects: whoever a file names is somebody whom the service erases.
func FuzzParseSubjects(f *testing.F) {
	p, err := identity.NewPseudonymizer(bytes.Repeat([]byte("k"), 32))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("# who asked\nemail A@b.com\nuser acme/u-42\nphone +49 30 123456\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		nodes, err := control.ParseSubjects(data, p)
		if err != nil {
			return
		}
		for _, n := range nodes {
			if !control.Personal(n) {
				t.Errorf("%v is nobody", n)
			}
		}
	})
}

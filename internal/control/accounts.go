package control

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"tracksource/identity"
	"tracksource/schemas/avro"
)

// AccountLink returns what a row of the account map says: child belongs under
// link. A domain may be written as one or as a page's address.
func AccountLink(r *avro.AccountRecord) (child identity.Node, link identity.Link, err error) {
	account, err := identity.NewNode(identity.Imported, "", r.Account)
	if err != nil {
		return child, link, fmt.Errorf("account: %w", err)
	}
	switch {
	case r.Domain != "" && r.Reporter == "" && r.CRMAccount == "":
		domain, ok := identity.WebsiteDomain(r.Domain)
		if !ok {
			return child, link, fmt.Errorf("domain %q is not the domain of a company", cut(r.Domain))
		}
		child, err = identity.DomainNode(domain)
	case r.Domain == "" && r.Reporter != "" && r.CRMAccount != "":
		child, err = identity.NewNode(identity.CRMAccount, r.Reporter, r.CRMAccount)
	default:
		err = errors.New("a row names either a domain or a partner and the company's id in its CRM")
	}
	if err != nil {
		return child, link, err
	}
	if r.At.IsZero() || r.At.Year() > 9999 {
		return child, link, errors.New("a row says as of when it is")
	}
	return child, identity.Link{Parent: account, Evidence: identity.AccountMap, At: r.At}, nil
}

// ParseAccounts reads an account map: CSV with a header of account and either
// domain, or reporter and crm_account, or all four, in any order; at is as of when
// the map is. The error names every line that cannot be used, at most 20, and then
// nothing of the file is.
func ParseAccounts(data []byte, at time.Time) ([]avro.AccountRecord, error) {
	f := accountFile{at: at, seen: map[string]seenCompany{}}
	t := table{columns: []string{"account", "domain", "reporter", "crm_account"}, required: []string{"account"}}
	err := t.read(data, f.add)
	return f.records, err
}

type accountFile struct {
	at      time.Time
	records []avro.AccountRecord
	seen    map[string]seenCompany
}

// seenCompany is what a line said of a company.
type seenCompany struct {
	account string
	line    int
}

func (f *accountFile) add(line int, field func(string) string) error {
	r := avro.AccountRecord{
		Account: field("account"), Domain: strings.ToLower(field("domain")), Reporter: field("reporter"), CRMAccount: field("crm_account"), At: f.at,
	}
	child, link, err := AccountLink(&r)
	if err != nil {
		return err
	}
	who := child.String()
	if was, again := f.seen[who]; again {
		if was.account == link.Parent.ID {
			return nil
		}
		return fmt.Errorf("%s belongs to account %s here and to %s in line %d", cut(who), cut(r.Account), cut(was.account), was.line)
	}
	f.seen[who] = seenCompany{link.Parent.ID, line}
	f.records = append(f.records, r)
	return nil
}

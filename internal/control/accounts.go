package control

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
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

// AccountFileBytesMax bounds a file of the account map.
const AccountFileBytesMax = 256 << 20

// problemsMax is as many problems of a file as are named.
const problemsMax = 20

// ParseAccounts reads an account map: CSV with a header of account and either
// domain, or reporter and crm_account, or all four, in any order; at is as of when
// the map is. The error names every line that cannot be used, at most 20, and then
// nothing of the file is.
func ParseAccounts(data []byte, at time.Time) ([]avro.AccountRecord, error) {
	if len(data) > AccountFileBytesMax {
		return nil, fmt.Errorf("a file of %d bytes, at most %d are read", len(data), AccountFileBytesMax)
	}
	rows := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	rows.FieldsPerRecord = -1
	rows.TrimLeadingSpace = true
	header, err := rows.Read()
	if err != nil {
		return nil, errors.New("line 1 has no header: account,domain or account,reporter,crm_account")
	}
	column := map[string]int{}
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains([]string{"account", "domain", "reporter", "crm_account"}, name) {
			return nil, fmt.Errorf("line 1: unknown column %q, there are account, domain, reporter and crm_account", cut(name))
		}
		if _, twice := column[name]; twice {
			return nil, fmt.Errorf("line 1: column %s comes twice", name)
		}
		column[name] = i
	}
	if _, ok := column["account"]; !ok {
		return nil, errors.New("line 1: column account is missing")
	}
	f := accountFile{column: column, at: at, seen: map[string]int{}}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err // what follows a broken quote is no row
		}
		line, _ := rows.FieldPos(0)
		if err := f.add(line, row); err != nil {
			f.problems = append(f.problems, fmt.Errorf("line %d: %w", line, err))
		}
	}
	if n := len(f.problems); n > problemsMax {
		f.problems = append(f.problems[:problemsMax], fmt.Errorf("and %d more lines", n-problemsMax))
	}
	return f.records, errors.Join(f.problems...)
}

type accountFile struct {
	column   map[string]int
	at       time.Time
	records  []avro.AccountRecord
	seen     map[string]int // line of each company
	problems []error
}

func (f *accountFile) add(line int, row []string) error {
	if len(row) > len(f.column) {
		return fmt.Errorf("%d columns under a header of %d", len(row), len(f.column))
	}
	field := func(name string) string {
		i, ok := f.column[name]
		if !ok || i >= len(row) {
			return ""
		}
		return strings.TrimSpace(row[i])
	}
	r := avro.AccountRecord{
		Account: field("account"), Domain: strings.ToLower(field("domain")), Reporter: field("reporter"), CRMAccount: field("crm_account"), At: f.at,
	}
	child, link, err := AccountLink(&r)
	if err != nil {
		return err
	}
	who := child.String()
	if at, again := f.seen[who]; again {
		was := f.records[slices.IndexFunc(f.records, func(o avro.AccountRecord) bool { n, _, _ := AccountLink(&o); return n == child })]
		if was.Account == link.Parent.ID {
			return nil
		}
		return fmt.Errorf("%s belongs to account %s here and to %s in line %d", cut(who), cut(r.Account), cut(was.Account), at)
	}
	f.seen[who] = line
	f.records = append(f.records, r)
	return nil
}

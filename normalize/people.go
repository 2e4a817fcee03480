package normalize

import (
	"slices"
	"strings"
	"time"

	"tracksource/identity"
)

// address is what an event says of an e-mail address: its node, and the domain
// of the company behind it where it names one.
type address struct {
	node   identity.Node
	domain string
	// unmatchable is whether it came ready-hashed without its domain or in another
	// way than agreed.
	unmatchable bool
}

// plainAddress reads an address as people write it; zero for what is none.
func plainAddress(src Source, text string) address {
	node, ok := src.EmailNode(text)
	if !ok {
		return address{}
	}
	domain, _ := identity.EmailDomain(text)
	return address{node: node, domain: domain}
}

// readAddress reads the address of a person's traits: plain, or ready-hashed
// under one of the names that are in use for it. A hash says nothing of the
// company, which the source then brings as email_domain.
func readAddress(src Source, traits object) address {
	if a := plainAddress(src, traits.text("email")); !a.node.IsZero() {
		return a
	}
	other := false // is there what is no hash as agreed, where a hash should be
	for _, name := range [...]string{"hashed_email", "email_sha256", "sha256_email", "sha256_email_address", "email"} {
		text := traits.text(name)
		node, ok := src.Pseudonyms.HashedEmailNode(text)
		if !ok {
			other = other || text != "" && name != "email"
			continue
		}
		domain, ok := identity.RegistrableDomain(traits.text("email_domain"))
		a := address{node: node, domain: domain, unmatchable: !ok}
		if !ok || identity.FreeMail(domain) {
			a.domain = ""
		}
		return a
	}
	return address{unmatchable: other}
}

// emailLinks returns what an address is evidence of where it stands above the
// node that it came with: the node belongs to the address, and the address to
// the company of its domain.
func emailLinks(shape string, a address, at time.Time) (up []identity.Link, more []Observation) {
	if a.node.IsZero() {
		return nil, nil
	}
	up = []identity.Link{{Parent: a.node, Evidence: identity.Login, At: at}}
	o := Observation{Node: a.node, Shape: shape, OccurredAt: at, HashScheme: identity.HashScheme, Links: domainLinks(a.domain, identity.Address, at)}
	if len(o.Links) == 0 {
		return up, nil
	}
	return up, []Observation{o}
}

// addAddress says that an address belongs to the CRM's lead or contact that obs
// is about. Both belong to the company of the address: a person must land on
// one account, whether they came by their address or by their record.
func (obs *Observation) addAddress(a address) (more []Observation) {
	obs.Unmatchable = a.unmatchable
	if a.node.IsZero() {
		return nil
	}
	obs.HashScheme = identity.HashScheme
	company := domainLinks(a.domain, identity.Address, obs.OccurredAt)
	obs.Links = append(obs.Links, company...)
	links := append([]identity.Link{{Parent: obs.Node, Evidence: identity.Record, At: obs.OccurredAt}}, company...)
	return []Observation{{Node: a.node, Shape: obs.Shape, OccurredAt: obs.OccurredAt, Links: links, HashScheme: identity.HashScheme}}
}

func domainLinks(domain string, evidence identity.Evidence, at time.Time) []identity.Link {
	if domain == "" {
		return nil
	}
	n, err := identity.DomainNode(domain)
	if err != nil {
		return nil
	}
	return []identity.Link{{Parent: n, Evidence: evidence, At: at}}
}

// companyNode returns the node of a company in the reporter's numbering.
func companyNode(src Source, id string) (identity.Node, error) {
	return identity.NewNode(identity.CRMAccount, src.Reporter, plainID(src, id))
}

// plainID returns the id of something that is nobody as it is, unless it was
// made of somebody's address.
func plainID(src Source, id string) string {
	if scrub(id) == id {
		return id
	}
	return src.Pseudonyms.Pseudonym(identity.SchemeEvent, src.Reporter, id)
}

// eventID is plainID for the id of an event: one that is too long to be kept with
// every mark gives way to a pseudonym, which tells it from others as well.
func eventID(src Source, id string) string {
	if len(id) > eventIDMax {
		return src.Pseudonyms.Pseudonym(identity.SchemeEvent, src.Reporter, id)
	}
	return plainID(src, id)
}

// put sets a field, nil for one that was cleared.
func (o *Object) put(name string, value *string) {
	i, found := slices.BinarySearchFunc(o.Fields, name, func(f Field, n string) int { return strings.Compare(f.Name, n) })
	if found {
		return
	}
	o.Fields = slices.Insert(o.Fields, i, Field{Name: name, Value: value})
}

func (o *Object) set(name, value string) { o.put(name, &value) }

// redacted stands for an address that a source put where none belongs.
const redacted = "(email)"

// scrub takes e-mail addresses out of a text that is not one by its meaning:
// pages of unsubscription, campaign terms and ids carry them all the time.
func scrub(s string) string {
	if strings.IndexByte(s, '@') < 0 && (strings.IndexByte(s, '%') < 0 || !strings.Contains(s, "%40")) {
		return s
	}
	s = strings.ReplaceAll(s, "%40", "@")
	local := func(r rune) bool {
		return r > 0x7f || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".!#$%&'*+-_`{|}~", r)
	}
	host := func(r rune) bool { return local(r) || r == '@' }
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '@')
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(strings.TrimRightFunc(s[:i], local))
		b.WriteString(redacted)
		s = strings.TrimLeftFunc(s[i+1:], host)
	}
}

// scrubbed takes addresses out of every text of the events that a source chose, and
// bounds the fields of objects.
// Nodes are pseudonyms, or made of scrubbed ids. An event id becomes a pseudonym
// instead: two ids must not become one.
func scrubbed(src Source, events []Event) []Event {
	for i := range events {
		if p := events[i].Problem; p != nil {
			p.Message = scrub(p.Message)
		}
		for j := range events[i].Observations {
			o := &events[i].Observations[j]
			o.EventID = eventID(src, o.EventID)
			if t := o.Touch; t != nil {
				// Where a plus tag was decoded to a space, no address can be cut out: the
				// whole text goes.
				for _, text := range [...]*string{&t.Asset, &t.UTMSource, &t.UTMMedium, &t.UTMCampaign, &t.UTMTerm, &t.UTMContent, &t.ClickID, &t.CRMCampaign, &t.Status} {
					if scrub(*text) != *text {
						*text = redacted
					}
				}
			}
			if o.Object == nil {
				continue
			}
			for k := range o.Object.Fields {
				if v := o.Object.Fields[k].Value; v != nil {
					clean := clip(scrub(*v), fieldMax)
					o.Object.Fields[k].Value = &clean
				}
			}
		}
	}
	return events
}

package control

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tracksource/identity"
	"tracksource/internal/line"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// judgeErasure refuses to erase what is nobody: deals and companies stay.
func judgeErasure(r *avro.ErasureRecord) error {
	if len(r.Nodes) == 0 || len(r.Nodes) > ErasureMax {
		return fmt.Errorf("%d identities, want between 1 and %d", len(r.Nodes), ErasureMax)
	}
	for _, b := range r.Nodes {
		n, err := identity.Parse(b)
		if err != nil {
			return err
		}
		if !Personal(n) {
			return fmt.Errorf("a node of level %v is nobody", n.Level)
		}
	}
	return nil
}

// Personal reports whether a node is somebody, or what somebody is part of.
func Personal(n identity.Node) bool {
	return n.Level >= identity.Anonymous && n.Level <= identity.Contact
}

// ParseSubjects reads who is to be erased, one a line: a kind, a space and a
// value. email a@b.com, email-sha256 HASH and phone +49301234 are of everybody;
// user, anonymous, marketing-lead, lead and contact belong to a partner, as in
// user acme/u-42. Its errors name lines and kinds, never values.
func ParseSubjects(data []byte, p *identity.Pseudonymizer) ([]identity.Node, error) {
	var nodes []identity.Node
	var problems []error
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		kind, value, _ := strings.Cut(text, " ")
		node, err := subject(kind, strings.TrimSpace(value), p)
		if err != nil {
			problems = append(problems, fmt.Errorf("line %d: %w", n, err))
			continue
		}
		if !slices.Contains(nodes, node) {
			nodes = append(nodes, node)
		}
	}
	if err := lines.Err(); err != nil {
		problems = append(problems, errors.New("a line is too long"))
	}
	if len(nodes)+len(problems) == 0 {
		problems = append(problems, errors.New("nobody is named: lines are such as email a@b.com, or user acme/u-42"))
	}
	return nodes, errors.Join(problems...)
}

func subject(kind, value string, p *identity.Pseudonymizer) (node identity.Node, err error) {
	var ok bool
	switch kind {
	case "email":
		node, ok = p.EmailNode(value)
	case "email-sha256":
		node, ok = p.HashedEmailNode(value)
	case "phone":
		node, ok = p.PhoneNode(value)
	default:
		return partnersSubject(kind, value, p)
	}
	if !ok {
		return node, fmt.Errorf("what is behind %s is none", kind)
	}
	return node, nil
}

func partnersSubject(kind, value string, p *identity.Pseudonymizer) (identity.Node, error) {
	kinds := map[string]struct {
		level  identity.Level
		scheme identity.Scheme
	}{
		"user":           {identity.Person, identity.SchemeUser},
		"anonymous":      {identity.Anonymous, identity.SchemeAnonymous},
		"marketing-lead": {identity.Person, identity.SchemeLead},
		"lead":           {identity.Lead, identity.SchemeLead},
		"contact":        {identity.Contact, identity.SchemeContact},
	}
	k, ok := kinds[kind]
	if !ok {
		return identity.Node{}, errors.New("the kind is none of email, email-sha256, phone, user, anonymous, marketing-lead, lead, contact")
	}
	reporter, id, ok := strings.Cut(value, "/")
	if !ok || reporter == "" || id == "" {
		return identity.Node{}, fmt.Errorf("behind %s stands partner/id, such as acme/42", kind)
	}
	return p.PersonNode(k.level, k.scheme, reporter, id)
}

// People is who the subjects are, as far as observations know it: the identities
// above each of them up to their contact, and all that belong to one of these
// rather than to somebody else, such as their browsers and memberships. seen are
// the subjects that occur at all.
func People(ctx context.Context, cfg Config, subjects []identity.Node) (all []identity.Node, seen int, err error) {
	g := people{links: map[identity.Node][]identity.Link{}, same: map[identity.Node][]identity.Node{}, known: map[identity.Node]bool{}}
	err = stream.ReadTopic(ctx, line.StreamConn(cfg.Kafka), cfg.Log, cfg.Spec.Observations(), func(r stream.Record) error {
		var obs avro.Observation
		if err := cfg.Codecs.Observation.Decode(r.Value, &obs); err != nil {
			return fmt.Errorf("observation %d@%d: %w", r.Partition, r.Offset, err)
		}
		return g.take(&obs)
	})
	if err != nil {
		return nil, 0, err
	}
	for _, s := range subjects {
		if g.known[s] {
			seen++
		}
	}
	return g.closure(subjects), seen, nil
}

// people is what observations say of who is who.
type people struct {
	links map[identity.Node][]identity.Link
	same  map[identity.Node][]identity.Node
	known map[identity.Node]bool
}

func (g *people) take(obs *avro.Observation) error {
	if obs.Kind != "fact" && obs.Kind != "link" {
		return nil
	}
	n, err := identity.Parse(obs.Node)
	if err != nil || !Personal(n) {
		return err
	}
	g.known[n] = true
	for _, l := range obs.Links {
		parent, err := identity.Parse(l.Parent)
		if err != nil {
			return err
		}
		if Personal(parent) {
			g.known[parent] = true
		}
		g.links[n] = append(g.links[n], identity.Link{Parent: parent, Evidence: identity.Evidence(l.Evidence), At: l.At})
	}
	for _, b := range obs.Same {
		other, err := identity.Parse(b)
		if err != nil {
			return err
		}
		g.known[other] = true
		g.same[n], g.same[other] = append(g.same[n], other), append(g.same[other], n)
	}
	return nil
}

// closure goes up from the subjects, then down from all that was met. It does not
// go up again from what it meets below: a browser may be shared with somebody
// else, who stays.
func (g *people) closure(subjects []identity.Node) []identity.Node {
	in := map[identity.Node]bool{}
	var all []identity.Node
	add := func(n identity.Node) {
		if !in[n] && Personal(n) {
			in[n] = true
			all = append(all, n)
		}
	}
	for _, s := range subjects {
		add(s)
	}
	for i := 0; i < len(all); i++ { //nolint:intrange // add makes it longer
		for _, o := range g.same[all[i]] {
			add(o)
		}
		if best, ok := identity.BestPerson(all[i], g.links[all[i]]); ok && all[i].Level > identity.Member {
			add(best.Parent)
		}
	}
	below := map[identity.Node][]identity.Node{}
	for n, links := range g.links {
		if best, ok := identity.BestPerson(n, links); ok {
			below[best.Parent] = append(below[best.Parent], n)
		}
	}
	for i := 0; i < len(all); i++ { //nolint:intrange // add makes it longer
		for _, n := range below[all[i]] {
			add(n)
		}
		for _, o := range g.same[all[i]] {
			add(o)
		}
	}
	slices.SortFunc(all, func(a, b identity.Node) int { return bytes.Compare(a.Bytes(), b.Bytes()) })
	return all
}

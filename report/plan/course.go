package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// course is what came between two revisions of one thing.
type course struct {
	subject, key string
	was, is      revision
	rules        rules // of those behind the one, up to the other, what is told
	named        func(r revision) string
	// otherwise is why the one is no later revision of the other, empty where it is.
	otherwise string
}

// changes are a line for each revision that was put in force meanwhile, the newest first.
func (k *course) changes() []Change {
	before, after := k.named(k.was), k.named(k.is)
	if before == after {
		return nil
	}
	var out []Change
	line := func(after, why string) {
		out = append(out, Change{Subject: k.subject, Key: k.key, Before: before, After: after, Why: why})
		before = after
	}
	if k.otherwise != "" {
		line(after, k.otherwise)
		return out
	}
	last := max(k.was.number, 0)
	// untold is a line for the revisions up to one that nothing is told of.
	untold := func(until int64, after string) {
		if n := until - last; n > 0 {
			why := "the package does not tell why it was put in force"
			if n > 1 {
				why = fmt.Sprintf("%d revisions were put in force, and the package does not tell why", n)
			}
			line(after, why)
		}
	}
	for i := range k.rules {
		r := &k.rules[i]
		untold(r.number-1, k.named(revision{number: r.number - 1}))
		why := r.reason()
		if r.changed != "" {
			why += " (it changed " + r.changed + ")"
		}
		line(k.named(*r), why)
		last = r.number
	}
	untold(k.is.number, after)
	slices.Reverse(out)
	return out
}

// native is how a feed is read that has no mapping.
const native = "native shapes"

// mappingOf names the revision by which a feed is read, with its hash where that is known:
// of none the native shapes, and nothing for a feed that was not there.
func mappingOf(r revision) string {
	number := "mapping revision " + strconv.FormatInt(r.number, 10)
	switch {
	case r.number < 0:
		return ""
	case r.number == 0:
		return native
	case r.ended:
		return native + ", by " + number
	}
	return strings.TrimSpace(number + " " + r.hash)
}

// absent is instead of the revision by which a feed was read that was not there.
const absent = -1

// revision is the one that a feed is read by.
func (m *Mapping) revision() revision {
	return revision{number: m.Revision, hash: m.Hash, ended: m.Revision > 0 && m.Hash == ""}
}

// mapping is by which revision a feed is read: nil where the package tells of none of any.
func (t *told) mapping(feed string) *Mapping {
	if t.mappings == nil {
		return nil
	}
	list := t.mappings[feed]
	if len(list) == 0 {
		return &Mapping{}
	}
	newest := list[len(list)-1]
	if newest.ended {
		return &Mapping{Revision: newest.number}
	}
	if newest.hash == "" {
		return nil // which one it is cannot be said
	}
	return &Mapping{newest.number, newest.hash}
}

// remapped are a line for each revision of a feed's mapping that was put in force since
// the last plan, which may not have had the feed: was is nil then. Where this plan or its
// package does not say by which mapping the feed is read, there is nothing to tell.
func remapped(was, is *DataSource, of rules, q Question) []Change {
	if is.Mapping == nil {
		return nil
	}
	k := course{subject: "data_source", key: is.Feed, was: revision{number: absent}, is: is.Mapping.revision(), named: mappingOf}
	switch {
	case was == nil:
	case was.Mapping == nil && is.Mapping.Revision == 0:
		return nil
	case was.Mapping == nil: // nobody knows of which one it was read before
		k.otherwise = q.otherwise("the last plan does not say how it was read")
	default:
		if k.was = was.Mapping.revision(); k.is.number <= k.was.number {
			k.otherwise = q.otherwise("")
		}
	}
	k.rules = of.between(k.was.number, k.is.number)
	return k.changes()
}

package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tracksource/report"
)

// rules are revisions of one thing, the contract or the mapping of a feed, in their order.
type rules []revision

// revision is one of them, as the package tells of it.
type revision struct {
	number  int64
	hash    string
	ended   bool   // it is one by which there is no mapping any more
	by, why string // empty where nobody said
	changed string // the fields that it changed, with commas between; empty where that is not told
}

// told are the revisions that a package tells of. Those that its viewer is not told of,
// and more than it lists, are not among them.
type told struct {
	contract rules
	mappings map[string]rules // by feed; nil where the package tells of none of any
}

func toldBy(pkg *report.Package) told {
	var out told
	out.contract = rulesOf(pkg.Table("revisions"), "")[""]
	out.mappings = rulesOf(pkg.Table("mappings"), "feed")
	return out
}

// rulesOf are the revisions in a table, by what the column says that they are of: nil
// without the table.
func rulesOf(t *report.Table, column string) map[string]rules {
	if t == nil {
		return nil
	}
	out := map[string]rules{}
	for _, row := range t.Rows {
		n, err := strconv.ParseInt(cell(t, row, "revision"), 10, 64)
		if err != nil || n < 1 {
			continue
		}
		r := revision{n, hash(cell(t, row, "hash")), cell(t, row, "ended") != "", cell(t, row, "by"), cell(t, row, "why"), cell(t, row, "changes")}
		of := cell(t, row, column)
		out[of] = append(out[of], r)
	}
	for _, list := range out {
		slices.SortStableFunc(list, func(a, b revision) int { return cmp.Compare(a.number, b.number) })
	}
	return out
}

// between are the revisions behind the one, up to the other.
func (r rules) between(was, is int64) rules {
	return slices.DeleteFunc(slices.Clone(r), func(one revision) bool { return one.number <= was || one.number > is })
}

// reason is for whom the revision was made and why, in their words.
func (r *revision) reason() string {
	if r.by == "" && r.why == "" {
		return "no reason was given"
	}
	return r.by + ": " + r.why
}

// touches reports whether the revision is known to change one of the fields, or what is
// in it.
func (r *revision) touches(fields ...string) bool {
	return slices.ContainsFunc(strings.Split(r.changed, ", "), func(name string) bool {
		end := strings.IndexAny(name+".", ".[")
		return slices.Contains(fields, name[:end])
	})
}

// complete reports whether all that the revision changed is named.
func (r *revision) complete() bool { return r.changed != "" && !strings.HasSuffix(r.changed, " more") }

// contracts are the contract of the last plan and of this one, with what came between.
type contracts struct {
	was, is Campaign
	rules   rules
	asked   Question
}

// changes are a line for each revision that was put in force meanwhile, the newest first.
func (c *contracts) changes() []Change {
	k := course{
		subject: "contract", was: revision{number: c.was.Revision, hash: c.was.Contract}, is: revision{number: c.is.Revision, hash: c.is.Contract},
		rules: c.rules, named: contractOf,
	}
	if c.was.Contract == "" || c.is.Revision <= c.was.Revision {
		k.otherwise = c.otherwise()
	}
	return k.changes()
}

// otherwise is why the contract is another and no later one.
func (c *contracts) otherwise() string {
	unsaid := ""
	if c.was.Contract == "" {
		unsaid = "the last plan does not say which contract it was by"
	}
	return c.asked.otherwise(unsaid)
}

// otherwise is why there is another revision that is no later one. Unsaid is why nobody
// can tell which one there was, empty where the last plan says it.
func (q Question) otherwise(unsaid string) string {
	switch {
	case q.Again != "":
		return whyAgain
	case q.AsOf != "":
		return whyAsked + "as-of"
	case unsaid != "":
		return unsaid
	}
	return "the reporter has it in force, and it is no later revision of the one before"
}

// why is by which revisions something changed that the contract says in these fields:
// those that are known to change them where all is known, else all that came between.
func (c *contracts) why(fields ...string) string {
	if c.is.Revision <= c.was.Revision || c.was.Contract == "" {
		return "by another contract: " + c.otherwise()
	}
	of, sure := rules(nil), int64(len(c.rules)) == c.is.Revision-c.was.Revision
	for _, r := range c.rules {
		if r.touches(fields...) {
			of = append(of, r)
		} else {
			sure = sure && r.complete()
		}
	}
	first := c.was.Revision + 1
	switch {
	case first == c.is.Revision && len(c.rules) == 1:
		of = c.rules
	case first == c.is.Revision:
		return fmt.Sprintf("by the contract's revision %d", first)
	case !sure || len(of) == 0:
		return fmt.Sprintf("by the contract's revisions %d to %d", first, c.is.Revision)
	}
	if len(of) == 1 {
		return fmt.Sprintf("by the contract's revision %d (%s)", of[0].number, of[0].reason())
	}
	numbers := make([]string, len(of))
	for i, r := range of {
		numbers[i] = strconv.FormatInt(r.number, 10)
	}
	return "by the contract's revisions " + strings.Join(numbers, ", ")
}

// contractOf names a revision, with its hash where that is known.
func contractOf(r revision) string {
	if r.number == 0 {
		return ""
	}
	return strings.TrimSpace("revision " + strconv.FormatInt(r.number, 10) + " " + r.hash)
}

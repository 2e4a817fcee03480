package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tracksource/report"
)

// rules are revisions of a contract, in their order.
type rules []revision

// revision is one of them, as the package tells of it.
type revision struct {
	number  int64
	hash    string
	by, why string // empty where nobody said
	changed string // the fields that it changed, with commas between; empty where that is not told
}

// rulesOf are the revisions that a package tells of. Those that its viewer is not told of,
// and more than it lists, are not among them.
func rulesOf(pkg *report.Package) rules {
	var out rules
	t := pkg.Table("revisions")
	if t == nil {
		return nil
	}
	for _, row := range t.Rows {
		n, err := strconv.ParseInt(cell(t, row, "revision"), 10, 64)
		if err != nil || n < 1 {
			continue
		}
		out = append(out, revision{n, hash(cell(t, row, "hash")), cell(t, row, "by"), cell(t, row, "why"), cell(t, row, "changes")})
	}
	slices.SortStableFunc(out, func(a, b revision) int { return cmp.Compare(a.number, b.number) })
	return out
}

// between are the revisions behind the one campaign's contract, up to the other's.
func (r rules) between(was, is Campaign) rules {
	return slices.DeleteFunc(slices.Clone(r), func(one revision) bool { return one.number <= was.Revision || one.number > is.Revision })
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
	before, after := contractOf(c.was.Revision, c.was.Contract), contractOf(c.is.Revision, c.is.Contract)
	if before == after {
		return nil
	}
	if c.was.Contract == "" || c.is.Revision <= c.was.Revision {
		return []Change{{Subject: "contract", Before: before, After: after, Why: c.otherwise()}}
	}
	var out []Change
	last := c.was.Revision
	// untold is a line for the revisions up to one that nothing is told of.
	untold := func(until int64, after string) {
		if n := until - last; n > 0 {
			why := "the package does not tell why it was put in force"
			if n > 1 {
				why = fmt.Sprintf("%d revisions were put in force, and the package does not tell why", n)
			}
			out = append(out, Change{Subject: "contract", Before: before, After: after, Why: why})
			before, last = after, until
		}
	}
	for i := range c.rules {
		r := &c.rules[i]
		untold(r.number-1, contractOf(r.number-1, ""))
		why := r.reason()
		if r.changed != "" {
			why += " (it changed " + r.changed + ")"
		}
		after := contractOf(r.number, r.hash)
		out = append(out, Change{Subject: "contract", Before: before, After: after, Why: why})
		before, last = after, r.number
	}
	untold(c.is.Revision, after)
	slices.Reverse(out)
	return out
}

// otherwise is why the contract is another and no later one.
func (c *contracts) otherwise() string {
	switch {
	case c.asked.Again != "":
		return whyAgain
	case c.asked.AsOf != "":
		return whyAsked + "as-of"
	case c.was.Contract == "":
		return "the last plan does not say which contract it was by"
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
func contractOf(number int64, hash string) string {
	if number == 0 {
		return ""
	}
	return strings.TrimSpace("revision " + strconv.FormatInt(number, 10) + " " + hash)
}

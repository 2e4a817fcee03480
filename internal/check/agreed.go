package check

import (
	"slices"

	"tracksource/contract"
	"tracksource/money"
	"tracksource/schemas/avro"
)

// revision is one revision of what a book follows.
type revision struct {
	number   int64
	document string
	contract *contract.Contract
}

// agree takes a contract into the rules of its book: behind those before it, and
// what is proposed behind what is agreed when it comes, in a book of its own. What
// is withdrawn, and what is agreed as it was proposed, has none.
func (v *verifier) agree(broadcast int64, r *avro.ContractRecord) {
	agreed, proposal := v.contracts[r.Campaign], contract.ProposalBook(r.Campaign)
	newest := int64(0)
	if n := len(agreed); n > 0 {
		newest = agreed[n-1].number
	}
	switch {
	case r.Proposed && r.Document == "":
		delete(v.contracts, proposal)
		return
	case r.Revision <= newest:
		return
	}
	parsed, err := contract.Parse([]byte(r.Document))
	if err != nil {
		v.problem("broadcast %d: contract %s revision %d: %v", broadcast, r.Campaign, r.Revision, err)
		return
	}
	all := append(slices.Clone(agreed), revision{r.Revision, r.Document, parsed})
	if r.Proposed {
		v.contracts[proposal] = all
		return
	}
	v.contracts[r.Campaign] = all
	if p := v.contracts[proposal]; len(p) > 0 && p[len(p)-1].document == r.Document {
		delete(v.contracts, proposal)
	}
}

// on is the revision that accounts for a conversion day: the newest whose
// restate_from is not after it. Days before all of them are those of the earliest.
func on(revisions []revision, day money.Day) int {
	earliest := 0
	for i, r := range revisions {
		if r.from() <= revisions[earliest].from() {
			earliest = i
		}
	}
	for i, r := range slices.Backward(revisions) {
		if r.from() <= day {
			return i
		}
	}
	return earliest
}

func (r *revision) from() money.Day {
	if r.contract.HasRestateFrom {
		return r.contract.RestateFrom
	}
	return money.DayMin
}

// replaced reports whether newer revisions account for all days of the i-th.
func replaced(revisions []revision, i int) bool {
	return slices.ContainsFunc(revisions[i+1:], func(r revision) bool { return r.from() <= revisions[i].from() })
}

// left are the revisions that account for any day.
func left(revisions []revision) (list []revision) {
	for i, r := range revisions {
		if !replaced(revisions, i) {
			list = append(list, r)
		}
	}
	return list
}

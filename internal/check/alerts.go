package check

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"tracksource/contract"
	"tracksource/money"
	"tracksource/normalize"
	"tracksource/schemas/avro"
)

// alerts holds what people were told against what follows: of disputes, of guardrails and
// of records that were refused from control alone, the newest of each id in all that it
// says; of control totals what does not hang on when they were looked at. Which events
// had come by then is not known afterwards, and neither is what a guardrail's value was
// worked out from: of these the alert has to follow from what it says itself. Alerts of
// other kinds are about what was seen on the way, and are not looked at.
func (v *verifier) alerts() {
	newest := map[string]*avro.Alert{}
	for i := range v.in.Alerts {
		newest[v.in.Alerts[i].Value.ID] = &v.in.Alerts[i].Value
	}
	for _, a := range slices.SortedFunc(maps.Values(newest), byID) {
		var wrong []string
		n := v.decided.notices[a.ID]
		switch {
		case n != nil:
			wrong = n.differs(a)
		case a.Kind == "dispute" || a.Kind == "guardrail":
			wrong = []string{"it follows from no record of control"}
		case a.Kind == "control_refused":
			wrong = v.unrefused(a)
		case a.Kind == "control_total":
			wrong = v.totalAlert(a)
		default:
			continue
		}
		v.report.Alerts++
		for _, w := range wrong {
			v.problem("alert %s: %s", a.ID, w)
		}
	}
	if v.in.AlertsCut {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(v.decided.notices)) {
		if newest[id] == nil {
			v.problem("alert %s: nobody was told", id)
		}
	}
}

// unrefused is what is wrong with an alert about a refused record that is not refused here.
func (v *verifier) unrefused(a *avro.Alert) []string {
	_, text, _ := strings.Cut(a.ID, "/")
	offset, err := strconv.ParseInt(text, 10, 64)
	i, found := slices.BinarySearchFunc(v.in.Control, offset, func(r At[avro.Control], at int64) int { return cmp.Compare(r.Offset, at) })
	switch {
	case err != nil || !found:
		return []string{"it is about no record of control"}
	case judgedElsewhere(&v.in.Control[i].Value):
		return nil
	}
	return []string{fmt.Sprintf("control's record %d, %s, was not to be refused", offset, controlText(&v.in.Control[i].Value))}
}

// totalAlert holds an alert about a control total against what the partner said, and its
// state against its own numbers.
func (v *verifier) totalAlert(a *avro.Alert) (wrong []string) {
	numbers := totalNumbers(a.Evidence)
	agrees, same := true, true
	limit := big.NewRat(v.decided.totals[a.Partner], contract.RatioWhole)
	for _, of := range slices.Sorted(maps.Keys(numbers)) {
		said, ok := new(big.Rat).SetString(numbers[of][0])
		came, fine := new(big.Rat).SetString(numbers[of][1])
		if !ok || !fine {
			return []string{fmt.Sprintf("its numbers of %s are %q", of, numbers[of])}
		}
		apart := new(big.Rat).Sub(said, came)
		apart.Abs(apart)
		same = same && apart.Sign() == 0
		agrees = agrees && apart.Cmp(said.Mul(said.Abs(said), limit)) <= 0
	}
	switch {
	case a.State == "open" && same:
		wrong = append(wrong, fmt.Sprintf("it is open, and what came is what was said: %q", a.Evidence))
	case a.State == "settled" && !agrees:
		wrong = append(wrong, fmt.Sprintf("it is settled, and no contract lets what came be so far from what was said: %q", a.Evidence))
	case a.State != "open" && a.State != "settled":
		wrong = append(wrong, fmt.Sprintf("its state is %q", a.State))
	}
	if len(v.in.Cut) == 0 && !v.saidTotal(a, numbers) {
		wrong = append(wrong, fmt.Sprintf("nobody said this total: %q", a.Evidence))
	}
	return wrong
}

// totalNumbers are the numbers of an alert about a control total, as they were said and
// as they came, by what they count.
func totalNumbers(evidence []string) map[string][2]string {
	numbers := map[string][2]string{}
	for _, e := range evidence {
		if words := strings.Split(e, " "); len(words) == 5 && words[2] == "said" && words[4] == "came" {
			numbers[words[0]] = [2]string{words[1], words[3]}
		}
	}
	return numbers
}

// saidTotal is whether a partner said the numbers of an alert, of its day.
func (v *verifier) saidTotal(a *avro.Alert, numbers map[string][2]string) bool {
	return slices.ContainsFunc(v.in.Observations, func(r At[Observation]) bool {
		o := &r.Value
		if o.Kind != "total" || o.Total == nil || o.Total.Step != "said" || o.Reporter != a.Partner ||
			o.Feed+"."+o.Reporter+"/"+o.Source+"/"+o.Total.Day != a.Subject || !o.OccurredAt.Equal(a.RaisedAt) {
			return false
		}
		if at := o.Origin; at != nil && !slices.Contains(a.Evidence, Position{at.Topic, at.Partition, at.Offset}.String()) {
			return false
		}
		sums := map[string]int64{}
		for _, s := range o.Total.Sums {
			sums[s.Currency] += s.Minor
		}
		want := map[string]string{"events": strconv.FormatInt(o.Total.Count, 10)}
		for currency, minor := range sums {
			exponent, err := money.Exponent(cmp.Or(currency, normalize.AmountScale))
			if err != nil {
				return false
			}
			if minor != 0 {
				want[cmp.Or(currency, "-")] = money.Format(minor, exponent)
			}
		}
		for of, n := range numbers {
			zero := strings.Trim(n[0], "0.") == ""
			if want[of] != n[0] && (want[of] != "" || !zero) {
				return false
			}
			delete(want, of)
		}
		return len(want) == 0
	})
}

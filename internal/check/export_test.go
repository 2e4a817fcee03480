package check

import "tracksource/schemas/avro"

// Decided returns the offsets of the records of control that are judged to go to every
// partition, and the state of each dispute by its campaign and id, with whom it went to.
func Decided(records []At[avro.Control]) (passed []int64, disputes map[[2]string][2]string) {
	d := decide(records)
	for _, r := range d.passed {
		passed = append(passed, r.offset)
	}
	disputes = map[[2]string][2]string{}
	for name, s := range d.disputes {
		disputes[[2]string{name.campaign, name.id}] = [2]string{s.fields["state"], s.fields["to"]}
	}
	return passed, disputes
}

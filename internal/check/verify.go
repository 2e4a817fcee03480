package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tracksource/contract"
	"tracksource/identity"
	"tracksource/money"
	"tracksource/schemas/avro"
)

// At is a value with its place in its topic.
type At[T any] struct {
	Partition int32
	Offset    int64
	Value     T
}

// Observation is an observation with the hash of its content (see Content).
type Observation struct {
	avro.Observation
	Content [16]byte
}

// Row is one record of contributions; a nil Row is a tombstone.
type Row struct {
	Key avro.ContributionKey
	Row *avro.ContributionRow
}

// Position is the place of a record.
type Position struct {
	Topic     string
	Partition int32
	Offset    int64
}

// String is topic/partition@offset.
func (p Position) String() string { return fmt.Sprintf("%s/%d@%d", p.Topic, p.Partition, p.Offset) }

// Input is what the topics hold. The order of the slices does not matter.
type Input struct {
	Raw                   []Position
	DeadLetters           []avro.DeadLetter
	Observations          []At[Observation]
	ObservationPartitions int32
	Control               []At[avro.Control]
	Spoilt                []int64 // offsets of records of control that nobody can read
	Alerts                []At[avro.Alert]
	AlertsCut             bool // they no longer begin with the first
	Journeys              []At[avro.JourneyEvent]
	JourneyPartitions     int32
	Credits               []At[avro.CreditEntry]
	Facts                 []At[Fact]
	Rows                  []At[Row]
	PartnerRows           map[string][]At[Row] // the topics of single partners, by partner
	Unreadable            []string             // records that could not be decoded
	Transactions          map[string]map[int32]Transactions
	Chains                []Chain
	Cut                   []string // topics in front of journeys that are not whole: journeys are the base
}

// Report says what was found. A system holds when it has no problem.
type Report struct {
	Base                                             string          // observations or journeys: what the books were computed from
	Cut                                              []string        // why it is journeys
	Feeds                                            map[string]Feed // by raw topic
	Raw, DeadLetters                                 int             // records of the feeds; of them refused at the door
	Accepted, Duplicates, Restated, Late, Collisions int             // facts; restated: an event said anew, its newer or its older version
	Suppressed                                       int             // facts of people who were erased
	Decisions                                        int             // about single deals
	Disputes, Steps, Closings                        int             // that were opened; of them, settlements too; times that days were closed or opened again
	Refused                                          int             // records of control, of those that are judged again
	Merges                                           int             // times that an event said of two identities that they are one
	Items, Accounts                                  int             // on journeys now
	Controls, Contracts, Proposals                   int             // broadcasts; contracts in force; shadows beside them
	Conversions                                      int             // booked
	Entries, Rows                                    int             // of the ledger; rows that are not deleted
	Adjusted, Escrowed                               int             // entries booked on another day than theirs; entries in escrow
	PartnerRows                                      int             // such rows in the topics of single partners, of all of them
	Facts                                            int             // deals under contracts that the facts topic tells of
	Alerts                                           int             // that follow from what was said; each counts once
	Transactions                                     int64           // of the tiers with state

	// Problems are readable, at most problemsMax; ProblemCount is how many there
	// were.
	Problems     []string
	ProblemCount int
}

// Feed is what became of one raw topic. Its events are those of Records and those
// more that some records hold.
type Feed struct {
	Records, Events, Accepted, Duplicates, Restated, Late, Suppressed, DeadLetters, Totals, Disputes int
}

// problemsMax is as many as a person reads.
const problemsMax = 20

// Err is nil when everything holds, else it lists the problems.
func (r Report) Err() error {
	if r.ProblemCount == 0 {
		return nil
	}
	text := strings.Join(r.Problems, "\n  ")
	if more := r.ProblemCount - len(r.Problems); more > 0 {
		text += fmt.Sprintf("\n  and %d more", more)
	}
	return fmt.Errorf("%d problems:\n  %s", r.ProblemCount, text)
}

// String is the counts on one line.
func (r Report) String() string {
	if r.Base == baseJourneys {
		return fmt.Sprintf("%d items of %d accounts on journeys; %d conversions; %d entries, %d rows", r.Items, r.Accounts, r.Conversions, r.Entries, r.Rows)
	}
	return fmt.Sprintf("%d raw = %d accepted + %d duplicates + %d restated + %d late + %d dead letters; %d items of %d accounts; %d conversions; %d entries, %d rows",
		r.Raw, r.Accepted, r.Duplicates, r.Restated, r.Late, r.DeadLetters, r.Items, r.Accounts, r.Conversions, r.Entries, r.Rows)
}

// verifier is the work of one Verify.
type verifier struct {
	in     Input
	report Report

	contracts map[string][]revision // by book, in their order
	rates     money.Rates
	links     map[string][]identity.Link // by encoded child
	same      map[string][]string        // by encoded identity: those of its level that are the same thing
	erased    map[string]bool            // encoded identities
	touches   map[itemKey]touch
	updates   map[itemKey][]update
	accounts  map[string]*account  // by encoded root
	closings  map[string][]closing // by campaign, in their order
	firstSeen map[seenAt]int64     // offsets
	due       map[factsKey]*conclusion
	decided   *decided
}

// The bases of the books.
const (
	baseObservations = "observations"
	baseJourneys     = "journeys"
)

// Verify holds the content of all topics against each other and against books
// computed again from the accepted facts.
func Verify(in Input) Report {
	byPlace(in.Control)
	byPlace(in.Alerts)
	byPlace(in.Observations)
	byPlace(in.Journeys)
	byPlace(in.Credits)
	byPlace(in.Facts)
	byPlace(in.Rows)
	for _, rows := range in.PartnerRows {
		byPlace(rows)
	}
	v := &verifier{
		in: in, contracts: map[string][]revision{}, links: map[string][]identity.Link{}, same: map[string][]string{}, erased: map[string]bool{},
		touches: map[itemKey]touch{}, updates: map[itemKey][]update{}, accounts: map[string]*account{},
		closings: map[string][]closing{}, due: map[factsKey]*conclusion{},
	}
	for _, u := range in.Unreadable {
		v.problem("unreadable record %s", u)
	}
	v.engine()
	if open(in.Transactions) {
		return v.report // the content was not read
	}
	v.controls()
	v.order()
	if len(in.Cut) == 0 {
		v.report.Base = baseObservations
		v.facts()
		v.feeds()
		v.place()
		v.journeys()
	} else {
		v.report.Base, v.report.Cut = baseJourneys, in.Cut
		v.held()
	}
	v.placedDisputes()
	v.alerts()
	due := v.books()
	ledger := v.ledger()
	v.conserved(due, ledger)
	v.told(ledger)
	rows := v.rows()
	v.compare(due, ledger, rows)
	v.sure(due, ledger)
	v.snapshots(due, ledger, rows)
	v.partners()
	return v.report
}

func (v *verifier) problem(format string, args ...any) {
	v.report.ProblemCount++
	if len(v.report.Problems) < problemsMax {
		v.report.Problems = append(v.report.Problems, fmt.Sprintf(format, args...))
	}
}

func byPlace[T any](records []At[T]) {
	slices.SortStableFunc(records, func(a, b At[T]) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
}

// controls checks that each partition of observations and of journeys has every
// broadcast, once and in order, and puts the newest of each in force.
func (v *verifier) controls() {
	topics := map[string]map[int32][]*avro.Control{"observations": {}, "journeys": {}}
	for i := range v.in.Observations {
		if o := &v.in.Observations[i]; o.Value.Kind == "control" {
			topics["observations"][o.Partition] = append(topics["observations"][o.Partition], o.Value.Control)
		}
	}
	for i := range v.in.Journeys {
		if e := &v.in.Journeys[i]; e.Value.Kind == "control" {
			topics["journeys"][e.Partition] = append(topics["journeys"][e.Partition], e.Value.Control)
		}
	}
	all := map[int64]*avro.Control{}
	last := int64(0)
	whole := map[string]int32{"journeys": v.in.JourneyPartitions}
	if len(v.in.Cut) == 0 {
		whole["observations"] = v.in.ObservationPartitions
	}
	for _, name := range slices.Sorted(maps.Keys(whole)) {
		for p, list := range topics[name] {
			for i, c := range list {
				if c == nil {
					v.problem("broadcast %d of %s/%d has no record", i+1, name, p)
					continue
				}
				if c.Number != int64(i+1) {
					v.problem("broadcast number %d of %s/%d is at place %d: the numbers are not contiguous", c.Number, name, p, i+1)
				}
				if was := all[c.Number]; was == nil {
					all[c.Number] = c
				} else if controlText(was) != controlText(c) {
					v.problem("broadcast %d differs between partitions: %s and, in %s/%d, %s", c.Number, controlText(was), name, p, controlText(c))
				}
				last = max(last, c.Number)
			}
		}
	}
	for name, partitions := range whole {
		for p := range partitions {
			if n := len(topics[name][p]); int64(n) != last {
				v.problem("%s/%d has %d broadcasts of %d", name, p, n, last)
			}
		}
	}
	v.follow(all, last)
	v.report.Controls = len(all)
	for n := int64(1); n <= last; n++ {
		if c := all[n]; c != nil {
			v.enforce(c)
		}
	}
	for book := range v.contracts {
		if _, proposed := contract.CampaignOfBook(book); proposed {
			v.report.Proposals++
		} else {
			v.report.Contracts++
		}
	}
}

// enforce takes one broadcast into the rules. A rate that comes again replaces
// the older one.
func (v *verifier) enforce(c *avro.Control) {
	switch {
	case c.Contract != nil:
		v.agree(c.Number, c.Contract)
	case c.Rate != nil:
		day, err := money.ParseDay(c.Rate.Day)
		if err == nil {
			err = v.rates.Set(c.Rate.Base, c.Rate.Quote, day, c.Rate.Rate)
		}
		if err != nil {
			v.problem("broadcast %d: rate %s/%s of %s: %v", c.Number, c.Rate.Base, c.Rate.Quote, c.Rate.Day, err)
		}
	case c.Period != nil:
		v.close(c.Number, c.Period)
	case c.Horizon == nil:
		v.problem("broadcast %d of kind %q has no record", c.Number, c.Kind)
	}
}

// close takes a closing or the opening of days again behind those before it.
func (v *verifier) close(number int64, r *avro.PeriodRecord) {
	day, err := money.ParseDay(r.Day)
	if err != nil {
		v.problem("broadcast %d: period of %s: %v", number, r.Campaign, err)
		return
	}
	if r.Action == "reopen" {
		day--
	}
	v.report.Closings++
	v.closings[r.Campaign] = append(v.closings[r.Campaign], closing{number: number, offsets: map[int32]int64{}, until: day, at: r.At})
}

func controlText(c *avro.Control) string {
	switch {
	case c.Contract != nil:
		r := c.Contract
		return fmt.Sprintf("contract %s revision %d hash %.12s, proposed %t, %d bytes", r.Campaign, r.Revision, r.Hash, r.Proposed, len(r.Document))
	case c.Rate != nil:
		return fmt.Sprintf("rate %s/%s of %s = %s", c.Rate.Base, c.Rate.Quote, c.Rate.Day, c.Rate.Rate)
	case c.Horizon != nil:
		return "horizon " + c.Horizon.Day
	case c.Period != nil:
		return fmt.Sprintf("%s %s %s", c.Period.Action, c.Period.Campaign, c.Period.Day)
	}
	return c.Kind
}

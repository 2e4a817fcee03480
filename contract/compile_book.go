package contract

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"tracksource/money"
)

func (k *compiler) journey() {
	j := k.doc.Journey
	k.contract.Journey = Journey{Matching: Matching(cmp.Or(j.Matching, string(MatchImplicit))), Touches: TouchesDefault}
	switch k.contract.Journey.Matching {
	case MatchImplicit, MatchExplicit, MatchHybrid:
	default:
		k.fail(path{"journey", "matching"}, "%q; write implicit, hybrid or explicit", j.Matching)
	}
	if n := j.Touches; n != nil {
		if *n < 1 || *n > TouchesMax {
			k.fail(path{"journey", "touches"}, "%d; write a number of touches from 1 to %d", *n, TouchesMax)
		}
		k.contract.Journey.Touches = *n
	}
}

func (k *compiler) overlap() {
	o := k.doc.Overlap
	overlap := Overlap{
		Window: k.span(path{"overlap", "window"}, cmp.Or(o.Window, "1h")),
		By:     Sameness(cmp.Or(o.By, string(SameAccount))), Disagreement: Disagreement(cmp.Or(o.Disagreement, string(DisagreementSplit))),
	}
	if overlap.By != SameAccount && overlap.By != SamePerson {
		k.fail(path{"overlap", "by"}, "%q; write account or person", o.By)
	}
	if overlap.Disagreement != DisagreementSplit && overlap.Disagreement != DisagreementHold {
		k.fail(path{"overlap", "disagreement"}, "%q; write split or hold", o.Disagreement)
	}
	k.contract.Overlap = overlap
}

// span reads a stretch of time such as 10m, 1h or 2d.
func (k *compiler) span(at path, text string) time.Duration {
	units := map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}
	unit, known := units[text[len(text)-1:]]
	n, err := strconv.Atoi(text[:len(text)-1])
	span := time.Duration(n) * unit
	if !known || err != nil || strconv.Itoa(n) != text[:len(text)-1] || n < 0 || n > int(overlapMax/time.Minute) || span > overlapMax {
		k.fail(at, "%q; write a time from 0m to 7d, such as 10m, 1h or 1d", text)
		return 0
	}
	return span
}

func (k *compiler) deals() {
	d := k.doc.Deals
	deals := Deals{Others: OtherDeals(cmp.Or(d.Others, string(DealsEvidence))), SuspectDays: suspectDaysDefault}
	if deals.Others != DealsEvidence && deals.Others != DealsCount {
		k.fail(path{"deals", "others"}, "%q; write evidence or count", d.Others)
	}
	switch d.Suspect {
	case "":
	case "never":
		deals.SuspectDays = -1
	default:
		deals.SuspectDays = k.days(path{"deals", "suspect"}, d.Suspect, 0, LookbackMax)
	}
	k.contract.Deals = deals
}

// reservedMeasures are the measures that every book has. Milestones are measures
// too, and must not be taken for them.
func reservedMeasures() []string {
	return []string{
		"pipeline_created", "pipeline_open", "pipeline_sourced", "pipeline_influenced", "pipeline_co_sell",
		"revenue", "revenue_sourced", "revenue_influenced", "revenue_co_sell",
		"opportunities", "opportunities_influenced", "orders", "won", "lost",
	}
}

func (k *compiler) restateFrom() {
	text := strings.TrimSpace(k.doc.RestateFrom)
	if text == "" {
		return
	}
	day, err := money.ParseDay(text)
	if err != nil {
		k.fail(path{"restate_from"}, "%v", err)
	}
	if w := k.contract.Window; err == nil && w.HasHistory && day < w.HistoryFrom {
		k.fail(path{"restate_from"}, "%s is before window.history_from, and nothing is held of the days between", text)
	}
	k.contract.RestateFrom, k.contract.HasRestateFrom = day, true
}

package attributor

import (
	"cmp"
	"fmt"
	"time"

	"tracksource/attribution"
	"tracksource/schemas/avro"
	"tracksource/state"
)

// The keyspaces of the attributor's stores; docs/state-layout.md.
var (
	spaceControl  = state.Keyspace{ID: 0x20, Version: 2, Name: "control"}
	spaceItem     = state.Keyspace{ID: 0x21, Version: 2, Name: "item"}
	spaceBooked   = state.Keyspace{ID: 0x22, Version: 2, Name: "booked"}
	spaceRunning  = state.Keyspace{ID: 0x23, Version: 2, Name: "running"}
	spaceSequence = state.Keyspace{ID: 0x24, Version: 1, Name: "sequence"}
	spaceTime     = state.Keyspace{ID: 0x25, Version: 1, Name: "touch by time"}
	spaceReach    = state.Keyspace{ID: 0x26, Version: 1, Name: "reach"}
	spaceFacts    = state.Keyspace{ID: 0x27, Version: 1, Name: "facts"}
)

// keyFormat leads the keys of ledger entries.
var keyFormat = state.Keyspace{ID: 1, Version: 1, Name: "contribution key"}

// Layout returns the keyspaces of the attributor's stores.
func Layout() (state.Layout, error) {
	return state.NewLayout(spaceControl, spaceItem, spaceBooked, spaceRunning, spaceSequence, spaceTime, spaceReach, spaceFacts)
}

// The names in the control keyspace.
const (
	controlContract   = "contract"
	controlRate       = "rate"
	controlHorizon    = "horizon"
	controlNumber     = "number"
	controlSweep      = "sweep"
	controlChanges    = "changes"
	controlGeneration = "generation"
	controlLayout     = "layout"
	controlBooks      = "books"
	controlPeriod     = "period"
	controlDisputed   = "disputed"
)

func controlKey(name string) state.Key { return spaceControl.Key().String(name) }

func revisionKey(book string, number int64) []byte {
	return controlKey(controlContract).String(book).Uint64(uint64(number))
}

func rateKey(base, quote, day string) []byte {
	return controlKey(controlRate).String(base).String(quote).String(day)
}

func periodKey(campaign string, number int64) []byte {
	return controlKey(controlPeriod).String(campaign).Uint64(uint64(number))
}

func disputedKey(campaign string) []byte { return controlKey(controlDisputed).String(campaign) }

// accountItems is the prefix of an account's items.
func accountItems(account []byte) state.Key { return spaceItem.Key().Bytes(account) }

// The kinds of items, behind the account in their keys.
const (
	itemObject = 'o'
	itemTouch  = 't' // of a touch, the one that counts of those of its id
	itemOther  = 'u' // another touch of the same id, of another identity
)

// accountObjects is the prefix of an account's objects.
func accountObjects(account []byte) state.Key { return accountItems(account).Byte(itemObject) }

// objectKey has the item's own identity too: placements are counted by the
// partition of that identity, and of two identities cannot be compared.
func objectKey(ev *avro.JourneyEvent) []byte {
	return accountObjects(ev.Account).Bytes(ev.Node).String(ev.Reporter).String(ev.Source).String(ev.Item)
}

func touchKey(ev *avro.JourneyEvent) []byte {
	return accountItems(ev.Account).Byte(itemTouch).String(ev.Reporter).String(ev.Source).String(ev.Item)
}

// otherKeys is the prefix of the other touches of the event's id.
func otherKeys(ev *avro.JourneyEvent) state.Key {
	return accountItems(ev.Account).Byte(itemOther).String(ev.Reporter).String(ev.Source).String(ev.Item)
}

func otherKey(ev *avro.JourneyEvent, node []byte) []byte { return otherKeys(ev).Bytes(node) }

// accountTouches is the prefix of an account's touches in order of time.
func accountTouches(account []byte) state.Key { return spaceTime.Key().Bytes(account) }

// timeKey sorts the touches of an account as books do: by time, then by id.
func timeKey(ev *avro.JourneyEvent, at time.Time) []byte {
	return accountTouches(ev.Account).Time(at).Ordered(ev.Reporter).Ordered(ev.Source).Ordered(ev.Item)
}

func reachKey(account []byte) []byte { return spaceReach.Key().Bytes(account) }

func bookedKey(account []byte, campaign string) []byte {
	return spaceBooked.Key().Bytes(account).String(campaign)
}

func factsKey(account []byte, campaign string) []byte {
	return spaceFacts.Key().Bytes(account).String(campaign)
}

func runningKey(contribution []byte, currency string, exponent int) []byte {
	return spaceRunning.Key().Bytes(contribution).String(currency).Uint32(uint32(exponent))
}

func sequenceKey(creditsPartition int32) []byte {
	return spaceSequence.Key().Uint32(uint32(creditsPartition))
}

// ContributionKeyBytes returns the Kafka key of an entry: a format byte, then
// contract, measure, day, partner, channel, asset, region, segment, source and
// touch_campaign, each with its length as two bytes, big-endian. Behind them are
// escrow and booked, unless the entry is in no escrow and booked on its own day:
// programs without either wrote that key, and it has to stay in its partition. Neither
// model nor currency is in it.
func ContributionKeyBytes(e *avro.CreditEntry) []byte {
	key := keyFormat.Key().String(e.Contract).String(e.Measure).String(e.Day).
		String(e.Partner).String(e.Channel).String(e.Asset).String(e.Region).String(e.Segment).
		String(e.Source).String(e.TouchCampaign)
	escrow, booked := cmp.Or(e.Escrow, attribution.EscrowNone), cmp.Or(e.Booked, e.Day)
	if escrow != attribution.EscrowNone || booked != e.Day {
		key = key.String(escrow).String(booked)
	}
	return key
}

// ParseContributionKey reads what ContributionKeyBytes wrote; Model is empty.
// Its errors wrap state.ErrKey.
func ParseContributionKey(key []byte) (avro.ContributionKey, error) {
	p := keyFormat.Parts(key)
	k := avro.ContributionKey{
		Contract: p.String(), Measure: p.String(), Day: p.String(),
		Partner: p.String(), Channel: p.String(), Asset: p.String(), Region: p.String(), Segment: p.String(),
		Source: p.String(), TouchCampaign: p.String(), Escrow: attribution.EscrowNone,
	}
	k.Booked = k.Day
	if short := *p; short.End() == nil {
		return k, nil
	}
	k.Escrow, k.Booked = p.String(), p.String()
	if err := p.End(); err != nil {
		return avro.ContributionKey{}, err
	}
	if k.Escrow == attribution.EscrowNone && k.Booked == k.Day || k.Escrow == "" || k.Booked == "" && k.Day != "" {
		return avro.ContributionKey{}, fmt.Errorf("%w: an escrow and a booking that say nothing", state.ErrKey)
	}
	return k, nil
}

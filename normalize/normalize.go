// Package normalize reduces native events to observations: who, when, by which
// UTM and referrer, which native stage, which amount. It knows native shapes,
// one file each. It judges nothing that a contract decides, keeps no state and
// does no input or output; the same bytes give the same observations.
//
// People leave it as pseudonyms only, in observations and in errors.
package normalize

import (
	"errors"
	"fmt"
	"time"

	"tracksource/identity"
)

// Code says why an event cannot be used. Codes are stable: people filter dead
// letters by them.
type Code string

// The codes.
const (
	Undecodable  Code = "undecodable"   // not JSON
	TooLarge     Code = "too_large"     // longer than BytesMax
	TooDeep      Code = "too_deep"      // nested deeper than DepthMax
	UnknownShape Code = "unknown_shape" // of no native shape that is known
	MissingField Code = "missing_field" // a field without which it means nothing
	BadField     Code = "bad_field"     // a field of the wrong type
	BadTime      Code = "bad_time"      // a time that is none, or before 2000
	TimeFuture   Code = "time_future"   // more than a day ahead of its arrival
	BadAmount    Code = "bad_amount"    // an amount that is none, or out of bounds
	BadCurrency  Code = "bad_currency"  // a currency that is none
	DataGap      Code = "data_gap"      // the source says that it lost events
)

// Bounds of one payload.
const (
	BytesMax = 1 << 20
	DepthMax = 32
	textMax  = 2048 // bytes of a text that is kept; a longer one is cut at a rune

	// fieldMax bounds a field of an object, at about what CRMs let a text have: the
	// newest updates of each are kept whole, side by side in one record.
	fieldMax = 256

	// eventIDMax bounds the id of an event. Those of the sources that are known have
	// some 60 bytes; Snowplow's is made of two, and a person's address may be in one.
	eventIDMax = 200

	// recordsMax is how many records one event may speak of: as many as one
	// transaction of Salesforce may change. Each becomes an event of its own with all
	// that was said, so that a small payload could ask for any amount of work.
	recordsMax = 10_000
	// mergedMax is how many things one event may say are the same.
	mergedMax = 1000
)

// Problem is why one event cannot be used. Message names fields, never values.
type Problem struct {
	Code    Code
	Message string
}

// Error implements error.
func (p *Problem) Error() string { return string(p.Code) + ": " + p.Message }

func problem(code Code, format string, args ...any) error {
	return &Problem{Code: code, Message: fmt.Sprintf(format, args...)}
}

// atMost refuses an event that speaks of too many things.
func atMost(n, most int, what string) error {
	if n > most {
		return problem(TooLarge, "%d %s, at most %d are read", n, what, most)
	}
	return nil
}

// Source says where an event comes from.
type Source struct {
	Feed, Reporter string
	Received       time.Time // Kafka's timestamp of the record
	Pseudonyms     *identity.Pseudonymizer
	// PlainAddresses is raised by each address that came unhashed; nil: nobody asks.
	PlainAddresses *int
	// Cost is raised by what a mapping's expressions cost. Events of one record share
	// it; nil: each event has one of its own.
	Cost *uint64
}

// EmailNode returns the node of an address as people write it; ok is false for
// what is none.
func (s Source) EmailNode(text string) (node identity.Node, ok bool) {
	if node, ok = s.Pseudonyms.EmailNode(text); ok && s.PlainAddresses != nil {
		*s.PlainAddresses++
	}
	return node, ok
}

// PhoneNode is [Source.EmailNode] for a phone number with its country prefix.
func (s Source) PhoneNode(text string) (node identity.Node, ok bool) {
	if node, ok = s.Pseudonyms.PhoneNode(text); ok && s.PlainAddresses != nil {
		*s.PlainAddresses++
	}
	return node, ok
}

// Event is one native event: either a Problem, or observations. The first
// observation is the event itself; those behind it, which have no event id, are
// links that it gives evidence of for other identities.
type Event struct {
	Problem      *Problem
	Observations []Observation
}

// Observation is what one event says about one identity.
type Observation struct {
	Node       identity.Node
	Shape      string // salesforce, hubspot, marketo, ga4, segment, snowplow
	EventID    string
	OccurredAt time.Time
	// Revision orders what the source says under one event id: the higher
	// replaces the lower; 0 for an event that is never said anew.
	Revision int64
	Touch    *Touch  // nil: evidence only
	Object   *Object // nil: no CRM object
	Links    []identity.Link
	// Merged are nodes of Node's own level that the source says are the same thing.
	Merged []identity.Node
	// HashScheme is how an address in the event was hashed before it got its
	// pseudonym, by us or by the source; empty where it has none.
	HashScheme string
	// Unmatchable is whether the event has a ready-hashed address that brought no domain
	// or is hashed in another way: it says of nobody which company they are of.
	Unmatchable bool
}

// Touch is what the event says about a touch. Empty text is absent.
type Touch struct {
	Type                                                   string
	Asset                                                  string
	UTMSource, UTMMedium, UTMCampaign, UTMTerm, UTMContent string
	ClickID                                                string // kind, such as gclid
	Referrer                                               string // registrable domain
	CRMCampaign                                            string
	Status                                                 string
	Session                                                string
	Bot                                                    bool
}

// Object is a full or partial update of a CRM object.
type Object struct {
	// Type is opportunity, account, contact, lead, campaign_member, contact_role,
	// deal_registration or order. ID is the source's own, a pseudonym for those that are people.
	Type, ID        string
	Order, SubOrder int64
	ModifiedAt      time.Time
	Deleted         bool
	Fields          []Field // in the order of their names
}

// Field is a canonical field; a nil value is one that the source cleared.
type Field struct {
	Name  string
	Value *string
}

// Decode reads a JSON payload and normalises the events in it. It is total:
// any bytes give events or problems.
func Decode(src Source, payload []byte) []Event {
	var r Reader
	v, err := r.Read(payload)
	if err != nil {
		return []Event{failed(err)}
	}
	return DecodeValue(src, v)
}

// DecodeValue normalises a decoded payload. An array holds an event in each
// element. What it returns has no part in the value.
func DecodeValue(src Source, v Value) []Event {
	if list, ok := v.List(); ok {
		var events []Event
		for _, e := range list {
			events = append(events, one(src, e)...)
		}
		if len(events) == 0 {
			events = []Event{failed(problem(UnknownShape, "the array is empty"))}
		}
		return events
	}
	return one(src, v)
}

// one normalises one value of the payload by what it looks like.
func one(src Source, v Value) []Event {
	if v.kind() != kindObject {
		return []Event{failed(problem(UnknownShape, "an event is a JSON object"))}
	}
	o := object{v: v}
	for _, sh := range shapes() {
		if sh.detect(o) {
			return scrubbed(src, sh.read(src, o))
		}
	}
	return []Event{failed(problem(UnknownShape, "none of the native shapes that are read"))}
}

// shape is one native shape: how it is told from the others and how it is read.
type shape struct {
	detect func(o object) bool
	read   func(src Source, o object) []Event
}

// shapes are asked in this order; the first that detects an event reads it.
func shapes() [10]shape {
	return [...]shape{
		salesforceShape(), crmExportShape(), hubspotHookShape(), marketoShape(), marketoStreamShape(), marketoPageShape(),
		ga4Shape(), segmentShape(), snowplowShape(), hubspotObjectShape(),
	}
}

func single(obs []Observation, err error) []Event {
	if err != nil {
		return []Event{failed(err)}
	}
	return []Event{{Observations: obs}}
}

func failed(err error) Event {
	var p *Problem
	if !errors.As(err, &p) {
		p = &Problem{Code: BadField, Message: err.Error()}
	}
	return Event{Problem: p}
}

// earliest is before any campaign; a time below it is a unit mistaken.
var earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// ahead is how far a source's clock may run ahead of the broker's.
const ahead = 24 * time.Hour

// occurred checks an event's time against its arrival.
func occurred(src Source, at time.Time) (time.Time, error) {
	at = at.UTC().Truncate(time.Microsecond)
	if at.Before(earliest) {
		return at, problem(BadTime, "before the year 2000")
	}
	if !src.Received.IsZero() && at.After(src.Received.Add(ahead)) {
		return at, problem(TimeFuture, "more than %v ahead of its arrival", ahead)
	}
	return at, nil
}

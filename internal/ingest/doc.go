// Package ingest is the first tier: four consumers that bring partners' native
// events to journeys.
//
// The feed consumers (crm, map, analytics) are stateless: they decode a native
// event, reduce it to observations keyed by the lowest identity it carries,
// and send what cannot be used to the feed's dead-letter topic.
//
// The resolve consumer owns identity. The partition of an observation's own
// key is for ever the only writer of its touch to journeys. Touches do not
// travel; links do, as records in observations: a child tells its parent that
// it exists, a parent tells its children where they now belong. A parent is of
// a strictly higher level than its child, so chains are short and cycles
// cannot form. A move writes a tombstone under the old account and the item
// under the new one in one transaction, with rising placement numbers. Moves
// are exact at rest.
//
// Whom an item belongs to travels in the same messages, along links to people alone:
// an address is on the account of its company and belongs to its contact. What is at
// or above a deal belongs to nobody, and nor does what is left of who was erased. A
// role on a deal has the person of its contact, whatever that was merged into, while
// its field contact names the contact as the CRM did.
//
// BUG(person): contacts of two CRMs with one address stay two people. What is known
// by the address belongs to the one that was last said of it.
//
// The control consumer turns the control topic, whose order is the order of
// decisions, into numbered broadcasts to every partition of observations and
// journeys.
package ingest

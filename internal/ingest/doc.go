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
// The control consumer turns the control topic, whose order is the order of
// decisions, into numbered broadcasts to every partition of observations and
// journeys.
package ingest

// Package state keeps the state of partitions in Badger: a local cache of
// committed changelog prefixes. It knows keys, values, one atomic write, an
// incremental digest and expiry by event time; it knows nothing of Kafka and
// nothing of what the keys mean. It is the only owner of Badger.
//
// A Dir is the data directory of one instance; in it, one Store per partition
// is one Badger directory, so that a partition is dropped by removing a
// directory and corrupts nothing but itself. docs/state-layout.md has the byte
// layouts.
package state

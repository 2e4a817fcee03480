// Package chaos holds the tests of the line as it runs in production: its three
// binaries as processes on a real Apache Kafka, killed with kill -9, stopped for
// longer than their group waits, joined and left, on other disks, with brokers
// that restart, die and compact under them. Each run follows from a printed seed,
// is watched by a read_committed reader, and ends with the one Check of the
// system. It knows all parts and has none of its own.
//
//	go test ./internal/chaos                                  a few minutes
//	CHAOS_SEED=7 go test ./internal/chaos -run OneBroker -v   one run, with its story
//	CHAOS_EVENTS=200000 CHAOS_ACTS=200 go test ...            a long one; make soak
//
// Without Java and Maven the tests are skipped and say so.
package chaos

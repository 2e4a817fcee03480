// Package sim holds the tests of the whole line under faults: three tiers on an
// embedded cluster, killed at every step of the protocol, restarted with and
// without their disks, joined by second instances, with leaders and coordinators
// moving under them. Each run follows from a printed seed and ends with the one
// Check of the system. It knows all parts and has none of its own.
//
//	go test ./internal/sim                      some dozen seeds
//	go test ./internal/sim -short               three of them
//	SIM_SEEDS=200 go test ./internal/sim        more
//	SIM_SEED=17 go test ./internal/sim -v       one, with its story
package sim

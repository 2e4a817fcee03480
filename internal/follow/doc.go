// Package follow keeps what any instance answers from: the topics of contributions,
// facts, decisions, alerts, the ledger and counts of feeds, each followed whole into a
// store of its own on disk, in the order in which questions ask for them.
//
// It knows records and what replaces what. It must not know who may see something or
// how an answer looks. Its stores are caches of Kafka: whatever is lost is read again.
package follow

import "tracksource/state"

// The keyspaces of the stores, by store.
var (
	spaceRow         = state.Keyspace{ID: 0x50, Version: 2, Name: "row"}
	spaceFacts       = state.Keyspace{ID: 0x51, Version: 1, Name: "facts"}
	spaceFactsLife   = state.Keyspace{ID: 0x52, Version: 1, Name: "facts-life"}
	spaceDecision    = state.Keyspace{ID: 0x53, Version: 1, Name: "decision"}
	spaceAlert       = state.Keyspace{ID: 0x54, Version: 1, Name: "alert"}
	spaceAlertNewest = state.Keyspace{ID: 0x55, Version: 1, Name: "alert-newest"}
	spaceEntry       = state.Keyspace{ID: 0x56, Version: 1, Name: "entry"}
	spacePointer     = state.Keyspace{ID: 0x57, Version: 2, Name: "pointer"}
	spaceLedgerLife  = state.Keyspace{ID: 0x58, Version: 1, Name: "ledger-life"}
	spaceFeed        = state.Keyspace{ID: 0x59, Version: 1, Name: "feed"}
)

// Keyspaces returns the keyspaces of all stores, for state.NewLayout.
func Keyspaces() []state.Keyspace {
	return []state.Keyspace{
		spaceRow, spaceFacts, spaceFactsLife, spaceDecision, spaceAlert, spaceAlertNewest,
		spaceEntry, spacePointer, spaceLedgerLife, spaceFeed,
	}
}

// layout names the form of what all stores hold. It changes with any keyspace.
const layout = "2"

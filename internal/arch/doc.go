// Package arch holds the tests that keep the module the shape that
// ARCHITECTURE.md draws: which package may import which, which package owns
// which library, and the house rules that can be read off the sources.
//
// It knows the module's packages and files by name. It imports none of them and
// holds no code but its tests; the rules are tables in rules_test.go.
package arch

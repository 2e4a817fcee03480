// Package identity says who is who: the nodes of the identity graph and their
// byte encoding, the order in which evidence for a parent is preferred, the rules
// that turn an e-mail address or a website into an account's domain, and the
// pseudonyms that stand for people.
//
// It is pure: no I/O, no clock, no state. It knows nothing of feeds, touches or
// campaigns, and it must never let raw personal data out: no value, error or
// text form of this package contains an address that it was given.
package identity

package identity

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Level is the kind of a node and its height in the graph. A parent is always of
// a strictly higher level than its child: that alone bounds the depth of a chain
// by the number of levels and makes cycles impossible, in whatever order
// evidence arrives. The numbers are part of the encoding; the gaps are for kinds
// that are yet to come.
type Level uint8

// The levels, lowest first.
const (
	// Order is an order of one reporter's shop. It is the lowest: whose it is may
	// first be known by a browser and then by a user.
	Order Level = 5
	// Anonymous is a browser or device as one reporter's analytics numbers it.
	Anonymous Level = 10
	// Member is what one reporter's CRM says that somebody is part of: a
	// membership in a campaign, a role on a deal.
	Member Level = 15
	// Person is somebody as one reporter's system numbers them: a user id, a
	// marketing lead.
	Person Level = 20
	// Email is an e-mail address, by pseudonym, shared by all reporters.
	Email Level = 30
	// Lead is a lead in one reporter's CRM, which may become a contact.
	Lead Level = 35
	// Contact is a contact in one reporter's CRM.
	Contact Level = 40
	// Object is a deal in one reporter's CRM.
	Object Level = 50
	// CRMAccount is a company as one reporter's system numbers it.
	CRMAccount Level = 60
	// Domain is a registrable domain, shared by all reporters.
	Domain Level = 70
	// Imported is an account of the imported account map, shared by all reporters.
	Imported Level = 80
)

// DepthMax is the largest number of parents above any node: one for each level
// above the lowest.
const DepthMax = 10

// Bounds of a node. A longer identifier is refused, never cut: two cut
// identifiers could be the same.
const (
	ScopeBytesMax = 64
	IDBytesMax    = 255
)

// ErrNode is wrapped by every refusal to build or decode a node.
var ErrNode = errors.New("not an identity")

// String returns the level's name as the text form of a node uses it.
func (l Level) String() string {
	switch l {
	case Order:
		return "order"
	case Anonymous:
		return "anonymous"
	case Member:
		return "member"
	case Person:
		return "person"
	case Email:
		return "email"
	case Lead:
		return "lead"
	case Contact:
		return "contact"
	case Object:
		return "object"
	case CRMAccount:
		return "crm-account"
	case Domain:
		return "domain"
	case Imported:
		return "imported"
	}
	return fmt.Sprintf("level-%d", uint8(l))
}

// Levels returns every level, lowest first.
func Levels() []Level {
	return []Level{Order, Anonymous, Member, Person, Email, Lead, Contact, Object, CRMAccount, Domain, Imported}
}

// shared reports whether nodes of the level belong to no single reporter.
func (l Level) shared() bool { return l == Email || l == Domain || l == Imported }

// Personal reports whether nodes of the level are somebody, or what somebody did or
// is part of: everything below deals and companies.
func (l Level) Personal() bool { return l < Object }

func (l Level) known() bool {
	switch l {
	case Order, Anonymous, Member, Person, Email, Lead, Contact, Object, CRMAccount, Domain, Imported:
		return true
	}
	return false
}

// Node is one identity. It is comparable, and two nodes are the same identity
// exactly when they are equal. The zero Node is no identity.
type Node struct {
	Level Level
	// Scope is the reporter whose numbering ID belongs to; empty exactly for the
	// levels that all reporters share.
	Scope string
	// ID is the identifier: a pseudonym for people, plain text for companies and
	// deals. UTF-8, never empty.
	ID string
}

// NewNode checks and returns a node. The error wraps [ErrNode] and does not
// repeat the identifier.
func NewNode(level Level, scope, id string) (Node, error) {
	n := Node{Level: level, Scope: scope, ID: id}
	if err := n.check(); err != nil {
		return Node{}, err
	}
	return n, nil
}

func (n Node) check() error {
	switch {
	case !n.Level.known():
		return fmt.Errorf("%w: unknown level %d", ErrNode, uint8(n.Level))
	case n.Level.shared() && n.Scope != "":
		return fmt.Errorf("%w: a %s belongs to no reporter", ErrNode, n.Level)
	case !n.Level.shared() && n.Scope == "":
		return fmt.Errorf("%w: a %s needs its reporter", ErrNode, n.Level)
	case len(n.Scope) > ScopeBytesMax:
		return fmt.Errorf("%w: reporter of %d bytes, at most %d", ErrNode, len(n.Scope), ScopeBytesMax)
	case strings.Contains(n.Scope, "/"):
		return fmt.Errorf("%w: reporter contains a slash", ErrNode)
	case n.ID == "":
		return fmt.Errorf("%w: empty identifier", ErrNode)
	case len(n.ID) > IDBytesMax:
		return fmt.Errorf("%w: identifier of %d bytes, at most %d", ErrNode, len(n.ID), IDBytesMax)
	case !printable(n.Scope) || !printable(n.ID):
		return fmt.Errorf("%w: not printable UTF-8", ErrNode)
	}
	return nil
}

// printable refuses what would break a log line, a table or a URL: invalid
// UTF-8 and control characters.
func printable(s string) bool {
	high := byte(0)
	for i := range len(s) {
		c := s[i]
		if c < 0x20 || c == 0x7f {
			return false
		}
		high |= c
	}
	return high < utf8.RuneSelf || utf8.ValidString(s)
}

// IsZero reports whether n is no identity.
func (n Node) IsZero() bool { return n == Node{} }

// Bytes returns the encoding that is the key of observations and journeys: the
// level, then scope and identifier, each after one byte of length. Bytes of equal
// nodes are equal, of different nodes different, and they sort by level first. It
// panics on a node that NewNode would refuse, because such a key could not be
// read back.
func (n Node) Bytes() []byte {
	if err := n.check(); err != nil {
		panic(fmt.Sprintf("identity: encode of a node that was never valid: %v", err))
	}
	b := make([]byte, 0, 3+len(n.Scope)+len(n.ID))
	b = append(b, byte(n.Level), byte(len(n.Scope)))
	b = append(b, n.Scope...)
	b = append(b, byte(len(n.ID)))
	return append(b, n.ID...)
}

// Parse decodes what [Node.Bytes] wrote. It is strict: every other input is an
// error that wraps [ErrNode], so that one identity has one encoding.
func Parse(b []byte) (Node, error) {
	if len(b) < 2 {
		return Node{}, fmt.Errorf("%w: %d bytes", ErrNode, len(b))
	}
	scope, rest, ok := cut(b[1:])
	if !ok {
		return Node{}, fmt.Errorf("%w: reporter cut short", ErrNode)
	}
	id, rest, ok := cut(rest)
	if !ok {
		return Node{}, fmt.Errorf("%w: identifier cut short", ErrNode)
	}
	if len(rest) != 0 {
		return Node{}, fmt.Errorf("%w: %d bytes too many", ErrNode, len(rest))
	}
	return NewNode(Level(b[0]), scope, id)
}

// cut takes one length-prefixed string off b.
func cut(b []byte) (head string, rest []byte, ok bool) {
	if len(b) == 0 || len(b)-1 < int(b[0]) {
		return "", nil, false
	}
	n := 1 + int(b[0])
	return string(b[1:n]), b[n:], true
}

const (
	provisionalPrefix = "provisional:"
	importedPrefix    = "map:"
)

// String returns the account's name for people and for URLs: "acme.com" for a
// domain, "acme/0015g00000AbCdEAAV" for a CRM account, "map:4711" for the
// imported account map, and for everything that is not an account yet
// "provisional:<level>/<reporter>/<id>". [ParseText] reads it back.
func (n Node) String() string {
	switch {
	case n.IsZero():
		return ""
	case n.Level == Domain:
		return n.ID
	case n.Level == CRMAccount:
		return n.Scope + "/" + n.ID
	case n.Level == Imported:
		return importedPrefix + n.ID
	}
	return provisionalPrefix + n.Level.String() + "/" + n.Scope + "/" + n.ID
}

// AccountName returns the domain or the imported name that people know an account
// by; empty for an account that has neither.
func (n Node) AccountName() string {
	if n.Level == Domain || n.Level == Imported {
		return n.ID
	}
	return ""
}

// Provisional reports whether n only stands in for an account: nothing has
// linked it to a company yet.
func (n Node) Provisional() bool { return n.Level < CRMAccount }

// ParseText reads the form that [Node.String] writes. Errors wrap [ErrNode].
func ParseText(text string) (Node, error) {
	if rest, ok := strings.CutPrefix(text, provisionalPrefix); ok {
		parts := strings.SplitN(rest, "/", 3)
		if len(parts) != 3 {
			return Node{}, fmt.Errorf("%w: want provisional:<level>/<reporter>/<id>", ErrNode)
		}
		for _, l := range Levels() {
			if l.String() == parts[0] && l < CRMAccount {
				return NewNode(l, parts[1], parts[2])
			}
		}
		return Node{}, fmt.Errorf("%w: unknown level of a provisional account", ErrNode)
	}
	if id, ok := strings.CutPrefix(text, importedPrefix); ok {
		return NewNode(Imported, "", id)
	}
	if scope, id, ok := strings.Cut(text, "/"); ok {
		return NewNode(CRMAccount, scope, id)
	}
	if d, ok := RegistrableDomain(text); !ok || d != text {
		return Node{}, fmt.Errorf("%w: not a registrable domain, nor <reporter>/<id>", ErrNode)
	}
	return NewNode(Domain, "", text)
}

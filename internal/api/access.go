package api

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v4"

	"tracksource/report"
)

// The roles of a token.
const (
	RoleOperator = "operator"
	RolePartner  = "partner"
)

const (
	// accessBytesMax and tokensMax bound an access file. A token is compared with
	// all of the file, so that the time taken tells nothing.
	accessBytesMax = 1 << 20
	tokensMax      = 1000
	// tokenPrefix lets people, and tools that look for leaked secrets, tell what a
	// token is of.
	tokenPrefix = "tsk_"
	tokenBytes  = 32
	// tokenTextMax bounds what is hashed of a request.
	tokenTextMax = 256
	// accessEvery is how often, at most, the access file is looked at.
	accessEvery = time.Second
)

// Grant is one line of an access file: who holds a token. The token itself is in
// nobody's hands but its holder's; the file has what it hashes to.
type Grant struct {
	Name        string `yaml:"name"`
	Role        string `yaml:"role"`
	Partner     string `yaml:"partner"`
	TokenSHA256 string `yaml:"token_sha256"`
}

// viewer is whom a grant lets see.
func (g *Grant) viewer() report.Viewer {
	return report.Viewer{Operator: g.Role == RoleOperator, Partner: g.Partner}
}

// Line is the grant as an access file has it.
func (g *Grant) Line() string {
	partner := ""
	if g.Partner != "" {
		partner = "partner: " + g.Partner + ", "
	}
	return fmt.Sprintf("- {name: %s, role: %s, %stoken_sha256: %s}", g.Name, g.Role, partner, g.TokenSHA256)
}

// NewToken draws a token for a holder and returns it with the grant that lets it
// in. The token is kept nowhere.
func NewToken(random io.Reader, name, partner string) (token string, g Grant, err error) {
	var raw [tokenBytes]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", Grant{}, fmt.Errorf("draw token: %w", err)
	}
	token = tokenPrefix + base64.RawURLEncoding.EncodeToString(raw[:])
	sum := sha256.Sum256([]byte(token))
	g = Grant{Name: name, Role: RoleOperator, Partner: partner, TokenSHA256: hex.EncodeToString(sum[:])}
	if partner != "" {
		g.Role = RolePartner
	}
	return token, g, g.check()
}

// identPattern is what names of holders and of partners are made of. A partner's
// is as strict in a contract; here it keeps what is no name out of a line.
var identPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

func (g *Grant) check() error {
	sum, err := hex.DecodeString(g.TokenSHA256)
	switch {
	case !identPattern.MatchString(g.Name):
		return errors.New("name must be 1 to 63 of a-z, 0-9, dot, dash and underscore, such as acme-dashboards")
	case g.Role != RoleOperator && g.Role != RolePartner:
		return fmt.Errorf("role must be %s or %s", RoleOperator, RolePartner)
	case g.Role == RoleOperator && g.Partner != "":
		return errors.New("an operator has no partner: it sees all of them")
	case g.Role == RolePartner && !identPattern.MatchString(g.Partner):
		return errors.New("partner must be the id of a partner, as contracts have it")
	case err != nil || len(sum) != sha256.Size || strings.ToLower(g.TokenSHA256) != g.TokenSHA256:
		return errors.New("token_sha256 must be 64 lower-case hexadecimal digits; track-source token prints the whole line")
	}
	return nil
}

// ParseAccess reads an access file: a list of grants in YAML or JSON. A member
// that does not exist, a name or a token twice and an empty list are errors,
// which never repeat what the file says.
func ParseAccess(text []byte) ([]Grant, error) {
	if len(text) > accessBytesMax {
		return nil, fmt.Errorf("the access file has more than %d bytes", accessBytesMax)
	}
	var grants []Grant
	if err := yaml.Load(text, &grants, yaml.WithKnownFields(), yaml.WithUniqueKeys()); err != nil {
		return nil, errors.New("the access file is not a list of {name, role, partner, token_sha256}; track-source token prints a line of it")
	}
	switch {
	case len(grants) == 0:
		return nil, errors.New("the access file lets nobody in: add a line that track-source token prints")
	case len(grants) > tokensMax:
		return nil, fmt.Errorf("the access file has more than %d tokens", tokensMax)
	}
	names, sums := map[string]int{}, map[string]int{}
	for i := range grants {
		g := &grants[i]
		if err := g.check(); err != nil {
			return nil, fmt.Errorf("entry %d of the access file: %w", i+1, err)
		}
		if first, twice := names[g.Name]; twice {
			return nil, fmt.Errorf("entry %d of the access file has the name of entry %d", i+1, first)
		}
		if first, twice := sums[g.TokenSHA256]; twice {
			return nil, fmt.Errorf("entry %d of the access file has the token of entry %d", i+1, first)
		}
		names[g.Name], sums[g.TokenSHA256] = i+1, i+1
	}
	return grants, nil
}

// holder is a grant in force.
type holder struct {
	Grant
	sum [sha256.Size]byte
}

// access is who is let in. It is safe for concurrent use. With an empty path
// everyone is an operator.
type access struct {
	path  string
	clock func() time.Time
	told  func(err error) // of each look that found a changed file; err nil: it is in force

	mu      sync.Mutex
	looked  time.Time   // guarded by mu; when the file was last looked at
	info    os.FileInfo // guarded by mu; of the text that was last read, good or bad
	holders []holder    // guarded by mu; replaced as a whole
}

// openAccess reads the file at path. One that cannot be used is an error now;
// later, a changed file that cannot be used changes nothing.
func openAccess(path string, clock func() time.Time, told func(error)) (*access, error) {
	a := &access{path: path, clock: clock, told: told}
	if path == "" {
		return a, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.looked = clock()
	if err := a.read(); err != nil {
		return nil, fmt.Errorf("--access-file: %w", err)
	}
	return a, nil
}

// open reports whether everyone is an operator.
func (a *access) open() bool { return a.path == "" }

// read takes in the file. The caller holds mu.
func (a *access) read() error {
	f, err := os.Open(a.path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read from
	if a.info, err = f.Stat(); err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(f, accessBytesMax+1))
	if err != nil {
		return err
	}
	grants, err := ParseAccess(text)
	if err != nil {
		return err
	}
	holders := make([]holder, len(grants))
	for i, g := range grants {
		holders[i].Grant = g
		if _, err := hex.Decode(holders[i].sum[:], []byte(g.TokenSHA256)); err != nil {
			return err
		}
	}
	a.holders = holders
	return nil
}

// reload reads the file again, whether or not it looks changed.
func (a *access) reload() {
	if a.open() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.looked = a.clock()
	a.told(a.read())
}

// current returns who is let in now, looking at the file when the last look is
// old enough.
func (a *access) current() []holder {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := a.clock(); now.Sub(a.looked) >= accessEvery || now.Before(a.looked) {
		a.looked = now
		info, err := os.Stat(a.path)
		same := err == nil && a.info != nil && os.SameFile(info, a.info) && info.ModTime().Equal(a.info.ModTime()) && info.Size() == a.info.Size()
		if !same && (err == nil || a.info != nil) {
			// A file that is gone is told once; what was last good stays in force.
			a.info = nil
			a.told(a.read())
		}
	}
	return a.holders
}

// byToken returns the holder of a token. All holders are compared, each in
// constant time.
func (a *access) byToken(token string) (holder, bool) {
	if len(token) > tokenTextMax {
		return holder{}, false
	}
	return bySum(a.current(), sha256.Sum256([]byte(token)))
}

func bySum(holders []holder, sum [sha256.Size]byte) (found holder, ok bool) {
	for i := range holders {
		if subtle.ConstantTimeCompare(sum[:], holders[i].sum[:]) == 1 {
			found, ok = holders[i], true
		}
	}
	return found, ok
}

const (
	// sessionLife is how long a sign-in holds: a working day with room.
	sessionLife = 12 * time.Hour
	// sessionsMax bounds the sessions; the oldest make room. sessionsOfOneMax
	// bounds those of one token, so that one holder cannot sign the others out.
	sessionsMax      = 10_000
	sessionsOfOneMax = 200
	sessionIDBytes   = 32
)

// session is one sign-in. It is as good as its token: one that is no longer in
// the access file ends its sessions.
type session struct {
	token [sha256.Size]byte // what the token hashes to
	since time.Time
}

// sessions are the sign-ins of this process, by what their ids hash to. It is
// safe for concurrent use.
type sessions struct {
	clock  func() time.Time
	random io.Reader

	mu sync.Mutex
	of map[[sha256.Size]byte]session // guarded by mu
}

func newSessions(clock func() time.Time) *sessions {
	return &sessions{clock: clock, random: rand.Reader, of: map[[sha256.Size]byte]session{}}
}

// begin signs a holder in and returns the id of the session.
func (s *sessions) begin(h holder) (string, error) {
	var raw [sessionIDBytes]byte
	if _, err := io.ReadFull(s.random, raw[:]); err != nil {
		return "", fmt.Errorf("draw session: %w", err)
	}
	id := base64.RawURLEncoding.EncodeToString(raw[:])
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoom(h.sum, now)
	s.of[sha256.Sum256([]byte(id))] = session{h.sum, now}
	return id, nil
}

// makeRoom drops what is over, then the oldest of the token and of all while
// there is no room for one more. The caller holds mu.
func (s *sessions) makeRoom(token [sha256.Size]byte, now time.Time) {
	var oldest, oldestOfOne [sha256.Size]byte
	ofOne := 0
	for id, x := range s.of {
		if now.Sub(x.since) >= sessionLife {
			delete(s.of, id)
			continue
		}
		if first, ok := s.of[oldest]; !ok || x.since.Before(first.since) {
			oldest = id
		}
		if x.token == token {
			ofOne++
			if first, ok := s.of[oldestOfOne]; !ok || x.since.Before(first.since) {
				oldestOfOne = id
			}
		}
	}
	switch {
	case ofOne >= sessionsOfOneMax:
		delete(s.of, oldestOfOne)
	case len(s.of) >= sessionsMax:
		delete(s.of, oldest)
	}
}

// token returns what the token of a session hashes to.
func (s *sessions) token(id string) (sum [sha256.Size]byte, ok bool) {
	if len(id) > tokenTextMax {
		return sum, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := sha256.Sum256([]byte(id))
	x, ok := s.of[key]
	if ok && s.clock().Sub(x.since) >= sessionLife {
		delete(s.of, key)
		ok = false
	}
	return x.token, ok
}

// end ends a session; one that there is not is ended already.
func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.of, sha256.Sum256([]byte(id)))
}

package daemon

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
)

// secretMaxBytes bounds a secret's file: keys and passwords are far below it, and a
// path that leads to a log or a device does not fill the memory.
const secretMaxBytes = 64 << 10

const (
	secretFileSuffix    = "-file"
	secretFileSuffixEnv = "_FILE"
	redacted            = "[redacted]"
)

// Secret is a password or key. However it is printed, logged or encoded, its
// value does not appear; only Reveal gives it. The zero value is no secret.
type Secret struct {
	// The value sits behind a function because fmt does not ask unexported
	// fields of other structs how to print themselves: of bytes it would print
	// the bytes, of a function it prints an address.
	reveal func() string
}

func newSecret(value string) Secret { return Secret{func() string { return value }} }

// IsZero reports whether no secret was given.
func (s Secret) IsZero() bool { return s.reveal == nil }

// Reveal returns the value, or "" of the zero Secret. Never log it.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// Format implements [fmt.Formatter], for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler].
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// ReadSecret reads a secret from a file, without the line break at its end. A
// file that is empty, or longer than 64 KiB, is an error.
func ReadSecret(path string) (Secret, error) {
	f, err := os.Open(path)
	if err != nil {
		return Secret{}, fmt.Errorf("read secret: %w", err)
	}
	defer func() { _ = f.Close() }() // Only read from.
	b, err := io.ReadAll(io.LimitReader(f, secretMaxBytes+1))
	if err != nil {
		return Secret{}, fmt.Errorf("read secret: %w", err)
	}
	if len(b) > secretMaxBytes {
		return Secret{}, fmt.Errorf("read secret: %s is longer than %d bytes", path, secretMaxBytes)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if value == "" {
		return Secret{}, fmt.Errorf("read secret: %s is empty", path)
	}
	return newSecret(value), nil
}

// SecretVar defines how a secret is given: in a file with the flag
// --<name>-file, or in the environment as itself (TRACKSOURCE_<NAME>) or as a
// file (TRACKSOURCE_<NAME>_FILE). There is no flag for the value, since the
// command line of a process is everybody's to read. Not giving it leaves *to as
// it is.
func SecretVar(fs *flag.FlagSet, to *Secret, name, usage string) {
	fs.Var(&secretFlag{to: to}, name+secretFileSuffix, "read from the file at `path` "+usage)
}

type secretFlag struct {
	to   *Secret
	path string
}

func (s *secretFlag) String() string { return s.path }

func (s *secretFlag) Set(path string) error {
	if path == "" {
		return errors.New("the path is empty")
	}
	v, err := ReadSecret(path)
	if err != nil {
		return err
	}
	s.path, *s.to = path, v
	return nil
}

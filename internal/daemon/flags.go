package daemon

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

// envPrefix begins the name of every environment variable that is read.
const envPrefix = "TRACKSOURCE_"

// graceDefault leaves room for a transaction to end and for stores to close,
// within the 30 seconds that Kubernetes grants before it kills.
const graceDefault = 25 * time.Second

// options is what every command can be told.
type options struct {
	adminAddr listenAddr
	logFormat *string
	logLevel  slog.Level
	grace     time.Duration
	version   bool
}

func newOptions(c Command) (*options, *flag.FlagSet) {
	// The flag package's own reporting is silenced: a bad flag is one line, not
	// a line and a screen of usage.
	fs := flag.NewFlagSet(c.Name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}

	o := &options{adminAddr: "127.0.0.1:0"}
	fs.Var(&o.adminAddr, "admin-addr", "listen at `host:port` for health, metrics and debugging; open it beyond this machine only on a trusted network")
	o.logFormat = Choice(fs, "log-format", "text", []string{"text", "json"}, "write the log in this `format`")
	fs.TextVar(&o.logLevel, "log-level", slog.LevelInfo, "least `level` to log: debug, info, warn or error")
	o.grace = graceDefault
	fs.Var((*positiveDuration)(&o.grace), "shutdown-grace", "how long a stop may take, as a `duration`, before it is forced")
	fs.BoolVar(&o.version, "version", false, "print the version and exit")
	if c.Flags != nil {
		c.Flags(fs)
	}
	return o, fs
}

func (o *options) handler(w io.Writer) slog.Handler {
	opts := &slog.HandlerOptions{Level: o.logLevel}
	if *o.logFormat == "json" {
		return slog.NewJSONHandler(w, opts)
	}
	return slog.NewTextHandler(w, opts)
}

// EnvName is the environment variable that stands in for a flag that is not
// given: bootstrap-servers is read from TRACKSOURCE_BOOTSTRAP_SERVERS. A
// variable that is set to nothing counts as not set.
func EnvName(flagName string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flagName, "-", "_"))
}

// parseFlags sets fs from args, and what args leave out from environ. It
// returns the variables under our prefix that mean nothing to fs, sorted: they
// may be a misspelling, or meant for another command of the same deployment, so
// they are no error.
func parseFlags(fs *flag.FlagSet, args, environ []string) (unknown []string, err error) {
	if err := fs.Parse(args); err != nil {
		return nil, plainFlagError(err)
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	vars := make(map[string]string)
	for _, kv := range environ {
		if name, v, ok := strings.Cut(kv, "="); ok && strings.HasPrefix(name, envPrefix) && v != "" {
			vars[name] = v
		}
	}
	given := make(map[string]bool)
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })

	fs.VisitAll(func(f *flag.Flag) {
		if f.Name == "version" || err != nil {
			return // TRACKSOURCE_VERSION would be somebody's image tag.
		}
		err = setFromEnv(fs, f, vars, given[f.Name])
	})
	if err != nil {
		return nil, err
	}
	for name := range vars {
		unknown = append(unknown, name)
	}
	slices.Sort(unknown)
	return unknown, nil
}

// setFromEnv takes the variables of f out of vars, and sets f from them unless
// the command line has.
func setFromEnv(fs *flag.FlagSet, f *flag.Flag, vars map[string]string, given bool) error {
	name := EnvName(f.Name)
	v, ok := vars[name]
	delete(vars, name)
	if s, isSecret := f.Value.(*secretFlag); isSecret {
		direct := strings.TrimSuffix(name, secretFileSuffixEnv)
		value, found := vars[direct]
		delete(vars, direct)
		switch {
		case found && ok && !given:
			return fmt.Errorf("%s and %s are both set: keep one", direct, name)
		case found && !given:
			*s.to = newSecret(value)
			return nil
		}
	}
	if !ok || given {
		return nil
	}
	if err := fs.Set(f.Name, v); err != nil {
		return fmt.Errorf("invalid value %q in %s: %w", v, name, err)
	}
	return nil
}

// plainFlagError gives the flag package's messages the spelling of our flags,
// with two dashes.
func plainFlagError(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return err
	}
	msg := err.Error()
	for _, to := range [][2]string{
		{"flag provided but not defined: -", "unknown flag --"},
		{"flag needs an argument: -", "no value given for --"},
		{"bad flag syntax: ", "not a flag: "},
	} {
		if rest, ok := strings.CutPrefix(msg, to[0]); ok {
			return errors.New(to[1] + rest)
		}
	}
	// Both forms quote the value first, and no flag's name holds this text.
	if i := strings.LastIndex(msg, " for flag -"); i >= 0 {
		msg = msg[:i] + " for --" + msg[i+len(" for flag -"):]
	} else {
		msg = strings.Replace(msg, " for -", " for --", 1)
	}
	return errors.New(msg)
}

// usage is the text of --help.
func usage(c Command, fs *flag.FlagSet) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\nUsage:\n  %s [flags]\n\nFlags, each with the environment variable that stands in for it:\n", c.Name, c.Short, c.Name)
	fs.VisitAll(func(f *flag.Flag) {
		arg, text := flag.UnquoteUsage(f)
		fmt.Fprintf(&b, "  --%s", f.Name)
		if arg != "" {
			fmt.Fprintf(&b, " %s", arg)
		}
		fmt.Fprintf(&b, "\n        %s", text)
		if !slices.Contains([]string{"", "0", "false"}, f.DefValue) {
			fmt.Fprintf(&b, " (default %s)", f.DefValue)
		}
		if f.Name != "version" {
			fmt.Fprintf(&b, "\n        %s", EnvName(f.Name))
			if _, ok := f.Value.(*secretFlag); ok {
				fmt.Fprintf(&b, ", or the secret itself in %s", strings.TrimSuffix(EnvName(f.Name), secretFileSuffixEnv))
			}
		}
		b.WriteByte('\n')
	})
	if len(c.Examples) > 0 {
		b.WriteString("\nExamples:\n")
		for _, e := range c.Examples {
			fmt.Fprintf(&b, "  %s\n", e)
		}
	}
	b.WriteString("\nExit codes: 0 stopped as asked, 1 failed, 2 wrong flags or environment.\n")
	return b.String()
}

// versionLine is what --version prints. The go command stamps the version from
// the repository into the binary.
func versionLine(name string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return name + " (unknown version)\n"
	}
	version := info.Main.Version
	if version == "" {
		version = "(devel)"
	}
	return fmt.Sprintf("%s %s %s\n", name, version, info.GoVersion)
}

// Strings defines a list flag: values separated by commas, and each further use
// of the flag adds to the list. The first use replaces def. Spaces around a
// value are dropped; an empty value is an error.
func Strings(fs *flag.FlagSet, name string, def []string, usage string) *[]string {
	l := &stringList{values: slices.Clone(def)}
	fs.Var(l, name, usage)
	return &l.values
}

type stringList struct {
	values []string
	given  bool
}

func (l *stringList) String() string { return strings.Join(l.values, ",") }

func (l *stringList) Set(s string) error {
	var parts []string
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			return errors.New("the list has an empty value")
		}
		parts = append(parts, part)
	}
	if !l.given {
		l.values, l.given = nil, true
	}
	l.values = append(l.values, parts...)
	return nil
}

// Choice defines a flag whose value is one of allowed.
func Choice(fs *flag.FlagSet, name, def string, allowed []string, usage string) *string {
	c := &choice{value: def, allowed: allowed}
	fs.Var(c, name, usage+": "+strings.Join(allowed, ", "))
	return &c.value
}

type choice struct {
	value   string
	allowed []string
}

func (c *choice) String() string { return c.value }

func (c *choice) Set(s string) error {
	if !slices.Contains(c.allowed, s) {
		return fmt.Errorf("must be one of %s", strings.Join(c.allowed, ", "))
	}
	c.value = s
	return nil
}

type positiveDuration time.Duration

func (d *positiveDuration) String() string { return time.Duration(*d).String() }

func (d *positiveDuration) Set(s string) error {
	v, err := time.ParseDuration(s)
	if err != nil || v <= 0 {
		return errors.New("must be a duration above zero, such as 25s")
	}
	*d = positiveDuration(v)
	return nil
}

// listenAddr is a host and a port. The host may not be left out: the net
// package would take that for every interface, and the endpoints behind it show
// the inside of the process, so opening them has to be spelled out.
type listenAddr string

func (a *listenAddr) String() string { return string(*a) }

func (a *listenAddr) Set(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return errors.New("must be host:port, such as 127.0.0.1:9464")
	}
	if host == "" {
		return fmt.Errorf("name the host: 127.0.0.1:%s for this machine only, 0.0.0.0:%s for every interface", port, port)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return errors.New("the port must be a number from 0 to 65535")
	}
	*a = listenAddr(s)
	return nil
}

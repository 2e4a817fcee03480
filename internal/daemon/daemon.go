// Package daemon is the part of main that the services share: it reads flags
// and their environment, opens the log, serves the operator's endpoints,
// cancels on a signal, and turns the outcome into an exit code.
//
// It knows processes. It knows nothing of events, Kafka or state, and imports
// no other package of this module.
//
// A main is one call:
//
//	func main() { daemon.Main(command()) }
package daemon

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Exit codes of a command. What must be mended on the command line or in the
// environment is exitUsage, so that a supervisor can tell it from a failure
// that is worth a restart.
const (
	exitOK    = 0
	exitFail  = 1
	exitUsage = 2
)

// Command is one service. The functions close over the command's own
// configuration, so a Command serves one Exec.
type Command struct {
	// Name is the name of the binary.
	Name string

	// Short says in one line what the command does, for --help.
	Short string

	// Examples are command lines for --help, each complete. May be empty.
	Examples []string

	// Flags binds the command's configuration to fs. Nil means none. Each flag
	// may also be given in the environment: see [EnvName].
	Flags func(fs *flag.FlagSet)

	// Check looks at the configuration as a whole once it has been read: a
	// missing flag, two that exclude each other. Its error is the user's to
	// mend and ends the process with exit code 2. Nil means all is well.
	Check func() error

	// Run wires the command's parts and blocks until ctx is done or its work is
	// through. It closes what it opened before it returns. Once ctx is done it
	// has [Env.Grace] to return; nil, or ctx's own error, is then a clean stop.
	Run func(ctx context.Context, env *Env) error
}

// Env is what a running command gets from the process around it.
type Env struct {
	// Log is the process's log, on stderr.
	Log *slog.Logger

	// Stdout is for what the command was asked to print. It is not for logs.
	Stdout io.Writer

	// Metrics is what /metrics serves. It holds the Go and process collectors;
	// the command adds its own. Nothing is ever put on a global registry.
	Metrics *prometheus.Registry

	// Admin serves the operator's endpoints. The command may add its own under
	// /debug/, such as "GET /debug/partitions", at any time before it returns.
	// Each answer must be complete within adminTimeout.
	Admin *http.ServeMux

	// AdminAddr is the host:port that Admin is served on.
	AdminAddr string

	// Clock is the wall clock, for what waits and measures. Code below takes it
	// from here, so that tests may give it another. Business time is the event's.
	Clock func() time.Time

	// Grace is how long Run may take to return once its context is done.
	Grace time.Duration

	// Garbage is how often the process collects its garbage.
	Garbage Garbage

	ready readiness
}

// Main runs c as the whole process and does not return. SIGTERM or SIGINT
// asks it to stop; a second one kills it.
func Main(c Command) {
	ctx, stop := Signals(context.Background())
	code := Exec(ctx, c, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Signals returns a context that the first SIGTERM or SIGINT cancels, with a
// cause that names the signal. By then signals have their default effect again,
// so a second one kills the process, however soon it follows. The returned
// function gives the signals back and waits for the goroutine that listened.
//
// [signal.NotifyContext] with its stop called after the context is done would
// be shorter, but drops a second signal that comes between the two.
func Signals(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	got := make(chan os.Signal, 2)
	signal.Notify(got, os.Interrupt, syscall.SIGTERM)
	var listening sync.WaitGroup
	listening.Go(func() {
		var first os.Signal
		select {
		case first = <-got:
		case <-ctx.Done():
		}
		signal.Stop(got) // From here on nothing is added to got.
		cancel(fmt.Errorf("got signal: %v", first))
		if first == nil {
			return
		}
		select {
		case second := <-got:
			killSelf(second)
		default:
		}
	})
	return ctx, func() {
		cancel(context.Canceled)
		listening.Wait()
	}
}

// killSelf lets sig, which was caught, have its default effect after all.
func killSelf(sig os.Signal) {
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Signal(sig) // To oneself it cannot fail.
	}
}

// Exec runs c as Main does, within a process that goes on: tests call it, and
// a process that holds several commands calls it once for each. Environ is in
// the form of [os.Environ]; nil means an empty environment. It returns the exit
// code, and leaves nothing running unless the command outstayed its grace, in
// which case the caller should end the process. Writers that several commands
// share must be safe for concurrent use, as an [os.File] is.
func Exec(ctx context.Context, c Command, args, environ []string, stdout, stderr io.Writer) int {
	o, fs := newOptions(c)
	unknown, err := parseFlags(fs, args, environ)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return answer(stdout, usage(c, fs))
	case err == nil && o.version:
		return answer(stdout, versionLine(c.Name))
	case err == nil && c.Check != nil:
		err = c.Check()
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "%s: %v (see %s --help)\n", c.Name, err, c.Name)
		return exitUsage
	}

	env := newEnv(c, o, stdout, stderr)
	for _, name := range unknown {
		env.Log.WarnContext(ctx, "unknown environment variable is ignored", "name", name)
	}
	if err := run(ctx, c, env, o.adminAddr.String()); err != nil {
		// The one place that logs a fatal error.
		env.Log.ErrorContext(ctx, "failed", "err", err)
		return exitFail
	}
	return exitOK
}

func newEnv(c Command, o *options, stdout, stderr io.Writer) *Env {
	env := &Env{
		Log:     slog.New(o.handler(stderr)).With("command", c.Name),
		Stdout:  stdout,
		Metrics: prometheus.NewRegistry(),
		Admin:   http.NewServeMux(),
		Clock:   time.Now,
		Grace:   o.grace,
	}
	env.addMetrics()
	env.addEndpoints()
	return env
}

// run serves the admin port for as long as c runs, the drain included.
func run(ctx context.Context, c Command, env *Env, adminAddr string) error {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", adminAddr)
	if err != nil {
		if ctx.Err() != nil {
			return nil // Asked to stop before it began.
		}
		return fmt.Errorf("open the admin port (choose another with --admin-addr): %w", err)
	}
	env.AdminAddr = ln.Addr().String()
	stopAdmin := env.serve(ctx, ln)
	defer stopAdmin()
	env.Log.InfoContext(ctx, "started", "admin_addr", env.AdminAddr)

	done := make(chan error, 1)
	go func() { done <- c.Run(ctx, env) }()
	select {
	case err = <-done:
		if ctx.Err() == nil {
			return env.stopped(ctx, err)
		}
		done <- err // It was quick to stop, which is a stop all the same.
	case <-ctx.Done():
	}
	env.ready.drain()
	env.Log.InfoContext(ctx, "stopping", "cause", context.Cause(ctx), "grace", env.Grace)
	limit := time.NewTimer(env.Grace)
	defer limit.Stop()
	select {
	case err = <-done:
		return env.stopped(ctx, err)
	case <-limit.C:
		return fmt.Errorf("did not stop within %v (see --shutdown-grace)", env.Grace)
	}
}

// stopped judges what Run returned. A command that was told to stop and hands
// on the cancellation did as it should.
func (e *Env) stopped(ctx context.Context, err error) error {
	e.ready.drain()
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))) {
		err = nil
	}
	if err == nil {
		e.Log.InfoContext(ctx, "stopped")
	}
	return err
}

// answer prints the text of --help and --version.
func answer(w io.Writer, text string) int {
	if _, err := io.WriteString(w, text); err != nil {
		return exitFail
	}
	return exitOK
}

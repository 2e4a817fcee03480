package daemon_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"tracksource/internal/daemon"
)

// The test binary is also the two commands that the scripts run: "service",
// which behaves, and "stubborn", which ignores being told to stop.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"service":  func() { daemon.Main(service()) },
		"stubborn": func() { daemon.Main(stubborn()) },
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits is the script command "exits code command...", which is exec with the
// exit code that it must have.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code command...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = strconv.Itoa(exit.ExitCode())
	} else {
		ts.Check(err)
	}
	if got != args[0] {
		ts.Fatalf("got exit code %s, want %s", got, args[0])
	}
}

// service is a command with a flag of every kind. With --once it prints what it
// was given; otherwise it runs until it is stopped.
func service() daemon.Command {
	var (
		brokers, mode *string
		tiers         *[]string
		password      daemon.Secret
		once          *bool
	)
	return daemon.Command{
		Name:     "service",
		Short:    "shows what it was given",
		Examples: []string{"service --bootstrap-servers 127.0.0.1:9092 --run crm,map"},
		Flags: func(fs *flag.FlagSet) {
			brokers = fs.String("bootstrap-servers", "", "Kafka `addresses`")
			mode = daemon.Choice(fs, "mode", "live", []string{"live", "replay"}, "how to read")
			tiers = daemon.Strings(fs, "run", []string{"all"}, "`consumers` to run, separated by commas")
			daemon.SecretVar(fs, &password, "password", "the password of the broker")
			once = fs.Bool("once", false, "print and stop")
		},
		Check: func() error {
			if *brokers == "" {
				return errors.New("--bootstrap-servers is missing")
			}
			return nil
		},
		Run: func(ctx context.Context, env *daemon.Env) error {
			if *brokers == "unreachable" {
				return errors.New("reach the broker: connection refused")
			}
			env.Log.InfoContext(ctx, "running", "password", password)
			if *once {
				_, err := fmt.Fprintf(env.Stdout, "brokers=%s mode=%s run=%q password=%v length=%d\n",
					*brokers, *mode, *tiers, password, len(password.Reveal()))
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		},
	}
}

func stubborn() daemon.Command {
	return daemon.Command{
		Name: "stubborn",
		Run: func(context.Context, *daemon.Env) error {
			select {}
		},
	}
}

// start runs one of TestMain's commands and returns it with its log, once it
// has reported that it started.
func start(t *testing.T, args ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	path, err := exec.LookPath(args[0])
	if err != nil {
		t.Fatal(err)
	}
	// A command that outlives its test is killed, and the test fails.
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	cmd := exec.CommandContext(ctx, path, args[1:]...)
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	log := bufio.NewScanner(pipe)
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // Only counts where the test failed before its own Wait.
	})
	await(t, log, "msg=started")
	return cmd, log
}

// await reads the log up to a line that contains want.
func await(t *testing.T, log *bufio.Scanner, want string) {
	t.Helper()
	var seen []string
	for log.Scan() {
		if strings.Contains(log.Text(), want) {
			return
		}
		seen = append(seen, log.Text())
	}
	t.Fatalf("the log ended without %q:\n%s", want, strings.Join(seen, "\n"))
}

func signalTo(t *testing.T, cmd *exec.Cmd, sig os.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

func TestFirstSignalStops(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		t.Run(sig.String(), func(t *testing.T) {
			cmd, log := start(t, "service", "--bootstrap-servers", "b:1")
			await(t, log, "msg=running") // The command is at work, so the signal meets it there.
			signalTo(t, cmd, sig)
			await(t, log, "msg=stopping")
			await(t, log, "msg=stopped")
			if err := cmd.Wait(); err != nil {
				t.Errorf("after %v: %v, want exit code 0", sig, err)
			}
		})
	}
}

func TestSecondSignalKills(t *testing.T) {
	cmd, log := start(t, "stubborn", "--shutdown-grace", "1h")
	signalTo(t, cmd, syscall.SIGTERM)
	await(t, log, "msg=stopping")
	signalTo(t, cmd, syscall.SIGTERM)
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		t.Fatalf("got %v, want an end by signal", err)
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("got %v, want killed by SIGTERM", exit)
	}
}

// TestSecondSignalAtOnceKills sends two signals back to back, which the process
// may find waiting at the same time.
func TestSecondSignalAtOnceKills(t *testing.T) {
	for range 20 {
		cmd, _ := start(t, "stubborn", "--shutdown-grace", "1h")
		signalTo(t, cmd, syscall.SIGTERM)
		signalTo(t, cmd, os.Interrupt)
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
			t.Fatalf("got %v, want an end by signal", err)
		}
	}
}

func TestSignalsAreGivenBack(t *testing.T) {
	defer noLeaks(t)
	ctx, stop := daemon.Signals(t.Context())
	if err := ctx.Err(); err != nil {
		t.Errorf("before any signal: %v", err)
	}
	stop()
	if !errors.Is(context.Cause(ctx), context.Canceled) {
		t.Errorf("after stop: %v, want cancelled", context.Cause(ctx))
	}
}

func TestGraceIsBounded(t *testing.T) {
	cmd, log := start(t, "stubborn", "--shutdown-grace", "50ms")
	signalTo(t, cmd, syscall.SIGTERM)
	await(t, log, "did not stop within 50ms (see --shutdown-grace)")
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("got %v, want exit code 1", err)
	}
}

// run calls Exec for a command whose Run is f, on a context of its own.
func run(t *testing.T, ctx context.Context, f func(context.Context, *daemon.Env) error, args ...string) (code int, stderr string) {
	t.Helper()
	var log bytes.Buffer
	code = daemon.Exec(ctx, daemon.Command{Name: "c", Run: f}, args, nil, &bytes.Buffer{}, &log)
	return code, log.String()
}

func TestOutcomes(t *testing.T) {
	defer noLeaks(t)
	broken := errors.New("broken")
	tests := []struct {
		name    string
		stop    bool // the context ends before Run returns
		err     error
		code    int
		logged  string
		logsErr bool
	}{
		{name: "work is through", code: 0, logged: "msg=stopped"},
		{name: "failed", err: broken, code: 1, logged: "msg=failed", logsErr: true},
		{name: "stopped", stop: true, code: 0, logged: "msg=stopped"},
		{name: "stopped, handing on the cancellation", stop: true, err: fmt.Errorf("poll: %w", context.Canceled), code: 0, logged: "msg=stopped"},
		{name: "failed while stopping", stop: true, err: broken, code: 1, logged: "msg=failed", logsErr: true},
		{name: "cancelled by itself", err: context.Canceled, code: 1, logged: "msg=failed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			code, log := run(t, ctx, func(ctx context.Context, _ *daemon.Env) error {
				if tt.stop {
					cancel()
				}
				return tt.err
			})
			if code != tt.code || !strings.Contains(log, tt.logged) {
				t.Errorf("got exit code %d, want %d with %q in the log:\n%s", code, tt.code, tt.logged, log)
			}
			if strings.Contains(log, "msg=stopping") != tt.stop {
				t.Errorf("want the log to say whether it was asked to stop (%v):\n%s", tt.stop, log)
			}
			if n := strings.Count(log, "broken"); tt.logsErr && n != 1 {
				t.Errorf("the error is logged %d times, want once:\n%s", n, log)
			}
		})
	}
}

func TestAdminPortInUse(t *testing.T) {
	defer noLeaks(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	code, log := run(t, ctx, func(ctx context.Context, env *daemon.Env) error {
		addr := env.AdminAddr
		code, log := run(t, ctx, func(context.Context, *daemon.Env) error {
			t.Error("the command ran without its admin port")
			return nil
		}, "--admin-addr", addr)
		if code != 1 || !strings.Contains(log, "open the admin port (choose another with --admin-addr)") {
			t.Errorf("got exit code %d, want 1 and what to do:\n%s", code, log)
		}
		return nil
	})
	if code != 0 {
		t.Errorf("got exit code %d, want 0:\n%s", code, log)
	}
}

func TestStopBeforeStart(t *testing.T) {
	defer noLeaks(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	code, log := run(t, ctx, func(ctx context.Context, _ *daemon.Env) error { return ctx.Err() })
	if code != 0 {
		t.Errorf("got exit code %d, want 0:\n%s", code, log)
	}
}

func TestCommandsShareAProcess(t *testing.T) {
	defer noLeaks(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var inner string
	code, log := run(t, ctx, func(ctx context.Context, env *daemon.Env) error {
		outer := env.AdminAddr
		code, log := run(t, ctx, func(_ context.Context, env *daemon.Env) error {
			inner = env.AdminAddr
			return nil
		})
		if code != 0 || inner == outer {
			t.Errorf("got exit code %d and ports %s and %s, want 0 and two ports:\n%s", code, outer, inner, log)
		}
		return nil
	})
	if code != 0 {
		t.Errorf("got exit code %d, want 0:\n%s", code, log)
	}
}

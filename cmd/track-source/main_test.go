package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"tracksource/deploy/kafka"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"track-source": main,
	})
}

// TestScripts runs the tool as its users do, each script on a cluster of its own:
// they run side by side, and what one makes another must not find.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			broker, err := kafka.StartMemory(kafka.MemoryConfig{})
			if err != nil {
				return err
			}
			env.Defer(broker.Close)
			env.Setenv("BROKERS", broker.Conn().String())
			env.Setenv("XDG_CACHE_HOME", env.WorkDir)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"exits": exits},
	})
}

// exits runs a program and wants the exit code that is the last argument.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want := args[len(args)-1]
	err := ts.Exec(args[0], args[1:len(args)-1]...)
	got := "0"
	if ee := new(exec.ExitError); errors.As(err, &ee) {
		got = strconv.Itoa(ee.ExitCode())
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("%v ended with exit code %s, want %s", args[:len(args)-1], got, want)
	}
}

func TestNoCacheDirectory(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	if code := run(context.Background(), []string{"demo", "--once"}, os.Stdout, os.Stderr); code != exitUsage {
		t.Errorf("exit code %d without a cache directory, want %d", code, exitUsage)
	}
}

package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"tracksource/contract/example"
	"tracksource/deploy/kafka"
	"tracksource/internal/parallel"
	"tracksource/internal/victim"
	"tracksource/report"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// sideBySide is how many tests run at once: each has a line of its own in this process,
// which waits for its groups half of the time.
const sideBySide = 4

// patience is how long something is waited for that will come: on a busy machine late.
const patience = 4 * time.Minute

func TestMain(m *testing.M) {
	testscript.Main(parallel.New(m, sideBySide), map[string]func(){
		"track-source": main,
		"track-source-victim": func() {
			if err := victim.DieBeyond(victimBytes); err != nil {
				panic(err)
			}
			main()
		},
	})
}

// TestScripts runs the tool as its users do, each script on a cluster of its own:
// they run side by side, and what one makes another must not find.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			broker, err := kafka.StartMemory(kafka.MemoryConfig{})
			if err != nil {
				return err
			}
			env.Defer(broker.Close)
			env.Setenv("BROKERS", broker.Conn().String())
			registry := httptest.NewServer(avro.Handler(avro.NewMemory()))
			env.Defer(registry.Close)
			env.Setenv("REGISTRY", registry.URL)
			env.Setenv("XDG_CACHE_HOME", env.WorkDir)
			return os.WriteFile(filepath.Join(env.WorkDir, "contract.yaml"), example.AILaunchTour(), 0o600)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"exits": exits, "on": on, "deal": tellDeal, "alert": raiseAlert, "package": makePackage, "appendto": appendTo},
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

// on runs the tool on the script's cluster and wants the exit code that is the first
// argument.
func on(ts *testscript.TestScript, _ bool, args []string) {
	all := append(slices.Clone(args[1:]), "--bootstrap-servers="+ts.Getenv("BROKERS"), "--registry="+ts.Getenv("REGISTRY"), args[0])
	exits(ts, false, append([]string{"track-source"}, all...))
}

// send puts a record on one of the cluster's topics.
func send(ts *testscript.TestScript, topic func(kafka.Spec) string, encode func(c *avro.Codecs) (key, value []byte, err error)) {
	spec, err := kafka.Load(kafka.ProfileLocal, kafka.Options{})
	ts.Check(err)
	registry, err := avro.NewHTTP(avro.HTTPConfig{URL: ts.Getenv("REGISTRY")})
	ts.Check(err)
	codecs, err := avro.OpenCodecs(context.Background(), registry, avro.Subjects(spec.Prefix()))
	ts.Check(err)
	key, value, err := encode(codecs)
	ts.Check(err)
	p, err := stream.NewProducer(stream.Conn{Brokers: []string{ts.Getenv("BROKERS")}}, slog.New(slog.DiscardHandler))
	ts.Check(err)
	defer p.Close()
	ts.Check(p.Send(context.Background(), stream.Message{Topic: topic(spec), Key: key, Value: value}))
}

// tellDeal puts facts on the cluster: of which campaign, the deal, the day on which it
// was created, that of its revenue, and why it is in no total.
func tellDeal(ts *testscript.TestScript, _ bool, args []string) {
	created, err := time.Parse(time.DateOnly, args[2])
	ts.Check(err)
	created = created.Add(12 * time.Hour)
	f := avro.Facts{
		Kind: "facts", Contract: args[0], Revision: 1, Account: []byte("account"), Conversion: strings.Replace(args[1], "/salesforce/", "/salesforce/opportunity/", 1),
		State: "won", CreatedAt: &created, Measures: []avro.FactsMeasure{{Measure: "revenue", Day: args[3], Value: 100, Currency: "USD", Exponent: 2, InScope: true}},
	}
	if len(args) > 4 {
		f.Excluded = args[4]
	}
	send(ts, kafka.Spec.Facts, func(c *avro.Codecs) (key, value []byte, err error) {
		if value, err = c.Facts.Append(nil, &f); err == nil {
			key, err = c.FactsKey.Append(nil, &avro.FactsKey{Contract: f.Contract, Conversion: f.Conversion, Account: f.Account, Revision: f.Revision})
		}
		return key, value, err
	})
}

// raiseAlert puts an alert of a campaign on the cluster: its id, partner and state.
func raiseAlert(ts *testscript.TestScript, _ bool, args []string) {
	send(ts, kafka.Spec.Alerts, func(c *avro.Codecs) (key, value []byte, err error) {
		value, err = c.Alert.Append(nil, &avro.Alert{
			ID: args[1], Kind: "guardrail", Severity: "error", Campaign: args[0], Partner: args[2], State: args[3], Subject: "crm.acme", Message: "too old",
			RaisedAt: time.Date(2026, 3, 3, 6, 0, 0, 0, time.UTC), Rung: "Co-marketing Analytics Lead", Since: "2026-03-02", Deadline: "2026-03-16",
		})
		return []byte(args[1]), value, err
	})
}

// makePackage writes the manifest of a directory.
func makePackage(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	m, err := report.NewManifest(report.Manifest{Campaign: "ai-launch-tour", Title: "March", Window: "2026-03", AsOf: time.Date(2026, 4, 2, 6, 0, 0, 0, time.UTC)}, os.DirFS(dir))
	ts.Check(err)
	text, err := m.Encode()
	ts.Check(err)
	ts.Check(os.WriteFile(filepath.Join(dir, report.ManifestName), text, 0o600))
}

// appendTo writes the second file behind the first.
func appendTo(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0]) + ts.ReadFile(args[1])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

func TestNoCacheDirectory(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	if code := run(context.Background(), []string{"demo", "--once"}, os.Stdout, os.Stderr); code != exitUsage {
		t.Errorf("exit code %d without a cache directory, want %d", code, exitUsage)
	}
}

package sim_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mistake is a wrong order of the protocol: a text of a file of the engine and
// what stands there instead, and the tests that must notice.
type mistake struct {
	name     string
	file     string
	from, to string
	pkg, run string
}

// mistaken is set in the environment of an engine with a mistake.
const mistaken = "SIM_MISTAKE"

func isMistaken() bool { return os.Getenv(mistaken) != "" }

// TestMistakes builds the engine with mistakes that others have made, and sees
// the tests fail. A harness that passes them proves nothing.
func TestMistakes(t *testing.T) {
	if testing.Short() {
		t.Skip("each mistake is a build and a run")
	}
	if isMistaken() {
		t.Skip("this is one")
	}
	t.Parallel()
	const sim, engine = "tracksource/internal/sim", "tracksource/stream"
	mistakes := []mistake{
		{
			name: "N1 the store before Kafka", file: "transact.go",
			from: "\tcommitted, err := s.gts.End(",
			to:   "\tif err := each(units, func(u unit) error { return u.t.commit(s.cfg.Clock()) }); err != nil {\n\t\treturn err\n\t}\n\tif err := s.at(MidStore, units); err != nil {\n\t\treturn err\n\t}\n\tcommitted, err := s.gts.End(",
			pkg:  sim, run: "^TestEveryPoint$",
		},
		{
			name: "N2 a restore that reads the uncommitted", file: "config.go",
			from: "\t\tkgo.ClientID(c.TransactionalID+\"-restore\"),\n\t\tkgo.WithLogger(logAdapter{c.Log}),\n\t\tkgo.FetchIsolationLevel(kgo.ReadCommitted()),",
			to:   "\t\tkgo.ClientID(c.TransactionalID+\"-restore\"),\n\t\tkgo.WithLogger(logAdapter{c.Log}),",
			pkg:  sim, run: "^TestEveryPoint$",
		},
		{
			name: "N3 going on after an End of unknown outcome", file: "transact.go",
			from: "\t\ts.metrics.transactions.WithLabelValues(\"unknown\").Inc()\n\t\ts.drop(units)\n\t\treturn fmt.Errorf(\"end transaction, outcome unknown: %w\", err)",
			to:   "\t\ts.drop(units)\n\t\tfor _, u := range units {\n\t\t\tu.t.mustStart = -1\n\t\t}\n\t\t_, _ = s.gts.End(ctx, kgo.TryAbort)\n\t\treturn nil",
			pkg:  engine, run: "^TestEndUnknown$",
		},
		{
			name: "N4 a Tick that commits no offset", file: "ownership.go",
			from: "\t\tfor _, u := range units {\n\t\t\ttp :=",
			to:   "\t\tfor _, u := range units {\n\t\t\tif len(u.b.Records) == 0 {\n\t\t\t\tcontinue\n\t\t\t}\n\t\t\ttp :=",
			pkg:  engine, run: "^TestZombieTick$|^TestTickCommitsOffsets$",
		},
	}
	dir, err := filepath.Abs("../../stream")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mistakes {
		t.Run(strings.ReplaceAll(m.name, " ", "-"), func(t *testing.T) {
			file := filepath.Join(dir, m.file)
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(source), m.from); n != 1 {
				t.Fatalf("%s has %d places for the mistake, want 1: the engine has changed, make the mistake anew", m.file, n)
			}
			wrong := filepath.Join(t.TempDir(), m.file)
			if err := os.WriteFile(wrong, []byte(strings.Replace(string(source), m.from, m.to, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			overlay, err := json.Marshal(map[string]map[string]string{"Replace": {file: wrong}})
			if err != nil {
				t.Fatal(err)
			}
			list := filepath.Join(t.TempDir(), "overlay.json")
			if err := os.WriteFile(list, overlay, 0o600); err != nil {
				t.Fatal(err)
			}
			var out []byte
			for range 4 { // a run in which the mistake does no harm shows nothing
				cmd := exec.Command("go", "test", "-overlay", list, "-count=1", "-timeout", "5m", "-run", m.run, m.pkg)
				cmd.Env = append(os.Environ(), mistaken+"=1")
				if out, err = cmd.CombinedOutput(); err != nil {
					break
				}
			}
			switch {
			case err == nil:
				t.Errorf("nobody noticed:\n%s", out)
			case strings.Contains(string(out), "[build failed]"):
				t.Errorf("the mistake does not build:\n%s", out)
			default:
				t.Logf("noticed:\n%.1500s", out)
			}
		})
	}
}

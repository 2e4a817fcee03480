package daemon_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tracksource/internal/daemon"
)

func TestEnvName(t *testing.T) {
	if got, want := daemon.EnvName("bootstrap-servers"), "TRACKSOURCE_BOOTSTRAP_SERVERS"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// settings is what a command was told, for TestSources.
type settings struct {
	topic string
	run   []string
	once  bool
}

func TestSources(t *testing.T) {
	tests := []struct {
		name    string
		args    []string
		environ []string
		want    settings
	}{
		{name: "defaults", want: settings{topic: "t0", run: []string{"all"}}},
		{name: "flags", args: []string{"--topic", "t1", "-once", "--run=a, b", "--run=c"}, want: settings{"t1", []string{"a", "b", "c"}, true}},
		{name: "environment", environ: []string{"TRACKSOURCE_TOPIC=t2", "TRACKSOURCE_RUN=x,y", "TRACKSOURCE_ONCE=true"}, want: settings{"t2", []string{"x", "y"}, true}},
		{
			name:    "flags win",
			args:    []string{"--topic=t1", "--run=a", "--once=false"},
			environ: []string{"TRACKSOURCE_TOPIC=t2", "TRACKSOURCE_RUN=x,y", "TRACKSOURCE_ONCE=maybe"},
			want:    settings{"t1", []string{"a"}, false},
		},
		{name: "an empty flag is given", args: []string{"--topic="}, environ: []string{"TRACKSOURCE_TOPIC=t2"}, want: settings{"", []string{"all"}, false}},
		{name: "an empty variable is not", environ: []string{"TRACKSOURCE_TOPIC="}, want: settings{"t0", []string{"all"}, false}},
		{name: "no prefix", environ: []string{"TOPIC=t2"}, want: settings{"t0", []string{"all"}, false}},
		{name: "a value with an equals sign", environ: []string{"TRACKSOURCE_TOPIC=a=b"}, want: settings{"a=b", []string{"all"}, false}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got settings
			var list *[]string
			c := daemon.Command{
				Name: "c",
				Flags: func(fs *flag.FlagSet) {
					fs.StringVar(&got.topic, "topic", "t0", "")
					list = daemon.Strings(fs, "run", []string{"all"}, "")
					fs.BoolVar(&got.once, "once", false, "")
				},
				Run: func(context.Context, *daemon.Env) error { got.run = *list; return nil },
			}
			var log bytes.Buffer
			if code := daemon.Exec(t.Context(), c, tt.args, tt.environ, io.Discard, &log); code != 0 {
				t.Fatalf("exit code %d:\n%s", code, log.String())
			}
			if got.topic != tt.want.topic || got.once != tt.want.once || !slices.Equal(got.run, tt.want.run) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if strings.Contains(log.String(), "unknown environment variable") {
				t.Errorf("a known variable is reported:\n%s", log.String())
			}
		})
	}
}

func TestUnknownVariablesAreReported(t *testing.T) {
	var log bytes.Buffer
	c := daemon.Command{Name: "c", Run: func(context.Context, *daemon.Env) error { return nil }}
	environ := []string{"TRACKSOURCE_LOG_LEVLE=debug-value", "TRACKSOURCE_VERSION=1.2", "HOME=/h"}
	if code := daemon.Exec(t.Context(), c, nil, environ, io.Discard, &log); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, log.String())
	}
	for _, want := range []string{"name=TRACKSOURCE_LOG_LEVLE", "name=TRACKSOURCE_VERSION"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "debug-value") || strings.Contains(log.String(), "HOME") {
		t.Errorf("the log has a value, or a variable that is not ours:\n%s", log.String())
	}
}

func TestWrongUsage(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		args    []string
		environ []string
		want    string
	}{
		{name: "unknown flag", args: []string{"--topc", "x"}, want: "unknown flag --topc"},
		{name: "stray argument", args: []string{"--topic", "x", "y"}, want: `unexpected argument "y"`},
		{name: "no value", args: []string{"--topic"}, want: "no value given for --topic"},
		{name: "three dashes", args: []string{"---topic"}, want: "not a flag: ---topic"},
		{name: "bad number", args: []string{"--events", "many"}, want: `invalid value "many" for --events: parse error`},
		{name: "bad bool", args: []string{"--once=maybe"}, want: `invalid boolean value "maybe" for --once: parse error`},
		{name: "bad value that looks like a message", args: []string{"--events", "1 for flag -x"}, want: `invalid value "1 for flag -x" for --events: parse error`},
		{name: "bad variable", environ: []string{"TRACKSOURCE_EVENTS=many"}, want: `invalid value "many" in TRACKSOURCE_EVENTS: parse error`},
		{name: "empty list value", args: []string{"--run", "a,,b"}, want: `invalid value "a,,b" for --run: the list has an empty value`},
		{name: "bad log level", args: []string{"--log-level", "loud"}, want: "--log-level"},
		{name: "bad log format", args: []string{"--log-format", "xml"}, want: `invalid value "xml" for --log-format: must be one of text, json`},
		{name: "no grace", args: []string{"--shutdown-grace", "0s"}, want: "must be a duration above zero, such as 25s"},
		{name: "no port", args: []string{"--admin-addr", "127.0.0.1"}, want: "must be host:port, such as 127.0.0.1:9464"},
		{name: "every interface by omission", args: []string{"--admin-addr", ":9464"}, want: "name the host: 127.0.0.1:9464 for this machine only, 0.0.0.0:9464 for every interface"},
		{name: "port out of range", args: []string{"--admin-addr", "127.0.0.1:65536"}, want: "the port must be a number from 0 to 65535"},
		{name: "the whole does not fit", args: []string{"--topic", "refused"}, want: "--topic refused"},
		{name: "no secret file", args: []string{"--password-file", empty + "-not"}, want: "no such file"},
		{name: "empty secret file", args: []string{"--password-file", empty}, want: "is empty"},
		{name: "no path", args: []string{"--password-file", ""}, want: "the path is empty"},
		{name: "no flag for the secret itself", args: []string{"--password", "hunter2"}, want: "unknown flag --password"},
		{name: "secret twice", environ: []string{"TRACKSOURCE_PASSWORD=hunter2", "TRACKSOURCE_PASSWORD_FILE=" + empty}, want: "TRACKSOURCE_PASSWORD and TRACKSOURCE_PASSWORD_FILE are both set: keep one"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var topic string
			c := daemon.Command{
				Name: "c",
				Flags: func(fs *flag.FlagSet) {
					fs.StringVar(&topic, "topic", "", "")
					fs.Int("events", 1, "")
					fs.Bool("once", false, "")
					daemon.Strings(fs, "run", nil, "")
					daemon.SecretVar(fs, new(daemon.Secret), "password", "")
				},
				Check: func() error {
					if topic == "refused" {
						return errors.New("--topic refused")
					}
					return nil
				},
				Run: func(context.Context, *daemon.Env) error { t.Error("the command ran"); return nil },
			}
			var out, log bytes.Buffer
			code := daemon.Exec(t.Context(), c, tt.args, tt.environ, &out, &log)
			if code != 2 || !strings.Contains(log.String(), tt.want) {
				t.Errorf("got exit code %d, want 2 with %q in:\n%s", code, tt.want, log.String())
			}
			if line, rest, _ := strings.Cut(log.String(), "\n"); rest != "" || !strings.HasPrefix(line, "c: ") || !strings.HasSuffix(line, " (see c --help)") {
				t.Errorf("want one line that names the command and --help, got:\n%s", log.String())
			}
			if out.Len() > 0 || strings.Contains(log.String(), "hunter2") {
				t.Errorf("something is on stdout, or a secret is shown:\n%s%s", out.String(), log.String())
			}
		})
	}
}

func TestLogs(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want []string
		not  []string
	}{
		{name: "text", want: []string{"level=INFO msg=working command=c"}, not: []string{"details"}},
		{name: "json", args: []string{"--log-format=json"}, want: []string{`"level":"INFO","msg":"working","command":"c"`}, not: []string{"details"}},
		{name: "debug", args: []string{"--log-level=debug"}, want: []string{"msg=working", "msg=details"}},
		{name: "error", args: []string{"--log-level", "ERROR"}, not: []string{"working", "started"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, log := run(t, t.Context(), func(ctx context.Context, env *daemon.Env) error {
				env.Log.DebugContext(ctx, "details")
				env.Log.InfoContext(ctx, "working")
				return nil
			}, tt.args...)
			for _, want := range tt.want {
				if !strings.Contains(log, want) {
					t.Errorf("%q is not in the log:\n%s", want, log)
				}
			}
			for _, not := range tt.not {
				if strings.Contains(log, not) {
					t.Errorf("%q is in the log:\n%s", not, log)
				}
			}
		})
	}
}

func TestSecretSources(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		name    string
		args    []string
		environ []string
		want    string
	}{
		{name: "none"},
		{name: "file", args: []string{"--password-file", file("a", "s3cret\n")}, want: "s3cret"},
		{name: "file with other line break", args: []string{"--password-file", file("b", "s3cret\r\n")}, want: "s3cret"},
		{name: "spaces belong to it", args: []string{"--password-file", file("c", " s3 \n\n")}, want: " s3 \n"},
		{name: "file in the environment", environ: []string{"TRACKSOURCE_PASSWORD_FILE=" + file("d", "s3cret")}, want: "s3cret"},
		{name: "environment", environ: []string{"TRACKSOURCE_PASSWORD=s3cret"}, want: "s3cret"},
		{name: "flag wins", args: []string{"--password-file", file("e", "flag")}, environ: []string{"TRACKSOURCE_PASSWORD=env", "TRACKSOURCE_PASSWORD_FILE=none"}, want: "flag"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got daemon.Secret
			c := daemon.Command{
				Name:  "c",
				Flags: func(fs *flag.FlagSet) { daemon.SecretVar(fs, &got, "password", "the password") },
				Run:   func(context.Context, *daemon.Env) error { return nil },
			}
			var log bytes.Buffer
			if code := daemon.Exec(t.Context(), c, tt.args, tt.environ, io.Discard, &log); code != 0 {
				t.Fatalf("exit code %d:\n%s", code, log.String())
			}
			if got.Reveal() != tt.want || got.IsZero() != (tt.want == "") {
				t.Errorf("got %q (zero: %v), want %q", got.Reveal(), got.IsZero(), tt.want)
			}
			if strings.Contains(log.String(), "unknown environment variable") {
				t.Errorf("a known variable is reported:\n%s", log.String())
			}
		})
	}
}

func TestReadSecretIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "long")
	if err := os.WriteFile(path, bytes.Repeat([]byte("s"), 64<<10+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := daemon.ReadSecret(path); err == nil || !strings.Contains(err.Error(), "is longer than 65536 bytes") {
		t.Errorf("got %v, want it refused as too long", err)
	}
}

// TestSecretIsNeverShown prints a secret in every way a careless line might.
func TestSecretIsNeverShown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := daemon.ReadSecret(path)
	if err != nil {
		t.Fatal(err)
	}
	type config struct {
		user string
		pass daemon.Secret
		Pass daemon.Secret
	}
	c := config{"u", s, s}
	var text, js bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).InfoContext(t.Context(), "m", "secret", s, "config", c, "pointer", &s)
	slog.New(slog.NewJSONHandler(&js, nil)).InfoContext(t.Context(), "m", "secret", s, "config", c, "pointer", &s)
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{text.String(), js.String(), string(encoded)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		shown = append(shown, fmt.Sprintf(verb, s), fmt.Sprintf(verb, &s), fmt.Sprintf(verb, c), fmt.Sprintf(verb, &c))
	}
	for _, got := range shown {
		lower := strings.ToLower(got)
		if strings.Contains(lower, "hunter2") || strings.Contains(lower, "68756e74") || strings.Contains(lower, "104 117 110") {
			t.Errorf("the secret shows in %q", got)
		}
	}
	if got := fmt.Sprint(s); got != "[redacted]" {
		t.Errorf("got %q, want [redacted]", got)
	}
}

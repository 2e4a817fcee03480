package demo_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"tracksource/report"
	"tracksource/schemas/avro"
)

// python makes an environment with the packages of the foreign reader and returns
// its interpreter. They come from the network, so that it is only made in CI and
// for who asks.
func python(t *testing.T) string {
	t.Helper()
	if testing.Short() || os.Getenv("CI") != "true" && os.Getenv("FOREIGN_CLIENT") == "" {
		t.Skip("librdkafka and fastavro are installed for this test in CI, and with FOREIGN_CLIENT=1, not under -short")
	}
	dir := filepath.Join(t.TempDir(), "venv")
	bin := filepath.Join(dir, "bin", "python")
	for _, args := range [][]string{
		{"python3", "-m", "venv", dir},
		{bin, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "-r", "testdata/foreign/requirements.txt"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
		cancel()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	return bin
}

// TestForeignClient: a client and a decoder of other people (librdkafka, fastavro)
// read contributions, and those of a partner that sees all of them, and come to the
// totals that the reporter has.
func TestForeignClient(t *testing.T) {
	bin := python(t)
	dir := t.TempDir()
	result := once(t, config(dir, nil))
	want := map[string]report.Value{}
	for _, c := range result.Contributions {
		value, err := report.ParseValue(c.Value)
		if err != nil {
			t.Fatal(err)
		}
		name := c.Campaign + "/" + c.Measure + "/" + c.Model + "/" + c.Partner
		want[name] = want[name].Add(value)
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	spec, broker, registry := reopened(ctx, t, dir)
	server := httptest.NewServer(avro.Handler(registry))
	defer server.Close()
	for _, topic := range []string{spec.Contributions(), spec.PartnerContributions()["acme"]} {
		cmd := exec.CommandContext(ctx, bin, "testdata/foreign/totals.py", broker.Conn().String(), server.URL, topic)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", topic, err)
		}
		var got struct {
			Rows    int               `json:"rows"`
			Totals  map[string]string `json:"totals"`
			Certain string            `json:"certain"`
		}
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%s: %v in %s", topic, err, out)
		}
		if certain, err := report.ParseValue(got.Certain); err != nil || certain.Sign() <= 0 {
			t.Errorf("%s: %s of the revenue is certain, %v", topic, got.Certain, err)
		}
		have := map[string]report.Value{}
		for name, text := range got.Totals {
			value, err := report.ParseValue(text)
			if err != nil {
				t.Fatal(err)
			}
			if value.Cmp(report.Value{}) != 0 {
				have[name] = value
			}
		}
		if len(have) == 0 || !maps.EqualFunc(have, want, func(a, b report.Value) bool { return a.Cmp(b) == 0 }) {
			t.Errorf("%s: %d rows come to %v, want %v", topic, got.Rows, have, want)
		}
	}
}

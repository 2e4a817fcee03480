package demo_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"

	"tracksource/internal/foreign"
	"tracksource/report"
	"tracksource/schemas/avro"
)

// TestForeignClient: a client and a decoder of other people (librdkafka, fastavro)
// read contributions, and those of a partner that sees all of them, and come to the
// totals that the reporter has.
func TestForeignClient(t *testing.T) {
	bin := foreign.Python(t)
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

	ctx, cancel := context.WithTimeout(t.Context(), patience)
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

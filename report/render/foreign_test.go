package render_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"tracksource/internal/foreign"
	"tracksource/report"
	"tracksource/report/render"
)

// TestForeignTables: a library and a parser of other people read every value of the
// workbook and of the files as the package has it, and come to its totals.
func TestForeignTables(t *testing.T) {
	bin := foreign.Python(t)
	dir := t.TempDir()
	p := hostile()
	for name, content := range rendered(t, p, render.CSV, render.XLSX) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), foreign.RunTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, bin, "testdata/foreign/tables.py", dir).Output()
	if err != nil {
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			t.Fatalf("%v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var got struct {
		Cells   int
		Sums    map[string]string
		Created string
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	totals := p.Table("totals")
	for i, id := range []string{"contributions.revenue", "contributions.won"} {
		sum, err := report.ParseValue(got.Sums[id])
		if err != nil {
			t.Fatal(err)
		}
		if want, err := report.ParseValue(totals.Rows[i][1]); err != nil || sum.Cmp(want) != 0 {
			t.Errorf("%s: a foreign reader comes to %s, the package to %s", id, got.Sums[id], totals.Rows[i][1])
		}
	}
	if got.Cells < 300 || got.Created != "2026-05-04T10:30:00" {
		t.Errorf("read %d cells, created %s", got.Cells, got.Created)
	}
}

package render_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tracksource/internal/foreign"
	"tracksource/report/render"
)

// browserTimeout bounds the browser; it takes some seconds, and minutes on a busy machine.
const browserTimeout = 6 * time.Minute

// browserDir is where the browser tests of all pages are, with what they need.
const browserDir = "../../internal/dashboard/e2e"

// TestBrowser opens the pages of a plain package and of a hostile one in a headless
// Chromium that is offline, and prints them. Pictures go to PACKAGE_SHOTS, if that is
// set.
func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes some seconds")
	}
	foreign.NeedBrowser(t, browserDir)
	names, at := evilNames(), 0
	evil := infected(t, func() (string, bool) {
		at++
		return names[at%len(names)], at%3 == 0
	})
	var dirs []string
	for name, files := range map[string]map[string]string{
		"plain": written(t, sample(t), render.HTML), "evil": written(t, evil, render.HTML),
	} {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for file, text := range files {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if dirs = append(dirs, dir); name == "plain" {
			dirs[0], dirs[len(dirs)-1] = dirs[len(dirs)-1], dirs[0]
		}
	}
	list, err := json.Marshal(dirs)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), browserTimeout)
	defer cancel()
	foreign.Browse(ctx, t, browserDir, []string{"PACKAGE_DIRS=" + string(list)}, "package.test.mjs")
}

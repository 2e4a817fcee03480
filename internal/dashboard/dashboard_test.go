package dashboard_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"tracksource/internal/dashboard"
)

// TestVendored holds other people's files to the sums that VENDORED.md gives.
func TestVendored(t *testing.T) {
	doc, err := os.ReadFile("VENDORED.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `assets/([^`]+)` \\| .* \\| `([0-9a-f]{64})` \\|$").FindAllStringSubmatch(string(doc), -1)
	if len(rows) != 3 {
		t.Fatalf("VENDORED.md has %d rows that can be read, want 3", len(rows))
	}
	for _, row := range rows {
		b, err := fs.ReadFile(dashboard.Assets(), row[1])
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(b)
		if got := hex.EncodeToString(sum[:]); got != row[2] {
			t.Errorf("%s has the sum %s, VENDORED.md says %s", row[1], got, row[2])
		}
	}
}

// TestFlat: what is served by name must be in one directory, and be of a kind
// whose content type servers know.
func TestFlat(t *testing.T) {
	known := map[string]bool{".html": true, ".css": true, ".js": true, ".svg": true, ".txt": true}
	entries, err := fs.ReadDir(dashboard.Assets(), ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() || !known[path.Ext(e.Name())] {
			t.Errorf("%s is a directory or of an unknown kind", e.Name())
		}
	}
}

// TestReferences follows what the page and its modules ask for: each is there,
// each file is asked for, and nothing comes from elsewhere or needs more than a
// policy without inline code allows.
func TestReferences(t *testing.T) {
	files := dashboard.Assets()
	asked := map[string]bool{"index.html": true}
	wants := regexp.MustCompile(`(?:/assets/|from "\./|import\("\./|import "\./)([\w.-]+)`)
	outside := regexp.MustCompile(`https?://|\bon\w+="|style="|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function`)
	namespace := strings.NewReplacer("http://www.w3.org/2000/svg", "")
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		if strings.HasPrefix(name, "uplot") {
			return nil
		}
		for _, m := range wants.FindAllStringSubmatch(string(b), -1) {
			asked[m[1]] = true
			if _, err := fs.Stat(files, m[1]); err != nil {
				t.Errorf("%s asks for %s: %v", name, m[1], err)
			}
		}
		if m := outside.FindString(namespace.Replace(string(b))); m != "" {
			t.Errorf("%s has %q", name, m)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !asked[e.Name()] && e.Name() != "uplot-license.txt" {
			t.Errorf("nothing asks for %s", e.Name())
		}
	}
}

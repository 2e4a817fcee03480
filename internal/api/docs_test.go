package api_test

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"tracksource/internal/api"
)

// TestDocumentedRequests: what docs/api.md asks is answered, and it speaks of every
// endpoint.
func TestDocumentedRequests(t *testing.T) {
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	s := filled(t)
	lines := regexp.MustCompile(`(?m)^curl (.*)"\$URL(/[^"]*)"$`).FindAllStringSubmatch(string(text), -1)
	if len(lines) < 10 {
		t.Fatalf("%d requests are found", len(lines))
	}
	for _, line := range lines {
		method, body := http.MethodGet, ""
		if strings.Contains(line[1], "--data-binary") {
			method, body = http.MethodPost, "Opportunity ID,Amount,Currency,Stage,Close Date\nD-shared,6666.66,EUR,Closed Won,2026-03-10\n"
		}
		if m := regexp.MustCompile(`--data '([^']+)'`).FindStringSubmatch(line[1]); m != nil {
			method, body = http.MethodPost, m[1]
		}
		var headers []string
		for _, h := range regexp.MustCompile(`-H "([^:]+): ([^"]+)"`).FindAllStringSubmatch(line[1], -1) {
			headers = append(headers, h[1], h[2])
		}
		if strings.HasSuffix(line[2], "/events") {
			method = http.MethodHead // it would not end
		}
		if w := do(s, method, line[2], body, headers...); w.Code != http.StatusOK && w.Code != http.StatusCreated {
			t.Errorf("%s gives %d: %s", line[0], w.Code, w.Body)
		}
	}
	for _, r := range api.Table() {
		name := strings.TrimPrefix(strings.TrimSuffix(r.Path, "/{campaign}"), "/api/v1/")
		if !strings.Contains(string(text), name) {
			t.Errorf("docs/api.md does not speak of %s", name)
		}
	}
}

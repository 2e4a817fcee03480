package normalize_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"

	"tracksource/normalize"
)

// TestRobots: robots are known by what they call themselves, people's browsers
// and telephones are none.
func TestRobots(t *testing.T) {
	for agent, want := range map[string]bool{
		"": false,
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36":     false,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 Mobile": false,
		"Mozilla/5.0 (Linux; Android 14; CUBOT KINGKONG 9) AppleWebKit/537.36 Chrome/143.0.0.0 Mobile Safari/537.36":          false,
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)":                                            true,
		"Mozilla/5.0 (Linux; Android 14; CUBOT) (compatible; AdsBot-Google-Mobile)":                                           true,
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/143.0.0.0 Safari/537.36":       true,
		"curl/8.9.1":                          true,
		"Go-http-client/2.0":                  true,
		"python-requests/2.32":                true,
		"facebookexternalhit/1.1":             true,
		"Mozilla/5.0 Barracuda Sentinel (EE)": true,
	} {
		if got := normalize.IsRobot(agent); got != want {
			t.Errorf("IsRobot(%q) = %t", agent, got)
		}
	}
}

// TestRobotsVersion: who changes the list gives it a new version, so that two
// numbers can be told apart by it.
func TestRobotsVersion(t *testing.T) {
	list, err := os.ReadFile("data/robots.txt")
	if err != nil {
		t.Fatal(err)
	}
	const version, sum = "2026-02", "1fef53f444707de5"
	got := fmt.Sprintf("%x", sha256.Sum256(list))[:16]
	if normalize.RobotsVersion != version || !strings.Contains(string(list), "\n# version "+version+"\n") || got != sum {
		t.Errorf("version %s of a list with the sum %s: with another list write another version here, in the list and in the code", normalize.RobotsVersion, got)
	}
}

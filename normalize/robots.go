package normalize

import (
	_ "embed" // the list of robots
	"strings"
)

// robotsText is the list of robots.
//
//go:embed data/robots.txt
var robotsText string

// RobotsVersion names the list by which robots are known.
const RobotsVersion = "2026-02"

// IsRobot knows robots by their user agents.
func IsRobot(userAgent string) bool {
	if userAgent == "" {
		return false
	}
	ua := strings.ToLower(userAgent)
	for line := range strings.Lines(robotsText) {
		part := strings.TrimSuffix(line, "\n")
		if part == "" || part[0] == '#' {
			continue
		}
		if none, ok := strings.CutPrefix(part, "-"); ok {
			ua = strings.ReplaceAll(ua, none, "")
		} else if strings.Contains(ua, part) {
			return true
		}
	}
	return false
}

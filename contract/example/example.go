// Package example holds the contract of the demonstration campaign: a host
// that reports in dollars and a partner that sells in euros.
//
// It knows one document and nothing else.
package example

import _ "embed"

//go:embed ai-launch-tour.yaml
var aiLaunchTour string

// Campaign is the one that the contract is about.
const Campaign = "ai-launch-tour"

// AILaunchTour returns the document of the demonstration campaign. The bytes
// are the caller's.
func AILaunchTour() []byte { return []byte(aiLaunchTour) }

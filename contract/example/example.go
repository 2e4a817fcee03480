// Package example holds the contract of the demonstration campaign: a host
// that reports in dollars and a partner that sells in euros.
//
// It knows one document and nothing else.
package example

import (
	_ "embed"
	"strings"
	"time"
)

//go:embed ai-launch-tour.yaml
var aiLaunchTour string

// starts and ends are the days of the campaign as the document has them.
const (
	starts = "2026-02-02"
	ends   = "2026-05-02"
)

// Campaign is the one that the contract is about.
const Campaign = "ai-launch-tour"

// AILaunchTour returns the document of the demonstration campaign. The bytes
// are the caller's.
func AILaunchTour() []byte { return []byte(aiLaunchTour) }

// Starting returns the document of a campaign that is as long and begins on the day of
// start.
func Starting(start time.Time) []byte {
	first, err := time.Parse(time.DateOnly, starts)
	if err != nil {
		panic("example: " + err.Error())
	}
	last, err := time.Parse(time.DateOnly, ends)
	if err != nil {
		panic("example: " + err.Error())
	}
	return []byte(strings.NewReplacer(
		"starts: "+starts, "starts: "+start.Format(time.DateOnly),
		"ends: "+ends, "ends: "+start.Add(last.Sub(first)).Format(time.DateOnly),
	).Replace(aiLaunchTour))
}

package report

import (
	"cmp"
	"strings"
	"unicode"
	"unicode/utf8"

	"tracksource/attribution"
	"tracksource/contract"
)

// measureName is a measure in the middle of a sentence.
func measureName(measure string) string {
	switch measure {
	case attribution.MeasurePipelineCreated:
		return "pipeline created"
	case attribution.MeasurePipelineOpen:
		return "open pipeline"
	case attribution.MeasureWon:
		return "deals won"
	case attribution.MeasureLost:
		return "deals lost"
	case contract.TargetQuota:
		return "the quota"
	}
	switch len(measure) {
	case 0:
		return "everything"
	case 3: // MQL, SAL, SQL are written so
		return strings.ToUpper(measure)
	}
	return strings.ReplaceAll(measure, "_", " ")
}

// stageName is a stage of the funnel in the middle of a sentence.
func stageName(stage string) string {
	switch stage {
	case stepCreated:
		return "creation"
	case attribution.MeasureOpportunities:
		return "opportunity"
	case string(contract.StateWon):
		return "won"
	}
	return measureName(stage)
}

// named is a subject in the middle of a sentence; who reads it knows partners, feeds and
// measures by their names alone.
func named(c *contract.Contract, s Subject) string {
	switch s.Dimension {
	case string(Partner):
		return partnerName(c, s.Key)
	case "feed":
		return s.Key
	case "measure":
		return measureName(s.Key)
	case string(TouchCampaign):
		return "campaign " + s.Key
	}
	return strings.ReplaceAll(s.Dimension, "_", " ") + " " + s.Key
}

// partnerName is what a partner is called: who is no signatory, and anybody without a
// contract, by its id.
func partnerName(c *contract.Contract, id string) string {
	if c != nil {
		for i := range c.Partners {
			if p := &c.Partners[i]; p.ID == id {
				return cmp.Or(p.Name, id)
			}
		}
	}
	return id
}

// partnerNames are what partners are called, in the order of their ids.
func partnerNames(c *contract.Contract, ids []string) []string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = partnerName(c, id)
	}
	return names
}

// capital makes text begin a sentence.
func capital(text string) string {
	if text == "" {
		return text
	}
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}

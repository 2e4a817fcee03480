// Package model shares one conversion among the touches before it: every rule
// by which the field splits credit, each choice that vendors make silently
// written down as a setting.
//
// It knows a path of touches and the instants around it, and gives weights in
// parts of money.Whole. It must not know contracts, amounts, currencies or where
// a path comes from. All arithmetic is on integers: the same path gives the same
// parts on every machine, and an implementation that shares no code with this
// one can give them too, because how a weight is rounded is defined (see
// Weights).
package model

import (
	"fmt"
	"slices"
	"strings"
)

// Name is what a model is called: lower case, words joined by dashes.
type Name string

// The models of a single path. All but Participation are additive: their weights
// sum to the whole.
const (
	FirstTouch    Name = "first-touch"
	LastTouch     Name = "last-touch"
	LastNonDirect Name = "last-non-direct"
	Linear        Name = "linear"
	PositionBased Name = "position-based"
	JShaped       Name = "j-shaped"
	InverseJ      Name = "inverse-j"
	TimeDecay     Name = "time-decay"
	UMilestones   Name = "u-milestones"
	WShaped       Name = "w-shaped"
	FullPath      Name = "full-path"
	Custom        Name = "custom"
	Participation Name = "participation"
)

// The models of many journeys together. They have no weights of a single path:
// see Chain and Coalitions.
const (
	MarkovChain Name = "markov"
	Shapley     Name = "shapley"
)

// MultiTouch is a word and not a model: whatever its speaker agreed on.
const MultiTouch Name = "multi-touch"

// Names lists every model, in the order in which they are shown.
func Names() []Name {
	return []Name{
		FirstTouch, LastTouch, LastNonDirect, Linear, PositionBased, JShaped, InverseJ, TimeDecay,
		UMilestones, WShaped, FullPath, Custom, Participation, MarkovChain, Shapley,
	}
}

// IsGroup reports whether a model looks at many journeys together.
func (n Name) IsGroup() bool { return n == MarkovChain || n == Shapley }

// IsAdditive reports whether the weights of a path sum to the whole, so that the
// model can keep a ledger.
func (n Name) IsAdditive() bool { return !n.IsGroup() && n != Participation && n != MultiTouch }

// ParseName reads the name of a model as people write it: case does not matter,
// and spaces and underscores are dashes. U-shaped is position-based, as
// Adobe, Mixpanel and Amplitude call it, and Z-shaped is full-path. MultiTouch is
// returned as it is; the caller knows what was agreed.
func ParseName(text string) (Name, error) {
	dashed := strings.NewReplacer(" ", "-", "_", "-").Replace(strings.ToLower(strings.TrimSpace(text)))
	name := Name(dashed)
	switch name {
	case "u-shaped":
		return PositionBased, nil
	case "j":
		return JShaped, nil
	case "inverse-j-shaped":
		return InverseJ, nil
	case "z-shaped":
		return FullPath, nil
	case MultiTouch:
		return MultiTouch, nil
	default:
		if !slices.Contains(Names(), name) {
			return "", fmt.Errorf("%q is not a model; choose from %s", cut(text), JoinNames(Names()))
		}
		return name, nil
	}
}

// JoinNames lists names for a message.
func JoinNames(names []Name) string {
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = string(n)
	}
	return strings.Join(texts, ", ")
}

// cut shortens foreign text for an error message.
func cut(text string) string {
	const shown = 40
	if len(text) <= shown {
		return text
	}
	return text[:shown] + "..."
}

package model

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Touch is what models and transforms look at of one touch. A field that is not
// known is empty.
type Touch struct {
	// ID orders touches of one instant in Sort, and is what KeyTouch compares.
	ID string
	At time.Time

	Channel, Partner, Campaign, Asset, Region, Type string
}

// Path is what came before one conversion.
type Path struct {
	// Touches are in order of time, of equal times by id: see Sort.
	Touches []Touch
	// At is the instant of the conversion; zero where only its day is known, and
	// then no touch is at the time of the conversion.
	At time.Time
	// Lead, Opportunity and Closed are when the milestones were reached; zero for
	// never.
	Lead, Opportunity, Closed time.Time
}

// Sort puts touches in order of time, of equal times by id.
func Sort(touches []Touch) {
	slices.SortFunc(touches, func(a, b Touch) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.ID, b.ID))
	})
}

// Key is the field of a touch by which two touches are the same thing.
type Key string

// The keys. Empty is KeyChannel.
const (
	KeyChannel  Key = "channel"
	KeyPartner  Key = "partner"
	KeyCampaign Key = "campaign"
	KeyAsset    Key = "asset"
	KeyRegion   Key = "region"
	KeyType     Key = "type"
	KeyTouch    Key = "touch"
)

// Keys lists the keys.
func Keys() []Key {
	return []Key{KeyChannel, KeyPartner, KeyCampaign, KeyAsset, KeyRegion, KeyType, KeyTouch}
}

// Of returns the key's value of a touch.
func (k Key) Of(t *Touch) string {
	switch k {
	case KeyPartner:
		return t.Partner
	case KeyCampaign:
		return t.Campaign
	case KeyAsset:
		return t.Asset
	case KeyRegion:
		return t.Region
	case KeyType:
		return t.Type
	case KeyTouch:
		return t.ID
	default:
		return t.Channel
	}
}

// TransformName is a change of the path before credit is shared. The meanings
// and the names, but for Trim's, are those of Google's fractribution and of
// Snowplow's attribution package:
// github.com/google/fractribution, path_transforms.sql.
type TransformName string

// The transforms, shown on the path D A B B C D C C.
const (
	// Unique leaves the path as it is: every exposure is one of its own.
	Unique TransformName = "unique"
	// Exposure collapses repeats that follow each other, to the first of them:
	// D A B C D C.
	Exposure TransformName = "exposure"
	// First keeps only the first of each value: D A B C.
	First TransformName = "first"
	// RemoveIfLastAndNotAll takes a value off the end of the path, unless the path
	// has no other: of C, D A B B C D.
	RemoveIfLastAndNotAll TransformName = "remove-if-last-and-not-all"
	// RemoveIfNotAll takes a value out of the path, unless the path has no other:
	// of C, D A B B D.
	RemoveIfNotAll TransformName = "remove-if-not-all"
	// Trim keeps the last touches only: with Keep 3, D C C.
	Trim TransformName = "trim"
)

// TransformNames lists the transforms.
func TransformNames() []TransformName {
	return []TransformName{Exposure, Unique, First, RemoveIfLastAndNotAll, RemoveIfNotAll, Trim}
}

// Transform is one step in changing a path.
type Transform struct {
	Name TransformName
	// Key is the field that the transform compares.
	Key Key
	// Value is what the removing transforms remove.
	Value string
	// Keep is how many touches Trim leaves.
	Keep int
}

// Remaining returns the places of the touches of the path that a model looks at:
// those not excluded, after every transform in order. It is empty if there is
// none.
func (s Spec) Remaining(p Path) []int {
	kept := make([]int, 0, len(p.Touches))
	for i := range p.Touches {
		t := &p.Touches[i]
		if s.ConversionTouchExcluded && !p.At.IsZero() && t.At.Equal(p.At) {
			continue
		}
		if !slices.ContainsFunc(s.Exclude, func(x Exclusion) bool { return x.Key.Of(t) == x.Value }) {
			kept = append(kept, i)
		}
	}
	for _, t := range s.Transforms {
		kept = t.apply(kept, func(place int) string { return t.Key.Of(&p.Touches[place]) })
	}
	return kept
}

// apply returns the places that the transform leaves, in the memory of kept.
func (t Transform) apply(kept []int, value func(place int) string) []int {
	switch t.Name {
	case Exposure:
		return slices.CompactFunc(kept, func(a, b int) bool { return value(a) == value(b) })
	case First:
		seen := make(map[string]bool, len(kept))
		return slices.DeleteFunc(kept, func(place int) bool {
			was := seen[value(place)]
			seen[value(place)] = true
			return was
		})
	case RemoveIfLastAndNotAll:
		end := len(kept)
		for end > 0 && value(kept[end-1]) == t.Value {
			end--
		}
		if end > 0 {
			return kept[:end]
		}
	case RemoveIfNotAll:
		if slices.ContainsFunc(kept, func(place int) bool { return value(place) != t.Value }) {
			return slices.DeleteFunc(kept, func(place int) bool { return value(place) == t.Value })
		}
	case Trim:
		return kept[max(0, len(kept)-t.Keep):]
	case Unique:
	}
	return kept
}

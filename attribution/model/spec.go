package model

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Share is a part of one in millionths: 400,000 is 40 %.
type Share uint64

// WholeShare is one, in millionths.
const WholeShare Share = 1_000_000

// Limits of settings.
const (
	// HalfLifeMax is a hundred years, which every duration in use is under.
	HalfLifeMax = 36_500 * day
	// TransformsMax, ExcludesMax and TypesMax bound lists that people write.
	TransformsMax = 8
	ExcludesMax   = 100
	TypesMax      = 100
	// TypeWeightMax bounds the weight of a touch type.
	TypeWeightMax = 1_000_000 * WholeShare
	// KeepMax is the most that Trim may leave.
	KeepMax = 100_000

	day = 24 * time.Hour
)

// DefaultHalfLife is the half-life of time decay at Adobe, Mixpanel and GA.
const DefaultHalfLife = 7 * day

// DefaultDirect is the channel that last-non-direct passes over.
const DefaultDirect = "Direct"

// Shares are what the first touch, the last touch and those between them get.
// They sum to WholeShare.
type Shares struct{ First, Middle, Last Share }

// Variant names whose reading of the position models is taken.
type Variant string

const (
	// VariantStandard is Adobe's and Mixpanel's, and the default: of two touches,
	// the shares of the ends are scaled up to one, so that J is 25 and 75 %.
	VariantStandard Variant = ""
	// VariantAmplitude is Amplitude's: of two touches, each end gets half of what
	// those between would have, so that J is 30 and 70 %; and of four, J is 10, 10,
	// 20 and 60 % and inverse J its mirror. For other lengths Amplitude states no
	// difference.
	// https://amplitude.com/docs/analytics/charts/data-tables/data-tables-attribute-credit
	VariantAmplitude Variant = "amplitude"
)

// Rest says which touches share what the milestones leave.
type Rest string

const (
	// RestAll is every other touch, and the default.
	RestAll Rest = ""
	// RestBetween is the touches up to the last milestone that has one, as
	// Marketo Measure has it: later touches get nothing.
	RestBetween Rest = "between"
)

// Exclusion takes touches out before credit is shared, so that the others get
// theirs.
type Exclusion struct {
	Key   Key
	Value string
}

// TypeWeight is how much a touch of a type counts against others, in millionths.
type TypeWeight struct {
	Type   string
	Weight Share
}

// Spec is a model with all its settings. The zero value of each is the default.
type Spec struct {
	Model Name
	// Shares are those of PositionBased (40, 20 and 40 % by default) and of Custom,
	// which has no default.
	Shares *Shares
	// Types are the weights by touch type of Custom, in place of Shares. A type that
	// is not listed weighs nothing; if no touch of a path weighs anything, nobody
	// gets credit.
	Types []TypeWeight
	// Variant is for PositionBased, JShaped, InverseJ and Custom by Shares.
	Variant Variant
	// HalfLife is that of TimeDecay; zero is DefaultHalfLife.
	HalfLife time.Duration
	// Rest is for WShaped and FullPath.
	Rest Rest
	// Direct is the channel that LastNonDirect passes over; empty is DefaultDirect.
	Direct string
	// Key is what Participation counts once.
	Key Key
	// ConversionTouchExcluded leaves out touches at the instant of the conversion.
	ConversionTouchExcluded bool
	// Exclude comes first, then Transforms in order.
	Exclude    []Exclusion
	Transforms []Transform
}

// FieldError says which setting of a Spec is wrong, by the name that documents
// give it.
type FieldError struct{ Field, Message string }

func (e *FieldError) Error() string { return e.Field + ": " + e.Message }

func wrong(field, format string, args ...any) error {
	return &FieldError{Field: field, Message: fmt.Sprintf(format, args...)}
}

// Check refuses a model that does not exist, settings that it does not have and
// settings out of bounds. Its error is a *FieldError.
func (s Spec) Check() error {
	if !slices.Contains(Names(), s.Model) {
		return wrong("model", "%q is not a model; choose from %s", cut(string(s.Model)), JoinNames(Names()))
	}
	for _, setting := range []struct {
		field  string
		set    bool
		models []Name
	}{
		{"first", s.Shares != nil, []Name{PositionBased, Custom}},
		{"types", s.Types != nil, []Name{Custom}},
		{"variant", s.Variant != VariantStandard, []Name{PositionBased, JShaped, InverseJ, Custom}},
		{"half_life", s.HalfLife != 0, []Name{TimeDecay}},
		{"rest", s.Rest != RestAll, []Name{WShaped, FullPath}},
		{"direct", s.Direct != "", []Name{LastNonDirect}},
		{"key", s.Key != "", []Name{Participation}},
	} {
		if setting.set && !slices.Contains(setting.models, s.Model) {
			return wrong(setting.field, "is a setting of %s, not of %s", JoinNames(setting.models), s.Model)
		}
	}
	if err := s.checkValues(); err != nil {
		return err
	}
	return s.checkLists()
}

func (s Spec) checkValues() error {
	if s.HalfLife < 0 || s.HalfLife > HalfLifeMax {
		return wrong("half_life", "%v; a half-life is over zero and at most %dd", s.HalfLife, HalfLifeMax/day)
	}
	if s.Variant != VariantStandard && s.Variant != VariantAmplitude {
		return wrong("variant", "%q is not a variant; write amplitude, or nothing", cut(string(s.Variant)))
	}
	if s.Rest != RestAll && s.Rest != RestBetween {
		return wrong("rest", "%q; write all or between", cut(string(s.Rest)))
	}
	if s.Key != "" && !slices.Contains(Keys(), s.Key) {
		return wrong("key", "%q is not a field of a touch; choose from %s", cut(string(s.Key)), joinKeys())
	}
	if h := s.Shares; h != nil {
		if h.First > WholeShare || h.Middle > WholeShare || h.Last > WholeShare || h.First+h.Middle+h.Last != WholeShare {
			return wrong("first", "first %v, middle %v and last %v do not sum to 100%%", h.First, h.Middle, h.Last)
		}
	}
	return nil
}

func (s Spec) checkLists() error {
	if s.Model == Custom && (s.Shares == nil) == (s.Types == nil) {
		return wrong("model", "custom needs either first, middle and last, or types")
	}
	if s.Types != nil {
		if err := checkTypes(s.Types); err != nil {
			return err
		}
	}
	if len(s.Exclude) > ExcludesMax {
		return wrong("exclude", "%d values; at most %d", len(s.Exclude), ExcludesMax)
	}
	for _, x := range s.Exclude {
		if !slices.Contains(Keys(), x.Key) {
			return wrong("exclude", "%q is not a field of a touch; choose from %s", cut(string(x.Key)), joinKeys())
		}
	}
	if len(s.Transforms) > TransformsMax {
		return wrong("transforms", "%d transforms; at most %d", len(s.Transforms), TransformsMax)
	}
	for _, t := range s.Transforms {
		if err := t.check(); err != nil {
			return wrong("transforms", "%v", err)
		}
	}
	return nil
}

func checkTypes(types []TypeWeight) error {
	if len(types) > TypesMax {
		return wrong("types", "%d types; at most %d", len(types), TypesMax)
	}
	var sum Share
	seen := make(map[string]bool, len(types))
	for _, t := range types {
		if t.Weight > TypeWeightMax {
			return wrong("types", "the weight of %q is over %d", cut(t.Type), TypeWeightMax/WholeShare)
		}
		if seen[t.Type] {
			return wrong("types", "%q is listed twice", cut(t.Type))
		}
		seen[t.Type] = true
		sum += t.Weight
	}
	if sum == 0 {
		return wrong("types", "no type has a weight over zero")
	}
	return nil
}

func (t Transform) check() error {
	removes := t.Name == RemoveIfLastAndNotAll || t.Name == RemoveIfNotAll
	switch {
	case !slices.Contains(TransformNames(), t.Name):
		return fmt.Errorf("%q is not a transform; choose from %s", cut(string(t.Name)), joinTransforms())
	case t.Key != "" && !slices.Contains(Keys(), t.Key):
		return fmt.Errorf("%q is not a field of a touch; choose from %s", cut(string(t.Key)), joinKeys())
	case removes && t.Value == "":
		return fmt.Errorf("%s needs what it removes, such as %s=%s", t.Name, t.Name, DefaultDirect)
	case t.Name == Trim && (t.Keep < 1 || t.Keep > KeepMax):
		return fmt.Errorf("trim keeps from 1 to %d touches, such as trim=5", KeepMax)
	case !removes && t.Value != "", t.Name != Trim && t.Keep != 0:
		return fmt.Errorf("%s takes no value", t.Name)
	}
	return nil
}

// Set puts one setting into the spec by the name that documents give it: first,
// middle, last, types.NAME, variant, half_life, rest, direct, conversion_touch or
// key. What position-based leaves to the touches between is what the ends leave.
// Whether the settings fit together is for Check to say. The error is a
// *FieldError.
func (s *Spec) Set(name, text string) (err error) {
	typ, byType := strings.CutPrefix(name, "types.")
	switch {
	case byType:
		var weight Share
		weight, err = ParseWeight(text)
		s.Types = append(s.Types, TypeWeight{Type: typ, Weight: weight})
	case name == "first" || name == "middle" || name == "last":
		err = s.setShare(name, text)
	case name == "variant":
		s.Variant = Variant(text)
	case name == "half_life":
		s.HalfLife, err = ParseDuration(text)
	case name == "rest":
		s.Rest = Rest(text)
		if text == "all" && (s.Model == WShaped || s.Model == FullPath) {
			s.Rest = RestAll
		}
	case name == "direct":
		s.Direct = text
	case name == "key":
		s.Key = Key(text)
	case name == "conversion_touch":
		s.ConversionTouchExcluded = text == "exclude"
		if text != "include" && text != "exclude" {
			err = fmt.Errorf("%q; write include or exclude", cut(text))
		}
	default:
		return wrong(cut(name), "there is no such setting")
	}
	if err != nil {
		return wrong(name, "%v", err)
	}
	return nil
}

func (s *Spec) setShare(name, text string) error {
	share, err := ParseShare(text)
	if err != nil {
		return err
	}
	h := &Shares{}
	if s.Shares != nil {
		*h = *s.Shares
	} else if s.Model == PositionBased {
		*h = s.shares()
	}
	*map[string]*Share{"first": &h.First, "middle": &h.Middle, "last": &h.Last}[name] = share
	if s.Model == PositionBased && name != "middle" && h.First+h.Last <= WholeShare {
		h.Middle = WholeShare - h.First - h.Last
	}
	s.Shares = h
	return nil
}

// ParseTransform reads NAME, NAME=VALUE or either with @KEY behind it, such as
// exposure, exposure@partner, trim=5 and remove-if-not-all=Direct.
func ParseTransform(text string) (Transform, error) {
	rest, key, _ := strings.Cut(text, "@")
	name, value, _ := strings.Cut(rest, "=")
	t := Transform{Name: TransformName(strings.ReplaceAll(name, "_", "-")), Key: Key(key)}
	if t.Name == Trim {
		keep, err := strconv.Atoi(value)
		if err != nil || value != strconv.Itoa(keep) {
			keep = 0
		}
		t.Keep = keep
	} else {
		t.Value = value
	}
	return t, t.check()
}

// ParseShare reads a share such as 40%, 22.5% or 0%.
func ParseShare(text string) (Share, error) {
	number, found := strings.CutSuffix(text, "%")
	share, err := parseMillionths(number, 4)
	if !found || err != nil || share > 100*10_000 {
		return 0, fmt.Errorf("%q is not a share; write a percentage from 0%% to 100%% with at most 4 decimals, such as 22.5%%", cut(text))
	}
	return share, nil
}

// ParseWeight reads the weight of a touch type: a decimal number with at most six
// decimals.
func ParseWeight(text string) (Share, error) {
	weight, err := parseMillionths(text, 6)
	if err != nil || weight > TypeWeightMax {
		return 0, fmt.Errorf("%q is not a weight; write a number from 0 to %d with at most 6 decimals", cut(text), TypeWeightMax/WholeShare)
	}
	return weight, nil
}

// parseMillionths reads plain decimal text as units of 10^-decimals.
func parseMillionths(text string, decimals int) (Share, error) {
	whole, fraction, point := strings.Cut(text, ".")
	if len(fraction) > decimals || point && fraction == "" {
		return 0, strconv.ErrSyntax
	}
	digits := whole + fraction + strings.Repeat("0", decimals-len(fraction))
	for _, b := range []byte(digits) {
		if b < '0' || b > '9' {
			return 0, strconv.ErrSyntax
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || whole == "" {
		return 0, strconv.ErrSyntax
	}
	return Share(n), nil
}

// String gives a percentage, such as 22.5%.
func (s Share) String() string {
	text := fmt.Sprintf("%d.%04d", s/10_000, s%10_000)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".") + "%"
}

// ParseDuration reads a length of time as days, 7d, or as hours, minutes and
// seconds, 36h or 1h30m. It is over zero.
func ParseDuration(text string) (time.Duration, error) {
	if digits, found := strings.CutSuffix(text, "d"); found {
		n, err := strconv.Atoi(digits)
		if err == nil && digits == strconv.Itoa(n) && n > 0 && n <= int(HalfLifeMax/day) {
			return time.Duration(n) * day, nil
		}
	} else if d, err := time.ParseDuration(text); err == nil && d > 0 && d <= HalfLifeMax {
		return d, nil
	}
	return 0, fmt.Errorf("%q is not a length of time; write days such as 7d or hours such as 36h, over zero and at most %dd", cut(text), HalfLifeMax/day)
}

func joinKeys() string {
	var texts []string
	for _, k := range Keys() {
		texts = append(texts, string(k))
	}
	return strings.Join(texts, ", ")
}

func joinTransforms() string {
	var texts []string
	for _, n := range TransformNames() {
		texts = append(texts, string(n))
	}
	return strings.Join(texts, ", ")
}

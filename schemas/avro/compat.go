package avro

import (
	"fmt"

	twmb "github.com/twmb/avro"
)

// CheckCompatible holds a new schema to the policy of its subject, whose earlier
// versions are older, the oldest first. A break is [ErrIncompatible] and says
// what reads what; text that is not Avro is [ErrSchema].
func CheckCompatible(level Compatibility, older []string, text string) error {
	next, err := twmb.Parse(text)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSchema, err)
	}
	backward, forward, all, err := level.directions()
	if err != nil {
		return err
	}
	if !all && len(older) > 1 {
		older = older[len(older)-1:]
	}
	for _, one := range older {
		earlier, err := twmb.Parse(one)
		if err != nil {
			return fmt.Errorf("earlier version: %w: %w", ErrSchema, err)
		}
		if backward {
			if err := twmb.CheckCompatibility(earlier, next); err != nil {
				return fmt.Errorf("%w: under %s the new schema must read data of an earlier one: %w", ErrIncompatible, level, err)
			}
		}
		if forward {
			if err := twmb.CheckCompatibility(next, earlier); err != nil {
				return fmt.Errorf("%w: under %s an earlier schema must read data of the new one: %w", ErrIncompatible, level, err)
			}
		}
	}
	return nil
}

// Reads says whether a schema reads data that another wrote: nil, or
// [ErrIncompatible] with the place; text that is not Avro is [ErrSchema].
func Reads(reader, writer string) error {
	r, err := twmb.Parse(reader)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSchema, err)
	}
	w, err := twmb.Parse(writer)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSchema, err)
	}
	if err := twmb.CheckCompatibility(w, r); err != nil {
		return fmt.Errorf("%w: %w", ErrIncompatible, err)
	}
	return nil
}

// directions says what the level asks for, and whether of all earlier versions
// or of the last alone. A level the API does not have is [ErrSchema].
func (level Compatibility) directions() (backward, forward, all bool, err error) {
	switch level {
	case None:
		return false, false, false, nil
	case Backward:
		return true, false, false, nil
	case BackwardTransitive:
		return true, false, true, nil
	case Forward:
		return false, true, false, nil
	case ForwardTransitive:
		return false, true, true, nil
	case Full:
		return true, true, false, nil
	case FullTransitive:
		return true, true, true, nil
	default:
		return false, false, false, fmt.Errorf("%w: %q is not a compatibility level", ErrSchema, level)
	}
}

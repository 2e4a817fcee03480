package plans

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tracksource/report/plan"
)

// faultsMax bounds what is said of one plan.
const faultsMax = 10

// Schema holds plans against their JSON Schema.
type Schema struct{ of *jsonschema.Schema }

// NewSchema reads the schema of plans.
func NewSchema() (*Schema, error) {
	const name = "plan.schema.json"
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(plan.Schema()))
	if err != nil {
		return nil, fmt.Errorf("schema of plans: %w", err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource(name, document); err != nil {
		return nil, fmt.Errorf("schema of plans: %w", err)
	}
	of, err := c.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("schema of plans: %w", err)
	}
	return &Schema{of}, nil
}

// Check says in what a plan's JSON is not what the schema asks for, place by place.
func (s *Schema) Check(text []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("the plan is no JSON: %w", err)
	}
	err = s.of.Validate(v)
	invalid := (*jsonschema.ValidationError)(nil)
	if !errors.As(err, &invalid) {
		return err
	}
	// The first line names the schema; each of the others is a place and its fault.
	faults := strings.Split(invalid.Error(), "\n")[1:]
	for i, f := range faults {
		const faultMax = 300
		f = strings.TrimPrefix(strings.TrimSpace(f), "- ")
		faults[i] = strings.Map(func(r rune) rune {
			if unicode.IsPrint(r) {
				return r
			}
			return -1
		}, strings.ToValidUTF8(f[:min(len(f), faultMax)], ""))
	}
	more := ""
	if n := len(faults) - faultsMax; n > 0 {
		faults, more = faults[:faultsMax], fmt.Sprintf("\n  and %d more", n)
	}
	return fmt.Errorf("the plan is not what its schema asks for:\n  %s%s", strings.Join(faults, "\n  "), more)
}

package contract

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// document is the YAML form. Its tags are the names that people write.
type document struct {
	Campaign struct {
		ID     string `yaml:"id"`
		Name   string `yaml:"name"`
		Starts string `yaml:"starts"`
		Ends   string `yaml:"ends"`
	} `yaml:"campaign"`
	Zone     string            `yaml:"zone"`
	Currency string            `yaml:"currency"`
	Partners []documentPartner `yaml:"partners"`
	Window   struct {
		Lookback    string `yaml:"lookback"`
		Lateness    string `yaml:"lateness"`
		HistoryFrom string `yaml:"history_from"`
	} `yaml:"window"`
	Models         []documentModel `yaml:"models"`
	MultiTouch     string          `yaml:"multi_touch"`
	SystemOfRecord struct {
		Partner string `yaml:"partner"`
		Source  string `yaml:"source"`
	} `yaml:"system_of_record"`
	Match struct {
		UTMCampaign  []string `yaml:"utm_campaign"`
		CRMCampaigns []string `yaml:"crm_campaigns"`
		Assets       []string `yaml:"assets"`
	} `yaml:"match"`
	Channels []documentChannel `yaml:"channels"`
	Credit   struct {
		UTMSource    map[string]string   `yaml:"utm_source"`
		CRMCampaigns map[string]string   `yaml:"crm_campaigns"`
		Feeds        map[string]string   `yaml:"feeds"`
		Reporters    map[string][]string `yaml:"reporters"`
	} `yaml:"credit"`
	Journey struct {
		Matching string `yaml:"matching"`
		Touches  *int   `yaml:"touches"`
	} `yaml:"journey"`
	Overlap struct {
		Window       string `yaml:"window"`
		By           string `yaml:"by"`
		Disagreement string `yaml:"disagreement"`
	} `yaml:"overlap"`
	Deals struct {
		Others  string `yaml:"others"`
		Suspect string `yaml:"suspect"`
	} `yaml:"deals"`
	RestateFrom string            `yaml:"restate_from"`
	Assets      []documentAsset   `yaml:"assets"`
	Touches     []string          `yaml:"touches"`
	Statuses    []documentStatus  `yaml:"statuses"`
	Internal    []string          `yaml:"internal"`
	Milestones  []string          `yaml:"milestones"`
	Stages      []documentStage   `yaml:"stages"`
	Precedence  []string          `yaml:"precedence"`
	Regions     map[string]string `yaml:"regions"`
	Segments    []documentSegment `yaml:"segments"`
	Sourced     struct {
		Days *int `yaml:"days"`
	} `yaml:"sourced"`
	CurrencyPolicy struct {
		RateMaxAge string `yaml:"rate_max_age"`
	} `yaml:"currency_policy"`
	Guardrails map[string]documentGuardrail `yaml:"guardrails"`
	Escalation documentEscalation           `yaml:"escalation"`
	Approvals  struct {
		Revision []string `yaml:"revision"`
		Package  []string `yaml:"package"`
		Reopen   []string `yaml:"reopen"`
	} `yaml:"approvals"`
}

type documentPartner struct {
	ID         string `yaml:"id"`
	Name       string `yaml:"name"`
	Role       string `yaml:"role"`
	Currency   string `yaml:"currency"`
	Visibility string `yaml:"visibility"`
	Addresses  string `yaml:"addresses"`
}

type documentChannel struct {
	Channel     string   `yaml:"channel"`
	Reporter    []string `yaml:"reporter"`
	Feed        []string `yaml:"feed"`
	Type        []string `yaml:"type"`
	Asset       []string `yaml:"asset"`
	UTMSource   []string `yaml:"utm_source"`
	UTMMedium   []string `yaml:"utm_medium"`
	UTMCampaign []string `yaml:"utm_campaign"`
	Referrer    []string `yaml:"referrer"`
	ClickID     []string `yaml:"click_id"`
}

type documentAsset struct {
	ID      string   `yaml:"id"`
	Aliases []string `yaml:"aliases"`
	Owner   string   `yaml:"owner"`
	Expires string   `yaml:"expires"`
}

type documentStatus struct {
	Partner string `yaml:"partner"`
	Source  string `yaml:"source"`
	Status  string `yaml:"status"`
	Type    string `yaml:"type"`
}

type documentGuardrail struct {
	Target string `yaml:"target"`
	Limit  string `yaml:"limit"`
}

type documentEscalation struct {
	Ladder     []documentRung `yaml:"ladder"`
	Board      documentRung   `yaml:"board"`
	Retries    *int           `yaml:"retries"`
	ClimbAfter string         `yaml:"climb_after"`
}

type documentRung struct {
	Rung     string `yaml:"rung"`
	Owner    string `yaml:"owner"`
	Fallback string `yaml:"fallback"`
}

type documentStage struct {
	Object    string `yaml:"object"`
	Partner   string `yaml:"partner"`
	Source    string `yaml:"source"`
	Stage     string `yaml:"stage"`
	State     string `yaml:"state"`
	Milestone string `yaml:"milestone"`
}

type documentSegment struct {
	Segment      string   `yaml:"segment"`
	Industry     []string `yaml:"industry"`
	EmployeesMin *int     `yaml:"employees_min"`
	EmployeesMax *int     `yaml:"employees_max"`
}

// Problem is one thing that is wrong with a document.
type Problem struct {
	// Line counts from 1; 0 if the problem has no place.
	Line int
	// Field is a path such as partners[1].currency, counted from 0; empty for
	// the document as a whole.
	Field   string
	Message string
}

// String gives "line 4: partners[1].currency: message".
func (p Problem) String() string {
	var parts []string
	if p.Line > 0 {
		parts = append(parts, "line "+strconv.Itoa(p.Line))
	}
	if p.Field != "" {
		parts = append(parts, p.Field)
	}
	return strings.Join(append(parts, p.Message), ": ")
}

// Invalid is the error of Parse: all problems that were found, in the order of
// the document as far as it could be read.
type Invalid struct {
	Problems []Problem
}

// Error gives one problem on each line.
func (e *Invalid) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return "contract is not valid:\n  " + strings.Join(lines, "\n  ")
}

// Parse reads a contract document: one YAML document without aliases, at most
// DocumentMax bytes, in which every field is known. Its error is an *Invalid.
func Parse(data []byte) (*Contract, error) {
	if len(data) > DocumentMax {
		return nil, invalid(Problem{Message: fmt.Sprintf("%d bytes; a contract has at most %d", len(data), DocumentMax)})
	}
	var root yaml.Node
	if err := yaml.Load(data, &root); err != nil {
		return nil, yamlProblems(err)
	}
	// An alias could multiply a small document into a huge one.
	if line := findAlias(&root); line > 0 {
		return nil, invalid(Problem{Line: line, Message: "YAML anchors and aliases are not read; write the value out"})
	}
	var doc document
	if err := yaml.Load(data, &doc, yaml.WithKnownFields()); err != nil {
		return nil, yamlProblems(err)
	}
	sum := sha256.Sum256(data)
	k := compiler{doc: doc, root: &root, contract: &Contract{Hash: hex.EncodeToString(sum[:])}}
	k.compile()
	if len(k.problems) > 0 {
		return nil, &Invalid{Problems: k.sorted()}
	}
	return k.contract, nil
}

func invalid(problems ...Problem) error { return &Invalid{Problems: problems} }

// yamlProblems rewords the library's errors without names of Go types.
func yamlProblems(err error) error {
	var many *yaml.LoadErrors
	if errors.As(err, &many) && len(many.Errors) > 0 {
		problems := make([]Problem, 0, len(many.Errors))
		for _, one := range many.Errors {
			problems = append(problems, yamlProblem(one))
		}
		return invalid(problems...)
	}
	var one *yaml.LoadError
	if errors.As(err, &one) {
		return invalid(yamlProblem(one))
	}
	return invalid(Problem{Message: err.Error()})
}

func yamlProblem(e *yaml.LoadError) Problem {
	message := strings.TrimPrefix(e.Message, "yaml: ")
	if rest, found := strings.CutPrefix(message, "field "); found {
		if name, _, found := strings.Cut(rest, " not found in type "); found {
			return Problem{Line: e.Mark.Line, Field: name, Message: "there is no such field"}
		}
	}
	if before, _, found := strings.Cut(message, " into "); found && strings.HasPrefix(message, "cannot construct ") {
		what := strings.TrimPrefix(before, "cannot construct ")
		what = strings.NewReplacer("!!seq", "a list", "!!map", "a mapping", "!!str", "the text", "!!int", "the number").Replace(what)
		message = what + " does not fit here"
	}
	return Problem{Line: e.Mark.Line, Message: message}
}

// findAlias returns the line of the first anchor or alias, or 0.
func findAlias(node *yaml.Node) int {
	if node.Kind == yaml.AliasNode || node.Anchor != "" {
		return max(node.Line, 1)
	}
	for _, child := range node.Content {
		if line := findAlias(child); line > 0 {
			return line
		}
	}
	return 0
}

// path is the place of a field: string keys and int indexes.
type path []any

func (p path) String() string {
	var text strings.Builder
	for i, step := range p {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&text, "[%d]", step)
		case string:
			if i > 0 {
				text.WriteByte('.')
			}
			text.WriteString(step)
		}
	}
	return text.String()
}

// lineOf returns the line of the field, or of the nearest thing around it that
// the document has.
func lineOf(node *yaml.Node, p path) int {
	if node.Kind == yaml.DocumentNode && len(node.Content) > 0 {
		node = node.Content[0]
	}
	line := node.Line
	for _, step := range p {
		next := child(node, step)
		if next == nil {
			break
		}
		node, line = next, next.Line
	}
	return line
}

func child(node *yaml.Node, step any) *yaml.Node {
	switch step := step.(type) {
	case int:
		if node.Kind == yaml.SequenceNode && step < len(node.Content) {
			return node.Content[step]
		}
	case string:
		for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return node.Content[i+1]
			}
		}
	}
	return nil
}

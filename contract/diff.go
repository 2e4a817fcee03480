package contract

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Change is one difference between two documents.
type Change struct {
	Field  string // such as partners[globex].currency
	From   string // empty: it was not there
	To     string // empty: it is not there any more
	Effect string // what of the numbers it changes
}

// String is the change on one line.
func (c Change) String() string {
	show := func(text string) string {
		if text == "" {
			return "(nothing)"
		}
		return text
	}
	return fmt.Sprintf("%s: %s -> %s; %s", c.Field, show(c.From), show(c.To), c.Effect)
}

// Diff lists what differs between two documents, by field. Both must be valid; the
// error is that of Parse. Comments, order of keys and spelling of lists do not
// differ.
func Diff(from, to []byte) ([]Change, error) {
	was, err := flatten(from)
	if err != nil {
		return nil, fmt.Errorf("the older document: %w", err)
	}
	is, err := flatten(to)
	if err != nil {
		return nil, fmt.Errorf("the newer document: %w", err)
	}
	fields := maps.Clone(was)
	maps.Copy(fields, is)
	var changes []Change
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if was[field] != is[field] {
			changes = append(changes, Change{Field: field, From: was[field], To: is[field], Effect: effect(field)})
		}
	}
	return changes, nil
}

// effect says what a field changes when it does. What journeys are made of never
// changes with a contract: everything is computed again from the same facts.
func effect(field string) string {
	top, _, _ := strings.Cut(field, ".")
	top, _, _ = strings.Cut(top, "[")
	switch {
	case field == "campaign.starts", field == "campaign.ends":
		return "restates nothing; which days reports of the whole campaign look at"
	case field == "campaign.name", strings.HasSuffix(field, "].name"):
		return "shown only"
	case strings.HasSuffix(field, "].addresses"):
		return "restates nothing; what raises an alert, and for whom"
	case strings.HasSuffix(field, "].visibility"):
		return "who sees what"
	}
	switch top {
	case "campaign", "zone", "currency", "window", "models", "multi_touch", "system_of_record", "sourced", "currency_policy", "journey", "deals":
		return "restates every number"
	case "partners":
		return "restates what is credited to partners"
	case "match":
		return "restates which touches and deals belong to the campaign"
	case "channels":
		return "restates the channels of touches"
	case "credit":
		return "restates whom touches are credited to"
	case "assets":
		return "restates the assets of touches, and whom they are credited to"
	case "touches", "statuses", "internal":
		return "restates which touches count"
	case "stages", "milestones":
		return "restates when deals are opened, won and lost, and what people reach"
	case "overlap":
		return "restates what several reporters saw of one touch"
	case "restate_from":
		return "restates other days: those from it on, and not those before it"
	case "precedence":
		return "restates the breakdown by region and segment"
	case "guardrails", "escalation":
		return "restates nothing; what raises an alert, and for whom"
	case "approvals":
		return "restates nothing; whose approval is needed"
	case "regions", "segments":
		return "restates the breakdown by " + strings.TrimSuffix(top, "s")
	}
	return "restates every number"
}

// flatten reads a valid document as text by field. Elements of lists are named by
// what makes them one, where something does, so that a new one in front does not
// change all.
func flatten(document []byte) (map[string]string, error) {
	if _, err := Parse(document); err != nil {
		return nil, err
	}
	var root yaml.Node
	if err := yaml.Load(document, &root); err != nil {
		return nil, yamlProblems(err)
	}
	out := map[string]string{}
	flattenNode(&root, "", out)
	return out, nil
}

func flattenNode(n *yaml.Node, at string, out map[string]string) {
	switch n.Kind {
	case yaml.DocumentNode:
		for _, c := range n.Content {
			flattenNode(c, at, out)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			flattenNode(n.Content[i+1], strings.TrimPrefix(at+"."+n.Content[i].Value, "."), out)
		}
	case yaml.SequenceNode:
		if at == "models" {
			out[at] = models(n)
			return
		}
		if texts, ok := scalars(n); ok {
			out[at] = strings.Join(texts, ", ")
			return
		}
		for i, c := range n.Content {
			flattenNode(c, fmt.Sprintf("%s[%s]", at, elementName(c, at, i)), out)
		}
	default:
		out[at] = n.Value
	}
}

// scalars returns the texts of a list of nothing else.
func scalars(n *yaml.Node) (texts []string, ok bool) {
	for _, c := range n.Content {
		if c.Kind != yaml.ScalarNode {
			return nil, false
		}
		texts = append(texts, c.Value)
	}
	return texts, true
}

// models writes the list of models as one text, since its order is the ledger's: a
// name alone, or the settings by name.
func models(n *yaml.Node) string {
	var texts []string
	for _, c := range n.Content {
		if c.Kind == yaml.ScalarNode {
			texts = append(texts, c.Value)
			continue
		}
		settings := map[string]string{}
		flattenNode(c, "", settings)
		text := settings["model"]
		delete(settings, "model")
		for _, key := range slices.Sorted(maps.Keys(settings)) {
			text += " " + key + "=" + settings[key]
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

// elementName is what makes an element of a list one: channel rules are known by
// their place, since the first that holds decides.
func elementName(n *yaml.Node, list string, place int) string {
	keys := []string{"id"}
	switch list {
	case "channels":
		return fmt.Sprint(place + 1)
	case "stages":
		keys = []string{"object", "partner", "source", "stage"}
	case "statuses":
		keys = []string{"partner", "source", "status"}
	case "escalation.ladder":
		keys = []string{"rung"}
	case "segments":
		keys = []string{"segment"}
	}
	var parts []string
	for _, key := range keys {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				parts = append(parts, n.Content[i+1].Value)
			}
		}
	}
	if len(parts) == 0 {
		return fmt.Sprint(place + 1)
	}
	return strings.Join(parts, "/")
}

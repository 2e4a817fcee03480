package contract

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"tracksource/attribution/model"
)

// documentModel is a ledger model: its name alone, or a mapping with settings.
type documentModel struct {
	Model           string              `yaml:"model"`
	ID              string              `yaml:"id"`
	First           string              `yaml:"first"`
	Middle          string              `yaml:"middle"`
	Last            string              `yaml:"last"`
	Types           map[string]string   `yaml:"types"`
	Variant         string              `yaml:"variant"`
	HalfLife        string              `yaml:"half_life"`
	Rest            string              `yaml:"rest"`
	Direct          string              `yaml:"direct"`
	ConversionTouch string              `yaml:"conversion_touch"`
	Exclude         map[string][]string `yaml:"exclude"`
	Transforms      []string            `yaml:"transforms"`
}

// UnmarshalYAML takes a name in the place of a mapping.
func (m *documentModel) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		m.Model = node.Value
		return nil
	}
	// The settings without this method, which would call itself.
	type settings documentModel
	return node.Load((*settings)(m), yaml.WithKnownFields())
}

// multiTouchDefault is what multi-touch means where the signatories did not say.
const multiTouchDefault = model.PositionBased

// models fills in the ledger models. Without a list they are the first touch, the
// last touch and the agreed multi-touch.
func (k *compiler) models() {
	multi := k.agreed()
	entries, listed := k.doc.Models, len(k.doc.Models) > 0
	if !listed {
		entries = []documentModel{{Model: string(model.FirstTouch)}, {Model: string(model.LastTouch)}}
		if name := cmp.Or(multi, string(multiTouchDefault)); name != entries[0].Model && name != entries[1].Model {
			entries = append(entries, documentModel{Model: name})
		}
	}
	if len(entries) > ModelsMax {
		k.fail(path{"models"}, "%d models; a ledger has at most %d", len(entries), ModelsMax)
	}
	c := k.contract
	c.Models, c.Specs = make([]string, len(entries)), make([]model.Spec, len(entries))
	for i, entry := range entries {
		at := path{"models", i}
		if !listed {
			at = path{"multi_touch"}
		}
		c.Models[i], c.Specs[i] = k.model(at, entry, multi)
		if slices.Contains(c.Models[:i], c.Models[i]) {
			k.fail(at, "%s is listed twice; give one an id of its own", c.Models[i])
		}
	}
	c.MultiTouch = k.multiTouch(multi)
}

// agreed is the id of the model that multi-touch means, empty if the document
// does not say.
func (k *compiler) agreed() string {
	text := k.doc.MultiTouch
	// An id of an entry goes before a name, which may be written in other ways.
	if text == "" || slices.ContainsFunc(k.doc.Models, func(m documentModel) bool { return m.ID == text }) {
		return text
	}
	name, err := model.ParseName(text)
	switch {
	case err != nil:
		return text
	case name == model.MultiTouch:
		return string(multiTouchDefault)
	}
	return string(name)
}

// multiTouch finds the agreed model among those of the ledger. Without a word in
// the document it is position-based, else linear, else the last of the list.
func (k *compiler) multiTouch(agreed string) string {
	models := k.contract.Models
	if agreed == "" {
		for _, name := range []model.Name{multiTouchDefault, model.Linear} {
			if slices.Contains(models, string(name)) {
				return string(name)
			}
		}
		return models[len(models)-1]
	}
	if !slices.Contains(models, agreed) {
		k.fail(path{"multi_touch"}, "%s is not among the models", agreed)
	}
	return agreed
}

// model compiles one entry and returns the id under which the ledger has it.
func (k *compiler) model(at path, entry documentModel, multi string) (string, model.Spec) {
	name, err := model.ParseName(entry.Model)
	if name == model.MultiTouch {
		name = multiTouchDefault
		if n, err := model.ParseName(multi); err == nil {
			name = n
		}
	}
	if err != nil || !name.IsAdditive() {
		var additive []model.Name
		for _, n := range model.Names() {
			if n.IsAdditive() {
				additive = append(additive, n)
			}
		}
		k.fail(k.within(at, "model"), "%q is not a ledger model; choose from %s", entry.Model, model.JoinNames(additive))
		return cmp.Or(entry.ID, entry.Model), model.Spec{}
	}
	id := string(name)
	if entry.ID != "" {
		id = k.id(at.with("id"), entry.ID)
		if other, err := model.ParseName(id); err == nil && other != name {
			k.fail(at.with("id"), "%s is the name of another model", id)
		}
	}
	before := len(k.problems)
	spec := model.Spec{
		Model: name, Variant: model.Variant(entry.Variant), Rest: model.Rest(entry.Rest), Direct: entry.Direct,
		Shares: k.shares(at, name, entry), Types: k.typeWeights(at, entry.Types),
		Exclude: k.exclusions(at, entry.Exclude), Transforms: k.transforms(at, entry.Transforms),
	}
	if entry.Rest == "all" && (name == model.WShaped || name == model.FullPath) {
		spec.Rest = model.RestAll
	}
	if entry.HalfLife != "" {
		if spec.HalfLife, err = model.ParseDuration(entry.HalfLife); err != nil {
			k.fail(at.with("half_life"), "%v", err)
		}
	}
	switch entry.ConversionTouch {
	case "", "include":
	case "exclude":
		spec.ConversionTouchExcluded = true
	default:
		k.fail(at.with("conversion_touch"), "%q; write include or exclude", entry.ConversionTouch)
	}
	// What is broken in itself is not held against the rest as well.
	if len(k.problems) == before {
		if err := (*model.FieldError)(nil); errors.As(spec.Check(), &err) {
			k.fail(k.within(at, err.Field), "%s", err.Message)
		}
	}
	return id, spec
}

// within is the place of a setting; an entry that is a name alone has none.
func (k *compiler) within(at path, field string) path {
	if lineOf(k.root, at) == 0 || !k.isMapping(at) {
		return at
	}
	return at.with(field)
}

// isMapping reports whether an entry of the models is a mapping.
func (k *compiler) isMapping(at path) bool {
	node := k.root
	if node.Kind == yaml.DocumentNode && len(node.Content) > 0 {
		node = node.Content[0]
	}
	for _, step := range at {
		if node = child(node, step); node == nil {
			return false
		}
	}
	return node.Kind == yaml.MappingNode
}

// shares reads first, middle and last. What position-based leaves out is its
// default, and the middle is what the ends leave; custom says all three.
func (k *compiler) shares(at path, name model.Name, entry documentModel) *model.Shares {
	if entry.First == "" && entry.Middle == "" && entry.Last == "" {
		return nil
	}
	read := func(field, text string, missing model.Share) model.Share {
		if text == "" {
			if name == model.Custom {
				k.fail(at, "custom by position needs first, middle and last")
			}
			return missing
		}
		share, err := model.ParseShare(text)
		if err != nil {
			k.fail(at.with(field), "%v", err)
		}
		return share
	}
	h := model.Shares{First: read("first", entry.First, 400_000), Last: read("last", entry.Last, 400_000)}
	if h.First+h.Last > model.WholeShare {
		k.fail(at.with("first"), "first %v and last %v are more than 100%%", h.First, h.Last)
		return &h
	}
	h.Middle = read("middle", entry.Middle, model.WholeShare-h.First-h.Last)
	return &h
}

func (k *compiler) typeWeights(at path, weights map[string]string) []model.TypeWeight {
	var types []model.TypeWeight
	for _, name := range sortedKeys(weights) {
		in := at.with("types").with(name)
		k.touchType(in, name)
		weight, err := model.ParseWeight(weights[name])
		if err != nil {
			k.fail(in, "%v", err)
		}
		types = append(types, model.TypeWeight{Type: name, Weight: weight})
	}
	return types
}

// modelKeys are the fields that a contract's models can compare: what the
// contract makes of a touch. Its region is the account's, and touches are not
// repeated.
var modelKeys = [...]model.Key{model.KeyChannel, model.KeyPartner, model.KeyCampaign, model.KeyAsset, model.KeyType}

func (k *compiler) modelKey(at path, key model.Key) {
	if !slices.Contains(modelKeys[:], key) {
		texts := make([]string, len(modelKeys))
		for i, known := range modelKeys {
			texts[i] = string(known)
		}
		k.fail(at, "%q is not a field that models compare; choose from %s", key, strings.Join(texts, ", "))
	}
}

func (k *compiler) exclusions(at path, exclude map[string][]string) []model.Exclusion {
	var list []model.Exclusion
	for _, key := range sortedKeys(exclude) {
		in := at.with("exclude").with(key)
		k.modelKey(in, model.Key(key))
		for i, text := range exclude[key] {
			list = append(list, model.Exclusion{Key: model.Key(key), Value: k.name(in.with(i), text)})
		}
	}
	return list
}

func (k *compiler) transforms(at path, texts []string) []model.Transform {
	var list []model.Transform
	for i, text := range texts {
		in := at.with("transforms").with(i)
		t, err := model.ParseTransform(text)
		if err != nil {
			k.fail(in, "%v", err)
		} else if t.Key != "" {
			k.modelKey(in, t.Key)
		}
		list = append(list, t)
	}
	return list
}

package contract

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"tracksource/money"
)

// yamlNode keeps the library's name in one place.
type yamlNode = yaml.Node

// with returns the path one step further, in memory of its own.
func (p path) with(step any) path { return append(append(path(nil), p...), step) }

// id checks an identifier that also names topics and keys.
func (k *compiler) id(at path, text string) string {
	if !isID(text) {
		k.fail(at, "%q is not an id; write 1 to %d of a-z, 0-9 and -, beginning with a letter or digit", text, idMax)
	}
	return text
}

func isID(text string) bool {
	if text == "" || len(text) > idMax || text[0] == '-' {
		return false
	}
	for _, b := range []byte(text) {
		if (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' {
			return false
		}
	}
	return true
}

// name checks a text that is shown as a dimension value.
func (k *compiler) name(at path, text string) string {
	switch {
	case text == "":
		k.fail(at, "is missing")
	case len(text) > nameMax:
		k.fail(at, "%d bytes; at most %d", len(text), nameMax)
	case value(text) != text:
		k.fail(at, "%q; write at most %d bytes, no space around it, not beginning with a bracket", text, valueMax)
	}
	return text
}

func (k *compiler) currency(at path, code string) (string, int) {
	exponent, err := money.Exponent(code)
	if err != nil {
		k.fail(at, "%v", err)
	}
	return code, exponent
}

// partner checks a reference to a signatory.
func (k *compiler) partner(at path, id string) {
	if _, found := k.contract.rules.partners[id]; !found {
		k.fail(at, "%q is not among the partners", id)
	}
}

// credited checks whom a rule credits: a signatory or None.
func (k *compiler) credited(at path, id string) {
	if id != None {
		k.partner(at, id)
	}
}

func (k *compiler) touchType(at path, touchType string) {
	for _, known := range defaultTouchTypes {
		if touchType == known {
			return
		}
	}
	k.fail(at, "%q is not a touch type; choose from %s", touchType, strings.Join(defaultTouchTypes[:], ", "))
}

// days reads a window such as "90d".
func (k *compiler) days(at path, text string, least, most int) int {
	digits, found := strings.CutSuffix(text, "d")
	days, err := strconv.Atoi(digits)
	if !found || err != nil || digits != strconv.Itoa(days) || days < least || days > most {
		k.fail(at, "%q; write a number of days from %dd to %dd", text, least, most)
		return least
	}
	return days
}

func (k *compiler) patterns(at path, texts []string) []pattern {
	patterns := make([]pattern, len(texts))
	for i, text := range texts {
		patterns[i] = k.pattern(at.with(i), text)
	}
	return patterns
}

func (k *compiler) pattern(at path, text string) pattern {
	p := pattern(fold(text))
	if strings.Trim(string(p), "*") == "" {
		k.fail(at, "%q would match everything or nothing", text)
	}
	return p
}

// once refuses a map key that differs from an earlier one only in case or
// space, because it would be left to chance which of the two holds.
func (k *compiler) once(at path, seen map[string]bool, key string) {
	folded := fold(key)
	if folded == "" {
		k.fail(at, "a key is empty")
	}
	if seen[folded] {
		k.fail(at, "%q is written twice; case and space around it do not matter", key)
	}
	seen[folded] = true
}

package contract

import (
	"strings"
	"unicode/utf8"
)

// pattern is a folded text in which '*' stands for any run of characters.
type pattern string

// match reports whether the folded text fits. It goes back to the latest star
// only, so its time is at most the product of the two lengths.
func (p pattern) match(text string) bool {
	star, marked := -1, 0
	at, i := 0, 0
	for i < len(text) {
		switch {
		case at < len(p) && p[at] == '*':
			star, marked = at, i
			at++
		case at < len(p) && p[at] == text[i]:
			at++
			i++
		case star >= 0:
			marked++
			at, i = star+1, marked
		default:
			return false
		}
	}
	for at < len(p) && p[at] == '*' {
		at++
	}
	return at == len(p)
}

// exact reports whether the pattern has no star.
func (p pattern) exact() bool { return !strings.Contains(string(p), "*") }

// matchAny reports whether one of the patterns fits the folded text.
func matchAny(patterns []pattern, text string) bool {
	for _, p := range patterns {
		if p.match(text) {
			return true
		}
	}
	return false
}

// fold brings a fact to the form that it is compared in: no space around it,
// lower case.
func fold(text string) string { return strings.ToLower(strings.TrimSpace(text)) }

// value brings a fact to the form that it is shown in as a dimension, or ""
// if nothing is left: valid UTF-8 of at most valueMax bytes that cannot be
// mistaken for a value in brackets of our own.
func value(text string) string {
	text = strings.TrimSpace(strings.ToValidUTF8(text, "\uFFFD"))
	if strings.HasPrefix(text, "(") {
		text = strings.Trim(text, "() ")
	}
	if len(text) > valueMax {
		end := valueMax
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		text = strings.TrimSpace(text[:end])
	}
	return text
}

// Matches reports whether a text fits a pattern of a contract, in which * stands
// for any run of characters; case and space around do not matter.
func Matches(p, text string) bool { return pattern(fold(p)).match(fold(text)) }

package twin

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"tracksource/money"
)

// Formats lists the forms of Write.
func Formats() []string { return []string{"table", "csv", "json"} }

// Write writes what came of all journeys, as table, csv or json. JSON has the
// credits of conversions, if they were kept; a model of many journeys shares the
// total and has none.
func (t *Twin) Write(w io.Writer, format string) error {
	switch format {
	case "table":
		return t.writeTable(w)
	case "csv":
		return t.writeCSV(w)
	case "json":
		_, err := w.Write(t.json())
		return err
	}
	return fmt.Errorf("%q is not a format; choose from %s", format, strings.Join(Formats(), ", "))
}

// credit is what one touch gets of one conversion.
type credit struct {
	touch  string
	weight uint64
	minor  int64
}

// credit keeps the credits of a conversion as they will be printed, which takes
// less memory than anything that would be made of them later.
func (b *book) credit(t *Twin, conversion string, credits []credit) {
	if !t.config.Credits {
		return
	}
	if len(b.credits) > 0 {
		b.credits = append(b.credits, ',')
	}
	b.credits = append(append(b.credits, `{"id":`...), quoted(conversion)...)
	b.credits = append(b.credits, `,"credits":[`...)
	for i, c := range credits {
		if i > 0 {
			b.credits = append(b.credits, ',')
		}
		b.credits = append(append(b.credits, `{"touch":`...), quoted(c.touch)...)
		b.credits = append(b.credits, `,"weight":"`+weightText(c.weight)+`","value":"`+money.Format(c.minor, t.exponent)+`"}`...)
	}
	b.credits = append(b.credits, "]}"...)
}

// json is written by hand to keep the order of models, which a map would lose.
func (t *Twin) json() []byte {
	out := []byte(`{"models":{`)
	sumText := func(s sum) string {
		return `{"value":"` + money.Format(s.minor, t.exponent) + `","conversions":"` + s.conversions() + `"}`
	}
	for i, b := range t.books {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, quoted(b.Name)...), `:{"by":{`...)
		for k, r := range b.rows() {
			if k > 0 {
				out = append(out, ',')
			}
			out = append(append(out, quoted(r.value)...), ':')
			out = append(out, sumText(r.sum)...)
		}
		out = append(out, `},"total":`+sumText(b.total)+`,"conversions":[`...)
		out = append(append(out, b.credits...), "]}"...)
	}
	return append(out, "}}\n"...)
}

// quoted is the text as a JSON string.
func quoted(text string) string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		panic(fmt.Sprintf("twin: a string that JSON cannot hold: %q: %v", text, err))
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// writeCSV writes a row for each model and value, without totals, so that a sum
// over a model's rows is its total.
func (t *Twin) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	records := [][]string{{"model", string(t.config.By), "value", "currency", "conversions"}}
	for _, b := range t.books {
		for _, r := range b.rows() {
			records = append(records, []string{b.Name, r.value, money.Format(r.minor, t.exponent), t.currency, r.conversions()})
		}
	}
	return out.WriteAll(records)
}

func (t *Twin) writeTable(w io.Writer) error {
	value := "VALUE"
	if t.currency != "" {
		value += " " + t.currency
	}
	lines := [][]string{{"MODEL", strings.ToUpper(string(t.config.By)), value, "CONVERSIONS"}}
	line := func(name, value string, s sum) {
		lines = append(lines, []string{name, value, money.Format(s.minor, t.exponent), s.conversions()})
	}
	for _, b := range t.books {
		for _, r := range b.rows() {
			line(b.Name, r.value, r.sum)
		}
		line(b.Name, "total", b.total)
	}
	widths := make([]int, len(lines[0]))
	for _, l := range lines {
		for i, cell := range l {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	for _, l := range lines {
		for i, cell := range l {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			switch i {
			case 0:
				out.WriteString(cell + space)
			case 1:
				out.WriteString("  " + cell + space)
			default:
				out.WriteString("  " + space + cell)
			}
		}
		out.WriteByte('\n')
	}
	_, err := io.WriteString(w, out.String())
	return err
}

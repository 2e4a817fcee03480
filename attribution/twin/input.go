package twin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"tracksource/attribution/model"
	"tracksource/money"
)

// Fault is what is wrong with a line.
type Fault struct {
	// Field is a path such as touches[1].at; empty for the line as a whole.
	Field   string
	Message string
}

func (f *Fault) Error() string {
	if f.Field == "" {
		return f.Message
	}
	return f.Field + ": " + f.Message
}

// within puts a step in front of a fault's field: a name, or a place in brackets.
func within(step string, err error) error {
	var f *Fault
	if !errors.As(err, &f) {
		return err
	}
	switch {
	case f.Field == "":
		return &Fault{step, f.Message}
	case f.Field[0] == '[':
		return &Fault{step + f.Field, f.Message}
	}
	return &Fault{step + "." + f.Field, f.Message}
}

func place(i int) string { return fmt.Sprintf("[%d]", i) }

// journey is one line.
type journey struct {
	id          string
	touches     []model.Touch
	conversions []conversion
}

type conversion struct {
	id, value, currency           string
	at, lead, opportunity, closed time.Time
}

// minor is the value in minor units. A value that the currency does not have is
// refused and not rounded.
func (c conversion) minor() (int64, error) {
	amount, err := money.Parse(c.value, c.currency)
	if err != nil {
		return 0, &Fault{"value", err.Error()}
	}
	exponent, err := money.Exponent(c.currency)
	if err != nil {
		return 0, &Fault{"currency", err.Error()}
	}
	_, fraction, _ := strings.Cut(c.value, ".")
	if strings.ContainsAny(c.value, "eE") || len(strings.TrimRight(fraction, "0")) > exponent {
		return 0, &Fault{"value", fmt.Sprintf("%q; write a plain number with at most %d decimals, which %s has", c.value, exponent, c.currency)}
	}
	return amount.Minor, nil
}

// readJourney reads a line strictly: fields that it does not know, or that are
// there twice, are refused.
func readJourney(line []byte) (j journey, blank bool, err error) {
	if len(bytes.TrimSpace(line)) == 0 {
		return j, true, nil
	}
	if !utf8.Valid(line) {
		return j, false, &Fault{Message: "is not UTF-8"}
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	r := reader{decoder}
	if err := r.journey(&j); err != nil {
		return j, false, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return j, false, &Fault{Message: "something follows the journey; write one on a line"}
	}
	return j, false, j.check()
}

// check refuses what is missing or there twice.
func (j journey) check() error {
	if j.id == "" {
		return &Fault{"id", "is missing"}
	}
	touches := make(map[string]bool, len(j.touches))
	for i, t := range j.touches {
		if err := identified(t.ID, t.At, touches); err != nil {
			return within("touches", within(place(i), err))
		}
	}
	conversions := make(map[string]bool, len(j.conversions))
	for i, c := range j.conversions {
		err := identified(c.id, c.at, conversions)
		switch {
		case err != nil:
		case c.value == "":
			err = &Fault{"value", "is missing"}
		case c.currency == "":
			err = &Fault{"currency", "is missing"}
		}
		if err != nil {
			return within("conversions", within(place(i), err))
		}
	}
	return nil
}

func identified(id string, at time.Time, seen map[string]bool) error {
	switch {
	case id == "":
		return &Fault{"id", "is missing"}
	case seen[id]:
		return &Fault{"id", fmt.Sprintf("%q is there twice", cut(id))}
	case at.IsZero():
		return &Fault{"at", "is missing"}
	}
	seen[id] = true
	return nil
}

// reader takes a line apart token by token, so that an error knows where it is.
type reader struct{ *json.Decoder }

func (r reader) journey(j *journey) error {
	return r.object(func(name string) (err error) {
		switch name {
		case "id":
			j.id, err = r.text()
		case "touches":
			return r.list(TouchesMax, func() error {
				j.touches = append(j.touches, model.Touch{})
				return r.touch(&j.touches[len(j.touches)-1])
			})
		case "conversions":
			return r.list(ConversionsMax, func() error {
				j.conversions = append(j.conversions, conversion{})
				return r.conversion(&j.conversions[len(j.conversions)-1])
			})
		default:
			return errNoField
		}
		return err
	})
}

func (r reader) touch(t *model.Touch) error {
	return r.object(func(name string) (err error) {
		var text *string
		switch name {
		case "at":
			t.At, err = r.instant()
			return err
		case "id":
			text = &t.ID
		case "channel":
			text = &t.Channel
		case "partner":
			text = &t.Partner
		case "campaign":
			text = &t.Campaign
		case "asset":
			text = &t.Asset
		case "region":
			text = &t.Region
		case "type":
			text = &t.Type
		default:
			return errNoField
		}
		*text, err = r.text()
		return err
	})
}

func (r reader) conversion(c *conversion) error {
	return r.object(func(name string) (err error) {
		switch name {
		case "id":
			c.id, err = r.text()
		case "at":
			c.at, err = r.instant()
		case "value":
			c.value, err = r.number()
		case "currency":
			c.currency, err = r.text()
		case "lead_at":
			c.lead, err = r.instant()
		case "opportunity_at":
			c.opportunity, err = r.instant()
		case "closed_at":
			c.closed, err = r.instant()
		default:
			err = errNoField
		}
		return err
	})
}

// errNoField stands in for the name, which object puts in front.
var errNoField = errors.New("there is no such field")

// object reads an object, calling member behind each name.
func (r reader) object(member func(name string) error) error {
	token, err := r.token()
	if err != nil {
		return err
	}
	if token != json.Delim('{') {
		return &Fault{Message: "is not an object"}
	}
	var seen []string
	for r.More() {
		token, err := r.token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		if slices.Contains(seen, name) {
			return &Fault{cut(name), "is there twice"}
		}
		seen = append(seen, name)
		if err := member(name); errors.Is(err, errNoField) {
			return &Fault{cut(name), err.Error()}
		} else if err != nil {
			return within(name, err)
		}
	}
	_, err = r.token()
	return err
}

// list reads a list, or null for none, calling element in front of each.
func (r reader) list(most int, element func() error) error {
	token, err := r.token()
	if err != nil || token == nil {
		return err
	}
	if token != json.Delim('[') {
		return &Fault{Message: "is not a list"}
	}
	for i := 0; r.More(); i++ {
		if i == most {
			return &Fault{Message: fmt.Sprintf("has more than %d elements", most)}
		}
		if err := element(); err != nil {
			return within(place(i), err)
		}
	}
	_, err = r.token()
	return err
}

// token returns the next token; an error of the syntax is a fault of the line.
func (r reader) token() (json.Token, error) {
	token, err := r.Token()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, &Fault{Message: "is not JSON: it ends too early"}
	}
	if err != nil {
		return nil, &Fault{Message: "is not JSON: " + strings.TrimPrefix(err.Error(), "json: ")}
	}
	return token, nil
}

// text reads a text, or null for an empty one. The one value that means something
// in the output is refused.
func (r reader) text() (string, error) {
	token, err := r.token()
	if err != nil || token == nil {
		return "", err
	}
	text, ok := token.(string)
	switch {
	case !ok:
		return "", &Fault{Message: "is not a text"}
	case len(text) > textMax:
		return "", &Fault{Message: fmt.Sprintf("has %d bytes; at most %d", len(text), textMax)}
	case text == Unattributed:
		return "", &Fault{Message: Unattributed + " stands for what no touch preceded; choose another name"}
	}
	return text, nil
}

// number reads a number as its digits stand there, in quotes or not.
func (r reader) number() (string, error) {
	token, err := r.token()
	if err != nil {
		return "", err
	}
	switch v := token.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	}
	return "", &Fault{Message: "is not a number"}
}

// instant reads an RFC 3339 instant, or null for none.
func (r reader) instant() (time.Time, error) {
	text, err := r.text()
	if err != nil || text == "" {
		return time.Time{}, err
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.IsZero() {
		return time.Time{}, &Fault{Message: fmt.Sprintf("%q is not an RFC 3339 instant, such as 2026-01-05T10:00:00Z", cut(text))}
	}
	return at, nil
}

// cut shortens foreign text for an error message.
func cut(text string) string {
	const shown = 40
	if len(text) <= shown {
		return text
	}
	return text[:shown] + "..."
}

package normalize

import "time"

// What follows is for mappings of partners' own schemas: the rules by which the
// adapters of native shapes read values, so that both mean the same.

// Refuse makes a Problem as an error. The message must name fields, never values.
func Refuse(code Code, format string, args ...any) error { return problem(code, format, args...) }

// DecodeJSON reads a payload within the bounds of one as [Value.Native] has it. The
// error is a Problem.
func DecodeJSON(payload []byte) (any, error) {
	var r Reader
	v, err := r.Read(payload)
	if err != nil {
		return nil, err
	}
	return v.Native(), nil
}

// Scrubbed takes e-mail addresses out of every text of events that is not meant to
// be one.
func Scrubbed(src Source, events []Event) []Event { return scrubbed(src, events) }

// Scrub takes e-mail addresses out of a text.
func Scrub(text string) string { return scrub(text) }

// Text reads a string, a number or a boolean as text, bounded and without control
// characters; other values are empty.
func Text(v any) string { return asText(ValueOf(v)) }

// Occurred checks the time of an event against that of its arrival.
func Occurred(src Source, at time.Time) (time.Time, error) { return occurred(src, at) }

// Amount checks an amount, which may be a number or text, and keeps it as it was
// written; currency may be empty.
func Amount(v any, currency string) (string, error) { return amountText(ValueOf(v), currency) }

// Currency reads an ISO 4217 code.
func Currency(v any) (string, error) { return currencyCode(ValueOf(v)) }

// CalendarDay reads a day, or the instant of its midnight in UTC.
func CalendarDay(v any) (string, error) { return calendarDay(ValueOf(v)) }

// Boolean reads a boolean, or its name.
func Boolean(v any) (string, error) { return boolean(ValueOf(v)) }

// ReferrerDomain returns the registrable domain of a referring page, empty
// without one.
func ReferrerDomain(address string) string { return referrer(address) }

// SetURL fills in what the address of a page says and the touch does not say yet:
// the asset, the campaign parameters and the kind of click id.
func (t *Touch) SetURL(address string) {
	path, query := splitURL(address)
	if t.Asset == "" {
		t.Asset = bounded(path)
	}
	t.setUTM(query)
}

// PlainID returns an id of something that is nobody as it is, unless it was made
// of somebody's address.
func PlainID(src Source, id string) string { return plainID(src, id) }

// Put sets a field, nil for one that was cleared, unless it is there.
func (o *Object) Put(name string, value *string) { o.put(name, value) }

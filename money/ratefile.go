package money

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// RateFile is what a file of exchange rates says.
type RateFile struct {
	Rates []Rate // by day, then by pair
	// Unknown are currencies of the file that ISO 4217 does not list today, such as
	// those that became the euro. Their rates are left out.
	Unknown []string
}

// RateFileBytesMax bounds a file of rates. The European Central Bank's whole
// history has less than two megabytes.
const RateFileBytesMax = 64 << 20

// ecbBase is the currency that all rates of the European Central Bank are of.
const ecbBase = "EUR"

// ParseRateFile reads a file of exchange rates: the reference rates of the
// European Central Bank as CSV or XML, of one day or of all, as published at
// https://www.ecb.europa.eu/stats/eurofxref; or CSV with the header
// base,quote,day,rate. An error names the line and wraps [ErrRate].
func ParseRateFile(data []byte) (RateFile, error) {
	if len(data) > RateFileBytesMax {
		return RateFile{}, fmt.Errorf("%w: a file of %d bytes, at most %d are read", ErrRate, len(data), RateFileBytesMax)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	var f rateFile
	var err error
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("<")) {
		err = f.readXML(data)
	} else {
		err = f.readCSV(data)
	}
	if err != nil {
		return RateFile{}, err
	}
	return RateFile{Rates: f.set.byDay(), Unknown: f.unknown}, nil
}

// rateFile collects rates; the set refuses what is none.
type rateFile struct {
	set     Rates
	unknown []string
}

func (r *Rates) byDay() []Rate {
	rates := r.Entries()
	slices.SortStableFunc(rates, func(a, b Rate) int { return int(a.Day) - int(b.Day) })
	return rates
}

func (f *rateFile) add(base, quote string, day Day, text string) error {
	for _, code := range [...]string{base, quote} {
		if _, err := Exponent(code); err == nil {
			continue
		} else if !isCode(code) {
			return err
		}
		if i, found := slices.BinarySearch(f.unknown, code); !found {
			f.unknown = slices.Insert(f.unknown, i, code)
		}
		return nil
	}
	return f.set.Set(base, quote, day, text)
}

// isCode reports whether text could be the code of a currency of some time.
func isCode(text string) bool {
	return len(text) == 3 && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func (f *rateFile) readCSV(data []byte) error {
	rows := csv.NewReader(bytes.NewReader(data))
	rows.FieldsPerRecord = -1
	rows.TrimLeadingSpace = true
	header, err := rows.Read()
	if err != nil {
		return fmt.Errorf("%w: line 1 has no header: Date,USD,... or base,quote,day,rate", ErrRate)
	}
	for i := range header {
		header[i] = strings.TrimSpace(header[i])
	}
	plain := slices.Equal(header, []string{"base", "quote", "day", "rate"})
	if !plain && (len(header) < 2 || header[0] != "Date") {
		return fmt.Errorf("%w: line 1: the header is neither Date,USD,... of the European Central Bank nor base,quote,day,rate", ErrRate)
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrRate, err)
		}
		line, _ := rows.FieldPos(0)
		if plain {
			err = f.plainRow(row)
		} else {
			err = f.ecbRow(header, row)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
}

func (f *rateFile) plainRow(row []string) error {
	if len(row) != 4 {
		return fmt.Errorf("%w: %d columns, want base,quote,day,rate", ErrRate, len(row))
	}
	day, err := ParseDay(strings.TrimSpace(row[2]))
	if err != nil {
		return err
	}
	return f.add(strings.TrimSpace(row[0]), strings.TrimSpace(row[1]), day, strings.TrimSpace(row[3]))
}

// ecbRow reads the rates of a day; N/A and nothing stand for no rate.
func (f *rateFile) ecbRow(header, row []string) error {
	day, err := ecbDay(strings.TrimSpace(row[0]))
	if err != nil {
		return err
	}
	if len(row) > len(header) {
		return fmt.Errorf("%w: %d columns under a header of %d", ErrRate, len(row), len(header))
	}
	for i, text := range row[1:] {
		code := header[i+1]
		if text = strings.TrimSpace(text); text == "" || text == "N/A" {
			continue
		}
		if err := f.add(ecbBase, code, day, text); err != nil {
			return fmt.Errorf("%s: %w", cut(code), err)
		}
	}
	return nil
}

// ecbDay reads both of the bank's spellings of a day.
func ecbDay(text string) (Day, error) {
	if at, err := time.Parse("02 January 2006", text); err == nil {
		text = at.Format(time.DateOnly)
	}
	return ParseDay(text)
}

// readXML reads the bank's envelope: a Cube for each day with its time, and in it
// one for each currency.
func (f *rateFile) readXML(data []byte) error {
	dec := xml.NewDecoder(bytes.NewReader(data))
	var day Day
	days := 0
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			if days == 0 {
				return fmt.Errorf("%w: the XML has no Cube with a time: it is not the European Central Bank's", ErrRate)
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrRate, err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "Cube" {
			continue
		}
		attr := map[string]string{}
		for _, a := range start.Attr {
			attr[a.Name.Local] = a.Value
		}
		line, _ := dec.InputPos()
		switch {
		case attr["time"] != "":
			if day, err = ParseDay(attr["time"]); err != nil {
				return fmt.Errorf("line %d: %w", line, err)
			}
			days++
		case attr["currency"] != "" && days > 0:
			if err := f.add(ecbBase, attr["currency"], day, attr["rate"]); err != nil {
				return fmt.Errorf("line %d: %s: %w", line, cut(attr["currency"]), err)
			}
		}
	}
}

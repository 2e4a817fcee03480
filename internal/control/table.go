package control

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// FileBytesMax bounds a file of the data beside contracts.
const FileBytesMax = 256 << 20

// problemsMax is as many problems of a file as are named.
const problemsMax = 20

// table is a CSV file with a header, in which columns may stand in any order.
type table struct {
	columns  []string
	required []string
}

// read hands each row to add, with its line and its fields by column, empty where
// the file has none. The error names every line that add refuses, at most 20.
func (t table) read(data []byte, add func(line int, field func(column string) string) error) error {
	if len(data) > FileBytesMax {
		return fmt.Errorf("a file of %d bytes, at most %d are read", len(data), FileBytesMax)
	}
	rows := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	rows.FieldsPerRecord = -1
	rows.TrimLeadingSpace = true
	header, err := rows.Read()
	if err != nil {
		return fmt.Errorf("line 1 has no header: %s", strings.Join(t.columns, ","))
	}
	at, err := t.header(header)
	if err != nil {
		return err
	}
	var problems []error
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err // what follows a broken quote is no row
		}
		line, _ := rows.FieldPos(0)
		if len(row) > len(header) {
			err = fmt.Errorf("%d columns under a header of %d", len(row), len(header))
		} else {
			err = add(line, func(column string) string {
				if i, ok := at[column]; ok && i < len(row) {
					return strings.TrimSpace(row[i])
				}
				return ""
			})
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("line %d: %w", line, err))
		}
	}
	if n := len(problems); n > problemsMax {
		problems = append(problems[:problemsMax], fmt.Errorf("and %d more lines", n-problemsMax))
	}
	return errors.Join(problems...)
}

// header says which column of the file is which.
func (t table) header(names []string) (map[string]int, error) {
	at := map[string]int{}
	for i, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(t.columns, name) {
			return nil, fmt.Errorf("line 1: unknown column %q, there are %s", cut(name), strings.Join(t.columns, ", "))
		}
		if _, twice := at[name]; twice {
			return nil, fmt.Errorf("line 1: column %s comes twice", name)
		}
		at[name] = i
	}
	for _, name := range t.required {
		if _, ok := at[name]; !ok {
			return nil, fmt.Errorf("line 1: column %s is missing", name)
		}
	}
	return at, nil
}

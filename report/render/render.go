// Package render writes reporting packages as files.
//
// It knows formats, and how to keep text harmless in each of them. It must not know
// how a number came about: all that it writes is in the [report.Package], and the same
// one is written as the same bytes, whatever the machine, the zone and the hour.
package render

import (
	"errors"
	"fmt"
	"io"

	"tracksource/report"
)

// Format is a format of files.
type Format string

// The formats.
const (
	HTML     Format = "html"
	Markdown Format = "md"
	CSV      Format = "csv"
	JSON     Format = "json"
	XLSX     Format = "xlsx"
)

// Formats returns all formats.
func Formats() []Format { return []Format{HTML, Markdown, CSV, JSON, XLSX} }

// Page is the file of [HTML] that is looked at first.
const Page = "snapshot.html"

// Create makes a file of a package by its name, with slashes. What was written to it is
// kept when it is closed without an error.
type Create func(name string) (io.WriteCloser, error)

// Files writes the files of a package in the formats. The package is not changed.
func Files(p *report.Package, formats []Format, create Create) error {
	for _, f := range formats {
		var err error
		switch f {
		case HTML:
			err = writeHTML(p, create)
		case Markdown:
			err = errors.Join(
				file(create, "summary.md", func(w io.Writer) error { return writeSummaryMarkdown(w, p) }),
				file(create, "packet.md", func(w io.Writer) error { return writePacketMarkdown(w, p) }))
		case JSON:
			err = file(create, "package.json", func(w io.Writer) error { return writeJSON(w, p) })
		case CSV:
			err = writeCSVs(p, create)
		case XLSX:
			err = file(create, "tables.xlsx", func(w io.Writer) error { return writeXLSX(w, p) })
		default:
			err = fmt.Errorf("there is no format %q", f)
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", f, err)
		}
	}
	return nil
}

// file writes one file.
func file(create Create, name string, write func(io.Writer) error) error {
	w, err := create(name)
	if err != nil {
		return err
	}
	if err := write(w); err != nil {
		_ = w.Close()
		return fmt.Errorf("%s: %w", name, err)
	}
	return w.Close()
}

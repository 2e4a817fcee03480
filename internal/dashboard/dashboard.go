// Package dashboard is the page of the reporter: plain ES modules, a style sheet
// and one vendored library, embedded so that a binary is all that it takes. It
// knows the answers of the API by their JSON and nothing of how they are made.
// How its files are served, and to whom, is internal/api's.
package dashboard

import (
	"embed"
	"fmt"
	"io/fs"
)

//go:embed assets
var assets embed.FS

// Assets returns the files of the page, all in one directory: index.html, to be
// served at /, and what it asks for by name under /assets/.
func Assets() fs.FS {
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		panic(fmt.Sprintf("dashboard: the embedded directory is not there: %v", err))
	}
	return files
}

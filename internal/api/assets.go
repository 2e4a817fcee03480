package api

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// document is the OpenAPI description of all that routes has. A test makes it from
// the table and holds the file to it.
//
//go:embed openapi.json
var document string

const (
	documentAsset = "/api/v1/openapi.json"
	indexAsset    = "index.html"
)

// asset is one file that is served as it is.
type asset struct {
	body, compressed []byte // compressed is nil where it would be no shorter
	contentType      string
	tag              string
}

func assetOf(name string, body []byte) (asset, error) {
	types := map[string]string{
		".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon",
		".woff2": "font/woff2", ".txt": "text/plain; charset=utf-8", ".webmanifest": "application/manifest+json",
	}
	contentType, ok := types[path.Ext(name)]
	if !ok {
		return asset{}, fmt.Errorf("file %s of the page has no content type", name)
	}
	sum := sha256.Sum256(body)
	a := asset{body: body, contentType: contentType, tag: `W/"` + hex.EncodeToString(sum[:16]) + `"`}
	var to bytes.Buffer
	z := gzip.NewWriter(&to)
	_, _ = z.Write(body) // a buffer takes all
	_ = z.Close()
	if to.Len() < len(body) {
		a.compressed = to.Bytes()
	}
	return a, nil
}

// loadAssets reads the page's files, which are few, and the document.
func loadAssets(page fs.FS) (map[string]asset, error) {
	assets := map[string]asset{}
	a, err := assetOf(documentAsset, []byte(document))
	if err != nil {
		return nil, err
	}
	assets[documentAsset] = a
	if page == nil {
		return assets, nil
	}
	err = fs.WalkDir(page, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) == "" || strings.HasSuffix(name, ".md") {
			return err // licences and notes are in the binary, and not served
		}
		body, err := fs.ReadFile(page, name)
		if err != nil {
			return err
		}
		assets[name], err = assetOf(name, body)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load the page: %w", err)
	}
	if _, ok := assets[indexAsset]; !ok {
		return nil, fmt.Errorf("load the page: there is no %s", indexAsset)
	}
	return assets, nil
}

func (s *Server) page(w http.ResponseWriter, r *http.Request, _ *call) { s.asset(w, r, indexAsset) }

func (s *Server) file(w http.ResponseWriter, r *http.Request, _ *call) {
	s.asset(w, r, r.PathValue("name"))
}

func (s *Server) openapi(w http.ResponseWriter, r *http.Request, _ *call) {
	s.asset(w, r, documentAsset)
}

func (s *Server) asset(w http.ResponseWriter, r *http.Request, name string) {
	a, ok := s.assets[name]
	if !ok {
		s.problem(w, r, &Problem{Title: "Not found", Status: http.StatusNotFound, Detail: "there is no such file"})
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", "no-cache") // kept, and asked for again
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", a.tag)
	if matches(r.Header.Get("If-None-Match"), a.tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := a.body
	if a.compressed != nil && takesGzip(r.Header.Get("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		body = a.compressed
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	s.write(w, r, body)
}

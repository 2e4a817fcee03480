package api

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// gzipFrom is the least body that is worth compressing: it does not fit in one
	// packet.
	gzipFrom = 1400
	// daySlot is how long an answer keeps its tag when nothing changes. Windows end
	// with today in the zone of a contract, and every zone's midnight is at a
	// quarter of an hour.
	daySlot = 15 * time.Minute
	// behindSlot is how finely tags tell how far answers are behind.
	behindSlot = 10 * time.Second
	// uploadTimeout bounds the reading of a large body.
	uploadTimeout = 2 * time.Minute
)

// tag is the entity tag of an answer: of the version of what it follows from, who
// asks and what for. It is weak, since the same answer travels compressed or not.
func (s *Server) tag(r *http.Request, c *call) string {
	version, _ := s.cfg.Changes.Version()
	age, why := s.cfg.Changes.Behind()
	sum := sha256.New()
	put := func(parts ...string) {
		for _, p := range parts {
			_, _ = sum.Write(binary.AppendUvarint(nil, uint64(len(p)))) // a hash takes all
			_, _ = io.WriteString(sum, p)
		}
	}
	put(
		s.boot, strconv.FormatUint(version, 10), strconv.FormatBool(c.viewer.Operator), c.viewer.Partner,
		r.URL.Path, url.Values(c.values).Encode(),
		strconv.FormatInt(s.cfg.Clock().Unix()/int64(daySlot/time.Second), 10),
		strconv.FormatInt(int64((age+behindSlot-1)/behindSlot), 10), why,
	)
	return `W/"` + hex.EncodeToString(sum.Sum(nil)[:16]) + `"`
}

// matches reports whether an If-None-Match header has a tag.
func matches(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimSpace(one)
		if one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
			return header != ""
		}
	}
	return false
}

// takesGzip reports whether an Accept-Encoding header takes gzip.
func takesGzip(header string) bool {
	for one := range strings.SplitSeq(header, ",") {
		name, weight, _ := strings.Cut(one, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			weight = strings.ReplaceAll(weight, " ", "")
			return strings.Trim(strings.TrimPrefix(weight, "q="), "0.") != "" || weight == ""
		}
	}
	return false
}

// body writes an answer in JSON, compressed when that is worth it.
func (s *Server) body(w http.ResponseWriter, r *http.Request, b []byte, compress func([]byte) []byte) {
	if len(b) >= gzipFrom && takesGzip(r.Header.Get("Accept-Encoding")) {
		w.Header().Set("Content-Encoding", "gzip")
		b = compress(b)
	}
	w.Header().Set("Content-Type", typeJSON)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	s.deadline(w)
	s.write(w, r, b)
}

func (s *Server) compress(b []byte) []byte {
	z, ok := s.gzips.Get().(*gzip.Writer)
	if !ok {
		z = gzip.NewWriter(nil)
	}
	defer s.gzips.Put(z)
	var to bytes.Buffer
	z.Reset(&to)
	_, _ = z.Write(b) // a buffer takes all
	_ = z.Close()
	return to.Bytes()
}

// write writes a body; an error means that the client is gone.
func (s *Server) write(w http.ResponseWriter, r *http.Request, b []byte) {
	if r.Method != http.MethodHead {
		_, _ = w.Write(b)
	}
}

// readBody reads the whole of a body that is bounded already; limit 0 is none.
func readBody(body io.Reader, limit int64) ([]byte, error) {
	if limit == 0 {
		return nil, nil
	}
	b, err := io.ReadAll(body)
	if err != nil {
		if p, ok := problemOf(err); ok {
			return nil, p
		}
		return nil, &Problem{Title: "Bad body", Status: http.StatusBadRequest, Detail: "the body did not arrive as a whole"}
	}
	return b, nil
}

// measured notes the status of an answer.
type measured struct {
	http.ResponseWriter
	status int
}

// Unwrap is what [http.ResponseController] looks for.
func (m *measured) Unwrap() http.ResponseWriter { return m.ResponseWriter }

func (m *measured) WriteHeader(status int) {
	if m.status == 0 {
		m.status = status
	}
	m.ResponseWriter.WriteHeader(status)
}

func (m *measured) Write(b []byte) (int, error) {
	if m.status == 0 {
		m.status = http.StatusOK
	}
	return m.ResponseWriter.Write(b)
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"tracksource/internal/answer"
)

// reporterFlags say which running reporter is asked, and as whom.
type reporterFlags struct {
	url, tokenFile string
}

func (f *reporterFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.url, "reporter-url", "http://127.0.0.1:8080", "where a reporter, or the demo, serves")
	cmd.Flags().StringVar(&f.tokenFile, "token-file", "", "file with the access token; a reporter on this machine may need none")
}

const (
	// askTimeout bounds one question; the largest upload takes seconds.
	askTimeout = 2 * time.Minute
	// answerBytesMax bounds an answer, tokenBytesMax the file of a token.
	answerBytesMax = 64 << 20
	tokenBytesMax  = 4 << 10
)

// ask sends one question and returns the answer as it came, JSON. A body is that of
// a CSV file; nil for a question without one.
func (f *reporterFlags) ask(ctx context.Context, path string, query url.Values, body []byte) ([]byte, error) {
	base, err := url.Parse(f.url)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, usageError{errors.New("--reporter-url is no URL such as http://127.0.0.1:8080")}
	}
	token, err := f.token(base)
	if err != nil {
		return nil, usageError{err}
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	at := base.JoinPath(path)
	at.RawQuery = query.Encode()
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "text/csv")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	// A token is for the reporter that was named and for nobody it points to.
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("no reporter answers at %s: %w; start one, or the demo, or give --reporter-url", base.Redacted(), unwrapURL(err))
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, answerBytesMax+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer of %s: %w", base.Redacted(), err)
	case len(data) > answerBytesMax:
		return nil, fmt.Errorf("the answer of %s is longer than %d bytes", base.Redacted(), answerBytesMax)
	case resp.StatusCode != http.StatusOK:
		return nil, refusal(resp, data)
	}
	return data, nil
}

// unwrapURL leaves out of a client's error the address, which the message has.
func unwrapURL(err error) error {
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// token reads the token, which travels to the own machine or encrypted.
func (f *reporterFlags) token(base *url.URL) (string, error) {
	if f.tokenFile == "" {
		return "", nil
	}
	if base.Scheme == "http" && !isLoopback(base.Hostname()) {
		return "", errors.New("a token is not sent unencrypted to another machine: give an https:// --reporter-url")
	}
	file, err := os.Open(f.tokenFile)
	if err != nil {
		return "", err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, tokenBytesMax))
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(data))
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsGraphic(r) || r == ' ' }) {
		return "", fmt.Errorf("%s is not a file with a token and nothing else", f.tokenFile)
	}
	return token, nil
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// refusal turns an answer that is none into an error that says what to do.
func refusal(resp *http.Response, data []byte) error {
	var p struct {
		Detail, Parameter string
		Allowed           []string
	}
	if json.Unmarshal(data, &p) != nil || p.Detail == "" {
		return fmt.Errorf("the answer is %s and no reporter's: is --reporter-url right?", resp.Status)
	}
	text := printable(p.Detail)
	if p.Parameter != "" && !strings.Contains(p.Detail, p.Parameter) {
		text = printable(p.Parameter) + ": " + text
	}
	if len(p.Allowed) > 0 {
		text += "\nthere is: " + printable(strings.Join(p.Allowed, ", "))
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		text += "; give --token-file"
	case http.StatusBadRequest, http.StatusNotFound:
		return usageError{errors.New(text)}
	}
	return errors.New(text)
}

// printable takes out of a text of others what a terminal would obey.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, s)
}

// writeJSON prints an answer as it came, indented.
func writeJSON(w io.Writer, data []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, data, "", "  "); err != nil {
		return fmt.Errorf("the answer is no JSON: %w", err)
	}
	b.WriteByte('\n')
	_, err := b.WriteTo(w)
	return err
}

// staleness is what people are told of an answer that is behind, a line.
func staleness(e answer.Envelope) string {
	text := ""
	switch {
	case e.Behind.Seconds < 0:
		text += "the reporter has not read everything yet: " + printable(e.Behind.Why) + "\n"
	case e.Behind.Seconds > 0 || e.Behind.Why != "":
		text += fmt.Sprintf("these numbers are %s behind: %s\n", time.Duration(e.Behind.Seconds)*time.Second, printable(e.Behind.Why))
	}
	if e.Withheld {
		text += "what the contract's visibility withholds is left out\n"
	}
	return text
}

// many is a number of things: all but one end in an s.
func many(n, thing string) string {
	if n == "1" {
		return n + " " + thing
	}
	return n + " " + thing + "s"
}

// grid is text in columns: cells are padded to the widest, numbers to the left.
type grid struct {
	rows  [][]string
	right map[int]bool // columns of numbers
}

func (g *grid) row(cells ...string) {
	for i, c := range cells {
		cells[i] = printable(c)
	}
	g.rows = append(g.rows, cells)
}

// write puts each row on a line, indented.
func (g *grid) write(b *strings.Builder) {
	var widths []int
	for _, cells := range g.rows {
		for i, c := range cells {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len([]rune(c)))
		}
	}
	for _, cells := range g.rows {
		line := "  "
		for i, c := range cells {
			pad := strings.Repeat(" ", widths[i]-len([]rune(c)))
			if i > 0 {
				line += "  "
			}
			if g.right[i] {
				line += pad + c
			} else {
				line += c + pad
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

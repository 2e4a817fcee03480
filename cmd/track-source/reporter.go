package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tracksource/internal/answer"
)

// reporterFlags say which running reporter is asked, and as whom.
type reporterFlags struct {
	url, tokenFile, caFile string
}

// The variables of the environment that stand in for the flags.
const (
	reporterVariable = "TRACKSOURCE_REPORTER"
	tokenVariable    = "TRACKSOURCE_TOKEN_FILE"
	caVariable       = "TRACKSOURCE_CA_FILE"
)

// bind adds the flags. --reporter-url is --reporter under its older name, the only one
// that reconcile has: a reporter is a partner there.
func (f *reporterFlags) bind(cmd *cobra.Command) { f.bindAs(cmd, "reporter") }

func (f *reporterFlags) bindAs(cmd *cobra.Command, name string) {
	if name == "reporter" {
		cmd.Flags().SetNormalizeFunc(flagName)
	}
	cmd.Flags().StringVar(&f.url, name, cmp.Or(os.Getenv(reporterVariable), "http://127.0.0.1:8080"), "`URL` at which a reporter, or the demo, serves; or "+reporterVariable+" in the environment")
	cmd.Flags().StringVar(&f.tokenFile, "token-file", os.Getenv(tokenVariable), "file with the access token, or "+tokenVariable+" in the environment; a reporter on this machine may need none")
	cmd.Flags().StringVar(&f.caFile, "ca-file", os.Getenv(caVariable), "file with certificates, in PEM, of who vouches for the reporter's, or "+caVariable+" in the environment; those of this machine are trusted as well")
}

// flagName is what a flag is called that is written in another way.
func flagName(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	if name == "reporter-url" {
		name = "reporter"
	}
	return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
}

const (
	// askTimeout bounds one question; the largest upload takes seconds.
	askTimeout = 2 * time.Minute
	// answerBytesMax bounds an answer, tokenBytesMax the file of a token, caBytesMax that
	// of certificates.
	answerBytesMax = 64 << 20
	tokenBytesMax  = 4 << 10
	caBytesMax     = 4 << 20
)

// question is one to a reporter.
type question struct {
	path  string
	query url.Values
	body  []byte // of a CSV file; nil for a question without one
	// timeout bounds the question, bytesMax its answer.
	timeout  time.Duration
	bytesMax int64
}

// ask sends one question and returns the answer as it came, JSON. A body is that of
// a CSV file; nil for a question without one.
func (f *reporterFlags) ask(ctx context.Context, path string, query url.Values, body []byte) ([]byte, error) {
	return f.send(ctx, question{path, query, body, askTimeout, answerBytesMax})
}

// send asks. Its errors are a [usageError] for what the command line can mend and an
// [*askError] for what the reporter did.
func (f *reporterFlags) send(ctx context.Context, q question) ([]byte, error) {
	base, token, err := f.who()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	at := base.JoinPath(q.path)
	at.RawQuery = q.query.Encode()
	method := http.MethodGet
	if q.body != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	if q.body != nil {
		req.Header.Set("Content-Type", "text/csv")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client, err := f.client()
	if err != nil {
		return nil, usageError{err}
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, unanswered(base, unwrapURL(err))
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, q.bytesMax+1))
	switch {
	case err != nil:
		return nil, &askError{err: fmt.Errorf("read the answer of %s: %w", base.Redacted(), err), passing: true}
	case int64(len(data)) > q.bytesMax:
		return nil, &askError{err: fmt.Errorf("the answer of %s is longer than %d bytes", base.Redacted(), q.bytesMax)}
	case resp.StatusCode != http.StatusOK:
		passing := resp.StatusCode >= http.StatusInternalServerError || resp.StatusCode == http.StatusTooManyRequests
		seconds, _ := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 16) // 0 where it is not given
		refused, underway := refusal(resp, data)
		return nil, &askError{refused, passing, resp.StatusCode, time.Duration(seconds) * time.Second, underway}
	}
	return data, nil
}

// unanswered is the error of a question that nobody took. Whoever cannot show who it is
// cannot do so a moment later either.
func unanswered(base *url.URL, err error) error {
	if unknown := (*tls.CertificateVerificationError)(nil); errors.As(err, &unknown) {
		return &askError{err: fmt.Errorf("%s is not known to be the reporter, and was asked nothing: %w; --ca-file has who vouches for it", base.Redacted(), err)}
	}
	return &askError{err: fmt.Errorf("no reporter answers at %s: %w; start one, or the demo (track-source demo), or give --reporter", base.Redacted(), err), passing: true}
}

// askError is what became of a question that has no answer.
type askError struct {
	err error
	// passing says that the same question may be answered later. Status is that of the
	// answer, 0 without one, after how long the reporter wants to be left alone, 0 where
	// it does not say.
	passing bool
	status  int
	after   time.Duration
	// underway says that the reporter goes on with what it was asked.
	underway bool
}

func (e *askError) Error() string { return e.err.Error() }
func (e *askError) Unwrap() error { return e.err }

// who is asked, and by which token. What is wrong with it is a [usageError].
func (f *reporterFlags) who() (base *url.URL, token string, err error) {
	base, err = url.Parse(f.url)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, "", usageError{errors.New("--reporter is no URL such as http://127.0.0.1:8080")}
	}
	if token, err = f.token(base); err != nil {
		return nil, "", usageError{err}
	}
	return base, token, nil
}

// client trusts whom this machine trusts, and who is in the file of certificates.
func (f *reporterFlags) client() (*http.Client, error) {
	// A token is for the reporter that was named and for nobody it points to.
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if f.caFile == "" {
		return client, nil
	}
	text, err := readAtMost(f.caFile, caBytesMax)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // a machine may have none
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--ca-file: %s has no certificate in PEM", f.caFile)
	}
	// Nobody closes what a client keeps open, and each question has a client.
	client.Transport = &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}, DisableKeepAlives: true,
	}
	return client, nil
}

// readAtMost reads the first bytes of a file.
func readAtMost(path string, bytesMax int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, bytesMax))
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
		return "", errors.New("a token is not sent unencrypted to another machine: give an https:// --reporter")
	}
	data, err := readAtMost(f.tokenFile, tokenBytesMax)
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

// refusal turns an answer that is none into an error that says what to do. Underway says
// that the reporter goes on with what it was asked.
func refusal(resp *http.Response, data []byte) (err error, underway bool) {
	var p struct {
		Detail, Parameter string
		Allowed           []string
		Reading           *struct{}
	}
	if json.Unmarshal(data, &p) != nil || p.Detail == "" {
		return fmt.Errorf("the answer is %s and no reporter's: is --reporter right?", resp.Status), false
	}
	// What it says of the member allowed is for readers of JSON; here the list follows.
	detail, _, _ := strings.Cut(p.Detail, "; allowed lists")
	text := printable(detail)
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
		return usageError{errors.New(text)}, false
	}
	return errors.New(text), p.Reading != nil
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

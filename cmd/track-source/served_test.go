package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"tracksource/contract/example"
	"tracksource/internal/answer"
	"tracksource/internal/api"
)

// served is the reporter's own process, beside a line that runs.
type served struct {
	dir, url string
	cmd      *exec.Cmd
	log      lockedBuffer
	ended    chan error
	roots    *x509.CertPool
	ca       authority
	tokens   map[string]string
}

// TestReporterServed: the reporter's own process with TLS and an access file lets in who
// holds a token, shows a partner what the contract lets it see, takes changed files in
// without a restart, keeps secrets out of its log and ends well.
func TestReporterServed(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the whole line")
	}
	t.Parallel()
	s := serve(t, ownDemo(t))
	s.rows(t, "operator", "acme", "globex")
	s.rows(t, "globex", "globex")

	t.Run("who is let in", s.lets)
	t.Run("package", s.packages)
	t.Run("changed files", s.rereads)
	t.Run("end", s.ends)
}

// TestFilesOfTheEnvironment: the files of the token and of who vouches for a reporter may
// be named there.
func TestFilesOfTheEnvironment(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("Authorization"))
	}))
	defer server.Close()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "token"), "tsk_mine\n")
	write(t, filepath.Join(dir, "ca.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	t.Setenv(reporterVariable, server.URL)
	t.Setenv(tokenVariable, filepath.Join(dir, "token"))
	t.Setenv(caVariable, filepath.Join(dir, "ca.pem"))
	var f reporterFlags
	f.bind(&cobra.Command{})
	if got, err := f.ask(t.Context(), "/", nil, nil); string(got) != "Bearer tsk_mine" {
		t.Errorf("asked as %q, %v", got, err)
	}
}

// lets looks at who is let in, and how.
func (s *served) lets(t *testing.T) {
	for name, token := range map[string]string{"nobody": "", "a stranger": "tsk_" + strings.Repeat("x", 43), "a line of the file": readText(t, s.path("access.yaml"))[:60]} {
		if code, body := s.get(t, token, "contracts"); code != http.StatusUnauthorized || strings.Contains(body, example.Campaign) {
			t.Errorf("%s is answered with %d: %s", name, code, body)
		}
	}
	// The port speaks TLS alone.
	plain, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http"+strings.TrimPrefix(s.url, "https")+"/api/v1/contracts", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := new(http.Client).Do(plain)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusBadRequest || strings.Contains(string(body), example.Campaign) {
		t.Errorf("plain HTTP is answered with %d, %v: %s", resp.StatusCode, err, body)
	}
	old := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}}} //nolint:gosec // what is refused
	if resp, err := old.Get(s.url); err == nil {
		_ = resp.Body.Close()
		t.Error("TLS 1.1 is spoken")
	}
}

// packages pulls a partner's package over TLS.
func (s *served) packages(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	write(t, token, s.tokens["globex"]+"\n")
	out := filepath.Join(t.TempDir(), "package")
	args := []string{"report", "--campaign", example.Campaign, "--window", "all", "--reporter", s.url, "--plan-dir", t.TempDir(), "--json", "--out", out}
	fails := func(says string, more ...string) {
		t.Helper()
		var text, errOut bytes.Buffer
		if code := run(t.Context(), append(args, more...), &text, &errOut); code == exitOK || !strings.Contains(errOut.String()+text.String(), says) {
			t.Errorf("%q ends with %d, want %q in %s%s", more, code, says, &text, &errOut)
		}
	}
	fails("--ca-file has who vouches for it", "--token-file", token)
	fails("no certificate in PEM", "--token-file", token, "--ca-file", token)
	fails("give --token-file", "--ca-file", s.path("ca.pem"))
	does(t, append(args, "--token-file", token, "--ca-file", s.path("ca.pem"))...)
	p, err := readPackage(out)
	if err != nil {
		t.Fatal(err)
	}
	contributions := p.Table("contributions")
	if text := mustJSON(t, contributions.Rows); len(contributions.Rows) == 0 || !strings.Contains(text, "globex") || strings.Contains(text, `"acme"`) {
		t.Errorf("the partner's package has %s", text)
	}
}

// rereads changes the access file and the certificate of the running process.
func (s *served) rereads(t *testing.T) {
	session := s.signIn(t, s.tokens["globex"])
	if code := s.status(t, session); code != http.StatusOK {
		t.Errorf("a session is answered with %d", code)
	}
	renewed := s.grants(t, [2]string{"operator", ""}, [2]string{"globex-2", "globex"})
	s.await(t, "the new token is let in", func() bool { code, _ := s.get(t, renewed["globex-2"], "contracts"); return code == http.StatusOK })
	if code, _ := s.get(t, s.tokens["globex"], "contracts"); code != http.StatusUnauthorized {
		t.Errorf("a token whose line is gone is answered with %d", code)
	}
	if code := s.status(t, session); code != http.StatusUnauthorized {
		t.Errorf("a session whose token is gone is answered with %d", code)
	}
	// A file that cannot be used changes nothing, and neither does such a certificate.
	write(t, s.path("access.yaml"), "- {name: globex, secret: tsk_mistake}\n")
	write(t, s.path("cert.pem"), "no certificate\n")
	s.hangup(t)
	s.await(t, "both are told", func() bool {
		log := s.log.String()
		return strings.Contains(log, "certificate cannot be read again") && strings.Contains(log, "is not a list of")
	})
	if code, _ := s.get(t, renewed["globex-2"], "contracts"); code != http.StatusOK {
		t.Errorf("what was in force before a mistake is answered with %d", code)
	}
	s.ca.issue(t, s.dir, 77)
	s.hangup(t)
	s.await(t, "the new certificate is shown", func() bool { return s.serial(t) == 77 })
	s.tokens = renewed
}

// ends stops the process while somebody listens.
func (s *served) ends(t *testing.T) {
	req := s.request(t, s.tokens["globex-2"], "events")
	resp, err := s.client().Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("events: %v", err)
	}
	defer resp.Body.Close()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-s.ended; err != nil {
		t.Errorf("the process ends with %v, want exit code 0:\n%s", err, s.log.String())
	}
	s.ended <- nil
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Logf("the stream was cut off: %v", err) // it may be, or may end
	}
	// Somebody else may have the port by now, but no certificate of this authority.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if conn, err := s.dial(ctx); err == nil {
		_ = conn.Close()
		t.Error("the port is open still")
	}
	log := s.log.String()
	for _, secret := range regexp.MustCompile(`tsk_\S+|[0-9a-f]{64}`).FindAllString(log, -1) {
		t.Errorf("the log has the secret %.8s...", secret)
	}
	if key := readText(t, s.path("key.pem")); strings.Contains(log, strings.Split(key, "\n")[1]) {
		t.Error("the log has the key of the certificate")
	}
}

// ownDemo runs a line on a deal that both partners have touched, under a contract that
// shows one of them its own rows alone.
func ownDemo(t *testing.T) demoing {
	t.Helper()
	dir := t.TempDir()
	at := func(back int) string {
		return time.Now().UTC().AddDate(0, 0, -back).Truncate(24 * time.Hour).Format("2006-01-02T15:04:05.000+0000")
	}
	touch := func(partner string) string {
		return fmt.Sprintf(`{"type":"page","messageId":"m-%[1]s","userId":"buyer","timestamp":%[2]q,"context":{"traits":{"email":"buyer@prospect.example.org"},"campaign":{"source":%[1]q,"medium":"email","name":"ai-launch-tour"}}}`+"\n",
			partner, time.Now().UTC().AddDate(0, 0, -12).Format(time.RFC3339))
	}
	args := []string{"--data-dir", filepath.Join(dir, "data"), "--http", "127.0.0.1:0"}
	for _, f := range [][3]string{
		{"--contract", "contract.yaml", strings.Replace(string(example.AILaunchTour()), "role: partner, currency: EUR, visibility: open", "role: partner, currency: EUR, visibility: own", 1)},
		{"--feed", "accounts.csv", "Id,Name,Website,BillingCountry,LastModifiedDate\n001000000000001AAA,Prospect,prospect.example.org,DE," + at(20) + "\n"},
		{"--feed", "opps.csv", "Id,AccountId,StageName,Amount,CurrencyIsoCode,CreatedDate,LastModifiedDate\n" +
			"006000000000001AAA,001000000000001AAA,Qualification,4321.00,USD," + at(5) + "," + at(5) + "\n"},
		{"--feed", "acme.ndjson", touch("acme")},
		{"--feed", "globex.ndjson", touch("globex")},
	} {
		path := filepath.Join(dir, f[1])
		write(t, path, f[2])
		switch {
		case f[0] == "--contract":
		case strings.HasSuffix(path, ".csv"):
			path = "crm.acme=" + path
		default:
			path = "map." + strings.TrimSuffix(f[1], ".ndjson") + "=" + path
		}
		args = append(args, f[0], path)
	}
	return serveDemo(t, args...)
}

// serve starts the process on the line of a demo, and waits until it serves.
func serve(t *testing.T, d demoing) *served {
	t.Helper()
	s := &served{dir: t.TempDir(), ended: make(chan error, 1), roots: x509.NewCertPool(), ca: newAuthority(t)}
	bin := s.path("reporter")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "tracksource/cmd/reporter").CombinedOutput(); err != nil {
		t.Fatalf("build reporter: %v\n%s", err, out)
	}
	s.roots.AddCert(s.ca.cert)
	write(t, s.path("ca.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.ca.cert.Raw})))
	s.ca.issue(t, s.dir, 7)
	s.tokens = s.grants(t, [2]string{"operator", ""}, [2]string{"globex", "globex"})
	s.cmd = exec.Command(bin, "--bootstrap-servers", d.brokers, "--registry", d.registry, "--feeds", "crm.acme,map.acme,map.globex", "--data-dir", s.path("data"),
		"--http", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--access-file", s.path("access.yaml"), "--tls-cert", s.path("cert.pem"), "--tls-key", s.path("key.pem"))
	s.cmd.Stderr = &s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.ended <- s.cmd.Wait() }()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		if err := <-s.ended; t.Failed() {
			t.Logf("the reporter ended with %v:\n%s", err, s.log.String())
		}
	})
	page := regexp.MustCompile(`url=(https://\S+)`)
	s.await(t, "the reporter serves", func() bool {
		if m := page.FindStringSubmatch(s.log.String()); m != nil {
			s.url = m[1]
		}
		return s.url != ""
	})
	return s
}

func (s *served) path(name string) string { return filepath.Join(s.dir, name) }

// await waits for the process to get to something; one that ended does not.
func (s *served) await(t *testing.T, what string, there func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !there(); time.Sleep(50 * time.Millisecond) {
		select {
		case err := <-s.ended:
			s.ended <- err
			t.Fatalf("before %s, the process ended with %v", what, err)
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// grants replaces the access file, in one step, and returns the tokens of its holders.
func (s *served) grants(t *testing.T, holders ...[2]string) map[string]string {
	t.Helper()
	tokens := map[string]string{}
	var lines string
	for _, h := range holders {
		token, grant, err := api.NewToken(rand.Reader, h[0], h[1])
		if err != nil {
			t.Fatal(err)
		}
		tokens[h[0]] = token
		lines += grant.Line() + "\n"
	}
	write(t, s.path("access.new"), lines)
	if err := os.Rename(s.path("access.new"), s.path("access.yaml")); err != nil {
		t.Fatal(err)
	}
	return tokens
}

func (s *served) hangup(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

func (s *served) client() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.roots}, DisableKeepAlives: true}}
}

func (s *served) request(t *testing.T, token, path string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req
}

func (s *served) get(t *testing.T, token, path string) (code int, body string) {
	t.Helper()
	resp, err := s.client().Do(s.request(t, token, path))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// signIn returns the cookie of a session.
func (s *served) signIn(t *testing.T, token string) *http.Cookie {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1/session", strings.NewReader(mustJSON(t, api.SignIn{Token: token})))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	cookies := resp.Cookies()
	if len(cookies) != 1 || !cookies[0].Secure || !cookies[0].HttpOnly || !strings.HasPrefix(cookies[0].Name, "__Host-") {
		t.Fatalf("signing in sets %v", cookies)
	}
	return cookies[0]
}

// status is that of an answer to who has a session.
func (s *served) status(t *testing.T, session *http.Cookie) int {
	t.Helper()
	req := s.request(t, "", "contracts")
	req.AddCookie(session)
	resp, err := s.client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// dial opens a connection to who has a certificate of the authority.
func (s *served) dial(ctx context.Context) (net.Conn, error) {
	return (&tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.roots}}).DialContext(ctx, "tcp", strings.TrimPrefix(s.url, "https://"))
}

// serial is that of the certificate that is shown now.
func (s *served) serial(t *testing.T) int64 {
	t.Helper()
	conn, err := s.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	shown, ok := conn.(*tls.Conn)
	if !ok {
		t.Fatalf("the connection is a %T", conn)
	}
	return shown.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// rows waits until a holder sees rows, which are of these partners and no others.
func (s *served) rows(t *testing.T, holder string, partners ...string) {
	t.Helper()
	var seen []string
	s.await(t, holder+" sees rows of "+strings.Join(partners, ", "), func() bool {
		code, body := s.get(t, s.tokens[holder], "contributions?window=all&measure=pipeline_created&model=linear")
		var a answer.ContributionsAnswer
		if code != http.StatusOK || json.Unmarshal([]byte(body), &a) != nil {
			return false // nothing is followed yet
		}
		seen = nil
		for _, r := range a.Rows {
			seen = append(seen, r.Partner)
		}
		slices.Sort(seen)
		seen = slices.Compact(seen)
		return len(seen) >= len(partners)
	})
	if !slices.Equal(seen, partners) {
		t.Errorf("%s sees rows of %q, want %q", holder, seen, partners)
	}
}

// authority signs certificates.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "A company's own"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err == nil {
		a.cert, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// issue writes a certificate for this machine and its key.
func (a authority) issue(t *testing.T, dir string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "reporter"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	write(t, filepath.Join(dir, "cert.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

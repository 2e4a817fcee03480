package api_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"tracksource/internal/answer"
	"tracksource/internal/api"
	"tracksource/report"
)

func listen(t testing.TB, s *api.Server, addr string) *api.Listener {
	t.Helper()
	l, err := s.Listen(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// running serves l until the test, or the returned function, ends it.
func running(t testing.TB, l *api.Listener) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Serve(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// TestEventsOverTCP holds the whole server to it: real connections, and an end
// when the server's context ends.
func TestEventsOverTCP(t *testing.T) {
	changes := &tide{}
	l := listen(t, serve(t, config(), changes), "127.0.0.1:0")
	stop := running(t, l)
	resp, err := http.Get(l.URL() + "/api/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("content type %s", got)
	}
	body := bufio.NewReader(resp.Body)
	for _, want := range []string{"event: change\n", "data: {\"version\":0}\n", "\n"} {
		if got, err := body.ReadString('\n'); got != want || err != nil {
			t.Fatalf("%q, %v, want %q", got, err, want)
		}
	}
	changes.rise()
	if got, err := body.ReadString('\n'); got != "event: change\n" || err != nil {
		t.Fatalf("%q, %v after a change", got, err)
	}
	go stop()
	if _, err := io.ReadAll(body); err != nil {
		t.Errorf("the stream ended with %v", err)
	}
}

// talk sends first, then again and again what is again, and returns all that came
// back until the server hung up, and how long that took.
func talk(t testing.TB, conn net.Conn, first, again string, pause time.Duration) (answer string, took time.Duration) {
	t.Helper()
	began := time.Now()
	talking := make(chan struct{})
	go func() {
		defer close(talking)
		_, err := io.WriteString(conn, first)
		for again != "" && err == nil {
			time.Sleep(pause)
			_, err = io.WriteString(conn, again)
		}
	}()
	got, _ := io.ReadAll(conn) // a reset is an end as well
	took = time.Since(began)
	_ = conn.Close()
	<-talking
	return string(got), took
}

// TestSlowAndOversized: on a real socket, who sends a header slowly is cut off, and
// so is who sends too much before anything is asked.
func TestSlowAndOversized(t *testing.T) {
	// A server that is patient takes in what is sent at once, however slow the machine is;
	// one that is not need not have read a byte by then.
	const short, long = 300 * time.Millisecond, 5 * time.Minute
	for name, c := range map[string]struct {
		patience           time.Duration
		first, again, want string
	}{
		"a header that never ends":     {short, "GET / HTTP/1.1\r\nHost: localhost\r\n", "X: y\r\n", ""},
		"nothing but silence":          {short, "", "", ""},
		"a header that is too large":   {long, "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 24<<10) + "\r\n\r\n", "", "HTTP/1.1 431"},
		"an address that is too large": {long, "GET /?" + strings.Repeat("x", 24<<10) + " HTTP/1.1\r\nHost: localhost\r\n\r\n", "", "HTTP/1.1 431"},
		"no HTTP at all":               {long, "\x16\x03\x01\x02\x00\r\n\r\n", "", "HTTP/1.1 400"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, config(), &tide{}).HTTPServer(t.Context(), c.patience)
			ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- srv.Serve(ln) }()
			defer func() {
				_ = srv.Close()
				if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
					t.Error(err)
				}
			}()
			conn, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			const limit = time.Minute
			if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
				t.Fatal(err)
			}
			got, took := talk(t, conn, c.first, c.again, short/10)
			if c.want == "" && got != "" && !strings.HasPrefix(got, "HTTP/1.1 408") || !strings.HasPrefix(got, c.want) {
				t.Errorf("answered %.60q, want %q", got, c.want)
			}
			if took >= limit {
				t.Errorf("not cut off within %s", took)
			}
		})
	}
}

// pipes is a listener of connections within the process, which go by the clock of
// a bubble.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	close func() // done, once
}

func newPipes() pipes {
	done := make(chan struct{})
	return pipes{make(chan net.Conn), done, sync.OnceFunc(func() { close(done) })}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p pipes) Close() error   { p.close(); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// TestSlowClients holds the server to the limits that it has, in the time of a
// bubble: slow headers, slow bodies, and readers that do not read.
func TestSlowClients(t *testing.T) {
	const upload = "POST /api/v1/upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: 90\r\n\r\n"
	const signIn = "POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n"
	path, tokens := accessFile(t, [2]string{"ann", ""})
	for name, c := range map[string]struct {
		first, again, want string
		within             time.Duration
	}{
		"header":       {"GET / HTTP/1.1\r\nHost: localhost\r\n", "X: y\r\n", "", 5 * time.Second},
		"sign-in":      {signIn, "", "HTTP/1.1 400", 10 * time.Second},
		"upload":       {strings.Replace(upload, "Host", "Authorization: Bearer "+tokens["ann"]+"\r\nHost", 1), "", "HTTP/1.1 400", 2 * time.Minute},
		"idle for all": {"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", "", "HTTP/1.1 404", 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := serve(t, config(func(c *api.Config) { c.AccessFile = path }), &tide{}).HTTPServer(t.Context(), 0)
				ln := newPipes()
				ended := make(chan error, 1)
				go func() { ended <- srv.Serve(ln) }()
				client, server := net.Pipe()
				ln.conns <- server
				got, took := talk(t, client, c.first, c.again, time.Second)
				if !strings.HasPrefix(got, c.want) || took > c.within+time.Second {
					t.Errorf("after %s answered %.40q, want %q within %s", took, got, c.want, c.within)
				}
				_ = srv.Close()
				if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
					t.Error(err)
				}
			})
		})
	}
	t.Run("reader", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := serve(t, config(), &tide{}, api.Ask{Path: "/api/v1/long", Do: func(context.Context, report.Viewer, answer.Query, []byte) (any, error) {
				return strings.Repeat("9", 1<<20), nil
			}})
			srv := s.HTTPServer(t.Context(), 0)
			ln := newPipes()
			ended := make(chan error, 1)
			go func() { ended <- srv.Serve(ln) }()
			client, server := net.Pipe()
			ln.conns <- server
			if _, err := io.WriteString(client, "GET /api/v1/long HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(31 * time.Second)
			synctest.Wait()
			if got, _ := io.ReadAll(client); len(got) > 64<<10 {
				t.Errorf("%d bytes are read after the time is over", len(got))
			}
			_ = srv.Close()
			if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
				t.Error(err)
			}
		})
	})
}

// TestStopsAtOnce: a connection that nothing has come over does not hold up the stop.
func TestStopsAtOnce(t *testing.T) {
	// What waits for signals of the process is begun outside of the bubble, for all tests.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	defer signal.Stop(signals)
	synctest.Test(t, func(t *testing.T) {
		ln := newPipes()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- serve(t, config(), &tide{}).On(ln).Serve(ctx) }()
		client, server := net.Pipe()
		ln.conns <- server
		synctest.Wait() // it is read from
		began := time.Now()
		cancel()
		// Shutdown looks every some milliseconds.
		if err := <-ended; err != nil || time.Since(began) > time.Second {
			t.Errorf("stopped after %s: %v", time.Since(began), err)
		}
		if n, err := client.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("the client reads %d bytes, error %v", n, err)
		}
	})
}

// TestAddresses: without an access file only this machine is served, whatever the
// address is called.
func TestAddresses(t *testing.T) {
	path, _ := accessFile(t, [2]string{"ann", ""})
	for addr, want := range map[string]string{
		"127.0.0.1:0": "", "localhost:0": "", "[::1]:0": "", "127.0.0.1": "must be host:port",
		"0.0.0.0:0": "--access-file", "[::]:0": "--access-file", ":0": "--access-file", "192.0.2.1:80": "--access-file", "[::ffff:0.0.0.0]:0": "--access-file",
	} {
		err := api.CheckAddr(addr, "")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", addr, err, want)
		}
		if want == "--access-file" && api.CheckAddr(addr, path) != nil {
			t.Errorf("%s is refused with an access file: %v", addr, api.CheckAddr(addr, path))
		}
	}
	s := serve(t, config(), &tide{})
	for _, addr := range []string{"0.0.0.0:0", ":0"} {
		if l, err := s.Listen(t.Context(), addr); err == nil {
			_ = l.Close()
			t.Errorf("%s is served", addr)
		}
	}
	// A name is judged by where it leads.
	if name, err := os.Hostname(); err == nil {
		if addrs, err := net.DefaultResolver.LookupHost(t.Context(), name); err == nil && !net.ParseIP(addrs[0]).IsLoopback() {
			if l, err := s.Listen(t.Context(), name+":0"); err == nil {
				_ = l.Close()
				t.Errorf("%s, which is %s, is served", name, addrs[0])
			}
		}
	}
	taken := listen(t, s, "127.0.0.1:0")
	defer taken.Close()
	if _, err := s.Listen(t.Context(), strings.TrimPrefix(taken.URL(), "http://")); err == nil || !strings.Contains(err.Error(), "--http") {
		t.Errorf("a taken address: %v", err)
	}
}

// certificate writes a new certificate for 127.0.0.1 and its key.
func certificate(t testing.TB, dir string, serial int64) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(parsed)
	return cert, key, pool
}

// TestTLS: over TLS the cookie is for TLS only, plain requests are refused, and a
// hangup takes in a new certificate and access file.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key, pool := certificate(t, dir, 1)
	path, tokens := accessFile(t, [2]string{"ann", ""})
	s := serve(t, config(func(c *api.Config) { c.AccessFile, c.TLSCert, c.TLSKey = path, cert, key }), &tide{})
	l := listen(t, s, "127.0.0.1:0")
	if !strings.HasPrefix(l.URL(), "https://127.0.0.1:") {
		t.Fatalf("served at %s", l.URL())
	}
	running(t, l)
	get := func(pool *x509.CertPool, token string) (*http.Response, error) {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true, ForceAttemptHTTP2: true}}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.URL()+"/api/v1/session", strings.NewReader(`{"token":"`+token+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		return resp, err
	}
	resp, err := get(pool, tokens["ann"])
	if err != nil {
		t.Fatal(err)
	}
	cookie := resp.Header.Get("Set-Cookie")
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(cookie, "__Host-track_source=") || !strings.Contains(cookie, "Secure") || resp.ProtoMajor != 2 {
		t.Errorf("%s %d, cookie %s", resp.Proto, resp.StatusCode, cookie)
	}
	plain, err := http.Get("http" + strings.TrimPrefix(l.URL(), "https"))
	if err == nil {
		if _ = plain.Body.Close(); plain.StatusCode != http.StatusBadRequest {
			t.Errorf("a plain request gives %d", plain.StatusCode)
		}
	}
	_, _, renewed := certificate(t, dir, 2)
	if _, err := get(pool, tokens["ann"]); err != nil {
		t.Errorf("before the hangup: %v", err)
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Signal(syscall.SIGHUP); err != nil {
		t.Skipf("no hangups here: %v", err)
	}
	for deadline := time.Now().Add(2 * time.Minute); ; {
		if _, err = get(renewed, tokens["ann"]); err == nil || time.Now().After(deadline) {
			break
		}
	}
	if err != nil {
		t.Errorf("after the hangup: %v", err)
	}
	if _, err := serve(t, config(func(c *api.Config) { c.TLSCert, c.TLSKey = key, cert }), &tide{}).Listen(t.Context(), "127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), "--tls-cert") {
		t.Errorf("a certificate that is a key: %v", err)
	}
}

func TestFlags(t *testing.T) {
	for args, want := range map[string]string{
		"":                                  "",
		"--http 0.0.0.0:80":                 "--access-file",
		"--http nonsense":                   "host:port",
		"--http 0.0.0.0:80 --access-file f": "",
		"--tls-cert c":                      "belong together",
		"--tls-key k":                       "belong together",
		"--requests-per-second 0":           "--requests-per-second",
		"--tls-cert c --tls-key k --requests-per-second 7 --access-file f": "",
	} {
		var f api.Flags
		fs := flag.NewFlagSet("test", flag.ContinueOnError)
		f.Bind(fs)
		if err := fs.Parse(strings.Fields(args)); err != nil {
			t.Fatal(err)
		}
		err := f.Check()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
		if cfg := f.Config(); strings.Contains(args, "7") && (cfg.PerSecond != 7 || cfg.TLSCert != "c" || cfg.TLSKey != "k" || cfg.AccessFile != "f" || f.Addr() != "127.0.0.1:8080") {
			t.Errorf("%s: filled %+v", args, cfg)
		}
	}
}

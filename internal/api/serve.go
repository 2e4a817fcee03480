package api

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/netutil"
)

const (
	// connectionsMax bounds the open connections; those over it wait to be taken.
	connectionsMax = 2048
	headerBytesMax = 16 << 10
	// headerTimeout and readTimeout cut off who sends slowly; idleTimeout closes
	// what is kept open for nothing.
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	// shutdownTimeout bounds how long answers that are being written are waited for.
	shutdownTimeout = 5 * time.Second
)

// Flags are the flags of a command that serves.
type Flags struct {
	addr, access, cert, key *string
	perSecond               *int
}

// Bind defines the flags on fs.
func (f *Flags) Bind(fs *flag.FlagSet) {
	f.addr = fs.String("http", "127.0.0.1:8080", "serve the page and the API at `host:port`; port 0 is a free one, its address is logged")
	f.access = fs.String("access-file", "", "let in who holds a token of this `file`, which track-source token makes lines of; without it everyone at this machine is operator, and no other machine is served")
	f.cert = fs.String("tls-cert", "", "serve TLS with the certificate of this `file`, in PEM")
	f.key = fs.String("tls-key", "", "the key of --tls-cert, a `file` in PEM")
	f.perSecond = fs.Int("requests-per-second", rateDefault, "how many requests each token may make")
}

// Addr is what Listen takes.
func (f *Flags) Addr() string { return *f.addr }

// Check says what is wrong or missing.
func (f *Flags) Check() error {
	if (*f.cert == "") != (*f.key == "") {
		return errors.New("--tls-cert and --tls-key belong together")
	}
	if *f.perSecond < 1 || *f.perSecond > 1_000_000 {
		return errors.New("--requests-per-second must be between 1 and 1000000")
	}
	return CheckAddr(*f.addr, *f.access)
}

// Config is who is let in, and how often.
func (f *Flags) Config() Config {
	return Config{AccessFile: *f.access, TLSCert: *f.cert, TLSKey: *f.key, PerSecond: *f.perSecond}
}

// CheckAddr says whether an address may be served: without an access file only one
// of this machine. A name is looked up by Listen, which judges again.
func CheckAddr(addr, accessFile string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return errors.New("--http must be host:port, such as 127.0.0.1:8080")
	}
	ip, err := netip.ParseAddr(host)
	if accessFile == "" && (host == "" || err == nil && !ip.Unmap().IsLoopback()) {
		return errOpen()
	}
	return nil
}

func errOpen() error {
	return errors.New("--http is an address that other machines reach, and without an access file each of them would be operator: " +
		"give --access-file, for which track-source token makes lines, or an address such as 127.0.0.1:8080")
}

// Listener is a server on its socket.
type Listener struct {
	server *Server
	ln     net.Listener
	cert   atomic.Pointer[tls.Certificate] // nil: no TLS
}

// Listen opens addr (host:port, port 0 for a free one) without serving yet. Its
// errors say what to give.
func (s *Server) Listen(ctx context.Context, addr string) (*Listener, error) {
	if err := CheckAddr(addr, s.cfg.AccessFile); err != nil {
		return nil, err
	}
	l := &Listener{server: s}
	if s.cfg.TLSCert != "" {
		if err := l.readCert(); err != nil {
			return nil, err
		}
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("serve the page: %w: choose another address with --http, port 0 is a free one", err)
	}
	tcp, ok := ln.Addr().(*net.TCPAddr)
	if s.access.open() && (!ok || !tcp.IP.IsLoopback()) {
		return nil, errors.Join(errOpen(), ln.Close())
	}
	if l.cert.Load() == nil && ok && !tcp.IP.IsLoopback() {
		s.cfg.Log.WarnContext(ctx, "tokens travel in plain: give --tls-cert and --tls-key, or let a proxy in front do TLS", "http_addr", ln.Addr().String())
	}
	l.ln = ln
	return l, nil
}

// URL is where the page is.
func (l *Listener) URL() string {
	scheme := "http"
	if l.cert.Load() != nil {
		scheme = "https"
	}
	return scheme + "://" + l.ln.Addr().String()
}

// Close closes a listener that is not served after all.
func (l *Listener) Close() error { return l.ln.Close() }

func (l *Listener) readCert() error {
	cert, err := tls.LoadX509KeyPair(l.server.cfg.TLSCert, l.server.cfg.TLSKey)
	if err != nil {
		return fmt.Errorf("--tls-cert, --tls-key: %w", err)
	}
	l.cert.Store(&cert)
	return nil
}

// httpServer has the limits that a server on the open net needs. Requests end when
// ctx does, so that Shutdown does not wait for event streams; the handlers set
// their own deadlines for writing.
func (l *Listener) httpServer(ctx context.Context) *http.Server {
	return &http.Server{
		Handler:           l.server,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerBytesMax,
		ErrorLog:          slog.NewLogLogger(l.server.cfg.Log.Handler(), slog.LevelDebug),
		TLSConfig: &tls.Config{
			MinVersion:     tls.VersionTLS12,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return l.cert.Load(), nil },
		},
	}
}

// Serve serves until ctx ends, waits for answers that are being written, and
// closes the socket. It returns nil then. SIGHUP makes it read the access file
// and the certificate again.
func (l *Listener) Serve(ctx context.Context) error {
	srv, fresh := l.httpServer(ctx), &fresh{conns: map[net.Conn]struct{}{}}
	srv.ConnState = fresh.note
	ln := netutil.LimitListener(l.ln, connectionsMax)
	stop := context.AfterFunc(ctx, func() { _ = l.ln.Close() })
	defer stop()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	rereading := make(chan struct{})
	go func() {
		defer close(rereading)
		for range hangups {
			l.reread(ctx)
		}
	}()
	defer func() {
		signal.Stop(hangups) // from here on nothing is added
		close(hangups)
		<-rereading
	}()
	var err error
	if l.cert.Load() != nil {
		err = srv.ServeTLS(ln, "", "")
	} else {
		err = srv.Serve(ln)
	}
	if ctx.Err() == nil {
		return fmt.Errorf("serve page on %s: %w", l.ln.Addr(), err)
	}
	fresh.close()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := srv.Shutdown(drain); err != nil {
		return fmt.Errorf("stop page: %w", errors.Join(err, srv.Close()))
	}
	return nil
}

// fresh are the connections that nothing has come over yet, such as browsers keep in store.
// Shutdown takes them for busy until they are more than five seconds old.
type fresh struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{} // guarded by mu
}

// note is told each new state of a connection.
func (f *fresh) note(c net.Conn, state http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if state == http.StateNew {
		f.conns[c] = struct{}{}
	} else {
		delete(f.conns, c)
	}
}

// close closes them. None is added once the server accepts no more.
func (f *fresh) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		_ = c.Close() // nobody is answered over it
	}
}

func (l *Listener) reread(ctx context.Context) {
	l.server.access.reload()
	if l.cert.Load() == nil {
		return
	}
	if err := l.readCert(); err != nil {
		l.server.cfg.Log.ErrorContext(ctx, "the certificate cannot be read again; the one before stays", "err", err)
	}
}

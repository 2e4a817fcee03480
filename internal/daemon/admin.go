package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Bounds of the admin server: its clients are probes, scrapers and an operator,
// and none of them may tie the process down.
const (
	adminHeaderTimeout = 5 * time.Second
	adminReadTimeout   = 10 * time.Second
	adminIdleTimeout   = 2 * time.Minute
	adminHeaderMax     = 16 << 10 // bytes

	// adminTimeout bounds every answer but a profile, whose length the operator
	// chooses up to adminWriteTimeout.
	adminTimeout      = 10 * time.Second
	adminWriteTimeout = 2 * time.Minute
)

func (e *Env) addMetrics() {
	e.Metrics.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tracksource_ready",
			Help: "Whether /readyz answers that every condition is met: 1, or 0.",
		}, func() float64 {
			if len(e.ready.missing()) > 0 {
				return 0
			}
			return 1
		}),
	)
}

func (e *Env) addEndpoints() {
	e.Admin.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintln(w, "ok") // A prober that hung up is its own affair.
	})
	e.Admin.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if missing := e.ready.missing(); len(missing) > 0 {
			http.Error(w, "not ready\n"+strings.Join(missing, "\n"), http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ok")
	})
	e.Admin.Handle("GET /metrics", promhttp.HandlerFor(e.Metrics, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(e.Log.Handler(), slog.LevelWarn),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 4,
	}))
}

// serve answers on ln until the returned function is called, which waits for
// the server to end. A failing admin port never fails the command.
func (e *Env) serve(ctx context.Context, ln net.Listener) (stop func()) {
	root := http.NewServeMux()
	root.Handle("/", http.TimeoutHandler(e.Admin, adminTimeout, "timed out\n"))
	// Registered by hand: what net/http/pprof registers by itself is on the
	// global mux, which this process does not serve.
	root.HandleFunc("GET /debug/pprof/", pprof.Index)
	root.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	root.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	root.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	root.HandleFunc("GET /debug/pprof/trace", pprof.Trace)

	srv := &http.Server{
		Handler:           root,
		ReadHeaderTimeout: adminHeaderTimeout,
		ReadTimeout:       adminReadTimeout,
		WriteTimeout:      adminWriteTimeout,
		IdleTimeout:       adminIdleTimeout,
		MaxHeaderBytes:    adminHeaderMax,
		ErrorLog:          slog.NewLogLogger(e.Log.Handler(), slog.LevelWarn),
	}
	var served sync.WaitGroup
	served.Go(func() {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			e.Log.ErrorContext(ctx, "admin port failed", "err", err)
		}
	})
	return func() {
		_ = srv.Close() // Closing the listener cannot lose anything.
		served.Wait()
	}
}

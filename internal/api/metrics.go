package api

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are those of a Server.
type Metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	streams  prometheus.Gauge
	access   *prometheus.CounterVec
}

// NewMetrics makes the metrics and registers them on reg, which may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tracksource_api_requests_total", Help: "Requests answered, by route and status.",
		}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tracksource_api_request_seconds", Help: "From the request's header to the end of its answer, by route.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}, []string{"route"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tracksource_api_streams", Help: "Open event streams.",
		}),
		access: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tracksource_api_access_reads_total", Help: "Reads of a changed access file, by outcome: ok, failed.",
		}, []string{"outcome"}),
	}
	if reg != nil {
		reg.MustRegister(m.requests, m.seconds, m.streams, m.access)
	}
	return m
}

// answered notes a request. The route is a pattern of the table, so that what is
// asked makes no series. How long a stream was open is no measure of anything.
func (m *Metrics) answered(route string, status int, took time.Duration, stream bool) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	if !stream {
		m.seconds.WithLabelValues(route).Observe(took.Seconds())
	}
}

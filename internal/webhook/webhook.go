// Package webhook delivers alerts to the receivers that an operator names, over
// HTTP. It knows the alerts topic and HTTP, and not what an alert is about.
//
// Each receiver is a group of consumers of its own, and so none waits for another
// and each keeps its place. An alert is delivered at least once: behind a crash, an
// answer that was lost or a rebalance it comes again, under the same name. Those of
// one id come in their order.
package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tracksource/internal/line"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// Consumer is the name of the groups, in front of that of the receiver.
const Consumer = "webhook"

// Config is what deliveries take from around them. All fields are required.
type Config struct {
	Codecs  *avro.Codecs
	Log     *slog.Logger
	Metrics *Metrics
	Clock   func() time.Time
	Pause   func(ctx context.Context, d time.Duration) // returns early when ctx ends
	Draw    func() float64                             // at random, 0 <= x < 1
	Attempt time.Duration                              // bounds one, from the connection to the answer's end
}

// attemptDefault is long for a receiver that only notes what it gets.
const attemptDefault = 10 * time.Second

// Parts are what a service runs beside its other parts to deliver alerts to the
// receivers of the flags.
func (f *Flags) Parts(l *line.Line) []func(context.Context) error {
	if len(f.receivers) == 0 {
		return nil
	}
	return Parts(Config{
		Codecs: l.Codecs, Log: l.Log, Metrics: NewMetrics(l.Metrics), Clock: l.Clock, Pause: pause, Draw: rand.Float64, Attempt: attemptDefault,
	}, l, f.receivers)
}

// Parts are one for each receiver.
func Parts(cfg Config, l *line.Line, receivers []Receiver) []func(context.Context) error {
	parts := make([]func(context.Context) error, len(receivers))
	for i, r := range receivers {
		s := NewSender(cfg, r)
		parts[i] = stream.NewSubscriber(stream.Subscription{
			Conn: l.Stream(), Group: l.Group(Consumer) + "." + r.Name, Topic: l.Spec.Alerts(), Log: l.Log.With("receiver", r.Name),
			Since: s.Since, Handle: s.Handle,
		}).Run
	}
	return parts
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// Sender delivers alerts to one receiver.
type Sender struct {
	cfg    Config
	r      Receiver
	client *http.Client
	log    *slog.Logger
}

const (
	idleTimeout = time.Minute
	connections = 2 // one that hangs does not hold up the next attempt
)

// NewSender makes a Sender. Its connections are its own.
func NewSender(cfg Config, r Receiver) *Sender {
	return &Sender{cfg: cfg, r: r, log: cfg.Log.With("receiver", r.Name), client: &http.Client{
		Timeout: cfg.Attempt,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
			MaxConnsPerHost: connections, IdleConnTimeout: idleTimeout, MaxResponseHeaderBytes: answerBytesMax,
		},
		// A body that is signed for one receiver is for no other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Since is from when on a receiver without a place gets alerts.
func (s *Sender) Since() time.Time { return s.cfg.Clock().Add(-s.r.Patience) }

// Handle is what a Subscriber does with a record of the alerts topic: it returns
// once the alert is delivered, or is passed over and counted. The receiver's wish to
// get nothing any more is [stream.ErrUnsubscribe].
func (s *Sender) Handle(ctx context.Context, r stream.Record) (acted bool, err error) {
	if r.Value == nil {
		return false, nil
	}
	var a avro.Alert
	if err := s.cfg.Codecs.Alert.Decode(r.Value, &a); errors.Is(err, avro.ErrRegistry) {
		return false, err
	} else if err != nil {
		s.cfg.Metrics.alert(s.r.Name, "unreadable")
		s.log.ErrorContext(ctx, "a record of the alerts topic is no alert and was passed over", "partition", r.Partition, "offset", r.Offset)
		return false, nil
	}
	if !s.r.wants(a.Campaign, a.Kind, a.Severity) {
		return false, nil
	}
	body, err := bodyOf(&a)
	if err != nil {
		return false, err
	}
	d := delivery{id: fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset), alert: a.ID, at: r.Timestamp, body: body}
	switch outcome := s.deliver(ctx, &d); outcome {
	case "":
		return false, ctx.Err()
	case gone:
		s.cfg.Metrics.disabled(s.r.Name)
		s.log.ErrorContext(ctx, "the receiver answers 410 and gets no more alerts until this process starts again", "alert", a.ID)
		return false, stream.ErrUnsubscribe
	default:
		s.cfg.Metrics.alert(s.r.Name, string(outcome))
		return true, nil
	}
}

// Metrics count what receivers get.
type Metrics struct {
	attempts, alerts *prometheus.CounterVec
	off, waiting     *prometheus.GaugeVec
}

// NewMetrics makes the metrics and registers them on reg, which may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	const namespace, subsystem = "tracksource", "webhook"
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}, []string{"receiver", "outcome"})
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}, []string{"receiver"})
	}
	m := &Metrics{
		attempts: counter("attempts_total", "Requests to a receiver, by outcome: delivered, failed, refused, gone."),
		alerts:   counter("alerts_total", "Alerts that are done with, by outcome: delivered, undelivered, refused, unreadable."),
		off:      gauge("disabled", "1 for a receiver that answered 410."),
		waiting:  gauge("waiting_seconds", "Age of the alert that is being tried again; 0 without one."),
	}
	if reg != nil {
		reg.MustRegister(m.attempts, m.alerts, m.off, m.waiting)
	}
	return m
}

func (m *Metrics) attempt(receiver, outcome string) {
	m.attempts.WithLabelValues(receiver, outcome).Inc()
}

func (m *Metrics) alert(receiver, outcome string) {
	m.alerts.WithLabelValues(receiver, outcome).Inc()
}

func (m *Metrics) disabled(receiver string) { m.off.WithLabelValues(receiver).Set(1) }

func (m *Metrics) wait(receiver string, age time.Duration) {
	m.waiting.WithLabelValues(receiver).Set(max(0, age.Seconds()))
}

package attributor

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are how far the restatements of one process are. A nil one counts for
// nobody.
type Metrics struct {
	active, since, accounts, changes *prometheus.GaugeVec // partition
}

// NewMetrics registers the metrics; r may be nil.
func NewMetrics(r prometheus.Registerer) *Metrics {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "tracksource", Subsystem: "sweep", Name: name, Help: help}, []string{"partition"})
	}
	m := &Metrics{
		active:   gauge("active", "1 while a restatement is under way."),
		since:    gauge("started_seconds", "When the first rule of the present or last restatement came, in seconds of 1970."),
		accounts: gauge("accounts", "Accounts that the present or last restatement has visited."),
		changes:  gauge("changes", "Changes that the present or last restatement has posted."),
	}
	if r != nil {
		r.MustRegister(m.active, m.since, m.accounts, m.changes)
	}
	return m
}

// show tells of a partition's sweep; one that never was is not told of.
func (m *Metrics) show(partition int32, s sweep) {
	if m == nil || s.since.IsZero() {
		return
	}
	p := strconv.Itoa(int(partition))
	active := 0.0
	if s.active {
		active = 1
	}
	m.active.WithLabelValues(p).Set(active)
	m.since.WithLabelValues(p).Set(float64(s.since.Unix()))
	m.accounts.WithLabelValues(p).Set(float64(s.accounts))
	m.changes.WithLabelValues(p).Set(float64(s.changes))
}

// forget drops what is told of a partition that is no longer ours.
func (m *Metrics) forget(partition int32) {
	if m == nil {
		return
	}
	p := strconv.Itoa(int(partition))
	for _, g := range []*prometheus.GaugeVec{m.active, m.since, m.accounts, m.changes} {
		g.DeleteLabelValues(p)
	}
}

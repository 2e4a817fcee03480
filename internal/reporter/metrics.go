package reporter

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are what the partitions of one process still have to publish. A nil one
// counts for nobody.
type Metrics struct {
	held, sweeping *prometheus.GaugeVec // partition
}

// NewMetrics registers the metrics and what stats count; r may be nil.
func NewMetrics(r prometheus.Registerer, stats *Stats) *Metrics {
	const namespace, subsystem = "tracksource", "contributions"
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}, []string{"partition"})
	}
	m := &Metrics{
		held:     gauge("held_keys", "Keys whose last change is held until their interval is over."),
		sweeping: gauge("sweeping_books", "Books whose rows are being published again for a new day or contract."),
	}
	if r == nil {
		return m
	}
	r.MustRegister(m.held, m.sweeping)
	for _, c := range []struct {
		name, help string
		count      interface{ Load() int64 }
	}{
		{"entries_total", "Ledger entries folded.", &stats.Entries},
		{"rows_total", "Rows published, soft deletes included.", &stats.Rows},
		{"deletes_total", "Soft deletes among them.", &stats.Deletes},
		{"partner_records_total", "Records written to the topics of partners.", &stats.Partner},
		{"withdrawn_total", "Rows deleted for a partner that must not see them any more.", &stats.Withdrawn},
		{"ledger_gaps_total", "Times that entries of a source were missing.", &stats.Gaps},
		{"ledger_mismatches_total", "Entries whose running total does not follow from their delta.", &stats.Mismatches},
		{"ledger_unreadable_total", "Records of the ledger that were left out.", &stats.Unreadable},
	} {
		opts := prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: c.name, Help: c.help}
		r.MustRegister(prometheus.NewCounterFunc(opts, func() float64 { return float64(c.count.Load()) }))
	}
	return m
}

func (m *Metrics) show(partition int32, held, sweeping int) {
	if m == nil {
		return
	}
	p := strconv.Itoa(int(partition))
	m.held.WithLabelValues(p).Set(float64(held))
	m.sweeping.WithLabelValues(p).Set(float64(sweeping))
}

// forget drops what is told of a partition that is no longer ours.
func (m *Metrics) forget(partition int32) {
	if m == nil {
		return
	}
	p := strconv.Itoa(int(partition))
	m.held.DeleteLabelValues(p)
	m.sweeping.DeleteLabelValues(p)
}

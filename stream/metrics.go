package stream

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/plugin/kprom"
)

// metrics are the engine's own. All carry the group as a constant label.
type metrics struct {
	client *kprom.Metrics

	lag            *prometheus.GaugeVec   // topic, partition
	batchRecords   prometheus.Histogram   // input records of a transaction
	transaction    prometheus.Histogram   // seconds from poll to store
	transactions   *prometheus.CounterVec // outcome
	records        *prometheus.CounterVec // topic
	restores       *prometheus.CounterVec // kind
	restoreRecords prometheus.Counter     // changelog records read
	restoring      prometheus.Gauge       // partitions in restore
	restoreLeft    *prometheus.GaugeVec   // topic, partition: changelog records still to read
	halted         *prometheus.GaugeVec   // topic, partition
	sessions       *prometheus.CounterVec // reason a session ended
}

// newMetrics registers the engine's metrics; with a nil registerer they count
// for nobody.
func newMetrics(r prometheus.Registerer, group string) *metrics {
	m := &metrics{}
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{
			Namespace: "tracksource", Subsystem: "stream", Name: name, Help: help,
			ConstLabels: prometheus.Labels{"group": group},
		}
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts(opts(name, help)), labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts(opts(name, help)), labels)
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		o := opts(name, help)
		return prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: o.Namespace, Subsystem: o.Subsystem, Name: o.Name, Help: o.Help,
			ConstLabels: o.ConstLabels, Buckets: buckets,
		})
	}
	m.lag = gauge("lag_records", "Input records behind the end of the partition.", "topic", "partition")
	m.batchRecords = histogram("batch_records", "Input records of a transaction.", prometheus.ExponentialBuckets(1, 4, 8))
	m.transaction = histogram("transaction_seconds", "Time from the poll to the store's commit.", prometheus.ExponentialBuckets(0.002, 2, 13))
	m.transactions = counter("transactions_total", "Transactions by outcome.", "outcome")
	m.records = counter("records_total", "Input records whose transaction is committed.", "topic")
	m.restores = counter("restores_total", "Restores by kind: catch_up, rebuild, fresh.", "kind")
	restoreRecords := counter("restore_records_total", "Changelog records read by restores.")
	m.restoreRecords = restoreRecords.WithLabelValues()
	restoring := gauge("restoring_partitions", "Partitions in restore.")
	m.restoring = restoring.WithLabelValues()
	m.restoreLeft = gauge("restore_left_records", "Changelog records that a restore has yet to read.", "topic", "partition")
	m.halted = gauge("halted", "1 for a partition that waits for an operator.", "topic", "partition")
	m.sessions = counter("sessions_total", "Group sessions ended, by reason.", "reason")
	if r != nil {
		m.client = clientMetrics(prometheus.WrapRegistererWith(prometheus.Labels{"group": group}, r))
		r.MustRegister(m.lag, m.batchRecords, m.transaction, m.transactions, m.records, m.restores,
			restoreRecords, restoring, m.restoreLeft, m.halted, m.sessions)
	}
	return m
}

func (m *metrics) committed(records int, took time.Duration) {
	m.transactions.WithLabelValues("committed").Inc()
	m.batchRecords.Observe(float64(records))
	m.transaction.Observe(took.Seconds())
}

// forget drops the gauges of a partition that is no longer ours.
func (m *metrics) forget(topic string, partition int32) {
	p := strconv.Itoa(int(partition))
	m.lag.DeleteLabelValues(topic, p)
	m.restoreLeft.DeleteLabelValues(topic, p)
	m.halted.DeleteLabelValues(topic, p)
}

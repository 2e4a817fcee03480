package reporter

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"time"

	"tracksource/deploy/kafka"
	"tracksource/internal/line"
	"tracksource/internal/task"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// Consumer is the name of the tier's consumer and of its stores.
const Consumer = "reporter"

// tableName is the name of the store of the followed contributions.
const tableName = "contributions"

// TopicsOf returns the topics that the tier needs.
func TopicsOf(s kafka.Spec) []string {
	partners := slices.Sorted(maps.Values(s.PartnerContributions()))
	return append([]string{s.Control(), s.Credits(), s.Contributions(), s.Alerts(), s.ReporterChangelog()}, partners...)
}

// Options are what the tier's process chooses.
type Options struct {
	Throttle time.Duration // as in Config; ThrottleDefault is meant for people and loaders
}

// Running is the service of the tier and what it shows.
type Running struct {
	*line.Service
	table  *stream.Table
	codecs *avro.Codecs
	view   *View
}

// Open makes the service of the tier: the fold of credits, what control says of
// it, and the table of all contributions.
func Open(ctx context.Context, l *line.Line, o Options) (*Running, error) {
	partners := l.Spec.PartnerContributions()
	if err := avro.ClaimContributions(ctx, l.Registry, slices.Sorted(maps.Values(partners))...); err != nil {
		return nil, fmt.Errorf("open schemas of partners: %w", err)
	}
	policies, stats := NewPolicies(l.Codecs, partners, l.Log), &Stats{}
	contracts := stream.NewFollower(l.Stream(), l.Log, l.Spec.Control(), policies.Add)
	cfg := Config{
		Codecs: l.Codecs, Contributions: l.Spec.Contributions(), Partners: partners, Alerts: l.Spec.Alerts(),
		Throttle: o.Throttle, Policies: policies.Get, Stats: stats, Metrics: NewMetrics(l.Metrics, stats), Log: l.Log,
	}
	w, err := l.Worker(Consumer, l.Stateful(Consumer, l.Spec.Credits(), l.Spec.ReporterChangelog(), func(a stream.Assignment, kv task.KV) (stream.Processor, error) {
		return New(cfg, a, kv)
	}))
	if err != nil {
		return nil, err
	}
	r := &Running{codecs: l.Codecs}
	r.view = NewView(r.Scan)
	r.table, err = stream.NewTable(stream.TableConfig{
		Conn: l.Stream(), Topic: l.Spec.Contributions(), Stores: task.Stores(l.Dir, tableName), Log: l.Log, Clock: l.Clock,
		Changed: r.view.Changed,
	})
	if err != nil {
		return nil, err
	}
	r.Service = &line.Service{
		Line: l, Workers: []*stream.Worker{w}, Tables: []*stream.Table{r.table},
		Parts: []func(context.Context) error{contracts.Run, func(ctx context.Context) error { return policies.Follow(ctx, contracts) }},
	}
	return r, nil
}

// Listen makes the service serve the page and the API at addr (host:port, port
// 0 for a free one) while it runs, and returns the address. status is what GET
// /api/status gives; nil: nothing.
func (r *Running) Listen(ctx context.Context, addr string, status func(context.Context) (any, error)) (string, error) {
	h, err := Server(ServerConfig{View: r.view, Log: r.Line.Log, Clock: r.Line.Clock, Status: status})
	if err != nil {
		return "", err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return "", fmt.Errorf("serve the page: %w: choose another address with --http, port 0 is a free one", err)
	}
	r.Parts = append(r.Parts, func(ctx context.Context) error { return Serve(ctx, ln, h, r.Line.Log) })
	return ln.Addr().String(), nil
}

// View answers questions about the followed contributions.
func (r *Running) View() *View { return r.view }

// Scan calls fn for every contribution that is not deleted. The row is fn's.
func (r *Running) Scan(fn func(row avro.ContributionRow) error) error {
	st, ok := r.table.Store().(*task.Store)
	if !ok {
		return fmt.Errorf("table store is a %T", r.table.Store())
	}
	from, to := []byte{0}, []byte{0xff}
	return st.Disk().Scan(from, to, func(_, value []byte) (bool, error) {
		var row avro.ContributionRow
		if err := r.codecs.ContributionRow.Decode(value, &row); err != nil {
			return false, fmt.Errorf("contribution in the table: %w", err)
		}
		if row.IsDeleted {
			return true, nil
		}
		return true, fn(row)
	})
}

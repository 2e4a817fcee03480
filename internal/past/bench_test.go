package past_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tracksource/internal/answer"
	"tracksource/internal/follow"
	"tracksource/report"
)

// BenchmarkPast reads a past of a million rows, each written once, and sums it.
func BenchmarkPast(b *testing.B) {
	const rows, txn = 1_000_000, 5_000
	r := newRig(b, func() time.Time { return time.Now().Add(time.Minute) })
	w := r.writer("w")
	var bytes int64
	for i := 0; i < rows; i += txn {
		list := make([]*kgo.Record, txn)
		for n := range list {
			list[n] = r.row(fmt.Sprintf("asset-%07d", i+n), int64(n), 1, time.Now())
			list[n].Partition = int32(n % 12)
			bytes += int64(len(list[n].Key) + len(list[n].Value))
		}
		r.txn(w, kgo.TryCommit, list...)
	}
	at := time.Now()
	positions, err := r.pasts.Positions(b.Context(), at)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		err := r.pasts.Read(context.Background(), positions, at, func(f *follow.Follow, _ answer.Line) error {
			b.ReportMetric(b.Elapsed().Seconds(), "s/read")
			sums, err := f.Sum("tour", "revenue", "linear", report.Ask{})
			if err == nil && len(sums.Breakdowns) != 1 {
				err = fmt.Errorf("%d breakdowns", len(sums.Breakdowns))
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(bytes)/rows, "bytes/row")
	}
}

package stream_test

import (
	"sync/atomic"
	"testing"

	"tracksource/internal/faultnet"
	"tracksource/stream"
)

func TestEachRecordCountsOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.send(300)
	a := r.start("a", newDisk())
	r.check()
	r.send(300)
	r.check()
	until(t, "it is ready", func() bool { return a.w.Ready() == nil })
	a.drain()
	r.check()
}

// TestKillAtEveryPoint stops an instance at each step of the protocol as
// kill -9 would, again and again, and lets the next one go on.
func TestKillAtEveryPoint(t *testing.T) {
	t.Parallel()
	for _, p := range stream.Points() {
		for _, disks := range []string{"kept", "lost"} {
			t.Run(string(p)+"/"+disks, func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				d := newDisk()
				for life := range 4 {
					r.send(60)
					var n atomic.Int64
					i := r.start("a", d, mortal, func(c *stream.Config, _ *counter, net *faultnet.Network) {
						c.Restores = 1 // At is called by one restore at a time
						c.At = func(at stream.Point, _ int32) error {
							if at != p {
								return nil
							}
							if n.Add(1) <= int64(life) {
								return nil
							}
							net.Cut()
							return errKilled
						}
					})
					until(t, "the point is met or everything is through", func() bool {
						return i.net.IsCut() || r.committed() >= r.sent()
					})
					i.stop()
					_ = i.wait()
					i.net.Cut()
					if disks == "lost" {
						d = newDisk()
					}
				}
				i := r.start("a", d, mortal)
				r.check()
				i.drain()
			})
		}
	}
}

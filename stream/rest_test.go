package stream_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"tracksource/stream"
)

// TestCaughtUpAsksOffsetsFirst: a group may write to what it reads. While it is looked
// at, the last partition consumes a record and hands another one to the first; were the
// first partition's end asked for in front of the last one's offset, it would be missed.
func TestCaughtUpAsksOffsetsFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.send(50)
	a := r.start("a", newDisk())
	r.settle()
	a.drain()
	var offsets, ends, late atomic.Int64
	r.c.ControlKey(kmsg.OffsetFetch.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		r.c.KeepControl()
		offsets.Add(1)
		if ends.Load() > 0 {
			late.Add(1)
		}
		return nil, nil, false
	})
	r.c.ControlKey(kmsg.ListOffsets.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		r.c.KeepControl()
		ends.Add(1)
		return nil, nil, false
	})
	ok, err := stream.CaughtUp(context.Background(), stream.Conn{Brokers: r.c.ListenAddrs()}, quietLog(), group, inTopic)
	if err != nil || !ok {
		t.Fatalf("caught up %t, %v", ok, err)
	}
	if offsets.Load() < inParts || ends.Load() < inParts || late.Load() > 0 {
		t.Errorf("%d offsets and %d ends were asked for, %d offsets behind an end", offsets.Load(), ends.Load(), late.Load())
	}
}

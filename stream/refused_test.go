package stream_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tracksource/internal/faultnet"
	"tracksource/stream"
)

// refusedSoon is how long a worker may take to say that it is refused: four sessions
// are two seconds, and many more under the race detector on a loaded machine.
const refusedSoon = waitForLong

// TestRefused: a broker that does not take the worker is a clear error within
// seconds, nothing is lost, and what was refused works when it is mended.
func TestRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		key  kmsg.Key
		err  *kerr.Error
		says string
	}{
		{"no transactions", kmsg.InitProducerID, kerr.TransactionalIDAuthorizationFailed, "transactional id tx-a"},
		{"no group", kmsg.JoinGroup, kerr.GroupAuthorizationFailed, "READ on group g"},
		{"no output", kmsg.Produce, kerr.TopicAuthorizationFailed, "WRITE"},
		{"no input", kmsg.Fetch, kerr.TopicAuthorizationFailed, "READ on [in]"},
		{"no such timeout", kmsg.InitProducerID, kerr.InvalidTransactionTimeout, "transaction.max.timeout.ms"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.send(40)
			h := r.c.Fault(kfake.Fault{Keys: []kmsg.Key{tt.key}, Err: tt.err, Count: -1, When: func(req kmsg.Request) bool {
				p, ok := req.(*kmsg.ProduceRequest)
				return !ok || p.TransactionID != nil
			}})
			d := newDisk()
			refused(t, r.start("a", d), tt.says)
			h.Remove()
			a := r.start("a", d)
			r.check()
			a.drain()
		})
	}
}

func refused(t *testing.T, i *instance, says string) {
	t.Helper()
	select {
	case err := <-i.err:
		i.err <- err
		if !errors.Is(err, stream.ErrRefused) || !strings.Contains(err.Error(), says) {
			t.Errorf("ended with %v, want ErrRefused and %q", err, says)
		}
	case <-time.After(refusedSoon):
		t.Fatalf("it still tries: %+v", i.w.Status())
	}
}

// TestRefusedSession: a session timeout out of the broker's range.
func TestRefusedSession(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	refused(t, r.start("a", newDisk(), func(c *stream.Config, _ *counter, _ *faultnet.Network) {
		c.SessionTimeout, c.RebalanceTimeout = 40*time.Minute, 50*time.Minute
	}), "group.max.session.timeout.ms")
}

// TestOtherVersion: a member that shares partitions in another way is in the
// group. It keeps working; the worker says what is wrong.
func TestOtherVersion(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	other, err := kgo.NewClient(kgo.SeedBrokers(r.c.ListenAddrs()...), kgo.ConsumerGroup(group), kgo.ConsumeTopics(inTopic),
		kgo.Balancers(kgo.RangeBalancer()), kgo.DisableAutoCommit())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	until(t, "the other member is in", func() bool {
		info := r.c.GroupInfo(group)
		return info != nil && len(info.Members) == 1
	})
	refused(t, r.start("a", newDisk()), "members that share partitions in another way")
}

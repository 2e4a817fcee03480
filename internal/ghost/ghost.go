// Package ghost mends what kfake lacks against Kafka: it gives partitions to a
// member that died between joining and syncing, and then waits for no heartbeat
// of it, so that nobody reads them. Kafka removes such a member when its
// session is over. Tests that kill processes call it in Kafka's place.
package ghost

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Hunt looks for such members. Its zero value has not looked yet.
type Hunt struct{ suspects map[string]bool }

// Evict removes the members of stable groups that were not among the living, by member
// id, at this look and at the one before: one that has joined a moment ago may not know its
// id yet. It returns the ids of those it removed. Without names it looks at all groups.
func (h *Hunt) Evict(ctx context.Context, cl *kgo.Client, living map[string]bool, groups ...string) ([]string, error) {
	were := h.suspects
	h.suspects = map[string]bool{}
	described, err := kadm.NewClient(cl).DescribeGroups(ctx, groups...)
	if err != nil {
		return nil, err
	}
	var gone []string
	for _, g := range described.Sorted() {
		if g.State != "Stable" {
			continue
		}
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Group = g.Group
		for _, m := range g.Members {
			if living[m.MemberID] {
				continue
			}
			h.suspects[m.MemberID] = true
			if !were[m.MemberID] {
				continue
			}
			member := kmsg.NewLeaveGroupRequestMember()
			member.MemberID = m.MemberID
			leave.Members = append(leave.Members, member)
			gone = append(gone, m.MemberID)
		}
		if len(leave.Members) == 0 {
			continue
		}
		if _, err := leave.RequestWith(ctx, cl); err != nil {
			return gone, err
		}
	}
	return gone, nil
}

package stream

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// refusedMax is how many sessions in a row a broker may refuse before the worker
// gives up. It is more than one because a right that was just granted takes a
// moment to reach every broker.
const refusedMax = 4

// refusal says what to do about an answer that no waiting changes, or nothing.
func (c Config) refusal(err error) string {
	inputs := make([]string, len(c.Inputs))
	for i, in := range c.Inputs {
		inputs[i] = in.Topic
	}
	switch {
	case errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		return "the user may not write transactions: grant it WRITE and DESCRIBE on transactional id " + c.TransactionalID
	case errors.Is(err, kerr.GroupAuthorizationFailed):
		return "the user may not join: grant it READ on group " + c.Group
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
		return fmt.Sprintf("the user lacks a right: grant it READ on %v, and WRITE and READ on the topics behind them and on the changelogs", inputs)
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return "the broker no longer takes the user's password"
	case errors.Is(err, kerr.UnsupportedVersion):
		return "the broker does not know a request that transactions need: use Kafka 4.0 or newer with transaction.version=2"
	case errors.Is(err, kerr.InconsistentGroupProtocol), errors.Is(err, kerr.UnsupportedAssignor):
		return "group " + c.Group + " has members that share partitions in another way: another program, or another version of this one, uses its name; stop it"
	case errors.Is(err, kerr.InvalidSessionTimeout):
		return fmt.Sprintf("the broker's group.min.session.timeout.ms and group.max.session.timeout.ms exclude %v", c.SessionTimeout)
	case errors.Is(err, kerr.InvalidTransactionTimeout):
		return fmt.Sprintf("the broker's transaction.max.timeout.ms is below %v", c.TransactionTimeout)
	}
	return ""
}

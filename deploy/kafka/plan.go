package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Op is what a Step does.
type Op string

const (
	// Create makes a topic that the cluster does not have.
	Create Op = "create"
	// Alter sets settings of a topic that has others.
	Alter Op = "alter"
	// Blocked is a difference that no program should mend: Problem says what a
	// person can do.
	Blocked Op = "blocked"
)

// Change is one setting of a topic.
type Change struct {
	Key  string
	From string // What the cluster has; empty when the topic is created.
	To   string
}

// Step is one difference between a cluster and a Spec.
type Step struct {
	Op      Op
	Topic   Topic    // As wanted.
	Changes []Change // Sorted by key. All settings for Create, the differing ones for Alter.
	Problem string   // For Blocked: what is wrong and what to do.
}

// found is what a cluster has under a name.
type found struct {
	partitions  int32
	replication int16
	config      map[string]string
}

// Plan compares the cluster with the Spec and changes nothing. Steps come in
// the order of the Spec; none means that the cluster is as wanted. Settings
// and topics that the Spec does not name are left alone.
func Plan(ctx context.Context, conn Conn, s Spec) ([]Step, error) {
	cl, err := conn.open()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	wanted, err := s.onCluster(ctx, conn)
	if err != nil {
		return nil, err
	}
	return plan(ctx, cl, wanted)
}

// onCluster asks which cluster this is and returns the topics as it should
// have them: an embedded broker never compacts and never expires.
func (s Spec) onCluster(ctx context.Context, conn Conn) ([]Topic, error) {
	m, err := clusterOf(ctx, conn)
	if err != nil {
		return nil, err
	}
	topics := s.Topics()
	if isEmbeddedCluster(m.Cluster) {
		for i := range topics {
			topics[i] = topics[i].embedded()
		}
	}
	return topics, nil
}

func plan(ctx context.Context, cl *kadm.Client, wanted []Topic) ([]Step, error) {
	have, err := describe(ctx, cl, wanted)
	if err != nil {
		return nil, err
	}
	var steps []Step
	for _, t := range wanted {
		f, ok := have[t.Name]
		if step, differs := compare(t, f, ok); differs {
			steps = append(steps, step)
		}
	}
	return steps, nil
}

// describe reads partitions, replicas and settings of those wanted topics that
// exist.
func describe(ctx context.Context, cl *kadm.Client, wanted []Topic) (map[string]found, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	names := make([]string, 0, len(wanted))
	for _, t := range wanted {
		names = append(names, t.Name)
	}
	details, err := cl.ListTopics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	out := make(map[string]found)
	for name, d := range details {
		switch {
		case errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			continue
		case d.Err != nil:
			return nil, fmt.Errorf("describe topic %s: %w", name, d.Err)
		}
		f := found{partitions: int32(len(d.Partitions)), config: make(map[string]string)}
		f.replication = int16(d.Partitions.NumReplicas())
		out[name] = f
	}
	if len(out) == 0 {
		return out, nil
	}
	configs, err := cl.DescribeTopicConfigs(ctx, slices.Sorted(maps.Keys(out))...)
	if err != nil {
		return nil, fmt.Errorf("read topic settings: %w", err)
	}
	for _, rc := range configs {
		if rc.Err != nil {
			return nil, fmt.Errorf("read settings of topic %s: %w", rc.Name, rc.Err)
		}
		for _, c := range rc.Configs {
			out[rc.Name].config[c.Key] = c.MaybeValue()
		}
	}
	return out, nil
}

// compare is the whole judgement about one topic.
func compare(t Topic, f found, exists bool) (Step, bool) {
	if !exists {
		step := Step{Op: Create, Topic: t}
		for _, key := range slices.Sorted(maps.Keys(t.Config)) {
			step.Changes = append(step.Changes, Change{Key: key, To: t.Config[key]})
		}
		return step, true
	}
	if f.partitions != t.Partitions {
		return Step{Op: Blocked, Topic: t, Problem: wrongPartitions(t, f)}, true
	}
	if problem := wrongReplicas(t, f); problem != "" {
		return Step{Op: Blocked, Topic: t, Problem: problem}, true
	}
	step := Step{Op: Alter, Topic: t}
	for _, key := range slices.Sorted(maps.Keys(t.Config)) {
		if f.config[key] != t.Config[key] {
			step.Changes = append(step.Changes, Change{Key: key, From: f.config[key], To: t.Config[key]})
		}
	}
	return step, len(step.Changes) > 0
}

// wrongPartitions says why the count is not mended and what remains to do.
func wrongPartitions(t Topic, f found) string {
	what := fmt.Sprintf("has %d partitions, wanted %d. The number of partitions is for ever: keys, changelogs and stores depend on it, so nothing changes it. ", f.partitions, t.Partitions)
	switch {
	case perFeed(t.Key):
		return what + fmt.Sprintf("Keep it with --partitions %s=%d, or stop the feed, drain it, delete the topic and apply again", t.Key, f.partitions)
	case isChangelog(t.Key):
		return what + "Its tier's input has another number: stop the tier, delete this changelog and apply again; the tier rebuilds its state from its input"
	default:
		return what + fmt.Sprintf("Keep it with --partitions %s=%d, or choose another --prefix for a new deployment and replay the raw feeds into it", t.Key, f.partitions)
	}
}

// isChangelog reports whether a topic holds a tier's state.
func isChangelog(key string) bool { return strings.HasSuffix(key, "-changelog") }

// wrongReplicas names too few replicas; more than wanted is the operator's
// choice.
func wrongReplicas(t Topic, f found) string {
	if f.replication >= t.Replication {
		return ""
	}
	return fmt.Sprintf("has %d replicas, wanted %d. Add replicas with Kafka's kafka-reassign-partitions, or choose another --profile", f.replication, t.Replication)
}

// BlockedError says that a plan holds steps only a person can take. Nothing
// was changed.
type BlockedError struct {
	Steps []Step // The blocked ones.
}

// Error lists every blocked topic with what to do.
func (e *BlockedError) Error() string {
	lines := make([]string, 0, len(e.Steps)+1)
	lines = append(lines, "nothing was changed, because these topics cannot be mended by apply:")
	for _, s := range e.Steps {
		lines = append(lines, "  "+s.Topic.Name+" "+s.Problem)
	}
	return strings.Join(lines, "\n")
}

// Apply makes the cluster as wanted and returns the steps it took. Where a
// step is blocked it changes nothing and returns a [BlockedError]. Applying
// again takes no steps. It returns when every created topic can be described
// on the cluster.
func Apply(ctx context.Context, conn Conn, s Spec) ([]Step, error) {
	cl, err := conn.open()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	wanted, err := s.onCluster(ctx, conn)
	if err != nil {
		return nil, err
	}
	steps, err := plan(ctx, cl, wanted)
	if err != nil {
		return nil, err
	}
	if blocked := slices.DeleteFunc(slices.Clone(steps), func(s Step) bool { return s.Op != Blocked }); len(blocked) > 0 {
		return nil, &BlockedError{Steps: blocked}
	}
	for i, step := range steps {
		if err := take(ctx, cl, step); err != nil {
			return steps[:i], err
		}
	}
	if err := settle(ctx, cl, wanted); err != nil || len(steps) == 0 {
		return steps, err
	}
	return steps, everywhere(ctx, conn, wanted)
}

// take does one step.
func take(ctx context.Context, cl *kadm.Client, step Step) error {
	t := step.Topic
	if step.Op == Create {
		config := make(map[string]*string, len(t.Config))
		for key, value := range t.Config {
			config[key] = &value
		}
		_, err := cl.CreateTopic(ctx, t.Partitions, t.Replication, config, t.Name)
		// Somebody else applying at the same moment is not a failure; settle
		// finds out whether both wanted the same.
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", t.Name, err)
		}
		return nil
	}
	var alter []kadm.AlterConfig
	for _, c := range step.Changes {
		alter = append(alter, kadm.AlterConfig{Op: kadm.SetConfig, Name: c.Key, Value: &c.To})
	}
	responses, err := cl.AlterTopicConfigs(ctx, alter, t.Name)
	if err != nil {
		return fmt.Errorf("alter topic %s: %w", t.Name, err)
	}
	for _, r := range responses {
		if r.Err != nil {
			return fmt.Errorf("alter topic %s: %w %s", t.Name, r.Err, r.ErrMessage)
		}
	}
	return nil
}

// settleInterval is how often a cluster is asked whether it shows a change:
// metadata reaches the brokers of a cluster within tens of milliseconds.
const settleInterval = 50 * time.Millisecond

// settle waits until a plan is empty: a topic is visible some time after its
// creation was acknowledged.
func settle(ctx context.Context, cl *kadm.Client, wanted []Topic) error {
	wctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	for {
		steps, err := plan(wctx, cl, wanted)
		if err == nil && len(steps) == 0 {
			return nil
		}
		select {
		case <-time.After(settleInterval):
		case <-wctx.Done():
			if err == nil {
				err = fmt.Errorf("topic %s still differs: %s %v %s", steps[0].Topic.Name, steps[0].Op, steps[0].Changes, steps[0].Problem)
			}
			return fmt.Errorf("wait for the topics to appear: %w", err)
		}
	}
}

// everywhere waits until each broker knows the topics. A service that starts next
// asks any of them, and would end itself over a topic that it is not told of.
func everywhere(ctx context.Context, conn Conn, wanted []Topic) error {
	m, err := clusterOf(ctx, conn)
	if err != nil {
		return err
	}
	wctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	for _, b := range m.Brokers {
		one := conn
		one.Brokers = []string{net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))}
		for {
			missing, err := unknownTo(wctx, one, wanted)
			if err == nil && missing == "" {
				break
			}
			select {
			case <-time.After(settleInterval):
			case <-wctx.Done():
				if err == nil {
					err = fmt.Errorf("broker %d does not know topic %s: %w", b.NodeID, missing, wctx.Err())
				}
				return fmt.Errorf("wait for the topics to appear: %w", err)
			}
		}
	}
	return nil
}

// unknownTo names a topic that a single broker does not know. Its client has not
// asked anybody yet, so that the broker which is named is the one that answers.
func unknownTo(ctx context.Context, broker Conn, wanted []Topic) (string, error) {
	cl, err := broker.open()
	if err != nil {
		return "", err
	}
	defer cl.Close()
	names := make([]string, len(wanted))
	for i, t := range wanted {
		names[i] = t.Name
	}
	known, err := cl.ListTopics(ctx, names...)
	if err != nil {
		return "", fmt.Errorf("list topics: %w", broker.explain(err))
	}
	for _, t := range wanted {
		if d, ok := known[t.Name]; !ok || d.Err != nil || len(d.Partitions) < int(t.Partitions) {
			return t.Name, nil
		}
	}
	return "", nil
}

// RenderPlan writes steps as text for a terminal, one topic after the other
// and a summary last.
func RenderPlan(w io.Writer, steps []Step) error {
	var b strings.Builder
	count := make(map[Op]int)
	for _, s := range steps {
		count[s.Op]++
		switch s.Op {
		case Create:
			fmt.Fprintf(&b, "create   %s  partitions=%d replicas=%d\n", s.Topic.Name, s.Topic.Partitions, s.Topic.Replication)
			for _, c := range s.Changes {
				fmt.Fprintf(&b, "           %s = %s\n", c.Key, readable(c.Key, c.To))
			}
		case Alter:
			fmt.Fprintf(&b, "alter    %s\n", s.Topic.Name)
			for _, c := range s.Changes {
				fmt.Fprintf(&b, "           %s: %s -> %s\n", c.Key, readable(c.Key, c.From), readable(c.Key, c.To))
			}
		case Blocked:
			fmt.Fprintf(&b, "blocked  %s %s\n", s.Topic.Name, s.Problem)
		}
	}
	if len(steps) == 0 {
		b.WriteString("All topics are as wanted.\n")
	} else {
		fmt.Fprintf(&b, "%d to create, %d to alter, %d blocked.\n", count[Create], count[Alter], count[Blocked])
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return nil
}

// readable shows a duration or size as topics.yaml writes it, and anything
// else as it is.
func readable(key, value string) string {
	kind, known := settingKind(key)
	if !known || (kind != settingDuration && kind != settingSize) {
		return value
	}
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err != nil:
		return value
	case n == -1 && kind == settingSize:
		return "unlimited"
	case n == -1:
		return "forever"
	case n <= 0:
		return value
	}
	units := durationUnits()
	if kind == settingSize {
		units = sizeUnits()
	}
	for _, u := range slices.Backward(units) {
		if n%u.scale == 0 {
			return strconv.FormatInt(n/u.scale, 10) + u.suffix
		}
	}
	return value
}

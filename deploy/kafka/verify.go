package kafka

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
)

const (
	// transactionFeature is the cluster feature behind KIP-890 part two: each
	// transaction gets an epoch of its own, so that a delayed request of an
	// earlier one cannot reach into a later one. Exactly once rests on it.
	transactionFeature = "transaction.version"
	// transactionVersionMin is the level at which that holds.
	transactionVersionMin = 2
	// metadataFeature reports the release that a KRaft cluster is at.
	metadataFeature = "metadata.version"
	// metadataVersionMin is the level of the release 4.0 (4.0-IV3; table of
	// MetadataVersion in Kafka's source).
	metadataVersionMin = 25
)

// VerifyError lists all that is wrong with the topics of a cluster and ends
// with the command that mends it.
type VerifyError struct {
	Problems []string // One line each.
	Command  string   // To be typed as it is.
}

// Error lists the problems, then the command.
func (e *VerifyError) Error() string {
	return fmt.Sprintf("the Kafka topics are not as Track Source needs them:\n  %s\nTo mend it: %s",
		strings.Join(e.Problems, "\n  "), e.Command)
}

// Verify returns nil if the cluster can keep the guarantees and every needed
// topic exists as wanted; services call it before they start. need are full
// names; none means all topics of the Spec. A name of this prefix's raw or
// dead-letter topics may be needed also where the Spec does not hold the feed.
//
// Settings are compared only where a difference breaks a guarantee. A setting
// that an operator tuned, say segment.ms, is shown by Plan and refused by
// nobody. Wrong topics give a [VerifyError], all of them at once.
func Verify(ctx context.Context, conn Conn, s Spec, need ...string) error {
	if err := CheckBroker(ctx, conn); err != nil {
		return err
	}
	cl, err := conn.open()
	if err != nil {
		return err
	}
	defer cl.Close()
	s, unknown := s.including(need)
	wanted, err := s.onCluster(ctx, conn)
	if err != nil {
		return err
	}
	wanted = only(wanted, need)
	have, err := describe(ctx, cl, wanted)
	if err != nil {
		return err
	}
	problems := unknown
	for _, t := range wanted {
		f, ok := have[t.Name]
		problems = append(problems, wrong(t, f, ok)...)
	}
	if len(problems) == 0 {
		return nil
	}
	return &VerifyError{Problems: problems, Command: s.ApplyCommand(conn)}
}

// Lacking returns those of the needed topics that a cluster may lack and does lack: what
// they tell came later than the topics beside them, and a service does without it until
// they are made, so that an older deployment goes on.
func Lacking(ctx context.Context, conn Conn, s Spec, need ...string) ([]string, error) {
	optional := slices.DeleteFunc(s.Topics(), func(t Topic) bool { return t.Key != KeyFeeds || !slices.Contains(need, t.Name) })
	if len(optional) == 0 {
		return nil, nil
	}
	cl, err := conn.open()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	have, err := describe(ctx, cl, optional)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, t := range optional {
		if _, ok := have[t.Name]; !ok {
			out = append(out, t.Name)
		}
	}
	return out, nil
}

// including widens the Spec by feeds that are needed and known by their names
// alone, and reports needed names that can belong to no topic of it.
func (s Spec) including(need []string) (Spec, []string) {
	var unknown []string
	feeds := s.Feeds()
	for _, name := range need {
		if _, ok := s.Topic(name); ok {
			continue
		}
		raw := strings.Replace(name, s.opts.Prefix+".deadletter.", s.opts.Prefix+".raw.", 1)
		feed, partner, ok := s.ParseRawTopic(raw)
		if !ok {
			unknown = append(unknown, fmt.Sprintf("%s: no such topic belongs to prefix %s", name, s.opts.Prefix))
			continue
		}
		feeds = append(feeds, Feed{Kind: feed, Partner: partner})
	}
	if len(feeds) == len(s.opts.Feeds) {
		return s, unknown
	}
	opts := s.opts
	opts.Feeds = feeds
	wide, err := Load(s.profile, opts)
	if err != nil {
		return s, append(unknown, err.Error())
	}
	return wide, unknown
}

// only keeps the needed topics; no names means all.
func only(topics []Topic, need []string) []Topic {
	if len(need) == 0 {
		return topics
	}
	var out []Topic
	for _, t := range topics {
		for _, name := range need {
			if t.Name == name {
				out = append(out, t)
				break
			}
		}
	}
	return out
}

// wrong lists what is wrong with one topic, as far as a guarantee rests on it.
func wrong(t Topic, f found, exists bool) []string {
	if !exists {
		return []string{t.Name + ": is missing"}
	}
	if f.partitions != t.Partitions {
		return []string{t.Name + ": " + wrongPartitions(t, f)}
	}
	var out []string
	if problem := wrongReplicas(t, f); problem != "" {
		out = append(out, t.Name+": "+problem)
	}
	for _, key := range guardedSettings() {
		want, ok := t.Config[key]
		if have := f.config[key]; ok && !satisfies(key, have, want) {
			out = append(out, fmt.Sprintf("%s: %s is %s, wanted %s", t.Name, key, readable(key, have), readable(key, want)))
		}
	}
	return out
}

// guardedSettings are those that a guarantee rests on: what may be deleted,
// after how long, whose clock stamps, and how many replicas acknowledge.
func guardedSettings() []string {
	return []string{
		"cleanup.policy", "retention.ms", "retention.bytes", "delete.retention.ms",
		"message.timestamp.type", "min.insync.replicas", "unclean.leader.election.enable",
	}
}

// satisfies reports whether a setting is as wanted or safer: keeping data
// longer and acknowledging by more replicas is the operator's choice.
func satisfies(key, have, want string) bool {
	if have == want {
		return true
	}
	h, errHave := strconv.ParseInt(have, 10, 64)
	w, errWant := strconv.ParseInt(want, 10, 64)
	if errHave != nil || errWant != nil {
		return false
	}
	switch key {
	case "retention.ms", "retention.bytes":
		return h == -1 || (w != -1 && h > w)
	case "delete.retention.ms", "min.insync.replicas":
		return h > w
	default:
		return false
	}
}

// ApplyCommand is what an operator types to make the cluster as wanted.
func (s Spec) ApplyCommand(conn Conn) string {
	var b strings.Builder
	fmt.Fprintf(&b, "track-source topics apply --bootstrap-servers %s --profile %s", conn, s.profile)
	if s.opts.Prefix != PrefixDefault {
		fmt.Fprintf(&b, " --prefix %s", s.opts.Prefix)
	}
	for _, f := range s.opts.Feeds {
		fmt.Fprintf(&b, " --feed %s", f)
	}
	for _, p := range s.opts.Partners {
		if !slices.ContainsFunc(s.opts.Feeds, func(f Feed) bool { return f.Partner == p }) {
			fmt.Fprintf(&b, " --partner %s", p)
		}
	}
	for _, key := range keysRequired() {
		if n, ok := s.opts.Partitions[key]; ok {
			fmt.Fprintf(&b, " --partitions %s=%d", key, n)
		}
	}
	return b.String()
}

// CheckBroker returns nil if every broker of the cluster is Kafka 4.0 or newer
// with transaction.version 2. A broker that does not report features, as some
// managed services and proxies do, is taken at its word: there is no way to
// ask it.
func CheckBroker(ctx context.Context, conn Conn) error {
	if err := Ping(ctx, conn); err != nil {
		return err
	}
	cl, err := conn.open()
	if err != nil {
		return err
	}
	defer cl.Close()
	brokers, err := cl.ApiVersions(ctx)
	if err != nil {
		return conn.explain(err)
	}
	for _, b := range brokers.Sorted() {
		if b.Err != nil {
			return fmt.Errorf("ask broker %d of %s for its features: %w", b.NodeID, conn, b.Err)
		}
		if problem := weakFeatures(b); problem != "" {
			return fmt.Errorf("broker %d of %s %s", b.NodeID, conn, problem)
		}
	}
	return nil
}

// Features returns the finalized features of the cluster by name, as the
// first broker that answers reports them. Empty if it reports none.
func Features(ctx context.Context, conn Conn) (map[string]int16, error) {
	cl, err := conn.open()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	brokers, err := cl.ApiVersions(ctx)
	if err != nil {
		return nil, conn.explain(err)
	}
	for _, b := range brokers.Sorted() {
		if b.Err == nil {
			return finalized(b), nil
		}
	}
	return nil, fmt.Errorf("no broker of %s told its features", conn)
}

func finalized(b kadm.BrokerApiVersions) map[string]int16 {
	out := make(map[string]int16)
	for _, f := range b.Raw().FinalizedFeatures {
		out[f.Name] = f.MaxVersionLevel
	}
	return out
}

// weakFeatures says what a broker lacks, or nothing.
func weakFeatures(b kadm.BrokerApiVersions) string {
	have := finalized(b)
	if len(have) == 0 {
		return ""
	}
	if level := have[metadataFeature]; level < metadataVersionMin {
		return fmt.Sprintf("is older than Kafka 4.0 (%s is at level %d, needed %d). Upgrade the brokers, then run: kafka-features upgrade --release-version 4.0", metadataFeature, level, metadataVersionMin)
	}
	if level := have[transactionFeature]; level < transactionVersionMin {
		return fmt.Sprintf("has %s at level %d, needed %d: without it a delayed request can tear a later transaction. Run: kafka-features upgrade --feature %s=%d", transactionFeature, level, transactionVersionMin, transactionFeature, transactionVersionMin)
	}
	return ""
}

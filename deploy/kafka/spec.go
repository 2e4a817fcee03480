package kafka

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

//go:embed topics.yaml
var topicsYAML []byte

const (
	// PrefixDefault is the prefix of every topic unless another one is given.
	PrefixDefault = "tracksource"
	// ProfileLocal is the profile for one broker on one machine.
	ProfileLocal = "local"
	// ProfileProduction is the profile for a cluster of three brokers or more.
	ProfileProduction = "production"

	// topicNameMax is Kafka's limit on the length of a topic's name.
	topicNameMax = 249
	// partitionsMax bounds a typing error: a count is for ever, and a tier has
	// one store per partition.
	partitionsMax = 1024
	// specBytesMax bounds what is parsed as a topics file.
	specBytesMax = 1 << 20
	// versionKnown is the only layout of topics.yaml that is read.
	versionKnown = 1
)

// Keys of the topics in topics.yaml. [Options.Partitions] is keyed by them.
const (
	KeyRaw                 = "raw"
	KeyControl             = "control"
	KeyObservations        = "observations"
	KeyJourneys            = "journeys"
	KeyCredits             = "credits"
	KeyFacts               = "facts"
	KeyContributions       = "contributions"
	KeyPartner             = "partner-contributions"
	KeyFeeds               = "feeds"
	KeyAlerts              = "alerts"
	KeyDeadLetter          = "deadletter"
	KeyResolveChangelog    = "resolve-changelog"
	KeyControlChangelog    = "control-changelog"
	KeyAttributorChangelog = "attributor-changelog"
	KeyReporterChangelog   = "reporter-changelog"
)

// keysRequired lists every key that a topics file must define, and no other,
// in the order of the way of an event. It is a function so that nothing can
// change it.
func keysRequired() []string {
	return []string{
		KeyRaw, KeyControl, KeyObservations, KeyJourneys, KeyCredits, KeyFacts,
		KeyContributions, KeyPartner, KeyFeeds, KeyAlerts, KeyDeadLetter, KeyResolveChangelog,
		KeyControlChangelog, KeyAttributorChangelog, KeyReporterChangelog,
	}
}

// Feed is one kind of source of one partner, for example crm of acme.
type Feed struct {
	Kind    string // One of the kinds in topics.yaml: crm, map, analytics.
	Partner string // Lower case letters, digits and dashes.
}

// String is kind.partner, as in a topic's name and a --feed flag.
func (f Feed) String() string { return f.Kind + "." + f.Partner }

// ParseFeed reads kind.partner. Whether the kind is known is decided by Load.
func ParseFeed(text string) (Feed, error) {
	kind, partner, ok := strings.Cut(text, ".")
	if !ok || !isLabel(kind) || !isLabel(partner) {
		return Feed{}, fmt.Errorf("feed %q is not kind.partner in lower case letters, digits and dashes, for example crm.acme", text)
	}
	return Feed{Kind: kind, Partner: partner}, nil
}

// Options are what one deployment chooses beside its profile.
type Options struct {
	Prefix     string           // PrefixDefault if empty.
	Feeds      []Feed           // Whose raw and dead-letter topics are wanted; order does not matter.
	Partners   []string         // Who has a topic of contributions beside the partners of Feeds, such as one without a feed.
	Partitions map[string]int32 // By key; for topics that do not exist yet. A changelog follows its input.
}

// Topic is one wanted topic with final values.
type Topic struct {
	Key         string            // Which entry of topics.yaml it came from.
	Name        string            // Its full name on the cluster.
	Feed        Feed              // Zero unless the topic belongs to one feed.
	Partner     string            // Whose contributions it holds; empty for every other topic.
	Partitions  int32             // For ever.
	Replication int16             // Replicas of each partition.
	Config      map[string]string // Kafka's keys and values; durations in ms, sizes in bytes.
}

// Spec is the set of topics that one deployment needs. It does not change
// after Load. Its zero value has no topics.
type Spec struct {
	profile string
	opts    Options
	kinds   []string
	topics  []Topic
}

// document is the layout of topics.yaml.
type document struct {
	Version  int                     `yaml:"version"`
	Feeds    []string                `yaml:"feeds"`
	Profiles map[string]profileEntry `yaml:"profiles"`
	Topics   []topicEntry            `yaml:"topics"`
}

type profileEntry struct {
	ReplicationFactor int16             `yaml:"replication_factor"`
	Config            map[string]string `yaml:"config"`
}

type topicEntry struct {
	Key           string                       `yaml:"key"`
	Name          string                       `yaml:"name"`
	Partitions    map[string]int32             `yaml:"partitions"`
	PartitionsOf  string                       `yaml:"partitions_of"`
	Config        map[string]string            `yaml:"config"`
	ProfileConfig map[string]map[string]string `yaml:"profile_config"`
}

// Load reads the built-in topics.yaml for a profile.
func Load(profile string, opts Options) (Spec, error) {
	return Parse(topicsYAML, profile, opts)
}

// Parse reads the text of another topics file. It is strict and total: any
// bytes give a whole Spec or an error that names the entry to mend.
func Parse(text []byte, profile string, opts Options) (Spec, error) {
	if len(text) > specBytesMax {
		return Spec{}, fmt.Errorf("topics file has %d bytes, more than %d", len(text), specBytesMax)
	}
	var doc document
	if err := yaml.Load(text, &doc, yaml.WithKnownFields()); err != nil {
		return Spec{}, fmt.Errorf("read topics file: %w", err)
	}
	if err := doc.check(); err != nil {
		return Spec{}, fmt.Errorf("topics file: %w", err)
	}
	prof, ok := doc.Profiles[profile]
	if !ok {
		return Spec{}, fmt.Errorf("profile %q is not one of %s", profile, strings.Join(slices.Sorted(maps.Keys(doc.Profiles)), ", "))
	}
	opts, err := opts.normal(doc.Feeds)
	if err != nil {
		return Spec{}, err
	}
	s := Spec{profile: profile, opts: opts, kinds: slices.Clone(doc.Feeds)}
	counts, err := doc.partitions(profile, opts.Partitions)
	if err != nil {
		return Spec{}, err
	}
	for _, e := range doc.Topics {
		config, err := e.settings(prof, profile)
		if err != nil {
			return Spec{}, fmt.Errorf("topics file: topic %q: %w", e.Key, err)
		}
		s.topics = append(s.topics, e.expand(opts, counts[e.Key], prof.ReplicationFactor, config)...)
	}
	return s, s.checkNames()
}

// check holds what does not depend on the profile.
func (d document) check() error {
	if d.Version != versionKnown {
		return fmt.Errorf("version is %d, this program reads %d", d.Version, versionKnown)
	}
	for _, kind := range d.Feeds {
		if !isLabel(kind) {
			return fmt.Errorf("feed kind %q must be lower case letters, digits and dashes", kind)
		}
	}
	for name, p := range d.Profiles {
		if p.ReplicationFactor < 1 {
			return fmt.Errorf("profile %q: replication_factor must be at least 1", name)
		}
	}
	required := keysRequired()
	seen := make(map[string]bool)
	for _, e := range d.Topics {
		switch {
		case !slices.Contains(required, e.Key):
			return fmt.Errorf("topic key %q is unknown; the keys are %s", e.Key, strings.Join(required, ", "))
		case seen[e.Key]:
			return fmt.Errorf("topic %q is defined twice", e.Key)
		case !strings.HasPrefix(e.Name, "{prefix}."):
			return fmt.Errorf("topic %q: name %q does not begin with {prefix} and a dot", e.Key, e.Name)
		case !strings.HasSuffix(e.Name, ending(e.Key)) || strings.Count(e.Name, "{") != 1+strings.Count(ending(e.Key), "{"):
			return fmt.Errorf("topic %q: name %q: raw and deadletter names end in .{feed}.{partner}, that of partner-contributions in .{partner}, others hold neither", e.Key, e.Name)
		case e.PartitionsOf != "" && len(e.Partitions) > 0:
			return fmt.Errorf("topic %q has both partitions and partitions_of", e.Key)
		}
		seen[e.Key] = true
	}
	for _, key := range required {
		if !seen[key] {
			return fmt.Errorf("topic %q is missing", key)
		}
	}
	return nil
}

// perFeed reports whether each feed has its own topic of that key.
func perFeed(key string) bool { return key == KeyRaw || key == KeyDeadLetter }

// ending is how the names of a key's topics end, beside {prefix} the only place
// for what differs between them.
func ending(key string) string {
	switch {
	case perFeed(key):
		return ".{feed}.{partner}"
	case key == KeyPartner:
		return ".{partner}"
	}
	return ""
}

// partitions resolves the count of every key, overrides first.
func (d document) partitions(profile string, override map[string]int32) (map[string]int32, error) {
	own := make(map[string]int32)
	for _, e := range d.Topics {
		n, ok := override[e.Key]
		if ok && e.PartitionsOf != "" {
			return nil, fmt.Errorf("partitions of %s cannot be chosen: they are those of %s", e.Key, e.PartitionsOf)
		}
		if e.PartitionsOf != "" {
			continue
		}
		if !ok {
			n = e.Partitions[profile]
		}
		if n < 1 || n > partitionsMax {
			return nil, fmt.Errorf("topic %q: partitions for profile %s is %d, want 1 to %d", e.Key, profile, n, partitionsMax)
		}
		if e.Key == KeyControl && n != 1 {
			return nil, fmt.Errorf("topic %q must have one partition: its order is the order of versions", e.Key)
		}
		own[e.Key] = n
	}
	counts := maps.Clone(own)
	for _, e := range d.Topics {
		if e.PartitionsOf == "" {
			continue
		}
		n, ok := own[e.PartitionsOf]
		if !ok {
			return nil, fmt.Errorf("topic %q: partitions_of names %q, which has no partitions of its own", e.Key, e.PartitionsOf)
		}
		counts[e.Key] = n
	}
	for key := range override {
		if _, ok := counts[key]; !ok {
			return nil, fmt.Errorf("partitions are given for %q, which is not one of %s", key, strings.Join(keysRequired(), ", "))
		}
	}
	return counts, nil
}

// settings merges the profile's, the topic's and the topic's own for the
// profile, the later winning, and translates values.
func (e topicEntry) settings(p profileEntry, profile string) (map[string]string, error) {
	merged := make(map[string]string)
	for _, layer := range []map[string]string{p.Config, e.Config, e.ProfileConfig[profile]} {
		for key, text := range layer {
			value, err := settingValue(key, text)
			if err != nil {
				return nil, err
			}
			merged[key] = value
		}
	}
	if merged["cleanup.policy"] == "" {
		return nil, errors.New("config cleanup.policy is missing: say delete or compact")
	}
	return merged, nil
}

// expand gives one topic, or one for each feed or partner.
func (e topicEntry) expand(opts Options, partitions int32, replication int16, config map[string]string) []Topic {
	base := Topic{Key: e.Key, Partitions: partitions, Replication: replication, Config: config}
	base.Name = strings.Replace(e.Name, "{prefix}", opts.Prefix, 1)
	var out []Topic
	if e.Key == KeyPartner {
		for _, p := range opts.Partners {
			t := base
			t.Partner, t.Config = p, maps.Clone(config)
			t.Name = strings.Replace(base.Name, "{partner}", p, 1)
			out = append(out, t)
		}
		return out
	}
	if !perFeed(e.Key) {
		return []Topic{base}
	}
	for _, f := range opts.Feeds {
		t := base
		t.Feed = f
		t.Name = strings.NewReplacer("{feed}", f.Kind, "{partner}", f.Partner).Replace(base.Name)
		t.Config = maps.Clone(config)
		out = append(out, t)
	}
	return out
}

// normal fills defaults, sorts the feeds, and refuses what no topic can hold.
func (o Options) normal(kinds []string) (Options, error) {
	if o.Prefix == "" {
		o.Prefix = PrefixDefault
	}
	for part := range strings.SplitSeq(o.Prefix, ".") {
		if !isLabel(part) {
			return o, fmt.Errorf("topic prefix %q must be lower case letters, digits, dashes and single dots", o.Prefix)
		}
	}
	o.Feeds = slices.Clone(o.Feeds)
	slices.SortFunc(o.Feeds, func(a, b Feed) int { return strings.Compare(a.String(), b.String()) })
	o.Feeds = slices.Compact(o.Feeds)
	for _, f := range o.Feeds {
		if !slices.Contains(kinds, f.Kind) {
			return o, fmt.Errorf("feed %q: kind %q is not one of %s", f, f.Kind, strings.Join(kinds, ", "))
		}
		if !isLabel(f.Partner) {
			return o, fmt.Errorf("feed %q: partner must be 1 to 63 lower case letters, digits and dashes", f)
		}
	}
	o.Partners = slices.Clone(o.Partners)
	for _, p := range o.Partners {
		if !isLabel(p) {
			return o, fmt.Errorf("partner %q must be 1 to 63 lower case letters, digits and dashes", p)
		}
	}
	for _, f := range o.Feeds {
		o.Partners = append(o.Partners, f.Partner)
	}
	slices.Sort(o.Partners)
	o.Partners = slices.Compact(o.Partners)
	o.Partitions = maps.Clone(o.Partitions)
	return o, nil
}

// isLabel reports whether text can stand between two dots of a topic's name:
// 1 to 63 of a-z, 0-9 and dash, not beginning or ending with a dash. No
// underscores, because Kafka's metrics cannot tell them from dots.
func isLabel(text string) bool {
	if text == "" || len(text) > 63 || text[0] == '-' || text[len(text)-1] == '-' {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// checkNames holds Kafka's own limits and that no two topics share a name.
func (s Spec) checkNames() error {
	seen := make(map[string]string)
	for _, t := range s.topics {
		if len(t.Name) > topicNameMax {
			return fmt.Errorf("topic name %q has %d characters, Kafka allows %d", t.Name, len(t.Name), topicNameMax)
		}
		for part := range strings.SplitSeq(t.Name, ".") {
			if !isLabel(part) {
				return fmt.Errorf("topic name %q of %s: use lower case letters, digits, dashes and single dots", t.Name, t.Key)
			}
		}
		if other, dup := seen[t.Name]; dup {
			return fmt.Errorf("topics %s and %s would both be named %q", other, t.Key, t.Name)
		}
		seen[t.Name] = t.Key
	}
	return nil
}

package kafka

import (
	"maps"
	"slices"
	"strings"
)

// Profile is the profile the Spec was loaded for.
func (s Spec) Profile() string { return s.profile }

// Prefix is what every name begins with, without the dot.
func (s Spec) Prefix() string { return s.opts.Prefix }

// Feeds are the feeds whose topics the Spec holds, sorted. The caller owns the
// slice.
func (s Spec) Feeds() []Feed { return slices.Clone(s.opts.Feeds) }

// Partners are those who have a topic of contributions, sorted: the partners of
// the feeds and those named beside them. The caller owns the slice.
func (s Spec) Partners() []string { return slices.Clone(s.opts.Partners) }

// Topics are all wanted topics in the order of topics.yaml, feeds sorted. The
// caller owns what it gets.
func (s Spec) Topics() []Topic {
	out := slices.Clone(s.topics)
	for i := range out {
		out[i].Config = maps.Clone(out[i].Config)
	}
	return out
}

// Topic returns the wanted topic with that full name.
func (s Spec) Topic(name string) (Topic, bool) {
	i := slices.IndexFunc(s.topics, func(t Topic) bool { return t.Name == name })
	if i < 0 {
		return Topic{}, false
	}
	t := s.topics[i]
	t.Config = maps.Clone(t.Config)
	return t, true
}

// Name returns the full name of the topic with a key, one of the Key
// constants, or "" where the key is unknown or each feed or partner has its own topic.
func (s Spec) Name(key string) string {
	for _, t := range s.topics {
		if t.Key == key && t.Feed == (Feed{}) && t.Partner == "" {
			return t.Name
		}
	}
	return ""
}

// Partitions is the number of partitions of the topic with a key, or 0 where
// the key is unknown or no feed has such a topic.
func (s Spec) Partitions(key string) int32 {
	for _, t := range s.topics {
		if t.Key == key {
			return t.Partitions
		}
	}
	return 0
}

// RawTopic is the topic of a feed, whether or not the Spec holds that feed.
func (s Spec) RawTopic(feed, partner string) string {
	return s.opts.Prefix + ".raw." + feed + "." + partner
}

// DeadLetterTopic is where refused records of a feed go.
func (s Spec) DeadLetterTopic(feed, partner string) string {
	return s.opts.Prefix + ".deadletter." + feed + "." + partner
}

// RawTopics are the raw topics of the Spec's feeds, sorted.
func (s Spec) RawTopics() []string { return s.namesOf(KeyRaw) }

// DeadLetterTopics are the dead-letter topics of the Spec's feeds, sorted.
func (s Spec) DeadLetterTopics() []string { return s.namesOf(KeyDeadLetter) }

func (s Spec) namesOf(key string) []string {
	var out []string
	for _, t := range s.topics {
		if t.Key == key {
			out = append(out, t.Name)
		}
	}
	return out
}

// Control is the topic of contracts, mappings and rates.
func (s Spec) Control() string { return s.Name(KeyControl) }

// Observations is the topic between the feeds' consumers and resolve.
func (s Spec) Observations() string { return s.Name(KeyObservations) }

// Journeys is the topic between resolve and the attributor.
func (s Spec) Journeys() string { return s.Name(KeyJourneys) }

// Credits is the ledger's topic.
func (s Spec) Credits() string { return s.Name(KeyCredits) }

// Facts is the topic of opportunities with their evidence.
func (s Spec) Facts() string { return s.Name(KeyFacts) }

// Contributions is the topic of rows for dashboards and BI.
func (s Spec) Contributions() string { return s.Name(KeyContributions) }

// PartnerContributions are the topics of the rows that single partners may see,
// by partner. The caller owns the map.
func (s Spec) PartnerContributions() map[string]string {
	out := map[string]string{}
	for _, t := range s.topics {
		if t.Partner != "" {
			out[t.Partner] = t.Name
		}
	}
	return out
}

// FeedCounts is the topic of what became of the events of each feed.
func (s Spec) FeedCounts() string { return s.Name(KeyFeeds) }

// Alerts is the topic of what somebody should look at.
func (s Spec) Alerts() string { return s.Name(KeyAlerts) }

// ResolveChangelog is the changelog of resolve's store.
func (s Spec) ResolveChangelog() string { return s.Name(KeyResolveChangelog) }

// ControlChangelog is the changelog of the task that owns control.
func (s Spec) ControlChangelog() string { return s.Name(KeyControlChangelog) }

// AttributorChangelog is the changelog of the attributor's store.
func (s Spec) AttributorChangelog() string { return s.Name(KeyAttributorChangelog) }

// ReporterChangelog is the changelog of the reporter's store.
func (s Spec) ReporterChangelog() string { return s.Name(KeyReporterChangelog) }

// Group is a consumer group of the line: what it reads, and the changelog of its
// state, empty where it has none.
type Group struct {
	Name      string // with the prefix
	Topics    []string
	Changelog string
}

// Groups are the consumer groups of the line, in the order in which an event
// passes them. A kind of feed that the Spec has no topic of has no group.
func (s Spec) Groups() []Group {
	var out []Group
	for _, f := range s.opts.Feeds {
		name, topic := s.opts.Prefix+"."+f.Kind, s.RawTopic(f.Kind, f.Partner)
		if i := slices.IndexFunc(out, func(g Group) bool { return g.Name == name }); i >= 0 {
			out[i].Topics = append(out[i].Topics, topic)
		} else {
			out = append(out, Group{Name: name, Topics: []string{topic}})
		}
	}
	return append(out,
		Group{s.opts.Prefix + ".control", []string{s.Control()}, s.ControlChangelog()},
		Group{s.opts.Prefix + ".resolve", []string{s.Observations()}, s.ResolveChangelog()},
		Group{s.opts.Prefix + ".attributor", []string{s.Journeys()}, s.AttributorChangelog()},
		Group{s.opts.Prefix + ".reporter", []string{s.Credits()}, s.ReporterChangelog()},
	)
}

// ParseRawTopic splits the name of a raw topic of this prefix. It reports false
// for every other name and for a kind of feed that topics.yaml does not list.
func (s Spec) ParseRawTopic(name string) (feed, partner string, ok bool) {
	rest, ok := strings.CutPrefix(name, s.opts.Prefix+".raw.")
	if !ok {
		return "", "", false
	}
	feed, partner, ok = strings.Cut(rest, ".")
	if !ok || !slices.Contains(s.kinds, feed) || !isLabel(partner) || len(name) > topicNameMax {
		return "", "", false
	}
	return feed, partner, true
}

package kafka_test

import (
	"os"
	"strings"
	"testing"

	"tracksource/deploy/kafka"
)

func TestNames(t *testing.T) {
	s := mustLoad(t, kafka.ProfileProduction, acme())
	for got, want := range map[string]string{
		s.Control(): "tracksource.control", s.Observations(): "tracksource.observations", s.Journeys(): "tracksource.journeys",
		s.Credits(): "tracksource.credits", s.Facts(): "tracksource.facts", s.Contributions(): "tracksource.contributions",
		s.FeedCounts(): "tracksource.feeds", s.Alerts(): "tracksource.alerts", s.ResolveChangelog(): "tracksource.resolve-changelog", s.ControlChangelog(): "tracksource.control-changelog",
		s.AttributorChangelog(): "tracksource.attributor-changelog", s.ReporterChangelog(): "tracksource.reporter-changelog",
		strings.Join(s.RawTopics(), " "):        "tracksource.raw.crm.acme tracksource.raw.map.acme",
		s.PartnerContributions()["acme"]:        "tracksource.contributions.acme",
		strings.Join(s.DeadLetterTopics(), " "): "tracksource.deadletter.crm.acme tracksource.deadletter.map.acme",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if s.Name(kafka.KeyRaw) != "" || s.Name(kafka.KeyPartner) != "" || s.Name("nothing") != "" {
		t.Error("Name of a feed's or of no topic is not empty")
	}
	more := acme()
	more.Partners = []string{"globex", "acme"}
	if got := mustLoad(t, kafka.ProfileLocal, more).ApplyCommand(kafka.Conn{}); !strings.HasSuffix(got, "--feed crm.acme --feed map.acme --partner globex") {
		t.Errorf("the command %q does not name the partner without a feed", got)
	}
	for _, topic := range s.Topics() {
		if found, ok := s.Topic(topic.Name); !ok || found.Key != topic.Key {
			t.Errorf("Topic(%q): %+v, %t", topic.Name, found, ok)
		}
	}
}

// TestCoPartitioned holds that a changelog always has its input's partitions.
func TestCoPartitioned(t *testing.T) {
	s := mustLoad(t, kafka.ProfileLocal, kafka.Options{Partitions: map[string]int32{kafka.KeyObservations: 5, kafka.KeyJourneys: 6, kafka.KeyCredits: 7}})
	for log, input := range map[string]string{
		kafka.KeyResolveChangelog: kafka.KeyObservations, kafka.KeyControlChangelog: kafka.KeyControl,
		kafka.KeyAttributorChangelog: kafka.KeyJourneys, kafka.KeyReporterChangelog: kafka.KeyCredits,
	} {
		if s.Partitions(log) != s.Partitions(input) || s.Partitions(log) == 0 {
			t.Errorf("%s has %d partitions, %s has %d", log, s.Partitions(log), input, s.Partitions(input))
		}
	}
	if s.Partitions(kafka.KeyCredits) != 7 || s.Partitions(kafka.KeyRaw) != 0 {
		t.Errorf("credits %d, raw without feeds %d", s.Partitions(kafka.KeyCredits), s.Partitions(kafka.KeyRaw))
	}
}

func TestLoadRefuses(t *testing.T) {
	tests := []struct {
		name    string
		profile string
		opts    kafka.Options
		want    string
	}{
		{"profile", "staging", kafka.Options{}, `profile "staging" is not one of local, production`},
		{"prefix underscore", "local", kafka.Options{Prefix: "track_source"}, "topic prefix"},
		{"prefix dots", "local", kafka.Options{Prefix: "a..b"}, "topic prefix"},
		{"prefix long", "local", kafka.Options{Prefix: strings.Repeat("a.", 120) + "a"}, "Kafka allows 249"},
		{"kind", "local", kafka.Options{Feeds: []kafka.Feed{{Kind: "crn", Partner: "acme"}}}, "not one of crm, map, analytics"},
		{"partner", "local", kafka.Options{Feeds: []kafka.Feed{{Kind: "crm", Partner: "Acme Inc"}}}, "partner must be"},
		{"partner without a feed", "local", kafka.Options{Partners: []string{"acme", "Globex"}}, `partner "Globex" must be`},
		{"partitions key", "local", kafka.Options{Partitions: map[string]int32{"journey": 3}}, `given for "journey"`},
		{"partitions zero", "local", kafka.Options{Partitions: map[string]int32{"journeys": 0}}, "want 1 to 1024"},
		{"partitions many", "local", kafka.Options{Partitions: map[string]int32{"journeys": 5000}}, "want 1 to 1024"},
		{"partitions of a changelog", "local", kafka.Options{Partitions: map[string]int32{"resolve-changelog": 3}}, "they are those of observations"},
		{"partitions of control", "local", kafka.Options{Partitions: map[string]int32{"control": 2}}, "must have one partition"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := kafka.Load(tt.profile, tt.opts); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Load(%s, %+v): %v, want %q", tt.profile, tt.opts, err, tt.want)
			}
		})
	}
}

func builtin(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("topics.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"unknown field", "replication_factor: 3", "replication: 3", "replication"},
		{"unknown setting", "retention.ms: 730d", "retention.msec: 730d", "retention.msec is not a topic setting"},
		{"unit", "retention.ms: 730d", "retention.ms: 730 days", `"730 days"`},
		{"overflow", "retention.ms: 730d", "retention.ms: 9223372036854775807d", "want a whole number"},
		{"policy", "cleanup.policy: compact\n      # A reader", "cleanup.policy: squeeze\n      # A reader", `"squeeze"`},
		{"version", "version: 1", "version: 2", "version is 2"},
		{"missing topic", "  - key: alerts", "  - key: alarms", `"alarms" is unknown`},
		{"twice", "  - key: alerts", "  - key: facts", "defined twice"},
		{"prefix", `"{prefix}.alerts"`, `"alerts"`, "does not begin with {prefix}"},
		{"feed in a plain name", `"{prefix}.alerts"`, `"{prefix}.alerts.{feed}.{partner}"`, "others hold neither"},
		{"feed in a partner's name", "contributions.{partner}", "contributions.{feed}.{partner}", "others hold neither"},
		{"no partner in a partner's name", "contributions.{partner}", "contributions-of", "others hold neither"},
		{"one name for all", "contributions.{partner}", "contributions{partner}", "others hold neither"},
		{"same name", `"{prefix}.alerts"`, `"{prefix}.facts"`, "would both be named"},
		{"name", `"{prefix}.alerts"`, `"{prefix}.Alerts"`, "lower case"},
		{"of a changelog", "partitions_of: credits", "partitions_of: control-changelog", "no partitions of its own"},
		{"no partitions", "partitions: {local: 1, production: 3}", "partitions: {production: 3}", "want 1 to 1024"},
		{"replication", "replication_factor: 1", "replication_factor: 0", "at least 1"},
		{"ratio", "ratio: 0.3", "ratio: 30%", "between 0 and 1"},
		{"count", "min.insync.replicas: 2", "min.insync.replicas: two", "above 0"},
		{"two documents", "version: 1", "version: 1\n---\n", "topics file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(builtin(t), tt.old, tt.new, 1)
			if text == builtin(t) {
				t.Fatalf("%q is not in topics.yaml", tt.old)
			}
			for _, profile := range []string{kafka.ProfileLocal, kafka.ProfileProduction} {
				_, err := kafka.Parse([]byte(text), profile, kafka.Options{})
				if err != nil && strings.Contains(err.Error(), tt.want) {
					return
				}
				if profile == kafka.ProfileProduction {
					t.Errorf("Parse: %v, want %q", err, tt.want)
				}
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(builtin(f)))
	f.Add([]byte("version: 1\ntopics: []\n"))
	f.Add([]byte("topics: [{key: raw, partitions_of: raw}]"))
	f.Add([]byte{0xff, '\n', '&'})
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := kafka.Parse(text, kafka.ProfileLocal, acme())
		if err != nil {
			return
		}
		for _, topic := range s.Topics() {
			if topic.Partitions < 1 || topic.Replication < 1 || topic.Name == "" || len(topic.Name) > 249 || topic.Config["cleanup.policy"] == "" {
				t.Errorf("accepted a topic that Kafka cannot make: %+v", topic)
			}
		}
		if s.Control() == "" || s.Partitions(kafka.KeyControl) != 1 {
			t.Errorf("accepted a file without one partition of control: %+v", s.Topics())
		}
	})
}

func TestParseRawTopic(t *testing.T) {
	s := mustLoad(t, kafka.ProfileLocal, kafka.Options{Prefix: "eu.ts"})
	tests := []struct {
		name, feed, partner string
		ok                  bool
	}{
		{"eu.ts.raw.crm.acme", "crm", "acme", true},
		{"eu.ts.raw.analytics.acme-2", "analytics", "acme-2", true},
		{"eu.ts.raw.crn.acme", "", "", false},
		{"eu.ts.raw.crm", "", "", false},
		{"eu.ts.raw.crm.", "", "", false},
		{"eu.ts.raw.crm.a.b", "", "", false},
		{"eu.ts.raw.crm.Acme", "", "", false},
		{"ts.raw.crm.acme", "", "", false},
		{"eu.ts.deadletter.crm.acme", "", "", false},
		{"", "", "", false},
	}
	for _, tt := range tests {
		if feed, partner, ok := s.ParseRawTopic(tt.name); feed != tt.feed || partner != tt.partner || ok != tt.ok {
			t.Errorf("ParseRawTopic(%q) = %q, %q, %t, want %q, %q, %t", tt.name, feed, partner, ok, tt.feed, tt.partner, tt.ok)
		}
	}
	if _, err := kafka.ParseFeed("crm.acme"); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"crm", "crm.", ".acme", "crm.a.b", "CRM.acme", "crm acme"} {
		if f, err := kafka.ParseFeed(bad); err == nil {
			t.Errorf("ParseFeed(%q) = %v", bad, f)
		}
	}
}

func FuzzParseRawTopic(f *testing.F) {
	s, err := kafka.Load(kafka.ProfileLocal, kafka.Options{})
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{"tracksource.raw.crm.acme", "tracksource.raw..", "tracksource.raw.map.-", "\xff"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		feed, partner, ok := s.ParseRawTopic(name)
		if !ok {
			if feed != "" || partner != "" {
				t.Errorf("ParseRawTopic(%q) refused but gave %q, %q", name, feed, partner)
			}
			return
		}
		// What is parsed is what is written: no two names mean one feed.
		if back := s.RawTopic(feed, partner); back != name {
			t.Errorf("ParseRawTopic(%q) = %q, %q, which is written %q", name, feed, partner, back)
		}
		if _, err := kafka.Load(kafka.ProfileLocal, kafka.Options{Feeds: []kafka.Feed{{Kind: feed, Partner: partner}}}); err != nil {
			t.Errorf("a parsed feed cannot be loaded: %v", err)
		}
	})
}

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tracksource/deploy/kafka"
	"tracksource/internal/daemon"
)

// clusterFlags say which cluster and which topics are meant.
type clusterFlags struct {
	brokers []string
	prefix  string
	profile string
	feeds   []string

	partners []string

	partitions map[string]int

	saslMechanism, saslUser, saslPasswordFile string
	tls                                       bool
}

func topicsCommand(stdout io.Writer) *cobra.Command {
	var f clusterFlags
	cmd := &cobra.Command{
		Use:   "topics",
		Short: "Compare a cluster's topics with what they must be, and mend them",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f.bind(cmd)
	sub := func(use, short string, act func(context.Context, kafka.Conn, kafka.Spec) ([]kafka.Step, error)) *cobra.Command {
		return &cobra.Command{
			Use: use, Short: short, Args: noArgs,
			Example: fmt.Sprintf("  track-source topics %s --bootstrap-servers 127.0.0.1:9092 --feed crm.acme --feed map.acme", use),
			RunE: func(cmd *cobra.Command, _ []string) error {
				conn, spec, err := f.resolve()
				if err != nil {
					return usageError{err}
				}
				if err := kafka.Ping(cmd.Context(), conn); err != nil {
					return err
				}
				steps, err := act(cmd.Context(), conn, spec)
				if err != nil {
					return err
				}
				return kafka.RenderPlan(stdout, steps)
			},
		}
	}
	cmd.AddCommand(
		sub("plan", "Print what apply would do; change nothing", kafka.Plan),
		sub("apply", "Create missing topics and mend settings; delete nothing", kafka.Apply),
	)
	return cmd
}

// bind defines the flags on a command and those below it.
func (f *clusterFlags) bind(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringSliceVar(&f.brokers, "bootstrap-servers", nil, "Kafka brokers as host:port,... (required)")
	flags.StringVar(&f.prefix, "prefix", kafka.PrefixDefault, "prefix of the topics")
	flags.StringVar(&f.profile, "profile", kafka.ProfileLocal, "what the topics must be like: local or production")
	flags.StringSliceVar(&f.feeds, "feed", nil, "a partner's feed as kind.partner, such as crm.acme; may be repeated")
	flags.StringSliceVar(&f.partners, "partner", nil, "a partner without a feed that gets contributions of its own; may be repeated")
	flags.StringToIntVar(&f.partitions, "partitions", nil, "partitions of topics that do not exist yet, as key=n, such as journeys=24")
	flags.StringVar(&f.saslUser, "sasl-user", "", "user of the brokers")
	flags.StringVar(&f.saslPasswordFile, "sasl-password-file", "", "file with the password of --sasl-user")
	flags.StringVar(&f.saslMechanism, "sasl-mechanism", kafka.ScramSHA512, "how to sign in: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
	flags.BoolVar(&f.tls, "tls", false, "speak TLS to the brokers")
}

func (f *clusterFlags) resolve() (kafka.Conn, kafka.Spec, error) {
	if len(f.brokers) == 0 {
		return kafka.Conn{}, kafka.Spec{}, fmt.Errorf("--bootstrap-servers is required, such as 127.0.0.1:9092")
	}
	var feeds []kafka.Feed
	for _, text := range f.feeds {
		feed, err := kafka.ParseFeed(text)
		if err != nil {
			return kafka.Conn{}, kafka.Spec{}, fmt.Errorf("--feed: %w", err)
		}
		feeds = append(feeds, feed)
	}
	partitions := map[string]int32{}
	for key, n := range f.partitions {
		if n < 1 || n > partitionsMax {
			return kafka.Conn{}, kafka.Spec{}, fmt.Errorf("--partitions %s=%d is not within 1 and %d", key, n, partitionsMax)
		}
		partitions[key] = int32(n)
	}
	conn := kafka.Conn{Brokers: f.brokers}
	if f.tls {
		conn.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if f.saslUser != "" {
		password, err := daemon.ReadSecret(f.saslPasswordFile)
		if err != nil {
			return kafka.Conn{}, kafka.Spec{}, fmt.Errorf("--sasl-password-file: %w", err)
		}
		conn.SASL = &kafka.SASL{Mechanism: f.saslMechanism, User: f.saslUser, Password: password.Reveal()}
	}
	spec, err := kafka.Load(f.profile, kafka.Options{Prefix: f.prefix, Feeds: feeds, Partners: f.partners, Partitions: partitions})
	return conn, spec, err
}

// partitionsMax bounds what a slip of the finger can ask a cluster for.
const partitionsMax = 10_000

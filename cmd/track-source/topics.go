package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tracksource/deploy/kafka"
)

// topicsFlags say which cluster and which topics are meant.
type topicsFlags struct {
	brokers []string
	prefix  string
	profile string
	feeds   []string
}

func topicsCommand(stdout io.Writer) *cobra.Command {
	var f topicsFlags
	cmd := &cobra.Command{
		Use:   "topics",
		Short: "Compare a cluster's topics with what they must be, and mend them",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := cmd.PersistentFlags()
	flags.StringSliceVar(&f.brokers, "bootstrap-servers", nil, "Kafka brokers as host:port,... (required)")
	flags.StringVar(&f.prefix, "prefix", kafka.PrefixDefault, "prefix of the topics")
	flags.StringVar(&f.profile, "profile", kafka.ProfileLocal, "what the topics must be like: local or production")
	flags.StringSliceVar(&f.feeds, "feeds", nil, "partners' feeds as kind.partner,..., such as crm.acme")
	sub := func(use, short string, act func(context.Context, kafka.Conn, kafka.Spec) ([]kafka.Step, error)) *cobra.Command {
		return &cobra.Command{
			Use: use, Short: short, Args: noArgs,
			Example: fmt.Sprintf("  track-source topics %s --bootstrap-servers 127.0.0.1:9092 --feeds crm.acme,map.acme", use),
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

func (f *topicsFlags) resolve() (kafka.Conn, kafka.Spec, error) {
	if len(f.brokers) == 0 {
		return kafka.Conn{}, kafka.Spec{}, fmt.Errorf("--bootstrap-servers is required, such as 127.0.0.1:9092")
	}
	var feeds []kafka.Feed
	for _, text := range f.feeds {
		feed, err := kafka.ParseFeed(text)
		if err != nil {
			return kafka.Conn{}, kafka.Spec{}, fmt.Errorf("--feeds: %w", err)
		}
		feeds = append(feeds, feed)
	}
	spec, err := kafka.Load(f.profile, kafka.Options{Prefix: f.prefix, Feeds: feeds})
	return kafka.Conn{Brokers: f.brokers}, spec, err
}

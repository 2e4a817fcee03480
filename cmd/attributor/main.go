// Command attributor turns journeys into ledger entries: the book of each
// contract over each account, posted as net changes.
package main

import (
	"context"
	"errors"
	"flag"

	"tracksource/internal/attributor"
	"tracksource/internal/daemon"
	"tracksource/internal/line"
)

func main() { daemon.Main(command()) }

func command() daemon.Command {
	var flags line.Flags
	return daemon.Command{
		Name:  "attributor",
		Short: "Attribute pipeline and revenue to partners, channels, assets and regions, as ledger entries.",
		Examples: []string{
			"attributor --bootstrap-servers 127.0.0.1:9092 --registry http://127.0.0.1:8081",
		},
		Flags: func(fs *flag.FlagSet) { flags.Bind(fs, "attributor") },
		Check: flags.Check,
		Run: func(ctx context.Context, env *daemon.Env) error {
			cfg, err := flags.Config(env)
			if err != nil {
				return err
			}
			l, err := line.Open(ctx, cfg, attributor.TopicsOf(cfg.Spec)...)
			if err != nil {
				return err
			}
			svc, err := attributor.Open(l)
			if err != nil {
				return errors.Join(err, l.Dir.Close())
			}
			return line.Serve(ctx, env, svc)
		},
	}
}

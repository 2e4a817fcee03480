// Command ingest reads partners' feeds and brings them to journeys: the feed
// consumers crm, map and analytics, the resolve consumer and the control
// consumer, all of them or any set.
package main

import (
	"context"
	"errors"
	"flag"

	"tracksource/identity"
	"tracksource/internal/daemon"
	"tracksource/internal/ingest"
	"tracksource/internal/line"
)

func main() { daemon.Main(command()) }

func command() daemon.Command {
	var (
		flags line.Flags
		run   *[]string
		key   daemon.Secret
	)
	return daemon.Command{
		Name:  "ingest",
		Short: "Read partners' feeds, dedupe and normalise them and place them on accounts.",
		Examples: []string{
			"ingest --bootstrap-servers 127.0.0.1:9092 --registry http://127.0.0.1:8081 --feeds crm.acme,map.acme --run crm,map --pseudonym-key-file key",
			"ingest --bootstrap-servers 127.0.0.1:9092 --registry http://127.0.0.1:8081 --run resolve,control",
		},
		Flags: func(fs *flag.FlagSet) {
			flags.Bind(fs, "ingest")
			run = daemon.Strings(fs, "run", ingest.Consumers(), "consumers to run, as `name,...`")
			daemon.SecretVar(fs, &key, "pseudonym-key", "the deployment's key for pseudonyms, at least 32 bytes; needed by crm, map and analytics")
		},
		Check: flags.Check,
		Run: func(ctx context.Context, env *daemon.Env) error {
			cfg, err := flags.Config(env)
			if err != nil {
				return err
			}
			icfg := ingest.Config{Consumers: *run}
			if !key.IsZero() {
				if icfg.Pseudonymizer, err = identity.NewPseudonymizer([]byte(key.Reveal())); err != nil {
					return err
				}
			}
			l, err := line.Open(ctx, cfg, ingest.Topics(cfg.Spec, *run)...)
			if err != nil {
				return err
			}
			svc, err := ingest.Open(l, icfg)
			if err != nil {
				return errors.Join(err, l.Dir.Close())
			}
			return line.Serve(ctx, env, svc)
		},
	}
}

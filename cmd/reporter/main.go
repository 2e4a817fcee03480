// Command reporter folds ledger entries into contribution rows, publishes them,
// and answers questions about them, with a page for people and an API for tools.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"time"

	"tracksource/internal/api"
	"tracksource/internal/daemon"
	"tracksource/internal/follow"
	"tracksource/internal/line"
	"tracksource/internal/reporter"
	"tracksource/internal/webhook"
)

func main() { daemon.Main(command()) }

func command() daemon.Command {
	var (
		flags    line.Flags
		door     api.Flags
		hooks    webhook.Flags
		throttle *time.Duration
	)
	return daemon.Command{
		Name:  "reporter",
		Short: "Publish contributions and answer questions about them.",
		Examples: []string{
			"reporter --bootstrap-servers 127.0.0.1:9092 --registry http://127.0.0.1:8081 --http 127.0.0.1:8080",
			"reporter --bootstrap-servers 127.0.0.1:9092 --registry http://127.0.0.1:8081 --http 0.0.0.0:8443 --access-file access.yaml --tls-cert cert.pem --tls-key key.pem",
		},
		Flags: func(fs *flag.FlagSet) {
			flags.Bind(fs, "reporter")
			door.Bind(fs)
			hooks.Bind(fs)
			throttle = fs.Duration("throttle", reporter.ThrottleDefault, "how long changes of a row are held after it was published; 0 publishes each")
		},
		Check: func() error {
			if *throttle < 0 || *throttle > time.Hour {
				return fmt.Errorf("want 0 <= --throttle %v <= 1h", *throttle)
			}
			return cmp.Or(flags.Check(), door.Check(), hooks.Check())
		},
		Run: func(ctx context.Context, env *daemon.Env) error {
			cfg, err := flags.Config(env)
			if err != nil {
				return err
			}
			cfg.Tables = len(follow.TopicsOf(cfg.Spec))
			l, err := line.Open(ctx, cfg, slices.Concat(reporter.TopicsOf(cfg.Spec), follow.TopicsOf(cfg.Spec))...)
			if err != nil {
				return err
			}
			svc, err := reporter.Open(ctx, l, reporter.Options{Throttle: *throttle})
			if err != nil {
				return errors.Join(err, l.Dir.Close())
			}
			serve := door.Config()
			serve.Eager = env.Garbage.Eager
			at, err := api.Open(ctx, svc, serve, door.Addr())
			if err != nil {
				return errors.Join(err, svc.Close())
			}
			svc.Parts = append(svc.Parts, hooks.Parts(l)...)
			env.Log.InfoContext(ctx, "page", "url", at)
			return line.Serve(ctx, env, svc)
		},
	}
}

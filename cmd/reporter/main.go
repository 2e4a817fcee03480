// Command reporter folds ledger entries into contribution rows, publishes them
// and serves the page that shows them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"tracksource/internal/daemon"
	"tracksource/internal/line"
	"tracksource/internal/reporter"
)

func main() { daemon.Main(command()) }

func command() daemon.Command {
	var (
		flags    line.Flags
		addr     *string
		throttle *time.Duration
	)
	return daemon.Command{
		Name:  "reporter",
		Short: "Publish contributions and serve them to people.",
		Examples: []string{
			"reporter --bootstrap-servers 127.0.0.1:9092 --registry http://127.0.0.1:8081 --http 127.0.0.1:8080",
		},
		Flags: func(fs *flag.FlagSet) {
			flags.Bind(fs, "reporter")
			addr = fs.String("http", "127.0.0.1:8080", "serve the page and the API at `host:port`; port 0 is a free one, its address is logged")
			throttle = fs.Duration("throttle", reporter.ThrottleDefault, "how long changes of a row are held after it was published; 0 publishes each")
		},
		Check: func() error {
			if *throttle < 0 || *throttle > time.Hour {
				return fmt.Errorf("want 0 <= --throttle %v <= 1h", *throttle)
			}
			return flags.Check()
		},
		Run: func(ctx context.Context, env *daemon.Env) error {
			cfg, err := flags.Config(env)
			if err != nil {
				return err
			}
			l, err := line.Open(ctx, cfg, reporter.TopicsOf(cfg.Spec)...)
			if err != nil {
				return err
			}
			svc, err := reporter.Open(ctx, l, reporter.Options{Throttle: *throttle})
			if err != nil {
				return errors.Join(err, l.Dir.Close())
			}
			at, err := svc.Listen(ctx, *addr, nil)
			if err != nil {
				return errors.Join(err, svc.Close())
			}
			env.Log.InfoContext(ctx, "page", "url", "http://"+at)
			return line.Serve(ctx, env, svc.Service)
		},
	}
}

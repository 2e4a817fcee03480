package line

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"tracksource/deploy/kafka"
	"tracksource/internal/daemon"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// rebalanceTimeout is how long the group waits for all members to join again.
const rebalanceTimeout = time.Minute

// Flags are the flags that the three services share.
type Flags struct {
	brokers  *[]string
	prefix   *string
	profile  *string
	feeds    *[]string
	partners *[]string
	counts   *[]string
	registry *string
	dataDir  *string
	budget   *int64

	session     *time.Duration
	transaction *time.Duration

	saslMechanism *string
	saslUser      *string
	saslPassword  daemon.Secret
	tls           *bool
	registryUser  *string
	registryPass  daemon.Secret
}

// Bind defines the flags on fs for a service called name.
func (f *Flags) Bind(fs *flag.FlagSet, name string) {
	f.brokers = daemon.Strings(fs, "bootstrap-servers", nil, "Kafka brokers as `host:port,...`; required")
	f.prefix = fs.String("prefix", kafka.PrefixDefault, "`prefix` of the topics and groups")
	f.profile = daemon.Choice(fs, "profile", kafka.ProfileLocal, []string{kafka.ProfileLocal, kafka.ProfileProduction}, "what the topics must be like")
	f.feeds = daemon.Strings(fs, "feeds", nil, "partners' feeds as `kind.partner,...`, such as crm.acme; required by ingest, and by reporter for partners to get contributions of their own")
	f.partners = daemon.Strings(fs, "partners", nil, "`partner,...` that get contributions of their own without a feed")
	f.counts = daemon.Strings(fs, "partitions", nil, "partitions that differ from the profile's, as `key=n,...`, such as journeys=24, as they were given to topics apply")
	f.registry = fs.String("registry", "", "`URL` of the schema registry; required")
	f.dataDir = fs.String("data-dir", defaultDataDir(name), "`directory` of this instance's state; each instance has its own")
	f.budget = fs.Int64("memory-budget", 0, "memory for the stores in `bytes`; 0 is 512 MiB")
	f.session = fs.Duration("session-timeout", 20*time.Second, "how long the group waits for an instance that is silent before others take its partitions")
	f.transaction = fs.Duration("transaction-timeout", 15*time.Second, "how long a transaction may stay open; at most --session-timeout")
	f.saslMechanism = daemon.Choice(fs, "sasl-mechanism", kafka.ScramSHA512, []string{kafka.Plain, kafka.ScramSHA256, kafka.ScramSHA512}, "how to sign in when --sasl-user is given")
	f.saslUser = fs.String("sasl-user", "", "`user` of the brokers")
	daemon.SecretVar(fs, &f.saslPassword, "sasl-password", "the password of --sasl-user")
	f.tls = fs.Bool("tls", false, "speak TLS to the brokers")
	f.registryUser = fs.String("registry-user", "", "`user` of the registry")
	daemon.SecretVar(fs, &f.registryPass, "registry-password", "the password of --registry-user")
}

// defaultDataDir is a directory under the user's cache, or empty without one.
func defaultDataDir(name string) string {
	base, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(base, "track-source", name)
}

// Check says what is missing.
func (f *Flags) Check() error {
	switch {
	case len(*f.brokers) == 0:
		return errors.New("--bootstrap-servers is required, such as 127.0.0.1:9092")
	case *f.registry == "":
		return errors.New("--registry is required, such as http://127.0.0.1:8081")
	case *f.dataDir == "":
		return errors.New("--data-dir is required: this user has no cache directory")
	case *f.transaction <= 0 || *f.transaction > *f.session || *f.session > rebalanceTimeout:
		return fmt.Errorf("want 0 < --transaction-timeout %v <= --session-timeout %v <= %v", *f.transaction, *f.session, rebalanceTimeout)
	case *f.saslUser != "" && f.saslPassword.IsZero():
		return errors.New("--sasl-user needs --sasl-password-file")
	}
	_, err := f.spec()
	return err
}

func (f *Flags) spec() (kafka.Spec, error) {
	var feeds []kafka.Feed
	for _, text := range *f.feeds {
		feed, err := kafka.ParseFeed(text)
		if err != nil {
			return kafka.Spec{}, fmt.Errorf("--feeds: %w", err)
		}
		feeds = append(feeds, feed)
	}
	counts := map[string]int32{}
	for _, text := range *f.counts {
		key, number, _ := strings.Cut(text, "=")
		n, err := strconv.ParseInt(number, 10, 32)
		if err != nil || n < 1 {
			return kafka.Spec{}, fmt.Errorf("--partitions %s: want key=n, such as journeys=24", text)
		}
		counts[key] = int32(n)
	}
	return kafka.Load(*f.profile, kafka.Options{Prefix: *f.prefix, Feeds: feeds, Partners: *f.partners, Partitions: counts})
}

// Config turns the flags and the process around them into a Config.
func (f *Flags) Config(env *daemon.Env) (Config, error) {
	spec, err := f.spec()
	if err != nil {
		return Config{}, err
	}
	conn := kafka.Conn{Brokers: *f.brokers}
	if *f.tls {
		conn.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if *f.saslUser != "" {
		conn.SASL = &kafka.SASL{Mechanism: *f.saslMechanism, User: *f.saslUser, Password: f.saslPassword.Reveal()}
	}
	registry, err := avro.NewHTTP(avro.HTTPConfig{URL: *f.registry, User: *f.registryUser, Password: f.registryPass.Reveal()})
	if err != nil {
		return Config{}, err
	}
	return Config{
		Kafka: conn, Spec: spec, Registry: registry, DataDir: *f.dataDir, MemoryBudget: *f.budget,
		Log: env.Log, Metrics: env.Metrics, Clock: time.Now, //nolint:forbidigo // a main's configuration begins here
		Tune: func(c *stream.Config) {
			c.SessionTimeout, c.TransactionTimeout, c.RebalanceTimeout = *f.session, *f.transaction, rebalanceTimeout
			c.HeartbeatInterval = min(2*time.Second, *f.session/5)
		},
	}, nil
}

// readyEvery is how often readiness is looked at.
const readyEvery = 200 * time.Millisecond

// Serve runs an open service as a process does: ready when its parts are, with
// its partitions under /debug/partitions, closed when ctx has ended.
func Serve(ctx context.Context, env *daemon.Env, s *Service) (err error) {
	defer func() { err = errors.Join(err, s.Close()) }()
	ready := env.Condition("partitions")
	env.Admin.HandleFunc("GET /debug/partitions", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		_ = enc.Encode(s.Status()) // the client is gone if this fails
	})
	runCtx, cancel := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		tick := time.NewTicker(readyEvery)
		defer tick.Stop()
		for {
			if err := s.Ready(); err != nil {
				ready.Missing(err.Error())
			} else {
				ready.Met()
			}
			select {
			case <-runCtx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	err = s.Run(ctx)
	cancel()
	<-watched
	return err
}

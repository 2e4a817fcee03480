// Package kafka says which topics Track Source needs on its Kafka cluster,
// compares that with what a cluster has, and mends the difference. It also
// runs the two brokers that need no cluster: the embedded one behind the demo
// and tests, and, in package local, an Apache Kafka on this machine.
//
// It knows topics.yaml, administration (kadm) and the embedded broker (kfake).
// It must not know what a record means, nor produce or consume on behalf of a
// service; package stream does that. The client library itself is used here to
// build the connection that kadm needs, and to copy records when an embedded
// broker that was killed is salvaged.
package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

const (
	// dialTimeoutDefault bounds one attempt to open and authenticate a
	// connection. A broker in the same region answers within milliseconds, and
	// within seconds where it, or who asks, collects garbage or has no processor.
	dialTimeoutDefault = 4 * time.Second
	// pingTimeout bounds the whole question "is anybody there": a person at a
	// terminal waits for it, and a wrong address must not look like a hang. A
	// connection that is refused is told at once.
	pingTimeout = 12 * time.Second
	// requestTimeout bounds one administrative request including retries, for
	// example while a controller is being elected.
	requestTimeout = 15 * time.Second
)

// Mechanisms of SASL that [SASL] accepts.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
)

// SASL is a user of the cluster. Its text never shows the password.
type SASL struct {
	Mechanism string // Plain, ScramSHA256 or ScramSHA512.
	User      string
	Password  string
}

// String names the user and the mechanism, not the password.
func (s SASL) String() string { return s.Mechanism + " user " + s.User }

// GoString keeps the password out of %#v too.
func (s SASL) GoString() string { return s.String() }

// LogValue keeps the password out of structured logs.
func (s SASL) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Conn says how to reach a cluster for administration. Brokers is required;
// all else may stay zero. It holds no open connection: every function opens
// its own and closes it before it returns.
type Conn struct {
	Brokers     []string      // host:port, at least one.
	ClientID    string        // Shown in the broker's logs; track-source if empty.
	TLS         *tls.Config   // nil is plain text.
	SASL        *SASL         // nil is anonymous.
	DialTimeout time.Duration // For one connection; four seconds if zero.
}

// options translates a Conn, or says which field cannot be used.
func (c Conn) options() ([]kgo.Opt, error) {
	if len(c.Brokers) == 0 {
		return nil, errors.New("no Kafka broker given: set --bootstrap-servers host:port")
	}
	for _, b := range c.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			return nil, fmt.Errorf("broker address %q is not host:port: %w", b, err)
		}
	}
	id, dial := c.ClientID, c.DialTimeout
	if id == "" {
		id = "track-source"
	}
	if dial <= 0 {
		dial = dialTimeoutDefault
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(id),
		kgo.RetryTimeout(requestTimeout),
		kgo.MetadataMinAge(50 * time.Millisecond),
		// The broker may offer telemetry; an administrative call that lives
		// for a second has none to send.
		kgo.DisableClientMetrics(),
	}
	if c.TLS != nil {
		d := &tls.Dialer{NetDialer: &net.Dialer{Timeout: dial}, Config: c.TLS}
		opts = append(opts, kgo.Dialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
			dctx, cancel := context.WithTimeout(ctx, dial)
			defer cancel()
			return d.DialContext(dctx, network, addr)
		}))
	} else {
		opts = append(opts, kgo.DialTimeout(dial))
	}
	if c.SASL != nil {
		m, err := c.SASL.mechanism()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.SASL(m))
	}
	return opts, nil
}

// mechanism translates a user for the client library.
func (s SASL) mechanism() (sasl.Mechanism, error) {
	switch s.Mechanism {
	case Plain:
		return plain.Auth{User: s.User, Pass: s.Password}.AsMechanism(), nil
	case ScramSHA256:
		return scram.Auth{User: s.User, Pass: s.Password}.AsSha256Mechanism(), nil
	case ScramSHA512:
		return scram.Auth{User: s.User, Pass: s.Password}.AsSha512Mechanism(), nil
	default:
		return nil, fmt.Errorf("SASL mechanism %q is not one of %s, %s, %s", s.Mechanism, Plain, ScramSHA256, ScramSHA512)
	}
}

// String lists the brokers as --bootstrap-servers takes them.
func (c Conn) String() string { return strings.Join(c.Brokers, ",") }

// open makes an administrative client. The caller closes it.
func (c Conn) open(extra ...kgo.Opt) (*kadm.Client, error) {
	opts, err := c.options()
	if err != nil {
		return nil, err
	}
	cl, err := kadm.NewOptClient(append(opts, extra...)...)
	if err != nil {
		return nil, fmt.Errorf("configure the Kafka connection: %w", err)
	}
	return cl, nil
}

// Ping returns nil once a broker of the cluster has answered an authenticated
// request. An unreachable broker, wrong credentials, and TLS on one side only
// give an error within about twelve seconds that says which it was.
func Ping(ctx context.Context, conn Conn) error {
	_, err := clusterOf(ctx, conn)
	return err
}

// clusterOf asks for the cluster's metadata without topics, bounded in time.
func clusterOf(ctx context.Context, conn Conn) (kadm.Metadata, error) {
	// Few retries and a short whole: a service that starts beside its broker is
	// restarted by whoever started it, a person wants to know at once.
	cl, err := conn.open(
		kgo.RequestRetries(1), kgo.RetryTimeout(pingTimeout),
		// A listener that accepts and says nothing holds the first request for
		// this long, whatever the context says.
		kgo.RequestTimeoutOverhead(dialTimeoutDefault),
	)
	if err != nil {
		return kadm.Metadata{}, err
	}
	defer cl.Close()
	pctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	m, err := cl.BrokerMetadata(pctx)
	if err != nil {
		return kadm.Metadata{}, conn.explain(err)
	}
	return m, nil
}

// explain puts the likely cause before the client's own words.
func (c Conn) explain(err error) error {
	var netErr *net.OpError
	var certErr *tls.CertificateVerificationError
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.UnsupportedSaslMechanism):
		who := "anonymous"
		if c.SASL != nil {
			who = c.SASL.String()
		}
		return fmt.Errorf("the Kafka cluster at %s refused %s: check user, password and mechanism: %w", c, who, err)
	case errors.As(err, &certErr):
		return fmt.Errorf("the certificate of the Kafka cluster at %s is not trusted: %w", c, err)
	case c.SASL != nil && errors.Is(err, io.EOF):
		// Some brokers hang up on wrong credentials where Kafka answers.
		return fmt.Errorf("the Kafka cluster at %s refused %s or closed the connection: check user, password and mechanism, and whether it wants TLS: %w", c, c.SASL, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the Kafka broker at %s closed the connection: it may expect SASL or TLS that is not set, or the other way round: %w", c, err)
	case errors.As(err, &netErr), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no Kafka broker answers at %s: is it running, and is the address right? %w", c, err)
	default:
		return fmt.Errorf("ask the Kafka cluster at %s: %w", c, err)
	}
}

// Brokers are the node ids of the brokers that the cluster knows to be up.
func Brokers(ctx context.Context, conn Conn) ([]int32, error) {
	m, err := clusterOf(ctx, conn)
	if err != nil {
		return nil, err
	}
	return m.Brokers.NodeIDs(), nil
}

package webhook

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"go.yaml.in/yaml/v4"

	"tracksource/internal/daemon"
)

const (
	// configBytesMax and receiversMax bound a file of receivers: each receiver is a
	// group of consumers and a few connections.
	configBytesMax = 1 << 20
	receiversMax   = 50
	// secretBytesMin keeps out secrets that are guessed from one signed body.
	secretBytesMin = 16
	// patienceDefault is a night; patienceMax is well below the retention of alerts.
	patienceDefault = 12 * time.Hour
	patienceMax     = 7 * 24 * time.Hour
)

// Receiver is who gets alerts, and which.
type Receiver struct {
	Name   string
	URL    string        // may hold a token: it is never printed
	Secret daemon.Secret // that bodies are signed with

	// What it gets: an alert of one of each, or of any where there are none.
	Campaigns, Kinds, Severities []string

	// Patience is how old an alert may become while it is tried again. A receiver
	// that is new gets the alerts of so long before.
	Patience time.Duration
}

// wants reports whether the receiver is to get an alert.
func (r *Receiver) wants(campaign, kind, severity string) bool {
	for _, f := range []struct {
		of    []string
		value string
	}{{r.Campaigns, campaign}, {r.Kinds, kind}, {r.Severities, severity}} {
		if len(f.of) > 0 && !slices.Contains(f.of, f.value) {
			return false
		}
	}
	return true
}

// document is the file as people write it.
type document struct {
	Receivers []struct {
		Name       string   `yaml:"name"`
		URL        string   `yaml:"url"`
		SecretFile string   `yaml:"secret_file"`
		Campaigns  []string `yaml:"campaigns"`
		Kinds      []string `yaml:"kinds"`
		Severities []string `yaml:"severities"`
		Patience   string   `yaml:"patience"`
	} `yaml:"receivers"`
}

// namePattern is what names of receivers are made of: they are part of the name of
// a group, and of series of metrics.
var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// termPattern is what ids of campaigns and kinds of alerts are made of.
var termPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// Load reads a file of receivers and their secrets. Its errors say what to mend and
// repeat no URL and no secret.
func Load(path string) ([]Receiver, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read receivers: %w", err)
	}
	if len(text) > configBytesMax {
		return nil, fmt.Errorf("%s has more than %d bytes", path, configBytesMax)
	}
	var doc document
	if err := yaml.Load(text, &doc, yaml.WithKnownFields(), yaml.WithUniqueKeys()); err != nil {
		return nil, fmt.Errorf("%s is not receivers: [{name, url, secret_file, campaigns, kinds, severities, patience}]", path)
	}
	if len(doc.Receivers) == 0 || len(doc.Receivers) > receiversMax {
		return nil, fmt.Errorf("%s: name 1 to %d receivers", path, receiversMax)
	}
	var out []Receiver
	names := map[string]bool{}
	for i, d := range doc.Receivers {
		r := Receiver{Name: d.Name, URL: d.URL, Campaigns: d.Campaigns, Kinds: d.Kinds, Severities: d.Severities, Patience: patienceDefault}
		if d.Patience != "" {
			r.Patience, err = time.ParseDuration(d.Patience)
		}
		switch {
		case err != nil:
			err = errors.New("patience is how long, such as 12h")
		case names[d.Name]:
			err = errors.New("another one has that name")
		case d.SecretFile == "":
			err = errors.New("secret_file is missing: a file with what bodies are signed with, such as 32 random bytes in hexadecimal")
		default:
			if err = r.check(); err == nil {
				r.Secret, err = readSecret(filepath.Dir(path), d.SecretFile)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: receiver %d, %q: %w", path, i+1, d.Name, err)
		}
		names[d.Name] = true
		out = append(out, r)
	}
	return out, nil
}

// readSecret reads a file that is named from the directory of the receivers' file.
func readSecret(dir, path string) (daemon.Secret, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	s, err := daemon.ReadSecret(path)
	if err == nil && len(s.Reveal()) < secretBytesMin {
		return daemon.Secret{}, fmt.Errorf("the secret has less than %d bytes", secretBytesMin)
	}
	return s, err
}

func (r *Receiver) check() error {
	if !namePattern.MatchString(r.Name) {
		return errors.New("name must be 1 to 63 of a-z, 0-9 and dash")
	}
	if err := checkURL(r.URL); err != nil {
		return err
	}
	for _, term := range slices.Concat(r.Campaigns, r.Kinds) {
		if !termPattern.MatchString(term) {
			return fmt.Errorf("%.70q is no campaign and no kind of alert", term)
		}
	}
	for _, s := range r.Severities {
		if s != "info" && s != "warning" && s != "error" && s != "critical" {
			return fmt.Errorf("severity %.20q; there are info, warning, error and critical", s)
		}
	}
	if r.Patience < time.Minute || r.Patience > patienceMax {
		return fmt.Errorf("want 1m <= patience %v <= %v", r.Patience, patienceMax)
	}
	return nil
}

// checkURL wants a URL that nobody else on the way can read the alerts of.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return errors.New("url must be such as https://hooks.example.com/track-source")
	case u.User != nil:
		return errors.New("url has a user in it: a receiver knows who sends by the signature")
	case u.Fragment != "":
		return errors.New("url has a fragment, which is sent to nobody")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return errors.New("url must begin with https://, but for receivers on this machine")
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// Flags are the flags of a command that delivers alerts.
type Flags struct {
	file      *string
	receivers []Receiver
}

// Bind defines the flags on fs.
func (f *Flags) Bind(fs *flag.FlagSet) {
	f.file = fs.String("webhooks", "", "deliver alerts to the receivers of this `file`; docs/webhooks.md says how it is written")
}

// Check reads the file, if one is named, and says what is wrong with it.
func (f *Flags) Check() (err error) {
	if *f.file == "" {
		return nil
	}
	if f.receivers, err = Load(*f.file); err != nil {
		return fmt.Errorf("--webhooks: %w", err)
	}
	return nil
}

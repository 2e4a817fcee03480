// Package local runs a real Apache Kafka on this machine, one node or three,
// from the jars on Maven Central: for tests of what the embedded broker cannot
// show (a broker killed under load, compaction, replication) and for
// development. It needs Java 17 and, the first time, Maven.
//
// It knows jars, property files and processes. It must not know topics; those
// are applied by package kafka as on any cluster.
package local

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

//go:embed pom.xml
var pomXML []byte

//go:embed log4j2.properties
var log4jProperties []byte

//go:embed server.properties
var serverProperties []byte

const (
	// javaMin is the oldest Java that Kafka 4's brokers run on
	// (kafka.apache.org, "Compatibility").
	javaMin = 17
	// javaAnswerMax bounds the question which version java is.
	javaAnswerMax = time.Minute
	// downloadMax bounds Maven, which fetches some 45 MB the first time.
	downloadMax = 10 * time.Minute
)

// Available returns nil if a broker can be run here, else the reason why not.
// It does not download anything.
func Available() error {
	ctx, cancel := context.WithTimeout(context.Background(), javaAnswerMax)
	defer cancel()
	out, err := exec.CommandContext(ctx, "java", "-version").CombinedOutput()
	if err != nil {
		return fmt.Errorf("java does not run, and a Kafka broker needs Java %d: %w", javaMin, err)
	}
	if major := javaMajor(out); major < javaMin {
		return fmt.Errorf("java is version %d, a Kafka broker needs %d or newer", major, javaMin)
	}
	cache, err := cacheDir("")
	if err != nil {
		return err
	}
	if _, err := os.Stat(libDir(cache)); err == nil {
		return nil
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return fmt.Errorf("the Kafka jars are not in %s and Maven is not here to fetch them: %w", cache, err)
	}
	return nil
}

// javaMajor reads the major version out of what java -version says, or 0.
func javaMajor(out []byte) int {
	m := regexp.MustCompile(`version "(\d+)`).FindSubmatch(out)
	if m == nil {
		return 0
	}
	major, err := strconv.Atoi(string(m[1]))
	if err != nil {
		return 0
	}
	return major
}

// Test is the part of testing.TB that SkipUnlessAvailable needs.
type Test interface {
	Helper()
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// SkipUnlessAvailable skips a test with the reason of Available, or fails it
// where CI=true says that the machine is meant to have all that is needed: a
// test that is skipped everywhere shows nothing.
func SkipUnlessAvailable(t Test) {
	t.Helper()
	err := Available()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("no local Kafka although CI=true: %v", err)
	default:
		t.Skipf("no local Kafka: %v", err)
	}
}

// cacheDir is where jars are kept: the given directory, else .cache/kafka
// beside the go.mod above the working directory, else the user's cache.
func cacheDir(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the working directory: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, ".cache", "kafka"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a cache directory for the Kafka jars: %w", err)
	}
	return filepath.Join(user, "track-source", "kafka"), nil
}

// libDir names the jars by the pom they came from, so that another version is
// another directory. up.sh computes the same name.
func libDir(cache string) string {
	sum := sha256.Sum256(pomXML)
	return filepath.Join(cache, "lib-"+hex.EncodeToString(sum[:6]))
}

// fetchJars makes sure that the jars are in the cache and returns their
// directory. It appears whole or not at all, so two processes may fetch at
// once.
func fetchJars(ctx context.Context, cache string) (string, error) {
	lib := libDir(cache)
	if _, err := os.Stat(lib); err == nil {
		return lib, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("make the cache of Kafka jars: %w", err)
	}
	tmp, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		return "", fmt.Errorf("make the cache of Kafka jars: %w", err)
	}
	defer os.RemoveAll(tmp) // What it cannot remove is only disk space in a cache.
	if err := os.WriteFile(filepath.Join(tmp, "pom.xml"), pomXML, 0o600); err != nil {
		return "", fmt.Errorf("write pom.xml: %w", err)
	}
	mctx, cancel := context.WithTimeout(ctx, downloadMax)
	defer cancel()
	jars := filepath.Join(tmp, "lib")
	cmd := exec.CommandContext(mctx, "mvn", "-q", "-B", "-f", filepath.Join(tmp, "pom.xml"), "dependency:copy-dependencies", "-DoutputDirectory="+jars)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetch the Kafka jars with Maven: %w\n%s", err, tail(out))
	}
	if err := os.Rename(jars, lib); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, statErr := os.Stat(lib); statErr != nil {
			return "", fmt.Errorf("keep the Kafka jars: %w", err)
		}
	}
	return lib, nil
}

// tail is the end of some output, enough to see what went wrong.
func tail(out []byte) []byte {
	const tailBytes = 3000
	out = bytes.TrimSpace(out)
	if len(out) > tailBytes {
		out = out[len(out)-tailBytes:]
	}
	return out
}

package local

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tracksource/deploy/kafka"
)

const (
	// heapMax is the most heap one broker gets: it serves tests, not traffic.
	heapMax = "-Xmx512m"
	// readyMax bounds the wait for a started node; two cores shared by three
	// JVMs need some tens of seconds, and minutes where others share them too.
	readyMax = 4 * time.Minute
	// stopMax bounds a shutdown in order. The last node of a quorum cannot hand
	// over its leaders to anybody and would wait for minutes.
	stopMax = 15 * time.Second
	// pollInterval is how often a starting node is asked.
	pollInterval = 200 * time.Millisecond
	// portTries is how often ports are chosen anew, should somebody else take
	// one between the choice and the start.
	portTries = 3
)

// Config says what to run. Dir is required.
type Config struct {
	Dir        string            // Data, logs and settings of the nodes. Must be empty or an earlier run's of the same Nodes.
	Nodes      int               // 1 or 3; 1 if zero. Each is broker and controller.
	Cache      string            // Where jars are kept; see the package's cacheDir. Usually empty.
	Properties map[string]string // Broker settings that win over the built-in ones.
}

// Cluster is a running Apache Kafka. Nodes are numbered from 1. Methods may be
// called by several goroutines, but not two at once for the same node.
type Cluster struct {
	cfg   Config
	lib   string
	id    string // Cluster id, 16 random bytes.
	nodes []*node
}

// node is one broker and controller in a process of its own.
type node struct {
	number     int
	dir        string
	port       int // Of the broker.
	controller int // Port of the controller.
	directory  string

	mu   sync.Mutex // Guards proc.
	proc *process   // nil when it does not run.
}

// Start formats the directory, runs the nodes, and returns when all of them
// answer. The caller calls Stop. If ctx ends while starting, the nodes that run
// are killed; afterwards ctx does not matter.
func Start(ctx context.Context, cfg Config) (*Cluster, error) {
	if cfg.Dir == "" {
		return nil, errors.New("local Kafka: Dir is missing")
	}
	if cfg.Nodes == 0 {
		cfg.Nodes = 1
	}
	if cfg.Nodes != 1 && cfg.Nodes != 3 {
		return nil, fmt.Errorf("local Kafka: %d nodes; a quorum needs 1 or 3", cfg.Nodes)
	}
	if err := Available(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("local Kafka: %w", err)
	}
	cfg.Dir = dir
	cache, err := cacheDir(cfg.Cache)
	if err != nil {
		return nil, err
	}
	lib, err := fetchJars(ctx, cache)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		c := &Cluster{cfg: cfg, lib: lib}
		if err = c.start(ctx); err == nil {
			return c, nil
		}
		c.killAll()
		if try == portTries || ctx.Err() != nil || !strings.Contains(err.Error(), "Address already in use") {
			return nil, err
		}
		for n := range cfg.Nodes {
			if err := os.RemoveAll(nodeDir(cfg.Dir, n+1)); err != nil {
				return nil, fmt.Errorf("clear a failed start: %w", err)
			}
		}
	}
}

func nodeDir(dir string, number int) string {
	return filepath.Join(dir, "node"+strconv.Itoa(number))
}

// start chooses identities, formats and launches all nodes.
func (c *Cluster) start(ctx context.Context) error {
	var err error
	if c.id, err = randomID(); err != nil {
		return err
	}
	for n := range c.cfg.Nodes {
		nd := &node{number: n + 1, dir: nodeDir(c.cfg.Dir, n+1)}
		if nd.directory, err = randomID(); err != nil {
			return err
		}
		c.nodes = append(c.nodes, nd)
	}
	if err := c.choosePorts(ctx); err != nil {
		return err
	}
	group, gctx := errgroup.WithContext(ctx)
	for _, n := range c.nodes {
		group.Go(func() error {
			if err := c.format(gctx, n); err != nil {
				return err
			}
			return c.launch(n)
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("start local Kafka: %w", err)
	}
	for _, n := range c.nodes {
		if err := c.ready(ctx, n, len(c.nodes)); err != nil {
			return err
		}
	}
	return nil
}

// randomID makes an id as Kafka writes them: 16 bytes in base64. One that
// begins with a dash would be read as a flag.
func randomID() (string, error) {
	for {
		var b [16]byte
		if _, err := rand.Read(b[:]); err != nil {
			return "", fmt.Errorf("choose an id: %w", err)
		}
		if id := base64.RawURLEncoding.EncodeToString(b[:]); !strings.HasPrefix(id, "-") {
			return id, nil
		}
	}
}

// choosePorts holds all listeners open until every port is known, so that no
// two nodes get the same. A JVM takes its port seconds later, and again when it is
// restarted.
func (c *Cluster) choosePorts(ctx context.Context) error {
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for _, n := range c.nodes {
		for _, port := range []*int{&n.port, &n.controller} {
			l, err := kafka.ListenLasting(ctx)
			if err != nil {
				return fmt.Errorf("find a free port: %w", err)
			}
			held = append(held, l)
			addr, ok := l.Addr().(*net.TCPAddr)
			if !ok {
				return fmt.Errorf("find a free port: %s is not TCP", l.Addr())
			}
			*port = addr.Port
		}
	}
	return nil
}

// properties is the whole server.properties of a node.
func (c *Cluster) properties(n *node) []byte {
	broker, controller := "127.0.0.1:"+strconv.Itoa(n.port), "127.0.0.1:"+strconv.Itoa(n.controller)
	var quorum []string
	for _, other := range c.nodes {
		quorum = append(quorum, "127.0.0.1:"+strconv.Itoa(other.controller))
	}
	replicas := strconv.Itoa(len(c.nodes))
	inSync := strconv.Itoa(len(c.nodes)/2 + 1)
	settings := map[string]string{
		"node.id":                                          strconv.Itoa(n.number),
		"listeners":                                        "PLAINTEXT://" + broker + ",CONTROLLER://" + controller,
		"advertised.listeners":                             "PLAINTEXT://" + broker + ",CONTROLLER://" + controller,
		"controller.quorum.bootstrap.servers":              strings.Join(quorum, ","),
		"log.dirs":                                         filepath.Join(n.dir, "data"),
		"default.replication.factor":                       replicas,
		"offsets.topic.replication.factor":                 replicas,
		"transaction.state.log.replication.factor":         replicas,
		"transaction.state.log.min.isr":                    inSync,
		"share.coordinator.state.topic.replication.factor": replicas,
		"share.coordinator.state.topic.min.isr":            inSync,
		"min.insync.replicas":                              inSync,
	}
	if len(c.nodes) == 1 {
		// Nobody can take over from it, so that a machine which stands still for some
		// seconds must not count as a death.
		settings["broker.session.timeout.ms"] = "18000"
	}
	maps.Copy(settings, c.cfg.Properties)
	out := slices.Clone(serverProperties)
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		out = append(out, key+"="+settings[key]+"\n"...)
	}
	return out
}

// java is the command line of a JVM in a node's directory. Native libraries are
// unpacked there too: a temporary directory may be mounted noexec.
func (c *Cluster) java(n *node, heap string, args ...string) []string {
	tmp := filepath.Join(n.dir, "tmp")
	line := []string{
		"-Xms64m", heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:ActiveProcessorCount=2",
		"-Djava.io.tmpdir=" + tmp, "-DZstdTempFolder=" + tmp, "-Dorg.xerial.snappy.tempdir=" + tmp,
		"-Dlog4j2.configurationFile=" + filepath.Join(n.dir, "log4j2.properties"),
		"-cp", filepath.Join(c.lib, "*"),
	}
	return append(line, args...)
}

// format writes a node's settings and makes its storage.
func (c *Cluster) format(ctx context.Context, n *node) error {
	if err := os.MkdirAll(filepath.Join(n.dir, "tmp"), 0o700); err != nil {
		return fmt.Errorf("make the directory of node %d: %w", n.number, err)
	}
	props := filepath.Join(n.dir, "server.properties")
	if err := os.WriteFile(props, c.properties(n), 0o600); err != nil {
		return fmt.Errorf("write settings of node %d: %w", n.number, err)
	}
	if err := os.WriteFile(filepath.Join(n.dir, "log4j2.properties"), log4jProperties, 0o600); err != nil {
		return fmt.Errorf("write settings of node %d: %w", n.number, err)
	}
	args := []string{"kafka.tools.StorageTool", "format", "-t", c.id, "-c", props}
	if len(c.nodes) == 1 {
		args = append(args, "--standalone")
	} else {
		var voters []string
		for _, v := range c.nodes {
			voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%d:%s", v.number, v.controller, v.directory))
		}
		args = append(args, "--initial-controllers", strings.Join(voters, ","))
	}
	out, err := exec.CommandContext(ctx, "java", c.java(n, "-Xmx128m", args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("format node %d: %w\n%s", n.number, err, tail(out))
	}
	return nil
}

// launch runs a node's broker; it does not wait for it to be ready.
func (c *Cluster) launch(n *node) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.proc != nil {
		return fmt.Errorf("node %d already runs as process %d", n.number, n.proc.pid)
	}
	p, err := startProcess(filepath.Join(n.dir, "broker.log"), "java", c.java(n, heapMax, "kafka.Kafka", filepath.Join(n.dir, "server.properties"))...)
	if err != nil {
		return fmt.Errorf("launch node %d: %w", n.number, err)
	}
	n.proc = p
	return os.WriteFile(filepath.Join(n.dir, "pid"), []byte(strconv.Itoa(p.pid)+"\n"), 0o600)
}

// ready waits until the node answers and knows at least that many brokers.
func (c *Cluster) ready(ctx context.Context, n *node, brokers int) error {
	wctx, cancel := context.WithTimeout(ctx, readyMax)
	defer cancel()
	n.mu.Lock()
	p := n.proc
	n.mu.Unlock()
	if p == nil {
		return fmt.Errorf("node %d does not run", n.number)
	}
	var last error
	for {
		ids, err := kafka.Brokers(wctx, kafka.Conn{Brokers: []string{n.addr()}})
		if err == nil && len(ids) >= brokers && slices.Contains(ids, int32(n.number)) {
			return nil
		}
		if err != nil {
			last = err
		}
		select {
		case <-p.done:
			return fmt.Errorf("node %d ended while starting: %w\n%s", n.number, p.err, n.log())
		case <-wctx.Done():
			return fmt.Errorf("node %d is not ready after %v, it knows brokers %v: %w\n%s", n.number, readyMax, ids, errors.Join(wctx.Err(), last), n.log())
		case <-time.After(pollInterval):
		}
	}
}

func (n *node) addr() string { return "127.0.0.1:" + strconv.Itoa(n.port) }

// log is the end of the node's log.
func (n *node) log() []byte {
	text, err := os.ReadFile(filepath.Join(n.dir, "broker.log"))
	if err != nil {
		return []byte(err.Error())
	}
	return tail(text)
}

// Bootstrap are the addresses of all nodes, also of those that do not run.
func (c *Cluster) Bootstrap() []string {
	var out []string
	for _, n := range c.nodes {
		out = append(out, n.addr())
	}
	return out
}

// Conn reaches the cluster for administration.
func (c *Cluster) Conn() kafka.Conn { return kafka.Conn{Brokers: c.Bootstrap()} }

// node finds a node by its number.
func (c *Cluster) node(number int) (*node, error) {
	if number < 1 || number > len(c.nodes) {
		return nil, fmt.Errorf("there is no node %d, they are 1 to %d", number, len(c.nodes))
	}
	return c.nodes[number-1], nil
}

// Kill ends a node at once, as kill -9 does, and returns when it is gone.
// Killing one that does not run is an error.
func (c *Cluster) Kill(number int) error {
	n, err := c.node(number)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.proc == nil {
		return fmt.Errorf("kill node %d: it does not run", number)
	}
	n.proc.kill()
	n.proc = nil
	return nil
}

// Restart runs a node again in its directory and returns when it answers. One
// that runs is stopped first, as by Stop. A lone node is fenced before it is
// launched, which takes some seconds.
func (c *Cluster) Restart(ctx context.Context, number int) error {
	n, err := c.node(number)
	if err != nil {
		return err
	}
	c.stop(n)
	if len(c.nodes) == 1 {
		if err := c.fence(ctx, n); err != nil {
			return err
		}
	}
	if err := c.launch(n); err != nil {
		return err
	}
	return c.ready(ctx, n, 1)
}

// stop shuts a node down in order, or kills it after stopMax. A lone node is
// killed at once: while it shuts down, its partitions have no leader, and it
// calls transactions committed whose markers it never writes, so that they stay
// open for ever. A log that ends with kill -9 is recovered by the next start.
func (c *Cluster) stop(n *node) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.proc == nil {
		return
	}
	if len(c.nodes) == 1 {
		n.proc.kill()
	} else {
		n.proc.terminate(stopMax)
	}
	n.proc = nil
}

// Stop shuts all nodes down in order, or kills a lone one, and returns when no process is left. The directory
// stays. Stopping again does nothing.
func (c *Cluster) Stop() {
	var wg sync.WaitGroup
	for _, n := range c.nodes {
		wg.Go(func() { c.stop(n) })
	}
	wg.Wait()
}

func (c *Cluster) killAll() {
	for _, n := range c.nodes {
		n.mu.Lock()
		if n.proc != nil {
			n.proc.kill()
			n.proc = nil
		}
		n.mu.Unlock()
	}
}

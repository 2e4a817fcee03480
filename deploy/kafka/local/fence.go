package local

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// fence lets the quorum of a lone node forget that its broker lives, as the other
// nodes of a larger one would while it is away.
//
// A broker that was killed is alive in the metadata until its session ends, and
// nobody ends it while the only controller is gone, too. Started again it finds
// itself the leader of its transaction coordinators, loads them, and cannot write
// their markers since it accepts no connection yet. Then its new registration
// takes its leaders away for a moment, and the coordinator concludes that the
// partitions were deleted: "Couldn't find leader endpoint for partitions ... these
// partitions are likely deleted already and hence can be skipped". The
// transactions are called complete and stay open on their partitions, for ever.
//
// So the node runs as a controller alone until the session has ended. A broker
// that then starts has no leaders before all of its partitions have them.
func (c *Cluster) fence(ctx context.Context, n *node) error {
	props := filepath.Join(n.dir, "controller.properties")
	if err := os.WriteFile(props, controllerProperties(c.properties(n)), 0o600); err != nil {
		return fmt.Errorf("write settings of node %d: %w", n.number, err)
	}
	log := filepath.Join(n.dir, "controller.log")
	if err := os.RemoveAll(log); err != nil {
		return fmt.Errorf("clear the log of node %d: %w", n.number, err)
	}
	p, err := startProcess(log, "java", c.java(n, heapMax, "kafka.Kafka", props)...)
	if err != nil {
		return fmt.Errorf("launch the controller of node %d: %w", n.number, err)
	}
	defer p.terminate(stopMax)
	wctx, cancel := context.WithTimeout(ctx, readyMax)
	defer cancel()
	said := []byte(fmt.Sprintf("Fencing broker %d", n.number))
	for calm, last := 0, 0; ; {
		text, err := os.ReadFile(log)
		// It says so before it writes so, and goes on to say it of each partition.
		if calm++; err != nil || !bytes.Contains(text, said) || len(text) != last {
			calm, last = 0, len(text)
		}
		if time.Duration(calm)*pollInterval >= fencedCalm {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("the controller of node %d ended: %w\n%s", n.number, p.err, tail(text))
		case <-wctx.Done():
			return fmt.Errorf("node %d is not fenced after %v: %w\n%s", n.number, readyMax, wctx.Err(), tail(text))
		case <-time.After(pollInterval):
		}
	}
}

// fencedCalm is for how long the controller must have nothing more to say. Between what
// it says and what it writes are milliseconds, and more on a machine that does much else.
const fencedCalm = 2 * time.Second

// controllerProperties are those of the same node without its broker.
func controllerProperties(both []byte) []byte {
	var out strings.Builder
	for line := range strings.Lines(string(both)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "process.roles":
			line = "process.roles=controller\n"
		case "listeners", "advertised.listeners":
			_, controller, _ := strings.Cut(value, ",")
			line = name + "=" + controller + "\n"
		case "broker.session.timeout.ms":
			line = name + "=1000\n"
		case "inter.broker.listener.name":
			continue
		}
		out.WriteString(line)
	}
	return []byte(out.String())
}

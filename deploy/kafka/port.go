package kafka

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
)

// The ports that brokers of this machine choose from. Kernels hand ports from 32768 on
// (Linux) or from 49152 on (macOS, Windows) to whoever connects somewhere or asks for
// any: one of those may be another's by the time a broker is started again.
const (
	portFirst = 20_000
	portCount = 8_000
	// portTries is how many of them may be taken before the kernel is asked after all.
	portTries = 100
)

// ListenLasting listens on a free port of 127.0.0.1 that the kernel gives to nobody who
// has not asked for it by its number, so that it can be closed now and taken again later.
func ListenLasting(ctx context.Context) (net.Listener, error) {
	for range portTries {
		var b [4]byte
		if _, err := rand.Read(b[:]); err != nil {
			return nil, fmt.Errorf("choose a port: %w", err)
		}
		if l, err := listen(ctx, portFirst+int(binary.BigEndian.Uint32(b[:])%portCount)); err == nil {
			return l, nil
		}
	}
	return listen(ctx, 0)
}

// listen listens on a port of this machine, on any if it is 0.
func listen(ctx context.Context, port int) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}

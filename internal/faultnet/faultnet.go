// Package faultnet is the network of one process as tests want it: it can be
// cut, as kill -9 cuts it, frozen, as SIGSTOP freezes it, and it can lose or
// hold back the reply to a chosen kind of request, so that what the broker did
// and what the caller heard of it differ.
//
// It knows the frames of Kafka's protocol, their lengths, kinds and correlation
// numbers, and nothing that is in them.
package faultnet

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// ErrCut is what a cut network answers to whoever dials.
var ErrCut = errors.New("the network is cut")

// Network is what a process reaches the brokers through. Its zero value works.
// Methods may be called by several goroutines.
type Network struct {
	mu     sync.Mutex
	thaw   chan struct{}      // guarded by mu; not nil while frozen
	dead   bool               // guarded by mu
	conns  map[*conn]struct{} // guarded by mu
	faults []*fault           // guarded by mu
	hits   int                // guarded by mu
}

// fault waits for requests of one kind.
type fault struct {
	key   int16
	left  int
	delay time.Duration // 0: the reply is lost and the connection with it
}

// Dial has the signature of a kgo.Dialer.
func (n *Network) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if n.IsCut() {
		return nil, ErrCut
	}
	n.Pause()
	raw, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, n: n, doomed: map[int32]*fault{}, closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.dead {
		_ = raw.Close()
		return nil, ErrCut
	}
	if n.conns == nil {
		n.conns = map[*conn]struct{}{}
	}
	n.conns[c] = struct{}{}
	return c, nil
}

// Cut closes all connections and refuses new ones, for good.
func (n *Network) Cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dead = true
	for c := range n.conns {
		_ = c.shut()
	}
	n.wake()
}

// IsCut reports whether Cut was called.
func (n *Network) IsCut() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dead
}

// Freeze lets nothing in or out until Thaw: what is on its way arrives then.
func (n *Network) Freeze() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.thaw == nil && !n.dead {
		n.thaw = make(chan struct{})
	}
}

// Thaw ends Freeze.
func (n *Network) Thaw() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wake()
}

func (n *Network) wake() {
	if n.thaw != nil {
		close(n.thaw)
		n.thaw = nil
	}
}

// Pause returns when the network is not frozen. A frozen process does nothing
// else either, so its own goroutines wait here too.
func (n *Network) Pause() {
	for {
		n.mu.Lock()
		thaw := n.thaw
		n.mu.Unlock()
		if thaw == nil {
			return
		}
		<-thaw
	}
}

// Lose loses the replies to the next count requests of a kind, by its API key:
// the broker has done what was asked, the caller sees its connection break.
func (n *Network) Lose(key int16, count int) { n.add(&fault{key: key, left: count}) }

// Delay holds the replies to the next count requests of a kind back for d.
func (n *Network) Delay(key int16, count int, d time.Duration) {
	n.add(&fault{key: key, left: count, delay: d})
}

func (n *Network) add(f *fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = append(n.faults, f)
}

// Heal takes back what Lose and Delay have announced and what is not hit yet.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = nil
}

// Hits is how many replies were lost or held back.
func (n *Network) Hits() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hits
}

// strike takes one request off the fault that waits for its kind, if any.
func (n *Network) strike(key int16) *fault {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, f := range n.faults {
		if f.key != key {
			continue
		}
		n.hits++
		if f.left--; f.left == 0 {
			n.faults = slices.DeleteFunc(n.faults, func(g *fault) bool { return g == f })
		}
		return f
	}
	return nil
}

// conn reads whole frames, so that it can tell whose reply comes.
type conn struct {
	net.Conn
	n *Network

	mu     sync.Mutex
	doomed map[int32]*fault // guarded by mu; by correlation number

	once   sync.Once
	closed chan struct{} // is closed with the connection
	frame  []byte        // the rest of the frame that Read hands out
}

// headerLen is the length of a frame's size, kind, version and correlation
// number.
const headerLen = 4 + 2 + 2 + 4

func (c *conn) Write(b []byte) (int, error) {
	c.n.Pause()
	// A client writes a request with one call.
	if len(b) >= headerLen && int(binary.BigEndian.Uint32(b)) == len(b)-4 {
		if f := c.n.strike(int16(binary.BigEndian.Uint16(b[4:]))); f != nil {
			c.mu.Lock()
			c.doomed[int32(binary.BigEndian.Uint32(b[8:]))] = f
			c.mu.Unlock()
		}
	}
	return c.Conn.Write(b)
}

func (c *conn) Read(b []byte) (int, error) {
	if len(c.frame) == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	c.n.Pause()
	n := copy(b, c.frame)
	c.frame = c.frame[n:]
	return n, nil
}

// next reads a frame, and does to it what was announced.
func (c *conn) next() error {
	var size [4]byte
	if _, err := io.ReadFull(c.Conn, size[:]); err != nil {
		return err
	}
	frame := make([]byte, 4+binary.BigEndian.Uint32(size[:]))
	copy(frame, size[:])
	if _, err := io.ReadFull(c.Conn, frame[4:]); err != nil {
		return err
	}
	c.frame = frame
	if len(frame) < 8 {
		return nil
	}
	number := int32(binary.BigEndian.Uint32(frame[4:]))
	c.mu.Lock()
	f := c.doomed[number]
	delete(c.doomed, number)
	c.mu.Unlock()
	switch {
	case f == nil:
	case f.delay > 0:
		held := time.NewTimer(f.delay)
		defer held.Stop()
		select {
		case <-held.C:
		case <-c.closed: // whoever waits for the reply has hung up, or is dead
			return net.ErrClosed
		}
	default:
		_ = c.Close()
		return io.ErrUnexpectedEOF
	}
	return nil
}

func (c *conn) Close() error {
	c.n.mu.Lock()
	delete(c.n.conns, c)
	c.n.mu.Unlock()
	return c.shut()
}

func (c *conn) shut() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

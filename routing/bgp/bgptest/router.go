package bgptest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// Options configures a router.
type Options struct {
	ASN     uint32
	PeerASN uint32 // the speaker's; our own for iBGP
	// Address is the loopback address to listen on; default 127.0.0.1. A speaker tells routers apart by address, so two
	// routers of one speaker need two, say 127.0.0.1 and 127.0.0.2.
	Address netip.Addr
	// Port to listen on; 0 lets the kernel choose.
	Port uint16
	// HoldTime is what our OPEN proposes, in whole seconds; default 90 s. The smaller of both sides' holds.
	HoldTime time.Duration
	Password string // TCP MD5 (RFC 2385), from any loopback address of Address's family; Linux only
	GTSM     bool   // packets must come from next door, with a TTL of 255 (RFC 5082); Linux only
}

// Router is a running router. Its methods are safe for concurrent use.
type Router struct {
	options  Options
	log      *slog.Logger
	listener net.Listener
	work     sync.WaitGroup // accepting, and each connection
	changed  chan struct{}
	frozen   atomic.Bool

	mu      sync.Mutex // guards the following fields
	closed  bool
	current *connection // the session that is up
	session Session
	table   map[netip.Prefix]Route
	history []Update
}

// Start starts a router that waits for the speaker's session. It can fail for want of the port, or of TCP MD5 in the kernel.
func Start(o Options, log *slog.Logger) (*Router, error) {
	if !o.Address.IsValid() {
		o.Address = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if o.HoldTime == 0 {
		o.HoldTime = 90 * time.Second
	}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return o.control(c) }}
	config.SetMultipathTCP(false) // MPTCP sockets don't know TCP MD5
	ln, err := config.Listen(context.Background(), "tcp", netip.AddrPortFrom(o.Address, o.Port).String())
	if err != nil {
		return nil, fmt.Errorf("start a BGP router: %w", err)
	}
	o.Port = uint16(ln.Addr().(*net.TCPAddr).Port)
	r := &Router{options: o, log: log, listener: ln, changed: make(chan struct{}, 1), table: map[netip.Prefix]Route{}}
	r.work.Go(r.accept) // until the listener is closed
	return r, nil
}

func (r *Router) accept() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.work.Go(func() { r.serve(conn) }) // until the connection ends
	}
}

func (r *Router) serve(conn net.Conn) {
	c := &connection{router: r, conn: conn, hold: r.options.HoldTime}
	err := c.run()
	_ = conn.Close()
	r.ended(c, err)
}

// Close ends the session with Cease/Administrative Shutdown and stops the router; its port is free again.
func (r *Router) Close() { r.Shutdown("") }

// Shutdown is Close with a message to the speaker's operator (RFC 9003).
func (r *Router) Shutdown(message string) {
	var data []byte
	if message != "" {
		data = append([]byte{byte(len(message))}, message...)
	}
	r.stop(func(c *connection) {
		c.notify(gobgp.BGP_ERROR_CEASE, gobgp.BGP_ERROR_SUB_ADMINISTRATIVE_SHUTDOWN, data)
	})
}

// Kill stops the router like a crash: the connection closes without a word.
func (r *Router) Kill() { r.stop(func(*connection) {}) }

// Freeze stops the router's KEEPALIVEs: after the hold time the speaker must give the session up.
func (r *Router) Freeze() { r.frozen.Store(true) }

func (r *Router) stop(farewell func(*connection)) {
	r.mu.Lock()
	r.closed = true
	current := r.current
	r.mu.Unlock()
	_ = r.listener.Close()
	if current != nil {
		farewell(current)
		_ = current.conn.Close()
	}
	r.work.Wait()
}

// Address is where the router listens.
func (r *Router) Address() netip.Addr { return r.options.Address }

// Port is where the router listens.
func (r *Router) Port() uint16 { return r.options.Port }

// Announce makes the router announce p to the speaker, once. It needs a session.
func (r *Router) Announce(p netip.Prefix) error { return r.say(announcement(p, r.options)) }

// Withdraw takes back what Announce announced.
func (r *Router) Withdraw(p netip.Prefix) error { return r.say(withdrawal(p)) }

// Send writes octets to the speaker as they are: what no router should say. It needs a session.
func (r *Router) Send(octets []byte) error {
	r.mu.Lock()
	c := r.current
	r.mu.Unlock()
	if c == nil {
		return errors.New("send octets: session not established")
	}
	return c.write(octets)
}

func (r *Router) say(m *gobgp.BGPMessage, err error) error {
	r.mu.Lock()
	c := r.current
	r.mu.Unlock()
	switch {
	case err != nil:
		return err
	case c == nil:
		return errors.New("send an UPDATE: session not established")
	}
	return c.send(m)
}

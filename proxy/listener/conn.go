package listener

import (
	"errors"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/anyedge/anyedge/proxy/admission"
)

// conn is a client's TCP connection: it holds a place in the gate and one of its client's shares, and is counted until it is
// closed, by whoever has it then, a handler that took it over (http.Hijacker) included.
type conn struct {
	*net.TCPConn
	set      *connSet
	protocol Protocol   // empty until the handshake is done
	front    leaver     // what serves it; nil: net/http alone. connSet.mu guards it
	writing  sync.Mutex // guards held: who reads may have to write, too, as TLS wants
	held     *[]byte    // see Hold; nil: nothing is held
	pace     pace
	lost     sync.Once
	gone     atomic.Bool // closed, or about to be
	closed   sync.Once
	closeErr error
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	c.note(err)
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	if c.gone.Load() { // held isn't looked at: with the end of the listener net/http closes beside whoever writes
		return 0, net.ErrClosed
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.held != nil {
		return c.hold(b)
	}
	n, err := c.writePaced(b)
	c.note(err)
	return n, err
}

// ReadFrom keeps sendfile and splice for responses without TLS.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.TCPConn.ReadFrom(r)
	c.note(err)
	return n, err
}

func (c *conn) Close() error {
	c.closed.Do(func() {
		c.gone.Store(true)
		c.closeErr = c.TCPConn.Close()
		c.set.remove(c)
	})
	return c.closeErr
}

// note counts a connection that ended without being closed.
func (c *conn) note(err error) {
	if err == nil || c.protocol == "" { // a handshake has its own account
		return
	}
	switch {
	case errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE):
		c.lost.Do(func() { c.set.losses.note(c.protocol, lostReset) })
	case errors.Is(err, syscall.ETIMEDOUT): // of TCP itself; a deadline of ours is another error
		c.lost.Do(func() { c.set.losses.note(c.protocol, lostTimeout) })
	}
}

// leaver is what serves a connection, and can be asked to come to an end.
type leaver interface{ Leave() }

// connSet are the open TCP connections of a listener.
type connSet struct {
	gate    *Gate
	clients *admission.Shares
	metrics *vipMetrics
	losses  *losses
	held    held

	mu    sync.Mutex // guards the following fields
	conns map[*conn]struct{}
	empty chan struct{} // closed while there is no connection
}

func newConnSet(c *Config, m *vipMetrics, l *losses) *connSet {
	s := &connSet{gate: c.Gate, clients: c.Clients, metrics: m, losses: l, conns: map[*conn]struct{}{}, empty: make(chan struct{})}
	close(s.empty)
	return s
}

// add takes over c, which has its place in the gate and its client's share.
func (s *connSet) add(tcp *net.TCPConn) *conn {
	c := &conn{TCPConn: tcp, set: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) == 0 {
		s.empty = make(chan struct{})
	}
	s.conns[c] = struct{}{}
	return c
}

// serve counts c, whose handshake is done, under its protocol.
func (s *connSet) serve(c *conn, p Protocol) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, open := s.conns[c]; !open {
		return // cut off meanwhile
	}
	c.protocol = p
	s.metrics.opened(p)
}

func (s *connSet) remove(c *conn) {
	s.gate.leave()
	s.clients.Give(clientOf(c.TCPConn))
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if c.protocol != "" {
		s.metrics.closed(c.protocol)
	}
	if len(s.conns) == 0 {
		close(s.empty)
	}
}

// none returns what is closed once there is no connection.
func (s *connSet) none() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.empty
}

// front notes what serves c.
func (s *connSet) front(c *conn, f leaver) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.front = f
}

// leave asks those connections to come to an end that net/http doesn't know.
func (s *connSet) leave() {
	for _, c := range s.all() {
		if f := s.frontOf(c); f != nil {
			f.Leave()
		}
	}
}

func (s *connSet) frontOf(c *conn) leaver {
	s.mu.Lock()
	defer s.mu.Unlock()
	return c.front
}

func (s *connSet) all() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.conns))
}

// abort closes every connection and returns how many there were.
func (s *connSet) abort() int {
	all := s.all()
	for _, c := range all {
		_ = c.Close()
	}
	return len(all)
}

package listener

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/net/ipv4"
)

// Steering hands packets of QUIC connections that live at other nodes of the fleet to them, and takes those of its own.
type Steering interface {
	// Wrap returns what reads socket from now on, which is bound to vip; worker is its number among the sockets that are.
	Wrap(socket *net.UDPConn, vip netip.AddrPort, worker uint8) (Reader, error)
	// ConnectionIDs makes the connection IDs of a worker, which say whose they are.
	ConnectionIDs(worker uint8) quic.ConnectionIDGenerator
	// ResetKey is what stateless reset tokens of vip are made with, the same at every node.
	ResetKey(vip netip.AddrPort) *quic.StatelessResetKey
}

// Reader reads a QUIC socket's datagrams in batches, as quic-go does.
type Reader interface {
	ReadBatch(ms []ipv4.Message, flags int) (int, error)
	SetReadDeadline(t time.Time) error
	// Detoured lists the clients whose datagrams have come by other nodes for so long that they should connect anew.
	Detoured() []netip.AddrPort
	// Close closes the socket.
	Close() error
}

// steeredConn is a socket that a Reader reads, and closes.
type steeredConn struct {
	*udpConn
	Reader
}

// newTransport returns what serves QUIC on a worker's socket.
func (l *Listener) newTransport(socket *net.UDPConn, worker uint8) (*quic.Transport, Reader, error) {
	conn := &udpConn{UDPConn: socket, dropped: l.metrics.sendErrors}
	if l.config.Steering == nil {
		return &quic.Transport{Conn: conn}, nil, nil
	}
	vip := socket.LocalAddr().(*net.UDPAddr).AddrPort()
	r, err := l.config.Steering.Wrap(socket, vip, worker)
	if err != nil {
		return nil, nil, err
	}
	return &quic.Transport{
		Conn:                  &steeredConn{conn, r},
		ConnectionIDGenerator: l.config.Steering.ConnectionIDs(worker),
		StatelessResetKey:     l.config.Steering.ResetKey(vip),
	}, r, nil
}

// rehomeEvery is how often connections are looked at that live on a detour.
const rehomeEvery = time.Second

// rehome sends GOAWAY on connections that have lived on a detour for too long, until ctx ends: what they carry goes on, and
// the client's next request opens a connection to the node that is the nearest now.
func (s *quicServer) rehome(ctx context.Context) {
	if s.reader == nil {
		return
	}
	tick := time.NewTicker(rehomeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if list := s.reader.Detoured(); len(list) > 0 {
				s.leaveClients(list)
			}
		}
	}
}

// leaveClients sends GOAWAY to the clients of a list.
func (s *quicServer) leaveClients(list []netip.AddrPort) {
	away := make(map[netip.AddrPort]bool, len(list))
	for _, client := range list {
		away[client] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for q := range s.open {
		if a, ok := q.conn.RemoteAddr().(*net.UDPAddr); ok && away[netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), a.AddrPort().Port())] && q.leave() {
			s.listener.metrics.rehomed.Inc()
		}
	}
}

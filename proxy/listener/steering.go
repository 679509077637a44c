package listener

import (
	"net"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/net/ipv4"
)

// Steering hands packets of QUIC connections that live at other nodes of the fleet to them, and takes those of its own.
type Steering interface {
	// Wrap returns what reads socket from now on, which is bound to vip.
	Wrap(socket *net.UDPConn, vip netip.AddrPort) (Reader, error)
	// ConnectionIDs makes the connection IDs, which say whose they are.
	ConnectionIDs() quic.ConnectionIDGenerator
	// ResetKey is what stateless reset tokens of vip are made with, the same at every node.
	ResetKey(vip netip.AddrPort) *quic.StatelessResetKey
}

// Reader reads a QUIC socket's datagrams in batches, as quic-go does.
type Reader interface {
	ReadBatch(ms []ipv4.Message, flags int) (int, error)
	SetReadDeadline(t time.Time) error
	// Close closes the socket.
	Close() error
}

// steeredConn is a socket that a Reader reads, and closes.
type steeredConn struct {
	*udpConn
	Reader
}

// newTransport returns what serves QUIC on a socket.
func (l *Listener) newTransport(socket *net.UDPConn) (*quic.Transport, error) {
	conn := &udpConn{UDPConn: socket, dropped: l.metrics.sendErrors}
	if l.config.Steering == nil {
		return &quic.Transport{Conn: conn}, nil
	}
	vip := socket.LocalAddr().(*net.UDPAddr).AddrPort()
	r, err := l.config.Steering.Wrap(socket, vip)
	if err != nil {
		return nil, err
	}
	return &quic.Transport{
		Conn:                  &steeredConn{conn, r},
		ConnectionIDGenerator: l.config.Steering.ConnectionIDs(),
		StatelessResetKey:     l.config.Steering.ResetKey(vip),
	}, nil
}

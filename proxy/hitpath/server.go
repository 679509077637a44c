package hitpath

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Server is what the connections of one VIP have in common. Its fields are set before the first connection and not
// changed afterwards.
type Server struct {
	Finder Finder
	VIP    string
	// Handler answers other requests over H1 without content. Its panics break the answer off; telling of them is its own.
	Handler http.Handler
	Context context.Context // of its requests

	Header        int64         // a request's target and fields, in octets, as RFC 9113 §6.5.2 counts them
	HeaderTimeout time.Duration // from a head's first octet to its last
	IdleTimeout   time.Duration // between requests
	SendIdle      time.Duration // a client that takes nothing for that long is cut off
	// RestAfter is after how long of waiting for a request, or up to twice that, Serve returns for a rest, so that the stack on
	// which it answered isn't kept: it is to be called again, in another goroutine, when something has come. 0: never.
	RestAfter time.Duration

	// MoreFields returns lines, each with its CRLF, that every answer has; nil: none.
	MoreFields func() string

	batches   sync.Pool // of *batch
	rooms     sync.Pool // of *[moreRoom]byte
	buffers   sync.Pool // of *buffers
	exchanges sync.Pool // of *Exchange
}

// Wire is the connection below TLS. Between Hold and Release it collects what TLS writes, so that records leave together.
type Wire interface {
	Hold()
	Release() error
}

// NewConn returns a connection whose handshake is done, and whose protocol is HTTP/1.1.
func (s *Server) NewConn(t *tls.Conn, w Wire) *Conn {
	state := t.ConnectionState()
	return &Conn{
		sender: sender{Conn: t, wire: w, idle: s.SendIdle}, server: s, client: AddressOf(t.RemoteAddr()), tls: SecurityOf(&state),
	}
}

// AddressOf is the address of a peer, of IPv4 as such and without a zone; the zero one where a has none.
func AddressOf(a net.Addr) netip.Addr {
	if a, ok := a.(interface{ AddrPort() netip.AddrPort }); ok {
		return a.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

func (s *Server) moreFields() string {
	if s.MoreFields == nil {
		return ""
	}
	return s.MoreFields()
}

func (s *Server) batch() *batch {
	if b, ok := s.batches.Get().(*batch); ok {
		return b
	}
	return &batch{}
}

func (s *Server) release(b *batch) {
	b.reset()
	s.batches.Put(b)
}

func (s *Server) moreRoom() *[moreRoom]byte {
	if room, ok := s.rooms.Get().(*[moreRoom]byte); ok {
		return room
	}
	return new([moreRoom]byte)
}

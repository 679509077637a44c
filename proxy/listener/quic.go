package listener

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/anyedge/anyedge/proxy/hitpath"
)

// uniStreams is how many unidirectional streams a client may have: its control stream, two of QPACK (RFC 9114,
// section 6.2), and some of reserved types.
const uniStreams = 16

// quicServer serves H3 on one socket: it is a worker of its address.
type quicServer struct {
	listener  *Listener
	hits      *hitpath.Server // nil: none
	transport *quic.Transport
	tls       *tls.Config
	log       *slog.Logger
	ctx       context.Context // ends when the listener stops accepting

	reader Reader // nil: quic-go reads by itself

	conns sync.WaitGroup // serving
	done  chan struct{}  // closed when run has ended

	mu    sync.Mutex // guards the following fields
	open  map[*quicConn]struct{}
	ln    *quic.EarlyListener
	ended bool // nothing is accepted any more
}

func newQUICServer(l *Listener, socket *net.UDPConn, worker uint8) (*quicServer, error) {
	s := &quicServer{
		listener: l, tls: remembersSettings(http3.ConfigureTLSConfig(l.config.TLS), l.config.Limits.Header), log: l.log, ctx: l.accepting,
		done: make(chan struct{}), open: map[*quicConn]struct{}{}, hits: l.newHits(),
	}
	var err error
	if s.transport, s.reader, err = l.newTransport(socket, worker); err != nil {
		return nil, err
	}
	s.transport.ConnContext, s.transport.VerifySourceAddress = s.handshaking, s.mustProve
	tokens := quic.TokenGeneratorKey(l.config.TokenKey) // Open saw to its length
	s.transport.TokenGeneratorKey = &tokens
	return s, nil
}

func (s *quicServer) quicConfig() *quic.Config {
	limits := s.listener.config.Limits
	return s.listener.choosesEarlyData(&quic.Config{
		HandshakeIdleTimeout:  limits.HeaderTimeout / 2, // quic-go gives the whole handshake twice that
		MaxIdleTimeout:        limits.IdleTimeout,
		MaxIncomingStreams:    int64(limits.Streams),
		MaxIncomingUniStreams: uniStreams,

		RequireStreamCreditRelease: true, // h3.Conn releases
	})
}

// run accepts until the listener stops accepting, and waits until every connection has ended.
func (s *quicServer) run() error {
	defer close(s.done)
	defer s.conns.Wait()
	ctx, stop := context.WithCancel(s.ctx)
	defer stop()
	s.conns.Go(func() { s.rehome(ctx) })
	ln, err := s.listen()
	if err != nil || ln == nil {
		return err
	}
	for {
		c, err := ln.Accept(context.Background()) // leave closes ln
		switch {
		case err == nil:
			s.start(c)
		case errors.Is(err, quic.ErrServerClosed):
			return nil
		default:
			return fmt.Errorf("accept QUIC on %s: %w", s.transport.Conn.LocalAddr(), err)
		}
	}
}

// listen begins to accept, unless that has ended already.
func (s *quicServer) listen() (*quic.EarlyListener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil, nil
	}
	ln, err := s.transport.ListenEarly(s.tls, s.quicConfig())
	if err != nil {
		return nil, fmt.Errorf("listen for QUIC on %s: %w", s.transport.Conn.LocalAddr(), err)
	}
	s.ln = ln
	return ln, nil
}

func (s *quicServer) start(c *quic.Conn) {
	shakeOf(c).accepted.Store(true)
	q := newQUICConn(s, c)
	s.mu.Lock()
	s.open[q] = struct{}{}
	if s.ended {
		q.leave()
	}
	s.mu.Unlock()
	s.conns.Go(q.count)
	s.conns.Go(func() {
		q.serve()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, q)
	})
}

// leave stops accepting, asks every client to leave, with GOAWAY, and waits until all have.
func (s *quicServer) leave() {
	s.mu.Lock()
	s.ended = true
	ln := s.ln
	for q := range s.open {
		q.leave()
	}
	s.mu.Unlock()
	if ln == nil {
		return // it never ran, and won't
	}
	_ = ln.Close() // never fails
	<-s.done
}

// abort closes every connection, with CONNECTION_CLOSE, and returns how many there were.
func (s *quicServer) abort() int {
	s.mu.Lock()
	all := make([]*quicConn, 0, len(s.open))
	for q := range s.open {
		all = append(all, q)
	}
	s.mu.Unlock()
	var closing sync.WaitGroup
	for _, q := range all {
		closing.Go(q.abort)
	}
	closing.Wait()
	return len(all)
}

// close ends the transport and closes the socket; connections must have ended.
func (s *quicServer) close() error {
	return errors.Join(s.transport.Close(), s.transport.Conn.Close())
}

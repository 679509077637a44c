package listener

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
)

type shakeKey struct{}

// errTooMany refuses a connection of a client that has as many as it may.
var errTooMany = errors.New("the client has as many connections as it may")

// shake is the account of one QUIC handshake, which is settled once.
type shake struct {
	over     atomic.Bool // it no longer counts as unfinished
	accepted atomic.Bool // quic-go handed the connection over: a quicConn settles
	settled  atomic.Bool
}

// handshaking follows the handshake of a connection that begins: quic-go hands over only those that get somewhere.
func (s *quicServer) handshaking(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	if info.AddrVerified && s.listener.config.Clients.Full(addressOf(info.RemoteAddr)) {
		s.listener.metrics.refused(overQUIC)
		return nil, errTooMany
	}
	h := &shake{}
	s.shakeBegins(info.AddrVerified)
	context.AfterFunc(ctx, func() {
		s.shakeEnds(h)
		cause := context.Cause(ctx)
		// An application's close comes in 1-RTT packets only: the handshake was complete.
		if !h.accepted.Load() && s.ctx.Err() == nil && !errors.As(cause, new(*quic.ApplicationError)) {
			s.shakeFailed(h, info.RemoteAddr.String(), cause)
		}
	})
	return context.WithValue(ctx, shakeKey{}, h), nil
}

// mustProve says whether a client must prove its address before its handshake.
func (s *quicServer) mustProve(client net.Addr) bool {
	why := s.listener.config.Handshakes.crowded(time.Now())
	if why == crowdNone && s.listener.config.Clients.Full(addressOf(client)) {
		why = crowdClient
	}
	if why == crowdNone {
		return false
	}
	s.listener.metrics.retries[why].Inc()
	return true
}

func (s *quicServer) shakeBegins(proven bool) {
	s.listener.config.Handshakes.unfinished.Add(1)
	s.listener.metrics.unfinished.Inc()
	if proven {
		s.listener.metrics.proven.Inc()
	}
}

// shakeEnds counts a handshake as finished, well or not.
func (s *quicServer) shakeEnds(h *shake) {
	if !h.over.Swap(true) {
		s.listener.config.Handshakes.unfinished.Add(-1)
		s.listener.metrics.unfinished.Dec()
	}
}

func (s *quicServer) shakeFailed(h *shake, client string, cause error) {
	if h.settled.Swap(true) {
		return
	}
	result := quicResult(cause)
	s.listener.metrics.handshakeFailed(overQUIC, result)
	s.log.Debug("quic handshake", "client", client, "result", string(result), "error", cause)
}

// shakeOf is the account of c's handshake.
func shakeOf(c *quic.Conn) *shake {
	h, ok := c.Context().Value(shakeKey{}).(*shake)
	if !ok {
		return &shake{}
	}
	return h
}

// shaken returns whether c's handshake is complete.
func shaken(c *quic.Conn) bool {
	select {
	case <-c.HandshakeComplete():
		return true
	default:
		return false
	}
}

func quicResult(cause error) handshakeResult {
	var (
		timeout *quic.HandshakeTimeoutError
		idle    *quic.IdleTimeoutError
		failure *quic.TransportError
		app     *quic.ApplicationError
	)
	switch {
	case errors.As(cause, &timeout), errors.As(cause, &idle):
		return handshakeTimeout
	case errors.As(cause, &failure) && failure.Remote:
		return handshakeRejected
	case errors.As(cause, &app) && app.Remote:
		return handshakeClosed
	}
	return handshakeRefused
}

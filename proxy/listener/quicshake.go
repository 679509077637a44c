package listener

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/quic-go/quic-go"
)

type shakeKey struct{}

// shake is the account of one QUIC handshake, which is settled once.
type shake struct {
	accepted atomic.Bool // quic-go handed the connection over: a quicConn settles
	settled  atomic.Bool
}

// handshaking follows the handshake of a connection that begins: quic-go hands over only those that get somewhere.
func (s *quicServer) handshaking(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	h := &shake{}
	context.AfterFunc(ctx, func() {
		cause := context.Cause(ctx)
		// An application's close comes in 1-RTT packets only: the handshake was complete.
		if !h.accepted.Load() && s.ctx.Err() == nil && !errors.As(cause, new(*quic.ApplicationError)) {
			s.shakeFailed(h, info.RemoteAddr.String(), cause)
		}
	})
	return context.WithValue(ctx, shakeKey{}, h), nil
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

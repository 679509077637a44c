package listener

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/quic-go/quic-go"
)

type shakeKey struct{}

// handshaking follows the handshake of a connection that begins: quic-go hands over only those that succeed.
func (s *quicServer) handshaking(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	done := new(atomic.Bool)
	context.AfterFunc(ctx, func() {
		if done.Load() || s.ctx.Err() != nil {
			return
		}
		result := quicResult(context.Cause(ctx))
		s.listener.metrics.handshakeFailed(overQUIC, result)
		s.log.Debug("quic handshake", "client", info.RemoteAddr.String(), "result", string(result), "error", context.Cause(ctx))
	})
	return context.WithValue(ctx, shakeKey{}, done), nil
}

// shaken counts c's handshake once it is complete; it returns false where that failed.
func (s *quicServer) shaken(c *quic.Conn) bool {
	select {
	case <-c.HandshakeComplete():
	case <-c.Context().Done():
		return false
	}
	if done, ok := c.Context().Value(shakeKey{}).(*atomic.Bool); ok {
		done.Store(true)
	}
	state := c.ConnectionState().TLS
	s.listener.metrics.handshake(overQUIC, &state)
	return true
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

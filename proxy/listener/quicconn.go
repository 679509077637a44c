package listener

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/anyedge/anyedge/proxy/h3"
)

// quicLinger is how long a connection stays after GOAWAY and the end of its last request, for GOAWAY and the tail of the
// response to arrive, retransmissions included. net/http gives H2 the same.
const quicLinger = time.Second

// quicConn is one client's H3 connection.
type quicConn struct {
	owner  *quicServer
	conn   *quic.Conn
	h3     *h3.Conn
	client netip.Addr // as it was first: it may migrate

	mu       sync.Mutex // guards the following fields
	requests int        // being answered
	cut      bool       // a request ended with the connection
	counted  bool       // as open, its handshake being complete
	shares   bool       // it has one of its client's shares
	leaving  bool
	linger   *time.Timer // nil: not lingering
}

func newQUICConn(s *quicServer, c *quic.Conn) *quicConn {
	limits := s.listener.config.Limits
	q := &quicConn{owner: s, conn: c, client: addressOf(c.RemoteAddr())}
	info := *s.listener.secure
	info.Handshake = c.HandshakeComplete()
	q.h3 = h3.NewConn(c, h3.Config{
		Handler: s.listener, Hits: s.hits, Context: WithInfo(c.Context(), &info), Log: s.log,
		Header: limits.Header, HeaderTimeout: limits.HeaderTimeout, IdleTimeout: limits.IdleTimeout, SendIdle: limits.SendIdle,
		Streams: int(limits.Streams), Begin: q.begin, End: q.end,
	})
	return q
}

// serve answers requests until the connection has ended and every handler has returned.
func (q *quicConn) serve() {
	defer q.finish()
	if err := q.h3.Serve(); err != nil {
		q.owner.log.Debug("serve h3", "client", q.conn.RemoteAddr().String(), "error", err)
	}
}

// count settles the handshake's account as soon as it is complete: the connection is served before, for its SETTINGS to
// leave early.
func (q *quicConn) count() {
	select {
	case <-q.conn.HandshakeComplete():
	case <-q.conn.Context().Done():
	}
	q.owner.shakeEnds(shakeOf(q.conn))
	q.mu.Lock()
	q.settle()
	refused := q.counted && !q.shares
	q.mu.Unlock()
	if refused {
		_ = q.conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad), "as many connections as one client may have") // never fails
	}
}

// settle counts the connection and its handshake, once. q.mu is held.
func (q *quicConn) settle() {
	h := shakeOf(q.conn)
	if !shaken(q.conn) {
		q.owner.shakeFailed(h, q.conn.RemoteAddr().String(), context.Cause(q.conn.Context()))
		return
	}
	if h.settled.Swap(true) {
		return
	}
	q.counted = true
	state := q.conn.ConnectionState().TLS
	q.owner.listener.metrics.handshake(overQUIC, &state)
	q.owner.listener.metrics.opened(H3)
	// Not before: until a handshake is complete anybody may have forged the address.
	if q.shares = q.owner.listener.config.Clients.Take(q.client); !q.shares {
		q.owner.listener.metrics.refused(overQUIC)
	}
}

// finish closes the accounts of a connection that has ended.
func (q *quicConn) finish() {
	if !shaken(q.conn) {
		<-q.conn.Context().Done() // streams end a moment before their connection, which knows why; the timeout sees to it
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.linger != nil {
		q.linger.Stop()
	}
	q.settle()
	if !q.counted {
		return
	}
	q.owner.listener.metrics.closed(H3)
	if q.shares {
		q.owner.listener.config.Clients.Give(q.client)
	}
	if reason := lossOf(context.Cause(q.conn.Context()), q.cut); reason != "" {
		q.owner.listener.losses.note(H3, reason)
	}
}

// begin counts the requests that are being answered.
func (q *quicConn) begin() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.requests++
}

func (q *quicConn) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.requests--
	q.cut = q.cut || q.conn.Context().Err() != nil
	q.lingerIfDone()
}

// leave sends GOAWAY. The connection closes when its requests have ended: an idle client may not look before its idle
// timeout.
// False: that has been done.
func (q *quicConn) leave() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.leaving {
		return false
	}
	q.leaving = true
	q.h3.Leave()
	q.lingerIfDone()
	return true
}

// lingerIfDone closes the connection soon if it is to leave and has nothing to answer. q.mu is held.
func (q *quicConn) lingerIfDone() {
	if q.leaving && q.requests == 0 && q.linger == nil {
		q.linger = time.AfterFunc(quicLinger, q.closeIfDone)
	}
}

// closeIfDone ends the linger: a request that came in before the client saw GOAWAY begins another.
func (q *quicConn) closeIfDone() {
	q.mu.Lock()
	q.linger = nil
	done := q.requests == 0
	q.mu.Unlock()
	if done {
		q.abort()
	}
}

func (q *quicConn) abort() {
	_ = q.conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "") // never fails
}

// lossOf is how a connection was lost that ended for cause, or nothing where it ended as connections do.
func lossOf(cause error, busy bool) loss {
	var (
		idle  *quic.IdleTimeoutError
		reset *quic.StatelessResetError
		app   *quic.ApplicationError
	)
	switch {
	case errors.As(cause, &idle) && busy:
		return lostTimeout
	case errors.As(cause, &idle): // the ordinary end of a browser's connection
		return ""
	case errors.As(cause, &reset):
		return lostReset
	case errors.As(cause, &app) && (app.ErrorCode == quic.ApplicationErrorCode(http3.ErrCodeNoError) || app.ErrorCode == 0):
		return ""
	case cause == nil || errors.Is(cause, context.Canceled):
		return ""
	}
	return lostError
}

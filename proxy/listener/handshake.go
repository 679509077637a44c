package listener

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/anyedge/anyedge/proxy/admission"
	"github.com/anyedge/anyedge/proxy/h2"
	"github.com/anyedge/anyedge/proxy/hitpath"
)

// handshakeResult is how a handshake ended, for metrics.
type handshakeResult string

const (
	handshakeOK       handshakeResult = "ok"
	handshakeTimeout  handshakeResult = "timeout"
	handshakeClosed   handshakeResult = "closed" // by the client, without a word
	handshakeReset    handshakeResult = "reset"
	handshakeNotTLS   handshakeResult = "not_tls"
	handshakeRejected handshakeResult = "rejected" // by the client, with an alert: it mistrusts our certificate, mostly
	handshakeRefused  handshakeResult = "refused"  // by us: no common version, cipher suite or protocol
)

// challengeProtocol is that of a CA that asks whether a name is ours: the handshake is the whole answer (RFC 8737,
// section 3).
const challengeProtocol = "acme-tls/1"

// tlsListener makes the handshakes of one socket, each in a goroutine of its own. From then on H1 is answered by hitpath and
// H2 by h2, in another; what isn't hitpath's is handed to net/http. A slow client holds up nobody.
type tlsListener struct {
	*acceptor
	config  *tls.Config
	limits  *admission.Options
	ready   chan net.Conn
	hits    *hitpath.Server // nil: net/http answers everything
	h2      *h2.Server
	shakes  sync.WaitGroup
	answers sync.WaitGroup // connections that hits and h2 serve
	shaking atomic.Int64   // how many there are
}

// Accept waits for the next connection whose handshake is done.
func (l *tlsListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}

// run accepts until the socket is closed, and waits for its handshakes, and for the connections that hits and h2 serve.
func (l *tlsListener) run() error {
	defer l.answers.Wait()
	defer l.shakes.Wait()
	for {
		c, err := l.accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		l.shaking.Add(1)
		l.shakes.Go(func() {
			defer l.shaking.Add(-1)
			l.shake(c)
		})
	}
}

func (l *tlsListener) shake(c *conn) {
	ctx, cancel := context.WithTimeout(l.ctx, l.limits.HeaderTimeout)
	defer cancel()
	t := tls.Server(c, l.config)
	if err := t.HandshakeContext(ctx); err != nil {
		l.refuse(c, err)
		return
	}
	c.pace.idle = l.limits.SendIdle
	state := t.ConnectionState()
	l.metrics.handshake(overTCP, &state)
	if state.NegotiatedProtocol == challengeProtocol {
		_ = t.Close()
		return
	}
	protocol := protocolOf(&state)
	l.set.serve(c, protocol)
	switch { // in other goroutines: the stack of a handshake is large
	case protocol == H2:
		l.answers.Go(func() { l.answerH2(c, t) })
	case l.hits != nil:
		l.answers.Go(func() { l.answer(c, t) })
	default:
		l.hand(t)
	}
}

// hand leaves a connection to net/http.
func (l *tlsListener) hand(c net.Conn) {
	select {
	case l.ready <- c:
	case <-l.ctx.Done():
		_ = c.Close()
	}
}

// answer has hits serve an H1 connection, until its end or until it is net/http's.
func (l *tlsListener) answer(c *conn, t *tls.Conn) {
	f := l.hits.NewConn(t, c)
	l.front(c, f)
	l.inTurns(c, func() (rests bool) {
		given := f.Serve()
		if f.Rests() {
			return true
		}
		l.set.front(c, nil)
		if given != nil {
			l.hand(given)
		}
		return false
	})
}

// answerH2 serves an H2 connection.
func (l *tlsListener) answerH2(c *conn, t *tls.Conn) {
	served := l.h2.NewConn(t, c)
	l.front(c, served)
	l.inTurns(c, func() (rests bool) {
		served.Serve()
		return served.Rests()
	})
}

// inTurns has a connection served, and after each rest again, in a goroutine of its own: the stack that answering takes is
// gone meanwhile.
func (l *tlsListener) inTurns(c *conn, serve func() (rests bool)) {
	if !serve() {
		return
	}
	l.answers.Go(func() {
		c.await()
		l.inTurns(c, serve)
	})
}

// front notes what serves c, and asks it to come to an end where all may have been asked before.
func (l *tlsListener) front(c *conn, f leaver) {
	l.set.front(c, f)
	if l.ctx.Err() != nil {
		f.Leave()
	}
}

func (l *tlsListener) refuse(c *conn, err error) {
	defer c.Close()
	if l.ctx.Err() != nil {
		return
	}
	result := resultOf(err)
	if result == handshakeNotTLS {
		answerPlain(c, err)
	}
	l.metrics.handshakeFailed(overTCP, result)
	l.log.Debug("tls handshake", "client", c.RemoteAddr().String(), "result", string(result), "error", err)
}

// answerPlain tells a client that speaks HTTP to the TLS port.
func answerPlain(c *conn, err error) {
	const answer = "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\n\r\nThis port speaks HTTPS: use https://\n"
	record, ok := errors.AsType[tls.RecordHeaderError](err)
	if !ok {
		return
	}
	switch string(record.RecordHeader[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = io.WriteString(c, answer)
	}
}

func protocolOf(s *tls.ConnectionState) Protocol {
	if s.NegotiatedProtocol == "h2" {
		return H2
	}
	return H1
}

func resultOf(err error) handshakeResult {
	if err == nil {
		return handshakeOK
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return handshakeNotTLS
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return handshakeRejected
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return handshakeTimeout
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return handshakeClosed
	case errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE):
		return handshakeReset
	}
	return handshakeRefused
}

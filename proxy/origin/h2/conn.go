package h2

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/anyedge/anyedge/cache/lifespan"
	"github.com/anyedge/anyedge/proxy/h2/frame"
	"github.com/anyedge/anyedge/proxy/origin/h1"
)

// mostStreams is how many streams a server is assumed to take that sets no limit, RFC 9113, section 6.5.2.
const mostStreams = 1000

// conn is a connection.
type conn struct {
	client *Client
	wire   net.Conn
	work   sync.WaitGroup // of read, and of those who write beside it while it is there

	// The following belong to read.
	in     []byte // what has come and wasn't looked at yet
	block  frame.Block
	table  *hpack.Decoder      // the server's
	fields []hpack.HeaderField // that are decoded
	size   int64               // of fields, as RFC 9113, section 6.5.2, counts it

	mu sync.Mutex // guards the following fields

	open    map[uint32]*stream
	places  int           // that are taken: by open streams, and by requests that are about to open one
	most    int64         // that the server allows; one before it has said so
	settled bool          // the server's first SETTINGS have come
	greeted chan struct{} // closed once it has, or the connection has ended
	next    uint32        // stream
	leaving bool          // no new streams
	err     error         // why none goes on; nil: they do

	receive  int64 // octets that the server may send
	consumed int64 // octets that it may send anew, and wasn't told of

	out     []byte    // what waits to be written
	spare   []byte    // room for that
	writing bool      // by somebody, who goes on until nothing waits
	rested  sync.Cond // with mu: nobody writes any more
	armed   time.Time // when the deadline for writing was last moved

	heard  time.Time // when something came last
	pinged time.Time // when the server was asked; zero: something came since
	idle   time.Time // since when there is no stream
	look   time.Time // when watch is called; zero: it isn't
	timer  *time.Timer
}

// newConn returns a connection that has said its preface and its settings, or will with its first request. read must follow.
func newConn(c *Client, wire net.Conn) *conn {
	now := time.Now()
	n := &conn{
		client: c, wire: wire, in: make([]byte, 0, readSize), open: map[uint32]*stream{}, most: 1, next: 1, greeted: make(chan struct{}),
		receive: connWindow, heard: now, idle: now,
	}
	n.rested.L = &n.mu
	n.table = hpack.NewDecoder(frame.TableSize, n.addField)
	n.table.SetMaxStringLength(int(c.MaxHeader))
	n.out = c.appendGreeting(nil)
	n.timer = time.AfterFunc(c.KeepAlive, n.watch)
	n.look = now.Add(c.KeepAlive)
	return n
}

// reserve takes a place for a stream, if there is one.
func (n *conn) reserve() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err != nil || n.leaving || int64(n.places) >= n.most {
		return false
	}
	n.places++
	return true
}

// exchange sends r over a stream for which there is a place, and waits for the header section of its response.
func (n *conn) exchange(r *h1.Request) (*http.Response, error) {
	s := &stream{conn: n, ctx: r.Context(), isHead: r.Method == http.MethodHead, left: -1, room: n.client.MaxHeader}
	s.changed.L = &n.mu
	s.Request = r.Request
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(s, r); err != nil {
		n.vacate()
		return nil, err
	}
	s.stop = lifespan.AtEnd(s.ctx, s.abort)
	n.write(true)
	for {
		switch came := s.interim; {
		case came != nil:
			s.interim = nil
			if err := n.tell(s.ctx, came); err != nil {
				s.stop()
				s.giveUp(err)
				n.write(false)
				return nil, err
			}
			continue
		case s.answered: // an error, if there is one, is the content's
			return s.result(), nil
		case s.err != nil:
			s.stop()
			return nil, s.err
		}
		s.changed.Wait()
	}
}

// begin opens a stream: it appends its HEADERS. n.mu is held.
func (n *conn) begin(s *stream, r *h1.Request) error {
	switch {
	case n.err != nil:
		return &unprocessed{n.err, false}
	case n.leaving:
		return &unprocessed{errLeaving, true}
	}
	before := len(n.out)
	out, err := appendRequest(n.out, n.next, r, n.client.TLS != nil)
	if n.out = out; err != nil {
		n.out = out[:before]
		return err
	}
	s.id = n.next
	s.old = s.id > 1
	r.Tell(s.old)
	if n.next += 2; n.next > maxStream {
		n.leaving = true
	}
	n.open[s.id] = s
	now := time.Now()
	if s.old && now.Sub(n.heard) >= n.client.Quiet {
		n.ping(now) // it may be dead long since
	}
	s.limit = now.Add(n.client.FirstByte)
	n.lookAt(s.limit)
	n.lookAt(now.Add(n.client.Quiet))
	return nil
}

// maxStream is the last stream that a connection is used for, RFC 9113, section 5.1.1.
const maxStream = 1<<31 - 1

var errLeaving = errors.New("the server takes no more requests on this connection")

// interim is a 1xx response.
type interim struct {
	status int
	header http.Header
}

// tell tells whoever wants to know of 1xx responses. n.mu is held, but not meanwhile.
func (n *conn) tell(ctx context.Context, came []interim) error {
	trace := httptrace.ContextClientTrace(ctx)
	if trace == nil || trace.Got1xxResponse == nil {
		return nil
	}
	n.mu.Unlock()
	defer n.mu.Lock()
	for _, i := range came {
		if err := trace.Got1xxResponse(i.status, textproto.MIMEHeader(i.header)); err != nil {
			return err
		}
	}
	return nil
}

// closed forgets a stream, and gives its place to others. n.mu is held.
func (n *conn) closed(s *stream) {
	if n.open[s.id] != s {
		return
	}
	delete(n.open, s.id)
	n.vacate()
}

// vacate gives a place back. Without a stream the connection is idle, or done. n.mu is held.
func (n *conn) vacate() {
	if n.places--; n.places > 0 || n.err != nil {
		return
	}
	if n.leaving {
		n.end(io.EOF)
		return
	}
	n.idle = time.Now()
	n.lookAt(n.idle.Add(n.client.KeepAlive))
}

// closeIfIdle closes the connection if it has no request, and tells whether.
func (n *conn) closeIfIdle() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.places > 0 {
		return false
	}
	n.depart(frame.NoError, net.ErrClosed)
	return true
}

// depart says goodbye, and ends the connection. n.mu is held.
func (n *conn) depart(code frame.Code, err error) {
	if n.err != nil {
		return
	}
	n.out = frame.AppendGoAway(n.out, 0, code)
	_ = n.wire.SetWriteDeadline(time.Now().Add(linger))
	n.writeBeside()
	n.finish(err)
}

// end ends the connection at once. n.mu is held.
func (n *conn) end(err error) {
	if n.err != nil {
		return
	}
	n.out = nil
	_ = n.wire.SetWriteDeadline(time.Unix(1, 0))
	n.finish(err)
}

// finish ends every stream, and read: err is why. n.mu is held.
func (n *conn) finish(err error) {
	n.err = err
	n.timer.Stop()
	if !n.settled {
		close(n.greeted)
	}
	for _, s := range n.open {
		s.lost(err)
	}
	clear(n.open)
	_ = n.wire.SetReadDeadline(time.Unix(1, 0))
}

// lookAt has watch called at t at the latest. n.mu is held.
func (n *conn) lookAt(t time.Time) {
	if n.look.IsZero() || t.Before(n.look) {
		n.look = t
		n.timer.Reset(time.Until(t))
	}
}

package h2

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/anyedge/anyedge/proxy/h2/frame"
	"github.com/anyedge/anyedge/proxy/hitpath"
)

const (
	preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" // RFC 9113, section 3.4
	// linger is how long a client has to take GOAWAY.
	linger = time.Second
)

// Conn is a client's H2 connection.
type Conn struct {
	server   *Server
	tls      *tls.Conn
	wire     hitpath.Wire
	client   netip.Addr
	security hitpath.Security
	work     sync.WaitGroup // of every goroutine but Serve's

	// The following belong to Serve.
	*input                       // while something has come that wasn't looked at; nil otherwise
	one     [1]byte              // see receive
	begun   int                  // octets of the preface that have come
	settled bool                 // the client's first SETTINGS have
	heard   bool                 // something has come since the deadline for reading was set
	distant bool                 // that deadline is a rest's
	rests   bool                 // see Rests
	table   *hpack.Decoder       // the client's
	block   frame.Block          // that is coming
	state   *tls.ConnectionState // for requests; nil before the first
	remote  string               // with state

	mu sync.Mutex // guards the following fields

	// What the client has opened.
	open      map[uint32]*stream
	last      uint32              // the highest stream
	ignored   uint32              // the highest that came after GOAWAY
	cut       map[uint32]struct{} // that were ended here while the client went on
	cutBefore map[uint32]struct{} // of before cut was full
	running   int                 // handlers
	queue     []*stream           // that wait for handlers to end
	touched   time.Time           // when a stream was opened, or the last of them has ended
	unwatch   func() bool         // of the server's context; nil: no request was there yet
	left      bool                // GOAWAY is sent, or about to be
	err       error               // why no stream goes on; nil: they do

	// What is received.
	receive  int64 // octets that the client may send
	consumed int64 // octets that it may send anew, and wasn't told of

	// What is sent.
	out      *output              // what waits; nil: nothing
	writing  bool                 // by somebody, who goes on until nothing waits
	broken   bool                 // nothing can be written any more
	stalled  bool                 // since the client took nothing for too long
	armed    time.Time            // when the deadline for writing was last moved
	changed  sync.Cond            // with mu: something was written
	window   int64                // octets of contents that may be sent
	widened  time.Time            // when that was more last; not kept while nothing stored is sent
	initial  int64                // of a new stream
	noTable  bool                 // to be said in each header block, see setting
	blocked  [resources][]*stream // whose handlers wait for it
	sends    sends                // stored contents, of streams whose windows are open
	patience *time.Timer
}

// Serve answers requests until the connection has ended, and every handler has returned, or until it rests. It must be called
// once, and again after each rest.
func (c *Conn) Serve() {
	err := c.read()
	if c.rests = errors.Is(err, errRests); c.rests {
		return
	}
	defer c.work.Wait()
	if code, ok := codeOf(err); ok {
		c.conclude(code, err)
	}
	c.end(err)
}

// Rests tells, when Serve has returned, whether that was for Server.RestAfter.
func (c *Conn) Rests() bool { return c.rests }

// Leave sends GOAWAY (RFC 9113, section 6.8): requests that came are answered, those that come are not, so that the client
// sends them again elsewhere. The connection closes after the last answer. It doesn't wait for that. Later calls do nothing.
func (c *Conn) Leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left || c.err != nil {
		return
	}
	c.sayGoAway(frame.NoError)
	c.writeBeside()
	c.endIfDone()
}

// sayGoAway is called with mu held.
func (c *Conn) sayGoAway(code frame.Code) {
	c.left = true
	o := c.output()
	o.octets = frame.AppendGoAway(o.octets, c.last, code)
}

// endIfDone wakes Serve where there is nothing left to do. c.mu is held.
func (c *Conn) endIfDone() {
	if c.left && len(c.open) == 0 && c.err == nil {
		_ = c.tls.SetReadDeadline(time.Unix(1, 0))
	}
}

// errDone ends a connection with which nothing is wrong.
var errDone = errors.New("done")

// codeOf is what the client is told of an end; not ok: nothing, since it is the client's, or the net's.
func codeOf(err error) (code frame.Code, ok bool) {
	var breach *frame.Error
	switch {
	case errors.As(err, &breach):
		return breach.Code, true
	case errors.Is(err, errDone):
		return frame.NoError, true
	}
	return 0, false
}

// read reads until the end of the connection.
func (c *Conn) read() error {
	for {
		n, err := c.take()
		if n == 0 {
			if err = c.expired(err); err != nil {
				return err
			}
			continue
		}
		c.heard = true
		err = c.frames()
		c.empty()
		if err = cmp.Or(err, c.answered()); err != nil {
			return err
		}
	}
}

// answered sends what came of one read. The error is errDone where that was the last.
func (c *Conn) answered() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write(false)
	c.awaitRoom()
	if c.left && len(c.open) == 0 {
		return errDone
	}
	if c.distant {
		c.distant = false
		_ = c.tls.SetReadDeadline(time.Now().Add(c.server.RestAfter))
	}
	return nil
}

// errRests is what reading ends with for a rest.
var errRests = errors.New("nothing has come for a while")

// expired returns what a read ends with; nil where the connection goes on.
func (c *Conn) expired(err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	wait := c.server.IdleTimeout
	switch {
	case len(c.open) > 0:
	case c.left || now.Sub(c.touched) >= wait:
		return errDone
	default:
		wait -= now.Sub(c.touched)
	}
	rest := c.server.RestAfter
	c.distant = !c.heard && 0 < rest && rest < wait
	if c.heard && 0 < rest {
		wait = min(wait, rest)
	}
	c.heard = false
	_ = c.tls.SetReadDeadline(now.Add(wait))
	if c.distant {
		return errRests
	}
	return nil
}

// conclude says GOAWAY, if that isn't said, and waits until the client has taken all. What still comes is read for a
// while: a socket that is closed before answers with a reset, at which the client would lose GOAWAY.
func (c *Conn) conclude(code frame.Code, err error) {
	c.mu.Lock()
	c.stop(err)
	if !c.left || code != frame.NoError {
		c.sayGoAway(code)
	}
	for (c.pending() || c.writing) && !c.broken {
		if c.write(false); c.writing {
			c.changed.Wait()
		}
	}
	broken := c.broken
	c.mu.Unlock()
	if broken || c.tls.CloseWrite() != nil {
		return
	}
	_ = c.tls.SetReadDeadline(time.Now().Add(linger))
	_, _ = io.Copy(io.Discard, c.tls)
}

// end closes the connection, and ends what waits for it.
func (c *Conn) end(err error) {
	c.mu.Lock()
	c.stop(err)
	c.breakOff()
	if c.unwatch != nil {
		c.unwatch()
	}
	c.mu.Unlock()
	_ = c.tls.Close()
}

// stop ends every stream. c.mu is held.
func (c *Conn) stop(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	if errors.Is(err, errDone) || errors.Is(err, io.EOF) {
		c.err = context.Canceled
	}
	for _, s := range c.open {
		s.stop(c.err)
	}
	clear(c.open)
	c.queue, c.sends = nil, sends{}
	if c.patience != nil {
		c.patience.Stop()
	}
}

// requestState is what requests tell of the connection.
func (c *Conn) requestState() *tls.ConnectionState {
	if c.state == nil {
		state := c.tls.ConnectionState()
		c.state, c.remote = &state, c.tls.RemoteAddr().String()
	}
	return c.state
}

package h3

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/anyedge/anyedge/proxy/hitpath"
)

const (
	// creditBatch is how many requests it takes for a client to get credit for as many more, at most: each MAX_STREAMS is a
	// frame, and often a packet, of its own.
	creditBatch = 16
	// firstRead is the size of the buffer for a request, in octets: most fit in one packet.
	firstRead = 4 << 10
	// moment is how long the loop waits for what is left of a request of which one octet has come.
	moment = time.Millisecond
)

// Config is what a connection is served with.
type Config struct {
	Handler http.Handler
	Hits    *hitpath.Server // answers what it can before Handler; nil: nothing
	Context context.Context // has values for requests
	Log     *slog.Logger

	Header        int64         // a header section, in octets as RFC 9114, section 4.2.2, counts them
	HeaderTimeout time.Duration // for a header section that has begun
	IdleTimeout   time.Duration // without a request
	SendIdle      time.Duration // for taking a part of a hit, or the rest of an answer
	Streams       int           // that a client may have open at a time, as the connection's quic.Config has it

	// Begin and End are called around every request but those that are answered at once.
	Begin, End func()
}

// Conn is a client's H3 connection.
type Conn struct {
	config  Config
	quic    *quic.Conn
	control *quic.SendStream
	peer    peer
	work    sync.WaitGroup                      // of every goroutine
	busy    atomic.Int64                        // requests that weren't answered at once
	last    atomic.Int64                        // when a request came or ended, in nanoseconds since the epoch
	agreed  atomic.Pointer[tls.ConnectionState] // for requests, which share it; nil: not yet

	// The following belong to Serve.
	*scratch                  // while a request is looked at
	unspent  []*quic.Stream   // answered, and credit for them not given yet
	tls      hitpath.Security // once the handshake is complete

	mu   sync.Mutex                     // guards the following fields
	next quic.StreamID                  // the lowest that hasn't come
	left bool                           // GOAWAY is sent, or about to be
	open map[quic.StreamID]*quic.Stream // that weren't answered at once, by id

	whole *requestStream // the last of those that wait in finish; nil: none does
}

// NewConn returns c as one to be served. The fields of config, but Hits and Log, must be set. c's quic.Config has
// RequireStreamCreditRelease.
func NewConn(c *quic.Conn, config Config) *Conn {
	return &Conn{config: config, quic: c, open: map[quic.StreamID]*quic.Stream{}}
}

// Serve answers requests until the connection has ended, and every handler has returned. It must be called once.
func (c *Conn) Serve() error {
	defer c.work.Wait()
	control, err := c.quic.OpenUniStream()
	if err == nil {
		_, err = control.Write(appendSettings(nil, c.config.Header))
	}
	if err != nil {
		c.abort(codeInternal, "no control stream")
		return fmt.Errorf("open the H3 control stream to %s: %w", c.quic.RemoteAddr(), err)
	}
	c.begin(control)
	c.touch(time.Now())
	idle := c.watchIdle()
	defer idle.Stop()
	c.work.Go(c.acceptUni)
	for {
		s, err := c.quic.AcceptStream(context.Background()) // ends with the connection
		if err != nil {
			return nil
		}
		c.accept(s)
	}
}

// Leave sends GOAWAY (RFC 9114, section 5.2): requests that came are answered, those that come are refused, so that the
// client sends them again elsewhere. The connection stays. Later calls do nothing.
func (c *Conn) Leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left {
		return
	}
	c.left = true
	c.sayGoAway()
}

// begin notes the control stream, and says GOAWAY if that is due.
func (c *Conn) begin(control *quic.SendStream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.control = control
	if c.left {
		c.sayGoAway()
	}
}

// sayGoAway is called with mu held.
func (c *Conn) sayGoAway() {
	if c.control == nil {
		return // begin will
	}
	_, _ = c.control.Write(appendGoAway(nil, c.next)) // fails with the connection only, and doesn't block: it is short
}

func (c *Conn) abort(code code, why string) {
	_ = c.quic.CloseWithError(quic.ApplicationErrorCode(code), why) // never fails
}

// accept deals with a request that begins.
func (c *Conn) accept(s *quic.Stream) {
	if !c.admit(s) {
		s.ReleaseStreamCredit()
		cancel(s, codeRejected)
		return
	}
	c.credit(s)
	c.scratch = scratches.Get().(*scratch)
	defer c.release()
	now := time.Now()
	c.touch(now)
	_ = s.SetReadDeadline(now.Add(moment))
	n, err := s.Read(c.in[:])
	switch {
	case !c.askable(c.in[:n], err):
		c.work.Go(newRequestStream(c, s, c.in[:n], err).serve)
	case !c.answerNow(s):
		c.work.Go(newAskedStream(c, s, c.section.list).serve)
	}
}

// touch notes that the connection isn't idle.
func (c *Conn) touch(now time.Time) { c.last.Store(now.UnixNano()) }

// watchIdle closes the connection once no request has been under way for the idle timeout.
func (c *Conn) watchIdle() *time.Timer {
	var timer *time.Timer
	begun := make(chan struct{})
	defer close(begun)
	timer = time.AfterFunc(c.config.IdleTimeout, func() {
		<-begun
		left := c.config.IdleTimeout - time.Since(time.Unix(0, c.last.Load()))
		switch {
		case c.busy.Load() > 0:
			timer.Reset(c.config.IdleTimeout)
		case left > 0:
			timer.Reset(left)
		default:
			c.abort(codeNone, "idle")
		}
	})
	return timer
}

// admit tells whether a stream came before GOAWAY.
func (c *Conn) admit(s *quic.Stream) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left {
		return s.StreamID() < c.next
	}
	c.next = max(c.next, s.StreamID()+4)
	return true
}

// credit lets the client open streams in the place of those that were.
func (c *Conn) credit(s *quic.Stream) {
	c.unspent = append(c.unspent, s)
	if len(c.unspent) < min(creditBatch, c.config.Streams/4) {
		return
	}
	for _, s := range c.unspent {
		s.ReleaseStreamCredit()
	}
	clear(c.unspent)
	c.unspent = c.unspent[:0]
}

// known is what there is to be known of a request that comes now: the client may have moved.
func (c *Conn) known(tls hitpath.Security) hitpath.Request {
	return hitpath.Request{Protocol: "h3", Client: hitpath.AddressOf(c.quic.RemoteAddr()), TLS: tls, At: time.Now()}
}

// shaken tells whether the handshake is complete: what came before may be a replay.
func (c *Conn) shaken() bool {
	if c.tls.Version != 0 {
		return true
	}
	select {
	case <-c.quic.HandshakeComplete():
		state := c.quic.ConnectionState().TLS
		c.tls = hitpath.SecurityOf(&state)
		return true
	default:
		return false
	}
}

// state is what the handshake has agreed on.
func (c *Conn) state() *tls.ConnectionState {
	if state := c.agreed.Load(); state != nil {
		return state
	}
	state := c.quic.ConnectionState().TLS
	if state.HandshakeComplete {
		c.agreed.Store(&state)
	}
	return &state
}

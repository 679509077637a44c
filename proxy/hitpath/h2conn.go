package hitpath

import (
	"cmp"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2/hpack"
)

const (
	// maxContinuations bounds how many frames carry one header block: more are a flood.
	maxContinuations = 64
	// maxSettings is how many settings of one frame are looked at; more than 100 are too many for the server.
	maxSettings = 100
	preface     = 24 // octets, RFC 9113 §3.4
	// linger is how long a client has to take GOAWAY.
	linger = time.Second
)

// H2Conn is an H2 connection that an H2 server serves, and that answers the plain requests among those that the server
// reads. All else the server reads and writes as if the connection were its own, with two differences: requests come to it
// in another encoding of the same fields, since the client's header table is kept here, and it gets less of the
// connection's window, since what is answered here takes a part of it.
type H2Conn struct {
	sender // its use for writing needs mu
	server *Server
	client netip.Addr
	tls    Security

	// The following belong to whoever reads, which is one goroutine of the server's.
	in     []byte // what has come and wasn't looked at yet
	room   *input // where it begins; nil while nothing has come
	one    [1]byte
	pass   int    // octets that go to the server as they come
	on     []byte // octets for the server
	table  *hpack.Decoder
	fields fieldList
	block  block  // that is coming
	theirs uint32 // the highest of those that the server knows
	shy    bool   // nothing is answered here any more
	used   bool   // something was answered since the idle timeout was set anew
	window int64  // of a new stream, as the client wants it
	credit int64  // of the connection's window, what may be sent from here

	last  atomic.Uint32 // the highest stream that the client has opened; Read's to set
	rest  atomic.Int64  // of the connection's window, what the server may send
	began chan struct{} // closed once the server has sent its SETTINGS, or the connection is
	begin func()        // closes began
	left  atomic.Bool   // it has sent GOAWAY
	dead  atomic.Bool   // closed, or about to be

	mu   sync.Mutex // held while a frame is written, and the following field's
	held atomic.Bool
	out  outgoing

	streams struct {
		sync.Mutex                 // guards the following fields
		open       map[uint32]ends // those that the server has
		idle       time.Time       // when the idle timeout was set anew; zero: it isn't set
	}
}

// block is a header block that isn't whole yet.
type block struct {
	head  frame // of its HEADERS; stream 0: none is coming
	text  []byte
	count int // of frames
}

// ends are the ends of a stream that have been seen.
type ends uint8

const (
	clientEnd ends = 1 << iota
	serverEnd
	bothEnds = clientEnd | serverEnd
)

// NewH2Conn returns a connection for an H2 server, whose handshake is done, and whose protocol is H2.
func (s *Server) NewH2Conn(t *tls.Conn, w Wire) *H2Conn {
	c := &H2Conn{
		sender: sender{Conn: t, wire: w, idle: s.SendIdle}, server: s, client: addressOf(t), tls: securityOf(t),
		pass: preface, window: initialWindow, used: true,
	}
	c.began = make(chan struct{})
	c.begin = sync.OnceFunc(func() { close(c.began) })
	c.rest.Store(initialWindow)
	c.streams.open = map[uint32]ends{}
	c.fields.limit = s.Block
	c.table = hpack.NewDecoder(tableSize, c.fields.add)
	c.table.SetMaxStringLength(int(s.Block))
	return c
}

// Read answers plain hits, and returns octets once there are some for the server.
func (c *H2Conn) Read(p []byte) (int, error) {
	for len(c.on) == 0 {
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.on)
	if c.on = c.on[n:]; len(c.on) == 0 {
		c.on = nil
	}
	return n, nil
}

// fill reads once, and deals with every frame that is whole.
func (c *H2Conn) fill() error {
	c.await()
	n, err := c.receive()
	if n == 0 {
		return c.over(err)
	}
	b := c.server.batch()
	defer c.server.release(b)
	err = c.frames(b)
	c.empty()
	return cmp.Or(err, c.flush(b))
}

// await sets the time for a client of whom nothing is being answered.
func (c *H2Conn) await() {
	if !c.used {
		return
	}
	c.used = false
	c.streams.Lock()
	defer c.streams.Unlock()
	if len(c.streams.open) == 0 {
		c.armIdle()
	}
}

// armIdle sets the idle timeout anew. c.streams is held.
func (c *H2Conn) armIdle() {
	s, now := &c.streams, time.Now()
	if now.Sub(s.idle) < c.server.IdleTimeout/rearm {
		return
	}
	s.idle = now
	_ = c.Conn.SetReadDeadline(now.Add(c.server.IdleTimeout))
}

// over returns what a Read ends with; nil where there is nothing wrong yet.
func (c *H2Conn) over(err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	c.streams.Lock()
	busy := c.streams.idle.IsZero() // since the deadline was set
	c.streams.Unlock()
	if busy {
		return nil
	}
	return c.fail(codeNone)
}

// fail ends the connection. What still comes is read for a while: a socket that is closed before answers with a reset, at
// which the client would lose GOAWAY.
func (c *H2Conn) fail(code errorCode) error {
	if err := c.lock(); err != nil {
		return err
	}
	_ = c.send(appendGoAway(nil, c.last.Load(), code)) // it is over in any case
	_ = c.CloseWrite()
	c.mu.Unlock()
	_ = c.Conn.SetReadDeadline(time.Now().Add(linger))
	_, _ = io.Copy(io.Discard, c.Conn)
	_ = c.Close()
	return io.EOF
}

// frames deals with what has come.
func (c *H2Conn) frames(b *batch) error {
	now, rest := time.Now(), c.in
	defer func() { c.in = append(c.in[:0], rest...) }()
	for {
		n := min(c.pass, len(rest))
		c.on = append(c.on, rest[:n]...)
		c.pass -= n
		rest = rest[n:]
		if len(rest) < frameHead {
			return nil
		}
		f := readFrame(rest)
		whole := frameHead + f.length
		switch {
		case c.block.head.stream != 0 && (f.kind != frameContinuation || f.stream != c.block.head.stream):
			c.on = appendFrame(c.on, frame{0, frameHeaders, 0, c.block.head.stream}) // the server says what is wrong with that
			c.block, c.pass = block{}, whole
			continue
		case f.kind == frameData && c.isOurs(f.stream):
			return c.fail(codeStreamClosed)
		case f.kind == frameData:
			if f.has(flagEndStream) {
				c.ended(f.stream, clientEnd)
			}
			c.pass = whole
			continue
		case f.length > maxFrame || int64(f.length) > c.server.Block:
			return c.fail(codeFrameSize)
		case len(rest) < whole:
			return nil
		}
		if err := c.frame(b, f, rest[:whole], now); err != nil {
			return err
		}
		rest = rest[whole:]
	}
}

// frame deals with one frame that is whole, its head included.
func (c *H2Conn) frame(b *batch, f frame, whole []byte, now time.Time) error {
	payload := whole[frameHead:]
	switch f.kind {
	case frameHeaders:
		return c.headers(b, f, whole, now)
	case frameContinuation:
		if c.block.head.stream != 0 {
			return c.continuation(b, f, payload, now)
		}
	case frameSettings:
		if !f.has(flagAck) {
			c.settings(payload)
			whole = latest(whole)
		}
	case frameWindowUpdate:
		if f.stream == 0 && len(payload) == 4 {
			return c.windowUpdate(binary.BigEndian.Uint32(payload) &^ (1 << 31))
		}
		if c.isOurs(f.stream) {
			return nil
		}
	case frameReset:
		if c.isOurs(f.stream) {
			return nil
		}
		c.ended(f.stream, bothEnds)
	}
	c.on = append(c.on, whole...)
	return nil
}

// isOurs tells whether a stream was answered here, and none after it went to the server: to the server it would be one
// that the client hasn't opened.
func (c *H2Conn) isOurs(stream uint32) bool {
	return stream%2 == 1 && stream <= c.last.Load() && stream > c.theirs
}

// settings takes note of what the client wants. Of a value that can't be, the server will tell it.
func (c *H2Conn) settings(payload []byte) {
	for ; len(payload) >= settingSize; payload = payload[settingSize:] {
		value := binary.BigEndian.Uint32(payload[2:])
		switch binary.BigEndian.Uint16(payload) {
		case settingInitialWindowSize:
			c.window = min(int64(value), maxWindow)
		case settingHeaderTableSize:
			// The next header block must begin with the new size (RFC 7541 §4.2), and what the server encodes before it
			// knows of that must still be understood.
			c.shy = c.shy || value < tableSize
		}
	}
}

// latest is a SETTINGS frame without values that later ones of the same frame replace: a client may repeat a setting
// (RFC 9113 §6.5.3), for which the server would end the connection.
func latest(whole []byte) []byte {
	f, payload := readFrame(whole), whole[frameHead:]
	if len(payload)%settingSize != 0 || len(payload) > maxSettings*settingSize {
		return whole // the server says what is wrong with it
	}
	var kept []byte
	for len(payload) > 0 {
		one := payload[:settingSize]
		payload = payload[settingSize:]
		if !replaceable(one) || !isSet(payload, one) {
			kept = append(kept, one...)
		}
	}
	if len(kept) == f.length {
		return whole
	}
	f.length = len(kept)
	return append(appendFrame(nil, f), kept...)
}

// replaceable tells whether a setting is as if it weren't there when it is set again at once. Those of header tables and
// those with values that can't be aren't.
func replaceable(setting []byte) bool {
	switch binary.BigEndian.Uint16(setting) {
	case settingMaxStreams, settingMaxHeaderList:
		return true
	case settingInitialWindowSize:
		return binary.BigEndian.Uint32(setting[2:]) <= maxWindow
	}
	return false
}

// isSet tells whether settings have the one that setting is.
func isSet(settings, setting []byte) bool {
	for ; len(settings) > 0; settings = settings[settingSize:] {
		if settings[0] == setting[0] && settings[1] == setting[1] {
			return true
		}
	}
	return false
}

// windowUpdate shares what the client adds to the connection's window, so that both sides have the same.
func (c *H2Conn) windowUpdate(more uint32) error {
	rest := c.rest.Load()
	if c.credit+rest+int64(more) > maxWindow {
		return c.fail(codeFlowControl)
	}
	ours := min(max((rest+int64(more)-c.credit)/2, 0), int64(more))
	c.credit += ours
	if theirs := int64(more) - ours; theirs > 0 || more == 0 {
		c.rest.Add(theirs)
		c.on = appendFrame(c.on, frame{length: 4, kind: frameWindowUpdate})
		c.on = binary.BigEndian.AppendUint32(c.on, uint32(theirs))
	}
	return nil
}

// opened notes a stream that the server gets.
func (c *H2Conn) opened(stream uint32, end bool) {
	c.streams.Lock()
	defer c.streams.Unlock()
	if len(c.streams.open) == 0 {
		c.streams.idle = time.Time{}
		_ = c.Conn.SetReadDeadline(time.Time{})
	}
	c.streams.open[stream] = 0
	if end {
		c.streams.open[stream] = clientEnd
	}
}

// has tells whether the server has a stream, and it is open.
func (c *H2Conn) has(stream uint32) bool {
	c.streams.Lock()
	defer c.streams.Unlock()
	_, open := c.streams.open[stream]
	return open
}

// ended notes an end of a stream of the server's. With the last one the idle timeout begins.
func (c *H2Conn) ended(stream uint32, e ends) {
	c.streams.Lock()
	defer c.streams.Unlock()
	was, open := c.streams.open[stream]
	switch {
	case !open:
		return
	case was|e != bothEnds:
		c.streams.open[stream] = was | e
		return
	}
	delete(c.streams.open, stream)
	if len(c.streams.open) == 0 {
		c.armIdle()
	}
}

// Close closes the connection, after what is being written.
func (c *H2Conn) Close() error {
	c.dead.Store(true)
	c.begin()
	if !c.held.CompareAndSwap(true, false) {
		c.mu.Lock()
	}
	defer c.mu.Unlock()
	return c.Conn.Close()
}

// lock waits for the end of the frame that is being written.
func (c *H2Conn) lock() error {
	c.mu.Lock()
	if c.dead.Load() {
		c.mu.Unlock()
		return net.ErrClosed
	}
	return nil
}

// The server's deadlines are this connection's: for reading the idle timeout, for writing Server.SendIdle, which the
// server has as well.

// SetDeadline does nothing.
func (c *H2Conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (c *H2Conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (c *H2Conn) SetWriteDeadline(time.Time) error { return nil }

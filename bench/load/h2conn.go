package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2Conn is a connection of H2.
type h2Conn struct {
	d      *h2Driver
	c      net.Conn
	in     *bufio.Reader
	framer *http2.Framer // reads from in, and writes into out
	slots  chan struct{} // in an open loop: one for each stream that may be opened

	// Of the goroutine that reads.
	fields *hpack.Decoder
	answer *answer // whose field section is being decoded
	credit int     // octets of the connection's window that haven't been given back

	mu      sync.Mutex // guards the following fields
	out     *bufio.Writer
	block   bytes.Buffer
	encoder *hpack.Encoder
	streams map[uint32]*h2Stream // under way
	free    []*h2Stream
	next    uint32
	drained bool // no further request comes
}

// h2Stream is a request under way.
type h2Stream struct {
	req       *Request
	due, sent time.Time
	answer    answer
}

const (
	h2Window = 1<<30 - 1 // of streams and of the connection, as h2load's: the load doesn't hold servers back
	h2Return = 1 << 28   // how much is taken before it is given back
	h2Frame  = 1 << 14   // the longest frame
)

func newH2Conn(d *h2Driver, c net.Conn) *h2Conn {
	h := &h2Conn{
		d: d, c: c, in: bufio.NewReaderSize(c, 64<<10), out: bufio.NewWriterSize(c, 32<<10),
		streams: map[uint32]*h2Stream{}, next: 1, slots: make(chan struct{}, d.plan.Streams),
	}
	for range d.plan.Streams {
		h.slots <- struct{}{}
	}
	h.framer = http2.NewFramer(h.out, h.in)
	h.framer.SetReuseFrames()
	h.framer.SetMaxReadFrameSize(h2Frame)
	h.encoder = hpack.NewEncoder(&h.block)
	h.fields = hpack.NewDecoder(4096, h.field)
	return h
}

// greet sends what a client begins with.
func (c *h2Conn) greet() error {
	_, err := c.out.WriteString(http2.ClientPreface)
	return errors.Join(err,
		c.framer.WriteSettings(
			http2.Setting{ID: http2.SettingEnablePush, Val: 0},
			http2.Setting{ID: http2.SettingInitialWindowSize, Val: h2Window},
		),
		c.framer.WriteWindowUpdate(0, h2Window-65535),
		c.out.Flush())
}

// open writes a request into the buffer. The caller holds the lock. What can't be written shows when it is flushed.
func (c *h2Conn) open(req *Request, due time.Time) {
	st := &h2Stream{}
	if n := len(c.free); n > 0 {
		st, c.free = c.free[n-1], c.free[:n-1]
	}
	*st = h2Stream{req: req, due: due, sent: time.Now()}
	c.streams[c.next] = st
	c.block.Reset()
	field := func(name, value string) { _ = c.encoder.WriteField(hpack.HeaderField{Name: name, Value: value}) }
	field(":method", "GET")
	field(":scheme", "https")
	field(":authority", c.d.plan.Host)
	field(":path", req.Path)
	if req.Range != "" {
		field("range", req.Range)
	}
	_ = c.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: c.next, BlockFragment: c.block.Bytes(), EndStream: true, EndHeaders: true,
	})
	c.next += 2
}

func (c *h2Conn) reset(id uint32) { _ = c.framer.WriteRSTStream(id, http2.ErrCodeCancel) }

// read handles what comes until nothing is left to wait for. Before it waits, it sends what it has to say.
func (c *h2Conn) read(s *source) error {
	for {
		if c.in.Buffered() == 0 {
			if done, err := c.flush(); done || err != nil {
				return err
			}
		}
		f, err := c.framer.ReadFrame()
		if err == nil {
			err = c.handle(s, f)
		}
		if err != nil {
			return err
		}
	}
}

func (c *h2Conn) flush() (done bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drained && len(c.streams) == 0 {
		return true, nil
	}
	return false, c.out.Flush()
}

func (c *h2Conn) handle(s *source, f http2.Frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := f.Header().StreamID
	st := c.streams[id] // nil after a timeout
	switch f := f.(type) {
	case *http2.HeadersFrame:
		return c.headers(s, st, id, f.HeaderBlockFragment(), f.HeadersEnded(), f.StreamEnded())
	case *http2.ContinuationFrame:
		return c.headers(s, st, id, f.HeaderBlockFragment(), f.HeadersEnded(), false)
	case *http2.DataFrame:
		c.giveBack(int(f.Length))
		if st == nil {
			return nil
		}
		st.answer.octets += int64(len(f.Data()))
		if f.StreamEnded() {
			return c.finished(id, st, s, nil)
		}
	case *http2.RSTStreamFrame:
		if st != nil {
			return c.finished(id, st, s, &failure{kind: "reset", path: st.req.Path, err: fmt.Errorf("RST_STREAM: %v", f.ErrCode)})
		}
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return c.settings(f)
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return c.framer.WritePing(true, f.Data)
		}
	case *http2.GoAwayFrame:
		return &failure{kind: "goaway", path: c.d.plan.Address, err: io.EOF}
	}
	return nil
}

func (c *h2Conn) settings(f *http2.SettingsFrame) error {
	if v, ok := f.Value(http2.SettingHeaderTableSize); ok {
		c.encoder.SetMaxDynamicTableSizeLimit(v)
	}
	return c.framer.WriteSettingsAck()
}

// headers decodes a part of a field section. The table is the connection's: those of streams that have gone count, too.
func (c *h2Conn) headers(s *source, st *h2Stream, id uint32, block []byte, whole, end bool) error {
	c.answer = &answer{}
	if st != nil {
		c.answer = &st.answer
	}
	if _, err := c.fields.Write(block); err != nil {
		return err
	}
	if whole {
		if err := c.fields.Close(); err != nil {
			return err
		}
	}
	if end && st != nil {
		return c.finished(id, st, s, nil)
	}
	return nil
}

func (c *h2Conn) field(f hpack.HeaderField) {
	switch f.Name {
	case ":status":
		c.answer.status, _ = strconv.Atoi(f.Value) // 0 is no status that a request wants
	case "cache-status":
		c.answer.cache = handled(f.Value)
	}
}

// giveBack returns what was taken of the connection's window, in large parts.
func (c *h2Conn) giveBack(n int) {
	if c.credit += n; c.credit >= h2Return {
		_ = c.framer.WriteWindowUpdate(0, uint32(c.credit))
		c.credit = 0
	}
}

var errEnded = errors.New("the load has ended")

func (c *h2Conn) finished(id uint32, st *h2Stream, s *source, err error) error {
	if !c.finish(id, st, s, err) {
		return errEnded
	}
	return nil
}

// finish records an answer and, in a closed loop, asks the next thing. The caller holds the lock.
func (c *h2Conn) finish(id uint32, st *h2Stream, s *source, err error) (goOn bool) {
	delete(c.streams, id)
	goOn = c.d.recorder.add(st.req, st.due, &st.answer, err)
	c.free = append(c.free, st)
	switch {
	case !goOn:
		s.end()
	case s.open():
		c.slots <- struct{}{}
	case !c.drained:
		req, due, ok := s.take()
		if !ok {
			c.drained = true
			return true
		}
		c.open(req, due)
	}
	return goOn
}

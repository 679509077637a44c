package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
)

// h3Driver has one connection at a time, and a goroutine for each stream at a time. With connections of their own for
// requests, it has one stream.
type h3Driver struct {
	*dialer

	mu   sync.Mutex // guards the following fields
	conn *h3Conn
}

// h3Conn is a connection and what reads the server's own streams.
type h3Conn struct {
	*quic.Conn
	others sync.WaitGroup
}

func (h *h3Driver) connect(ctx context.Context) error {
	_, err := h.current(ctx)
	return err
}

// current is the connection; a new one if there is none or the last has ended.
func (h *h3Driver) current(ctx context.Context) (*h3Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conn != nil && h.conn.Context().Err() == nil {
		return h.conn, nil
	}
	h.drop()
	c, err := h.quic(ctx)
	if err != nil {
		return nil, err
	}
	h.conn = &h3Conn{Conn: c}
	return h.conn, h.conn.greet()
}

// greet opens the control stream, with SETTINGS that have none, and takes the server's streams.
func (c *h3Conn) greet() error {
	s, err := c.OpenUniStream()
	if err != nil {
		return err
	}
	if _, err := s.Write([]byte{h3Control, h3Settings, 0}); err != nil {
		return err
	}
	c.others.Go(func() {
		for {
			s, err := c.AcceptUniStream(context.Background()) // until the connection ends
			if err != nil {
				return
			}
			c.others.Go(func() { _, _ = io.Copy(io.Discard, s) })
		}
	})
	return nil
}

// Types of streams and frames, RFC 9114, sections 6.2 and 7.2.
const (
	h3Control  = 0x0
	h3Data     = 0x0
	h3Headers  = 0x1
	h3Settings = 0x4
)

func (h *h3Driver) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop()
}

func (h *h3Driver) drop() {
	if h.conn != nil {
		_ = h.conn.CloseWithError(0x100, "") // H3_NO_ERROR
		h.conn.others.Wait()
		h.conn = nil
	}
}

// drive has a goroutine for each stream at a time.
func (h *h3Driver) drive(ctx context.Context, s *source) {
	stop := context.AfterFunc(ctx, s.end)
	defer stop()
	if !s.open() && h.plan.Kept == Keep {
		h.driveTogether(ctx, s)
		return
	}
	streams := h.plan.Streams
	if h.plan.Kept != Keep {
		streams = 1
	}
	var all sync.WaitGroup
	for range streams {
		all.Go(func() { newH3Slot(h).drive(ctx, s) })
	}
	all.Wait()
}

// h3Slot sends one request at a time.
type h3Slot struct {
	d      *h3Driver
	answer answer
	out    []byte
	block  []byte
	fields *qpack.Decoder
	in     []byte
	work   chan h3Exchange // in a closed loop: what was sent for it
}

func newH3Slot(d *h3Driver) *h3Slot {
	return &h3Slot{d: d, fields: qpack.NewDecoder(), in: make([]byte, 16<<10)}
}

func (h *h3Slot) drive(ctx context.Context, s *source) {
	free := s.began
	for {
		req, due, ok := s.take()
		if !ok || !sleep(ctx, due) {
			return
		}
		err := error(&failure{kind: "timeout", path: req.Path, err: errTooLate})
		if !s.late(due) {
			h.d.recorder.sent(due, free)
			err = h.ask(ctx, req)
		}
		if !h.d.recorder.add(req, due, &h.answer, err) {
			s.end()
			return
		}
		free = time.Now()
	}
}

// ask sends a request and reads the answer.
func (h *h3Slot) ask(ctx context.Context, req *Request) error {
	if h.d.plan.Kept != Keep {
		defer h.d.close()
	}
	s, err := h.send(ctx, req)
	if err != nil {
		return err
	}
	return h.receive(s)
}

// send opens a stream and sends a request.
func (h *h3Slot) send(ctx context.Context, req *Request) (*quic.Stream, error) {
	c, err := h.d.current(ctx)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(h.d.plan.Timeout)
	s, err := c.OpenStream()
	if limit := (*quic.StreamLimitReachedError)(nil); errors.As(err, &limit) { // credit for another is on its way
		inner, cancel := context.WithDeadline(ctx, deadline)
		s, err = c.OpenStreamSync(inner)
		cancel()
	}
	if err != nil {
		return nil, err
	}
	_ = s.SetDeadline(deadline)
	// A server that has answered before it saw the end may stop reading, and its answer counts (RFC 9114, section 4.1). What
	// goes wrong for other reasons shows when the answer is read.
	_, _ = s.Write(h.encode(req))
	_ = s.Close()
	return s, nil
}

// receive reads the answer.
func (h *h3Slot) receive(s *quic.Stream) error {
	h.answer = answer{}
	err := h.read(s)
	if err != nil {
		s.CancelRead(0x10c) // H3_REQUEST_CANCELLED
	}
	return err
}

// encode is the HEADERS frame of a request.
func (h *h3Slot) encode(req *Request) []byte {
	h.block = h.block[:0]
	e := qpack.NewEncoder(writerFunc(func(p []byte) (int, error) {
		h.block = append(h.block, p...)
		return len(p), nil
	}))
	field := func(name, value string) { _ = e.WriteField(qpack.HeaderField{Name: name, Value: value}) }
	field(":method", "GET")
	field(":scheme", "https")
	field(":authority", h.d.plan.Host)
	field(":path", req.Path)
	if req.Range != "" {
		field("range", req.Range)
	}
	h.out = quicvarint.Append(quicvarint.Append(h.out[:0], h3Headers), uint64(len(h.block)))
	h.out = append(h.out, h.block...)
	return h.out
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// read reads the frames of an answer until its stream ends.
func (h *h3Slot) read(s io.Reader) error {
	have := 0 // octets in h.in
	for {
		kind, length, used := frameHead(h.in[:have])
		switch {
		case used == 0: // not yet whole
		case kind == h3Data:
			rest, err := h.data(s, h.in[used:have], length)
			if err != nil {
				return err
			}
			have = copy(h.in, rest)
			continue
		case length > uint64(len(h.in)-used):
			return fmt.Errorf("a frame of type %#x has %d octets", kind, length)
		case uint64(have-used) >= length:
			if kind == h3Headers {
				if err := h.headers(h.in[used : used+int(length)]); err != nil {
					return err
				}
			}
			have = copy(h.in, h.in[used+int(length):have])
			continue
		}
		n, err := s.Read(h.in[have:])
		have += n
		if err != nil && n == 0 {
			if errors.Is(err, io.EOF) && have == 0 {
				return nil
			}
			return err
		}
	}
}

// frameHead reads the head of a frame; used is 0 where it isn't whole.
func frameHead(b []byte) (kind, length uint64, used int) {
	kind, n, err := quicvarint.Parse(b)
	if err != nil {
		return 0, 0, 0
	}
	length, m, err := quicvarint.Parse(b[n:])
	if err != nil {
		return 0, 0, 0
	}
	return kind, length, n + m
}

// data takes the content of a DATA frame, of which some has been read, and returns what was read beyond it.
func (h *h3Slot) data(s io.Reader, have []byte, length uint64) (rest []byte, err error) {
	h.answer.octets += int64(min(length, uint64(len(have))))
	if uint64(len(have)) >= length {
		return have[length:], nil
	}
	left := length - uint64(len(have))
	for left > 0 {
		n, err := s.Read(h.in[:min(left, uint64(len(h.in)))])
		left -= uint64(n)
		h.answer.octets += int64(n)
		if left > 0 && err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return nil, nil
}

func (h *h3Slot) headers(block []byte) error {
	next := h.fields.Decode(block)
	for {
		f, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch f.Name {
		case ":status":
			h.answer.status, _ = strconv.Atoi(f.Value) // 0 is no status that a request wants
		case "cache-status":
			h.answer.cache = handled(f.Value)
		}
	}
}

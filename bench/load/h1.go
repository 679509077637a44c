package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// h1Driver has one connection at a time, and one request on it at a time.
type h1Driver struct {
	*dialer
	c      net.Conn
	in     *bufio.Reader
	out    []byte // the request, and its array for the next one
	answer answer
}

func (h *h1Driver) connect(ctx context.Context) error {
	c, err := h.tcp(ctx, "http/1.1")
	if err != nil {
		return err
	}
	h.c = c
	if h.in == nil {
		h.in = bufio.NewReaderSize(c, 32<<10)
	}
	h.in.Reset(c)
	return nil
}

func (h *h1Driver) close() {
	if h.c != nil {
		_ = h.c.Close()
		h.c = nil
	}
}

func (h *h1Driver) drive(ctx context.Context, s *source) {
	stop := context.AfterFunc(ctx, s.end)
	defer stop()
	free := s.began
	for {
		req, due, ok := s.take()
		if !ok || !sleep(ctx, due) {
			return
		}
		err := error(&failure{kind: "timeout", path: req.Path, err: errTooLate})
		if !s.late(due) {
			h.recorder.sent(due, free)
			err = h.ask(ctx, req)
		}
		if !h.recorder.add(req, due, &h.answer, err) {
			s.end()
			return
		}
		free = time.Now()
	}
}

var errTooLate = errors.New("no connection was free in time")

// ask sends a request, on a new connection where there is none or each has its own, and reads the answer.
func (h *h1Driver) ask(ctx context.Context, req *Request) error {
	if h.c == nil {
		if err := h.connect(ctx); err != nil {
			return err
		}
	}
	err := h.exchange(req)
	if err != nil || h.plan.Kept != Keep {
		h.close()
	}
	return err
}

func (h *h1Driver) exchange(req *Request) error {
	if err := h.c.SetDeadline(time.Now().Add(h.plan.Timeout)); err != nil {
		return err
	}
	h.out = append(append(append(h.out[:0], "GET "...), req.Path...), " HTTP/1.1\r\nHost: "...)
	h.out = append(append(h.out, h.plan.Host...), "\r\n"...)
	if req.Range != "" {
		h.out = append(append(append(h.out, "Range: "...), req.Range...), "\r\n"...)
	}
	h.out = append(h.out, "\r\n"...)
	if _, err := h.c.Write(h.out); err != nil {
		return err
	}
	h.answer = answer{}
	return h.read()
}

// head is what a header section says about what follows it.
type head struct {
	length  int64 // -1: not told
	chunked bool
	close   bool
}

func (h *h1Driver) read() error {
	about, err := h.readHead()
	if err != nil {
		return err
	}
	switch {
	case about.chunked:
		err = h.readChunks()
	case about.length >= 0:
		err = h.skip(about.length)
	default:
		h.answer.octets, err = io.Copy(io.Discard, h.in)
		about.close = true
	}
	if about.close {
		h.close()
	}
	return err
}

func (h *h1Driver) readHead() (about head, err error) {
	line, err := h.line()
	if err != nil {
		return about, err
	}
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return about, fmt.Errorf("the answer begins with %q", line)
	}
	if h.answer.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return about, fmt.Errorf("the answer begins with %q", line)
	}
	about.length = -1
	for {
		line, err = h.line()
		if err != nil || len(line) == 0 {
			return about, err
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		h.field(&about, name, bytes.TrimSpace(value))
	}
}

func (h *h1Driver) field(about *head, name, value []byte) {
	is := func(s string) bool { return len(name) == len(s) && bytes.EqualFold(name, []byte(s)) }
	switch {
	case is("content-length"):
		if n, err := strconv.ParseInt(string(value), 10, 64); err == nil {
			about.length = n
		}
	case is("transfer-encoding"):
		about.chunked = true
	case is("connection"):
		about.close = bytes.EqualFold(value, []byte("close"))
	case is("cache-status"):
		h.answer.cache = handled(string(value))
	}
}

// line reads a line and returns it without its end. It is good until the next read.
func (h *h1Driver) line() ([]byte, error) {
	line, err := h.in.ReadSlice('\n')
	if errors.Is(err, io.EOF) && len(line) > 0 {
		err = io.ErrUnexpectedEOF
	}
	return bytes.TrimRight(line, "\r\n"), err
}

func (h *h1Driver) skip(n int64) error {
	for n > 0 {
		step := int(min(n, int64(h.in.Size())))
		if h.in.Buffered() > 0 {
			step = min(step, h.in.Buffered())
		}
		got, err := h.in.Discard(step)
		h.answer.octets += int64(got)
		n -= int64(got)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

func (h *h1Driver) readChunks() error {
	for {
		line, err := h.line()
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseInt(string(size), 16, 64)
		if err != nil {
			return fmt.Errorf("a chunk begins with %q", line)
		}
		if err := h.skip(n); err != nil {
			return err
		}
		for { // the end of the chunk, or the trailer section
			line, err := h.line()
			if err != nil {
				return err
			}
			if len(line) == 0 {
				break
			}
		}
		if n == 0 {
			return nil
		}
	}
}

package target

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Path is where an origin has a content of so many octets, which may be stored for so long; 0: not at all. It has as many
// of a kind as there are numbers. What may not be stored is below /0/.
func Path(octets int64, fresh time.Duration, number int) string {
	return fmt.Sprintf("/%d/%d/%d", int64(fresh/time.Second), octets, number)
}

// Origin is a server of H1, and of H2 for whoever begins with its preface, that costs little: it reads a request, and writes
// octets that it has. Its methods are safe for concurrent use.
type Origin struct {
	address  string
	requests atomic.Int64
	octets   atomic.Int64

	mu       sync.Mutex // guards the following fields
	listener net.Listener
	conns    map[net.Conn]bool
	all      sync.WaitGroup
}

// NewOrigin starts an origin at address, HOST:PORT. The caller closes it.
func NewOrigin(address string) (*Origin, error) {
	o := &Origin{address: address}
	return o, o.Up()
}

// Address is where it listens.
func (o *Origin) Address() string { return o.address }

// Requests is how many it has answered.
func (o *Origin) Requests() int64 { return o.requests.Load() }

// Octets is how much content it has sent.
func (o *Origin) Octets() int64 { return o.octets.Load() }

// Up makes it listen, at the same address as before.
func (o *Origin) Up() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.listener != nil {
		return nil
	}
	ln, err := net.Listen("tcp", o.address)
	if err != nil {
		return fmt.Errorf("start the origin: %w", err)
	}
	o.address, o.listener, o.conns = ln.Addr().String(), ln, map[net.Conn]bool{}
	o.all.Go(func() { o.accept(ln) })
	return nil
}

// Down ends its connections and refuses new ones, until Up.
func (o *Origin) Down() {
	o.mu.Lock()
	if o.listener != nil {
		_ = o.listener.Close()
		o.listener = nil
	}
	for c := range o.conns {
		_ = c.Close()
	}
	o.mu.Unlock()
	o.all.Wait()
}

// Close ends it.
func (o *Origin) Close() { o.Down() }

func (o *Origin) accept(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		o.mu.Lock()
		if o.listener != ln {
			_ = c.Close()
			o.mu.Unlock()
			return
		}
		o.conns[c] = true
		o.all.Go(func() {
			defer o.forget(c)
			o.serve(c)
		})
		o.mu.Unlock()
	}
}

func (o *Origin) forget(c net.Conn) {
	_ = c.Close()
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.conns, c)
}

// block is what contents are made of.
var block = bytes.Repeat([]byte("anyedge bench · "), 4096) // never written

// etag is that of every content: none of them ever changes.
const etag = `"5f3c-61a0"`

func (o *Origin) serve(c net.Conn) {
	in := bufio.NewReaderSize(c, 16<<10)
	var out []byte
	for {
		asked, err := readRequest(in)
		if err != nil {
			return
		}
		if asked.method == "PRI" {
			_ = o.serveH2(c, in)
			return
		}
		o.requests.Add(1)
		var from, length int64
		out, from, length = asked.appendHead(out[:0])
		// A small content goes out with the head, in one write.
		for length > 0 || len(out) > 0 {
			part := block[from%int64(len(block)):]
			part = part[:min(length, int64(len(part)))]
			out = append(out, part...)
			if _, err := c.Write(out); err != nil {
				return
			}
			o.octets.Add(int64(len(part)))
			from, length, out = from+int64(len(part)), length-int64(len(part)), out[:0]
		}
	}
}

// originRequest is what an origin needs to know of a request.
type originRequest struct {
	method, path string
	span         string // the value of Range
	match        bool   // If-None-Match has the one entity tag
}

func readRequest(in *bufio.Reader) (r originRequest, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return r, err
	}
	parts := strings.Fields(string(line))
	if len(parts) != 3 {
		return r, errors.New("no request line")
	}
	r.method, r.path = parts[0], parts[1]
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return r, err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			return r, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case len(name) == len("range") && bytes.EqualFold(name, []byte("range")):
			r.span = string(bytes.TrimSpace(value))
		case len(name) == len("if-none-match") && bytes.EqualFold(name, []byte("if-none-match")):
			r.match = bytes.Contains(value, []byte(etag))
		case len(name) == len("content-length") && bytes.EqualFold(name, []byte("content-length")):
			n, _ := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
			defer func() {
				if err == nil {
					_, err = io.CopyN(io.Discard, in, n)
				}
			}()
		}
	}
}

// appendHead appends the answer's header section, and says which octets of the block follow it.
func (r *originRequest) appendHead(b []byte) (head []byte, from, length int64) {
	var size, fresh int64
	var number string
	parts := strings.Split(strings.TrimPrefix(r.path, "/"), "/")
	if len(parts) == 3 {
		fresh, _ = strconv.ParseInt(parts[0], 10, 64)
		size, _ = strconv.ParseInt(parts[1], 10, 64)
		number = parts[2]
	}
	length = size
	switch first, last, partial := r.part(size); {
	case number == "" || size <= 0:
		return append(b, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"...), 0, 0
	case r.match:
		b = append(b, "HTTP/1.1 304 Not Modified\r\n"...)
		length = 0
	case partial:
		b = fmt.Appendf(b, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-%d/%d\r\n", first, last, size)
		from, length = first, last-first+1
	default:
		b = append(b, "HTTP/1.1 200 OK\r\n"...)
	}
	b = append(b, "Content-Type: image/png\r\nEtag: "+etag+"\r\nLast-Modified: Mon, 02 Nov 2026 10:00:00 GMT\r\n"...)
	b = time.Now().UTC().AppendFormat(append(b, "Date: "...), "Mon, 02 Jan 2006 15:04:05 GMT\r\n")
	if fresh > 0 {
		b = append(strconv.AppendInt(append(b, "Cache-Control: public, max-age="...), fresh, 10), "\r\n"...)
	} else {
		b = append(b, "Cache-Control: no-store\r\n"...)
	}
	if !r.match {
		b = append(strconv.AppendInt(append(b, "Accept-Ranges: bytes\r\nContent-Length: "...), length, 10), "\r\n"...)
	}
	if r.method == "HEAD" {
		length = 0
	}
	return append(b, "\r\n"...), from, length
}

// part is the one range of a GET that has one; others are answered with the whole.
func (r *originRequest) part(size int64) (first, last int64, ok bool) {
	a, b, ok := strings.Cut(strings.TrimPrefix(r.span, "bytes="), "-")
	if !ok || r.method != "GET" {
		return 0, 0, false
	}
	first, err := strconv.ParseInt(a, 10, 64)
	if err != nil || first >= size {
		return 0, 0, false
	}
	last, err = strconv.ParseInt(b, 10, 64)
	if b == "" || err == nil && last >= size {
		last, err = size-1, nil
	}
	return first, last, err == nil && last >= first
}

package hitpath

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/anyedge/anyedge/cache"
)

// Handler answers plain hits with what a server made of them, an http.Request and an http.ResponseWriter, and leaves all
// else to next. It is for H3, whose server lets nobody in front of it.
func (s *Server) Handler(next http.Handler) http.Handler {
	return &shortcut{server: s, next: next, exchanges: sync.Pool{New: func() any { return new(exchange) }}}
}

type shortcut struct {
	server    *Server
	next      http.Handler
	exchanges sync.Pool // of *exchange
}

// ServeHTTP answers r.
func (h *shortcut) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := h.exchanges.Get().(*exchange)
	defer func() {
		clear(x.request.Fields)
		fields := x.request.Fields[:0]
		*x = exchange{request: Request{Fields: fields}, answer: Answer{Status: x.answer.Status[:0], Scratch: x.answer.Scratch}}
		h.exchanges.Put(x)
	}()
	if x.answer.Scratch == nil {
		x.answer.Scratch = make([]byte, 0, scratch)
	}
	q := &x.request
	q.VIP, q.Protocol, q.At, q.Room = h.server.VIP, "h3", time.Now(), maxRoom
	control := http.NewResponseController(w)
	if !q.take(r) || q.size() > h.server.Header || !h.isBare(control, r) || !h.server.Finder.Find(q, &x.answer) {
		h.next.ServeHTTP(w, r)
		return
	}
	h.answer(w, control, x)
}

// maxRoom is the room where the server has flow control of its own.
const maxRoom = 1<<63 - 1

// take makes the request of what a server made of one. It isn't ok where that is no plain one.
func (r *Request) take(h *http.Request) bool {
	if h.TLS == nil || !h.TLS.HandshakeComplete { // early data is the chain's to judge
		return false
	}
	if h.Method != http.MethodGet && h.Method != http.MethodHead || h.ContentLength > 0 || !validTarget(h.RequestURI) || len(h.Header) > maxFields {
		return false
	}
	r.Method, r.Target, r.Host = h.Method, h.RequestURI, h.Host
	r.TLS = h.TLS.Version
	if a, err := netip.ParseAddrPort(h.RemoteAddr); err == nil {
		r.Client = a.Addr().Unmap().WithZone("")
	}
	for name, values := range h.Header {
		for _, value := range values {
			if !validValue(value) {
				return false
			}
			if name == "Te" && value == "trailers" {
				continue
			}
			r.Fields = append(r.Fields, Field{name, value})
		}
	}
	return true
}

// isBare tells whether r has no content, which H3 shows at its end alone. What was read of one goes back.
func (h *shortcut) isBare(control *http.ResponseController, r *http.Request) bool {
	if r.Body == nil || r.Body == http.NoBody {
		return true
	}
	_ = control.SetReadDeadline(time.Now().Add(h.server.HeaderTimeout))
	var first [1]byte
	n, err := io.ReadFull(r.Body, first[:])
	if n == 0 && errors.Is(err, io.EOF) {
		r.Body, r.ContentLength = http.NoBody, 0
		return true
	}
	_ = control.SetReadDeadline(time.Time{})
	r.Body = &prefixed{first: first[:n], err: err, ReadCloser: r.Body}
	return false
}

// prefixed is a content of which the beginning was read.
type prefixed struct {
	first []byte
	err   error // that came with it
	io.ReadCloser
}

// Read reads on.
func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.first) == 0 {
		if p.err != nil {
			return 0, p.err
		}
		return p.ReadCloser.Read(b)
	}
	n := copy(b, p.first)
	p.first = p.first[n:]
	return n, nil
}

// answer writes what was found.
func (h *shortcut) answer(w http.ResponseWriter, control *http.ResponseController, x *exchange) {
	a := &x.answer
	stored := a.Found.Answer
	header := w.Header()
	addLines(header, stored.FieldBlock())
	addLines(header, h.server.moreFields())
	header["Age"] = []string{strconv.FormatInt(int64(a.Found.Age/time.Second), 10)}
	header["Cache-Status"] = []string{string(a.Status)}
	header["Content-Length"] = []string{strconv.FormatInt(stored.Length(), 10)}
	_ = control.SetWriteDeadline(time.Now().Add(h.server.SendIdle))
	w.WriteHeader(stored.Status())
	var err error
	if x.request.Method != http.MethodHead {
		err = h.send(w, control, x)
	}
	a.Whole, a.Stalled = err == nil, errors.Is(err, os.ErrDeadlineExceeded)
	a.Account.Served(&x.request, a)
	if err != nil {
		panic(http.ErrAbortHandler) // the stream is reset, so that nobody takes the content for whole
	}
}

// send writes the content; the client has a time for each part of it.
func (h *shortcut) send(w http.ResponseWriter, control *http.ResponseController, x *exchange) error {
	for _, piece := range x.answer.Found.Answer.Content().(cache.Pieces) { // as Find promises
		for len(piece) > 0 {
			part := piece[:min(len(piece), maxOut)]
			if x.answer.Sent > 0 {
				_ = control.SetWriteDeadline(time.Now().Add(h.server.SendIdle))
			}
			n, err := w.Write(part)
			x.answer.Sent += int64(n)
			if err != nil {
				return err
			}
			piece = piece[len(part):]
		}
	}
	return nil
}

// addLines adds field lines of the form "Name: value\r\n".
func addLines(h http.Header, lines string) {
	values := make([]string, 0, strings.Count(lines, lineEnd))
	for lines != "" {
		var line string
		line, lines, _ = strings.Cut(lines, lineEnd)
		name, value, _ := strings.Cut(line, ": ")
		if present := h[name]; present != nil {
			h[name] = append(present, value)
			continue
		}
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
}

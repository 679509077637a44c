package hitpath

import (
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/anyedge/anyedge/cache/lifespan"
)

// turn is a request over H1 that the handler answers. It is the context of that, too, which ends with it, with its client, or
// with the server's context; the handler may keep it.
type turn struct {
	lifespan.Span
	server  context.Context // has the values
	request http.Request
	url     url.URL // of the request, where it needn't be parsed
}

// Value returns the server's.
func (t *turn) Value(key any) any { return t.server.Value(key) }

// peer is what handlers are told of a connection.
type peer struct {
	address string
	tls     tls.ConnectionState
}

// turnOf makes q, of which head is the head, the handler's: the same request that net/http would make of it. It returns nil
// where net/http may refuse it. The handler may keep what it gets, so that isn't part of a larger read, of so many octets.
func (c *Conn) turnOf(q *Request, head string, read int) *turn {
	if len(head) < read {
		q.parse(strings.Clone(head), q.Fields[:0])
	}
	t := &turn{server: c.server.Context}
	u := t.target(q.Target)
	if u == nil || !httpguts.ValidHostHeader(q.Host) {
		return nil
	}
	if c.peer == nil {
		c.peer = &peer{address: c.RemoteAddr().String(), tls: c.ConnectionState()}
	}
	t.request = *(&http.Request{
		Method: q.Method, URL: u, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: q.header(), Body: http.NoBody,
		Host: q.Host, Close: hasToken(q.connection, "close"), RemoteAddr: c.peer.address, RequestURI: q.Target, TLS: &c.peer.tls,
	}).WithContext(t)
	return t
}

// target is a target, which is in origin form, as a URL; nil: it isn't one.
func (t *turn) target(target string) *url.URL {
	if path, query, asks := strings.Cut(target, "?"); isPlainPath(path) {
		t.url = url.URL{Path: path, RawQuery: query, ForceQuery: asks && query == ""}
		return &t.url
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil
	}
	return u
}

// isPlainPath tells whether a path is the same decoded and encoded.
func isPlainPath(path string) bool {
	for i := range len(path) {
		if !isPathChar[path[i]] {
			return false
		}
	}
	return true
}

// isPathChar are the characters that package url neither decodes nor encodes in a path.
var isPathChar = func() (is [256]bool) {
	for _, c := range []byte("$&+,-./:;=@_~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
		is[c] = true
	}
	return is
}()

// header is r's fields as a map, with Connection and without Host.
func (r *Request) header() http.Header {
	h := make(http.Header, len(r.Fields)+1)
	lines := make([]string, 0, len(r.Fields)+1) // of all fields; capacities keep them apart
	add := func(name, value string) {
		name = textproto.CanonicalMIMEHeaderKey(name)
		if before, ok := h[name]; ok {
			h[name] = append(before, value)
			return
		}
		lines = append(lines, value)
		h[name] = lines[len(lines)-1:][:1:1]
	}
	for _, f := range r.Fields {
		add(f.Name, f.Value)
	}
	if r.connection != "" {
		add("Connection", r.connection)
	}
	if pragma := h["Pragma"]; len(pragma) > 0 && pragma[0] == "no-cache" && h["Cache-Control"] == nil {
		h["Cache-Control"] = []string{"no-cache"} // RFC 9111 §5.4, as net/http does
	}
	return h
}

// serve has the handler answer, while somebody watches the client. An error ends the connection.
func (t *turn) serve(c *Conn) error {
	b := c.server.takeBuffers()
	b.watch.begin(c, t)
	c.present(t)
	w := &response{conn: c, turn: t, buffers: b, length: -1, head: t.request.Method == http.MethodHead, close: t.request.Close}
	returned := t.handle(w)
	c.turn.Store(nil)
	t.End()
	err := w.end(returned)
	ahead, gone := b.watch.end()
	c.in.add(c.server, ahead)
	c.server.putBuffers(b)
	if gone == io.EOF && c.in.have > 0 { //nolint:errorlint // crypto/tls returns io.EOF itself
		gone = nil // what came before the end is answered, as by net/http; the end comes again
	}
	return cmp.Or(err, gone)
}

// present makes t the turn that ends with the server's context.
func (c *Conn) present(t *turn) {
	c.turn.Store(t)
	if c.unwatch == nil {
		c.unwatch = context.AfterFunc(c.server.Context, c.endTurn)
	}
	if c.server.Context.Err() != nil { // endTurn may have been there
		t.End()
	}
}

// endTurn is called when the server's context has ended.
func (c *Conn) endTurn() {
	if t := c.turn.Load(); t != nil {
		t.End()
	}
}

// handle reports whether the handler returned, rather than panicked.
func (t *turn) handle(w *response) (returned bool) {
	defer func() {
		if !returned {
			_ = recover()
		}
	}()
	w.conn.server.Handler.ServeHTTP(w, &t.request)
	return true
}

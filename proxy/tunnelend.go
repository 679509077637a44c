package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// closeWriter is what TCP and TLS connections can do beyond net.Conn.
type closeWriter interface{ CloseWrite() error }

// connEnd is a connection that was taken over from the H1 server.
type connEnd struct {
	net.Conn
	reader io.Reader // what the server had read ahead, then the connection
	ex     *exchange
}

func newConnEnd(conn net.Conn, buffered *bufio.Reader, ex *exchange) *connEnd {
	ahead := io.LimitReader(buffered, int64(buffered.Buffered()))
	return &connEnd{Conn: conn, reader: io.MultiReader(ahead, conn), ex: ex}
}

func (e *connEnd) Read(p []byte) (int, error) {
	n, err := e.reader.Read(p)
	e.ex.tunneled.Add(int64(n))
	return n, err
}

func (e *connEnd) Write(p []byte) (int, error) {
	n, err := e.Conn.Write(p)
	e.ex.recorder.written += int64(n)
	return n, err
}

// CloseWrite sends a FIN, under TLS a close_notify.
func (e *connEnd) CloseWrite() error { return closeWrite(e.Conn) }

// Abort closes the connection.
func (e *connEnd) Abort() { _ = e.Close() }

// originEnd is the connection that an upgrade's response leaves us.
type originEnd struct{ io.ReadWriteCloser }

// CloseWrite sends a FIN, under TLS a close_notify.
func (e *originEnd) CloseWrite() error { return closeWrite(e.ReadWriteCloser) }

// Abort closes the connection.
func (e *originEnd) Abort() { _ = e.Close() }

func closeWrite(c any) error {
	if cw, ok := c.(closeWriter); ok {
		return cw.CloseWrite()
	}
	return http.ErrNotSupported
}

// past is a deadline that has passed.
var past = time.Unix(1, 0)

// streamEnd is an H2 or H3 stream: the request's content one way, the response's the other.
type streamEnd struct {
	content io.Reader
	w       http.ResponseWriter
	control *http.ResponseController
	ended   atomic.Bool // the origin has said its last
}

// Read reads what the client sends. It ends when the client does, or after CloseWrite.
func (e *streamEnd) Read(p []byte) (int, error) {
	n, err := e.content.Read(p)
	if err != nil && e.ended.Load() {
		err = io.EOF
	}
	return n, err
}

func (e *streamEnd) Write(p []byte) (int, error) {
	n, err := e.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, e.control.Flush()
}

// CloseWrite ends both directions: a handler can end its stream only by returning, and an origin that has closed
// doesn't listen any more, for WebSocket's closing handshake is over by then.
func (e *streamEnd) CloseWrite() error {
	e.ended.Store(true)
	return e.control.SetReadDeadline(past)
}

// Abort makes Read and Write fail.
func (e *streamEnd) Abort() {
	_ = e.control.SetReadDeadline(past)
	_ = e.control.SetWriteDeadline(past)
}

package proxy

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"

	"github.com/anyedge/anyedge/cache"
)

// copySize is how much of a content is held at once, each way and per request: two TLS records.
const copySize = 32 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copySize]byte) }}

// relayFrom answers with origin's responses as they come, for a chain without a cache.
func (c *Chain) relayFrom(origin cache.Origin) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := origin.RoundTrip(withEarlyHints(w, r))
		if err != nil {
			c.fail(w, r, err)
			return
		}
		relay(w, resp)
	})
}

// withEarlyHints passes informational responses on. Until the final one has come, nobody else writes to w.
// 100 (Continue) is the server's own to send, when the content is read.
func withEarlyHints(w http.ResponseWriter, r *http.Request) *http.Request {
	trace := &httptrace.ClientTrace{Got1xxResponse: func(status int, fields textproto.MIMEHeader) error {
		if status == http.StatusContinue {
			return nil
		}
		h := w.Header()
		before := maps.Clone(h)
		cleanResponse(http.Header(fields))
		maps.Copy(h, fields)
		w.WriteHeader(status)
		clear(h)
		maps.Copy(h, before)
		return nil
	}}
	return r.WithContext(httptrace.WithClientTrace(r.Context(), trace))
}

// relay sends resp to the client: its fields, its content as it comes, its trailers. A content that ends too early
// breaks the response off.
func relay(w http.ResponseWriter, resp *http.Response) {
	defer resp.Body.Close()
	h := w.Header()
	maps.Copy(h, resp.Header)
	for key := range resp.Trailer {
		h.Add("Trailer", key)
	}
	w.WriteHeader(resp.StatusCode)
	if err := stream(w, resp.Body, flushes(resp)); err != nil {
		panic(http.ErrAbortHandler)
	}
	for key, lines := range resp.Trailer {
		h[http.TrailerPrefix+key] = lines
	}
	if len(resp.Trailer) > 0 {
		_ = http.NewResponseController(w).Flush() // a content too small to be chunked has no trailers
	}
}

// flushes reports whether each piece of the content is to be sent as it comes: where nobody knows how much there will
// be, or where it is a conversation.
func flushes(resp *http.Response) bool {
	return resp.ContentLength < 0 || strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream")
}

// stream copies src to w until its end.
func stream(w http.ResponseWriter, src io.Reader, flush bool) error {
	control := http.NewResponseController(w)
	if flush {
		_ = control.Flush() // the header section, before the first octet
	}
	buf := copyBuffers.Get().(*[copySize]byte)
	defer copyBuffers.Put(buf)
	for {
		n, err := src.Read(buf[:])
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
			if flush {
				_ = control.Flush() // its error comes back with the next write
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

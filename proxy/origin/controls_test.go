package origin_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"

	"github.com/anyedge/anyedge/proxy/origin"
)

// controls are the control characters that no field value may have, RFC 9110 §5.5. LF isn't one of them here: it ends a line.
func controls() (list []string) {
	for c := range byte(' ') {
		if c != '\t' && c != '\n' {
			list = append(list, string(rune(c)))
		}
	}
	return append(list, "\x7f")
}

// TestControlCharacters: a response with a control character in a field is refused, whatever way it is read, so that none is
// stored, and none gets to a client, of whichever protocol.
func TestControlCharacters(t *testing.T) {
	const length = "Content-Length: 2\r\n\r\nhi"
	for name, shape := range map[string]string{
		"a length":       "HTTP/1.1 200 OK\r\nX: a@b\r\n" + length,
		"chunks":         "HTTP/1.1 200 OK\r\nX: a@b\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
		"HTTP/1.0":       "HTTP/1.0 200 OK\r\nX: a@b\r\n\r\nhi",
		"the first":      "HTTP/1.1 200 OK\r\nX:@ab\r\n" + length,
		"the last":       "HTTP/1.1 200 OK\r\nX: ab@\r\n" + length,
		"a folded line":  "HTTP/1.1 200 OK\r\nX: a\r\n @b\r\n" + length,
		"a name":         "HTTP/1.1 200 OK\r\nX@Y: ab\r\n" + length,
		"beside Pragma":  "HTTP/1.1 200 OK\r\nPragma: a\r\nX: a@b\r\n" + length,
		"early hints":    "HTTP/1.1 103 Early Hints\r\nLink: a@b\r\n\r\nHTTP/1.1 200 OK\r\n" + length,
		"trailer fields": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: a@b\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var text atomic.Pointer[string]
			b := open(t, func(o *origin.Options) { hurry(o); never(o) }, serveRaw(t, func(c net.Conn) { answer(*text.Load())(c) }))
			for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
				if method == http.MethodHead && name == "trailer fields" {
					continue // it has none
				}
				for _, c := range controls() {
					said := strings.Replace(shape, "@", c, 1)
					text.Store(&said)
					var content io.Reader
					if method == http.MethodPost {
						content = strings.NewReader("content")
					}
					_, _, err := b.fetch(request(t, method, content))
					if e, ok := errors.AsType[*origin.Error](err); !ok || e.Status != 502 {
						t.Errorf("%s %q: %v", method, said, err)
					}
				}
			}
		})
	}
}

// TestControlCharactersOverH2 is the same of H2.
func TestControlCharactersOverH2(t *testing.T) {
	const ok, name = "\x88", "\x00\x01x" // hpack: :status 200, and the name of a literal
	var value atomic.Pointer[string]
	server := serveFrames(t, func(f *http2.Framer, _ net.Conn, stream uint32) {
		respond(f, stream, true, ok+name+string(rune(len(*value.Load())))+*value.Load())
	})
	b := open(t, func(o *origin.Options) { hurry(o); never(o); o.H2C = true }, server)
	for _, c := range append(controls(), "\n") {
		said := "a" + c + "b"
		value.Store(&said)
		_, _, err := b.fetch(get(t))
		wantError(t, err, origin.HTTPProtocolError, 502)
	}
	said := "a\tb"
	value.Store(&said)
	if resp, _ := b.must(t, get(t)); resp.Header.Get("X") != said {
		t.Errorf("got %q", resp.Header)
	}
}

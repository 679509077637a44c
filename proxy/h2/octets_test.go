package h2_test

import (
	"io"
	"net/http"
	"testing"

	"golang.org/x/net/http2"
)

// Every octet in the other pseudo-header fields is answered, too, or ends its stream, and the connection goes on.
func TestOctetsOfOthers(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RequestURI) })
	c := s.dial()
	id := uint32(1)
	for _, field := range []string{":authority", ":method", ":scheme"} {
		for octet := range 256 {
			fields := []string{":method", "GET", ":scheme", "https", ":authority", "example.com", ":path", "/ab"}
			for i := 0; i < len(fields); i += 2 {
				if fields[i] == field {
					fields[i+1] = fields[i+1][:2] + string([]byte{byte(octet)}) + fields[i+1][2:]
				}
			}
			c.open(id, true, "", fields...)
			refused := c.refused(id)
			if must := octet <= ' ' || octet == 0x7f; must && !refused {
				t.Errorf("%s with octet %#x is answered", field, octet)
			}
			id += 2
		}
	}
}

// refused waits for the end of a stream, and tells whether it is a reset for PROTOCOL_ERROR.
func (c *conn) refused(id uint32) bool {
	c.t.Helper()
	for {
		f, err := c.ReadFrame()
		must(c.t, err)
		if f.Header().StreamID != id {
			continue
		}
		switch f := f.(type) {
		case *http2.RSTStreamFrame:
			if f.ErrCode != http2.ErrCodeProtocol {
				c.t.Errorf("%v", f)
			}
			return true
		case *http2.DataFrame:
			if f.StreamEnded() {
				return false
			}
		case *http2.MetaHeadersFrame:
			if f.StreamEnded() {
				return false
			}
		}
	}
}

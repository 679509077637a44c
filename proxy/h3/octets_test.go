package h3_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/quic-go/quic-go"
)

// Spaces and control characters in pseudo-header fields end the request; others are answered, or end it.
func TestOctets(t *testing.T) {
	c := serve(t, func(http.ResponseWriter, *http.Request) {}).dial()
	for at, name := range []string{":method", ":scheme", ":authority", ":path"} {
		for octet := range 256 {
			fields := [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "example.com"}, {":path", "/ab"}}
			value := fields[at][1]
			fields[at][1] = value[:2] + string([]byte{byte(octet)}) + value[2:]
			_, err := io.ReadAll(ask(t, c, headers(fields...), true))
			var reset *quic.StreamError
			refused := errors.As(err, &reset) && reset.ErrorCode == 0x10e
			if none := octet <= ' ' || octet == 0x7f; err != nil && !refused || none && !refused {
				t.Errorf("%s with octet %#x: %v", name, octet, err)
			}
		}
	}
}

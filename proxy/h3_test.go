package proxy_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// h3Stream opens a request stream of a connection of its own, for what http3.Transport doesn't do by itself.
func (e *edge) h3Stream(t *testing.T) *http3.RequestStream {
	t.Helper()
	config := http3.ConfigureTLSConfig(&tls.Config{RootCAs: e.roots, ServerName: "example.com"})
	conn, err := quic.DialAddr(t.Context(), e.addr, config, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http3.Transport{}
	t.Cleanup(func() {
		_ = transport.Close()
		_ = conn.CloseWithError(0, "")
	})
	stream, err := transport.NewClientConn(conn).OpenRequestStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// continueOverH3 sends content once it is asked for, and returns the statuses that came.
func (e *edge) continueOverH3(t *testing.T, content string) []int {
	t.Helper()
	stream := e.h3Stream(t)
	r := e.request(t, "REPORT", "example.com", "/", nil) // for a POST the stream would say that there is no content
	r.Header.Set("Expect", "100-continue")
	if err := stream.SendRequestHeader(r); err != nil {
		t.Fatal(err)
	}
	var all []int
	for {
		resp, err := stream.ReadResponse()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, resp.StatusCode)
		if resp.StatusCode >= http.StatusOK {
			return all
		}
		_, _ = io.WriteString(stream, content)
		_ = stream.Close()
	}
}

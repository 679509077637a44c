package h2_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/anyedge/anyedge/proxy/origin/h2"
)

// FuzzServer has a server say anything: whatever it is, every request ends, and so does the connection.
func FuzzServer(f *testing.F) {
	const settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	for _, said := range []string{
		settings + "\x00\x00\x01\x01\x05\x00\x00\x00\x01\x88",                                              // 200, no content
		settings + "\x00\x00\x01\x01\x04\x00\x00\x00\x01\x88\x00\x00\x02\x00\x01\x00\x00\x00\x01ok",        // and one
		settings + "\x00\x00\x01\x01\x04\x00\x00\x00\x01\x88\x00\x00\x03\x00\x09\x00\x00\x00\x01\x01o\x00", // padded
		settings + "\x00\x00\x00\x01\x00\x00\x00\x00\x01\x00\x00\x01\x09\x04\x00\x00\x00\x01\x88",
		settings + "\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x07",
		settings + "\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00",
		settings + "\x00\x00\x08\x06\x00\x00\x00\x00\x00pingping\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x01",
		"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00",
	} {
		f.Add([]byte(said))
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		near, far := net.Pipe()
		c := &h2.Client{
			Dial:      func(context.Context) (net.Conn, error) { return near, nil }, // the second time it is closed
			FirstByte: patience, Idle: patience, KeepAlive: time.Hour, Quiet: time.Hour, Pong: patience, MaxHeader: 4 << 10,
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			resp, err := c.RoundTrip(get(t.Context(), t, "/"))
			if err != nil {
				return
			}
			n, err := io.Copy(io.Discard, resp.Body)
			if err == nil && resp.ContentLength > 0 && n != resp.ContentLength {
				t.Errorf("%d octets of %d", n, resp.ContentLength)
			}
			_ = resp.Body.Close()
		}()
		go func() { _, _ = io.Copy(io.Discard, far) }() // ends with the pipe
		_, _ = far.Write(said)
		_ = far.Close()
		select {
		case <-done:
		case <-time.After(patience):
			t.Fatal("the request hangs")
		}
		c.CloseIdle()
	})
}

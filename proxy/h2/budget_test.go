//go:build !race

package h2_test

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net/http"
	"testing"

	"golang.org/x/net/http2"

	"github.com/anyedge/anyedge/proxy/hitpath/hitpathtest"
)

// TestRequestAllocations bounds what a request that isn't a hit allocates here, from the socket and back to it, besides what
// its handler does. The client allocates nothing. The race detector does.
func TestRequestAllocations(t *testing.T) {
	const most = 26
	content := make([]byte, 1<<10)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) })
	c, err := tls.Dial("tcp", s.addr, s.tls())
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	const head = 9
	begin := http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x04\x08\x00\x00\x00\x00\x00\x40\x00\x00\x00" // SETTINGS, and a large window
	_, err = io.WriteString(c, begin)
	must(t, err)
	in, payload := bufio.NewReader(c), make([]byte, 16<<10)
	frame := []byte("\x00\x00\x08\x01\x05\x00\x00\x00\x00\x82\x87\x84\x41\x03a.b") // HEADERS: GET, https, /, a.b
	frame[2] = byte(len(frame) - head)
	ask := func() {
		id := binary.BigEndian.Uint32(frame[5:])
		if _, err := c.Write(frame); err != nil {
			t.Fatal(err)
		}
		for ended := false; !ended; {
			if _, err := io.ReadFull(in, payload[:head]); err != nil {
				t.Fatal(err)
			}
			ended = binary.BigEndian.Uint32(payload[5:]) == id && payload[4]&1 != 0
			if _, err := io.ReadFull(in, payload[:int(payload[1])<<8|int(payload[2])]); err != nil {
				t.Fatal(err)
			}
		}
	}
	id := uint32(1)
	hitpathtest.Budget(t, most, func() {
		binary.BigEndian.PutUint32(frame[5:], id)
		id += 2
		ask()
	})
}

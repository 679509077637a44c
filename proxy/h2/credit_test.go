package h2_test

import (
	"io"
	"net/http"
	"testing"

	"golang.org/x/net/http2"

	"github.com/anyedge/anyedge/proxy/h2"
)

// No more is credited than was sent, however a stream ends: else a client could have more kept for it than the windows allow.
func TestUploadsAreCreditedOnce(t *testing.T) {
	began := make(chan struct{})
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { began <- struct{}{}; <-r.Context().Done() })
	c := s.dial()
	const streams, piece = 40, 16_000
	sent := 0
	for i := range streams {
		id := uint32(2*i + 1)
		c.open(id, false, "PUT", "content-length", "16001")
		<-began // for the stream's end to find content that nobody has read
		must(t, c.WriteData(id, true, make([]byte, piece)))
		sent += piece
	}
	must(t, c.WritePing(false, [8]byte{1}))
	credited, resets := 0, 0
	for pinged := false; !pinged; {
		f, err := c.ReadFrame()
		must(t, err)
		switch f := f.(type) {
		case *http2.WindowUpdateFrame:
			credited += int(f.Increment)
		case *http2.RSTStreamFrame:
			resets++
		case *http2.PingFrame:
			pinged = true
		}
	}
	const first = 1<<20 - 65_535
	if resets != streams || credited-first > sent {
		t.Errorf("%d streams were reset, and %d octets credited of %d", resets, credited-first, sent)
	}
}

// Uploads that the client gives up, half way, leave nothing of the connection's window behind.
func TestUploadsThatAreReset(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" && r.Header.Get("Last") == "" {
			<-r.Context().Done()
			return
		}
		n, _ := io.Copy(io.Discard, r.Body)
		if n != 3<<20 {
			t.Errorf("%d octets", n)
		}
	})
	c := s.dial()
	window := 65_535
	send := func(id uint32, octets int, end bool) {
		for octets > 0 {
			for window < 16<<10 {
				if f := next[*http2.WindowUpdateFrame](c); f.StreamID == 0 {
					window += int(f.Increment)
				}
			}
			n := min(16<<10, octets)
			octets, window = octets-n, window-n
			must(t, c.WriteData(id, end && octets == 0, make([]byte, n)))
		}
	}
	id := uint32(1)
	for range 300 {
		c.open(id, false, "PUT", "content-length", "1000000")
		send(id, 50_000, false)
		must(t, c.WriteRSTStream(id, http2.ErrCodeCancel))
		id += 2
	}
	c.open(id, false, "PUT", "last", "1")
	send(id, 3<<20, true) // read as it comes: the stream's window is as large
	if status := c.status(); status != "200" {
		t.Error(status)
	}
}

// What still comes on streams that were answered early is passed over, however many there are.
func TestManyAnswersBeforeTheEnd(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {}, func(s *h2.Server) { s.Streams = 4 })
	c := s.dial()
	const streams = 3000
	for i := range streams {
		id := uint32(2*i + 1)
		c.open(id, false, "PUT")
		c.resets(id, http2.ErrCodeNo)
		if id > 1 { // what was on its way
			must(t, c.WriteData(id-2, false, []byte("late")))
		}
	}
	c.open(2*streams+1, true, "GET")
	if status := c.status(); status != "200" {
		t.Error(status)
	}
}

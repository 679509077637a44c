package h2_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/anyedge/anyedge/proxy/h2"
)

// restSoon has connections rest where they may be idle for so long.
func restSoon(idle time.Duration) func(*h2.Server) {
	return func(s *h2.Server) { s.RestAfter, s.IdleTimeout = 5*time.Millisecond, idle }
}

// restsAfter waits for a rest that follows f.
func (s *server) restsAfter(f func()) {
	s.t.Helper()
	for len(s.rests) > 0 {
		<-s.rests
	}
	f()
	select {
	case <-s.rests:
	case <-time.After(patience):
		s.t.Fatal("it doesn't rest")
	}
}

// dialResting returns a connection that has rested before it was asked.
func (s *server) dialResting() (c *conn) {
	s.t.Helper()
	s.restsAfter(func() { c = s.dial() })
	return c
}

// A quiet connection rests, again and again, before it was asked and with an answer under way, and goes on when something comes.
func TestRest(t *testing.T) {
	hold := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			<-hold
		}
		_, _ = io.WriteString(w, "done")
	}, restSoon(time.Hour))
	c := s.dialResting()
	answered := func(id uint32) {
		if d := next[*http2.DataFrame](c); d.StreamID != id || string(d.Data()) != "done" {
			t.Errorf("%v", d)
		}
	}
	for id := uint32(1); id < 7; id += 2 {
		s.restsAfter(func() {
			c.open(id, true, "GET")
			answered(id)
		})
	}
	s.restsAfter(func() {
		c.open(7, true, "PUT")
		must(t, c.WritePing(false, [8]byte{1}))
		next[*http2.PingFrame](c)
	})
	close(hold)
	answered(7)
	(<-s.conns).Leave()
	if last := c.ends(http2.ErrCodeNo); last != 7 {
		t.Errorf("the last stream is %d", last)
	}
}

// A connection that rests is closed with a word when it has been idle for too long, whatever comes but requests.
func TestIdleAtRest(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {}, restSoon(500*time.Millisecond))
	for _, pings := range []bool{false, true} {
		c := s.dialResting()
		if pings {
			s.restsAfter(func() {
				must(t, c.WritePing(false, [8]byte{1}))
				next[*http2.PingFrame](c)
			})
			_, err := c.tls.Write([]byte{0, 0}) // of a frame
			must(t, err)
		}
		c.ends(http2.ErrCodeNo)
	}
}

// A connection whose client goes while it rests ends.
func TestGoneAtRest(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {}, restSoon(time.Hour))
	c := s.dialResting()
	must(t, c.tls.Close()) // serve waits for the rest
}

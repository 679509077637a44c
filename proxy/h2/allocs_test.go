//go:build !race

package h2

import (
	"bytes"
	"crypto/tls"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/proxy/h2/frame"
	"github.com/anyedge/anyedge/proxy/hitpath"
	"github.com/anyedge/anyedge/proxy/hitpath/hitpathtest"
)

// finder finds one stored response, and counts what is answered.
type finder struct {
	found  cache.Found
	served int
}

func (f *finder) Find(_ *hitpath.Request, a *hitpath.Answer) bool {
	a.Found, a.Account = f.found, f
	a.Status = append(a.Status, "ams-1; hit"...)
	return true
}

func (f *finder) Served(*hitpath.Request, *hitpath.Answer) { f.served++ }

// TestHitAllocatesNothing: from the frames that have come to those that are to be written a hit allocates nothing, once the
// client's header table has its fields.
func TestHitAllocatesNothing(t *testing.T) {
	f := &finder{found: hitpathtest.Found(t)}
	s := &Server{
		Hits:   &hitpath.Server{Finder: f, VIP: "www", Header: 64 << 10},
		Header: 256 << 10, Streams: 100, IdleTimeout: time.Hour, SendIdle: time.Hour,
	}
	c := s.NewConn(tls.Server(hitpathtest.Silent{}, &tls.Config{}), hitpathtest.Unheld{})
	c.begun, c.settled, c.window, c.input = len(preface), true, 1<<30, &input{}
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	id := uint32(1)
	hit := func() {
		block.Reset()
		for _, field := range [...][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}, {"user-agent", "a browser"}, {"x-own", "value"}} {
			_ = enc.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}) // into a buffer
		}
		c.octets = frame.AppendHeaders(c.octets[:0], id, frame.EndStream, block.Bytes())
		id += 2
		if err := c.frames(); err != nil {
			t.Fatal(err)
		}
		s.release(c.out, nil, false)
		c.out = nil
	}
	hit()
	if n := testing.AllocsPerRun(1000, hit); n > 0 || f.served != 1002 {
		t.Errorf("%v allocations, %d answers", n, f.served)
	}
}

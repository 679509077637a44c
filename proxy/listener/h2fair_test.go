package listener_test

import (
	"bytes"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/anyedge/anyedge/proxy/hitpath"
	"github.com/anyedge/anyedge/proxy/listener"
)

// rootHits finds what hits does, but for requests that a handler is to answer.
type rootHits struct {
	*hits
	found atomic.Int64
}

func (h *rootHits) Find(r *hitpath.Request, a *hitpath.Answer) bool {
	if _, handled := r.Line("x-handled", 0); handled {
		return false
	}
	if !h.hits.Find(r, a) {
		return false
	}
	h.found.Add(1)
	return true
}

// TestH2StoredBesideHandlers asks for what is stored while a handler writes as fast as it can: neither waits for the other's end.
func TestH2StoredBesideHandlers(t *testing.T) {
	h := newHits(t, 300_000)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = w.Write(make([]byte, 32<<10))
		}
	})
	c := serve(t, handler, withHits(&rootHits{hits: h})).h2()
	must(t, c.conn.SetDeadline(time.Now().Add(patience)))
	must(t, c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1}))
	must(t, c.WriteWindowUpdate(0, 1<<30))
	for i := range uint32(4) {
		c.request(5+2*i, [2]string{"x-handled", "1"})
	}
	next[*http2.DataFrame](c)
	c.request(101)
	const enough = 100 << 20
	others := 0
	for stored := 0; stored < 300_000; {
		d, _ := next[*http2.DataFrame](c)
		if d.StreamID == 101 {
			stored += len(d.Data())
		} else if others += len(d.Data()); others > enough {
			t.Fatalf("%d octets of what is stored, and %d of others", stored, others)
		}
	}
	for i := range uint32(4) {
		must(t, c.WriteRSTStream(5+2*i, http2.ErrCodeCancel))
	}
}

// TestH2LessUrgent asks for something less urgent than what takes the connection's window for long: it waits, and is sent.
func TestH2LessUrgent(t *testing.T) {
	const size = 6 << 20
	h := newHits(t, size)
	const idle = 2 * time.Second
	c := serve(t, notFound, withHits(h), func(c *listener.Config) { c.Limits.SendIdle = idle }).h2()
	must(t, c.conn.SetDeadline(time.Now().Add(floodTime)))
	must(t, c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1}))
	c.request(1, [2]string{"priority", "u=1"})
	c.request(3, [2]string{"priority", "u=5"})
	begun := time.Now()
	for left, last := 2*size, uint32(0); left > 0; {
		f, err := c.ReadFrame()
		must(t, err)
		switch f := f.(type) {
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			t.Fatalf("%v after %v, behind stream %d", f, time.Since(begun), last)
		case *http2.DataFrame:
			n := len(f.Data())
			left, last = left-n, f.StreamID
			if time.Since(begun) < idle*3/2 {
				time.Sleep(15 * time.Millisecond) // for the urgent one to take longer than a client may idle
			}
			must(t, c.WriteWindowUpdate(0, uint32(n)))
		}
	}
}

// TestH2TakesNothingAmidMany sends many requests at once and takes no answer: when the connection is broken off, of each that was
// answered it is accounted what became.
func TestH2TakesNothingAmidMany(t *testing.T) {
	h := &rootHits{hits: newHits(t, 30_000)}
	e := serve(t, notFound, withHits(h), func(c *listener.Config) { c.Limits.SendIdle = 300 * time.Millisecond })
	c := e.h2()
	must(t, c.conn.SetDeadline(time.Now().Add(floodTime)))
	must(t, c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1}))
	must(t, c.WriteWindowUpdate(0, 1<<30))
	var many bytes.Buffer
	fr := http2.NewFramer(&many, nil)
	for i := range uint32(5000) {
		must(t, fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, EndStream: true, EndHeaders: true, BlockFragment: rootBlock()}))
	}
	for err := error(nil); err == nil; { // until it is broken off
		_, err = c.conn.Write(many.Bytes())
	}
	e.cut()
	e.ended()
	h.mu.Lock()
	defer h.mu.Unlock()
	if n, found := len(h.served), h.found.Load(); int64(n) != found || found == 0 {
		t.Errorf("%d accounts of %d answers", n, found)
	}
}

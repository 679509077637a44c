package hitpath

import (
	"crypto/tls"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/proxy/hitpath/hitpathtest"
)

// TestAllocations: between reading and writing, a hit over H1 allocates nothing.
func TestAllocations(t *testing.T) {
	const ask = "GET /a?b=c HTTP/1.1\r\nHost: a\r\nUser-Agent: browser\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nCookie: a=b\r\n\r\n"
	c := turnConn()
	s := c.server
	answer, now, b := hitpathtest.Found(t), time.Now(), s.batch()
	hit := func() {
		x, n, f := b.next(c, ask, now)
		if n != len(ask) || f != plain {
			t.Fatal(n, f)
		}
		x.answer.Found, x.answer.Status = answer, append(x.answer.Status, "ams-1; hit"...)
		b.out = x.answer.appendHead(b.out, "")
		for _, piece := range x.answer.Found.Answer.Content().(cache.Pieces) {
			b.out = append(b.out, piece...)
		}
		b.clear()
	}
	if n := testing.AllocsPerRun(1000, hit); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestTurnAllocations: what a handler's request and its ResponseWriter take, between reading and TLS. These are the request,
// its URL, header map, values and context, and the writer; what the handler itself allocates isn't among them.
func TestTurnAllocations(t *testing.T) {
	const ask = "GET /a?b=c HTTP/1.1\r\nHost: a\r\nUser-Agent: browser\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nCookie: a=b\r\n\r\n"
	const most = 10
	if raceEnabled {
		t.Skip("with the race detector pools lose what they have")
	}
	c := turnConn()
	c.Conn = shaken(t)
	content, kind := make([]byte, 1<<10), []string{"image/png"}
	c.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = kind
		_, _ = w.Write(content)
	})
	if n := testing.AllocsPerRun(1000, func() {
		b := c.server.batch()
		used, next, turn, err := b.answer(c, ask)
		c.server.release(b)
		if used != len(ask) || next != partial || turn == nil || err != nil {
			t.Fatal(used, next, turn, err)
		}
		if err := turn.serve(c); err != nil {
			t.Fatal(err)
		}
	}); n > most {
		t.Errorf("%v allocations, want %d", n, most)
	}
}

// shaken is the server's end of a connection whose client takes everything.
func shaken(t *testing.T) *tls.Conn {
	client, server := tlsPair(t)
	go func() { _, _ = io.Copy(io.Discard, client) }() // ends with the test, which closes both
	return server
}

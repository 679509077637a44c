package hitpath

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/memory"
)

type originFunc func(*http.Request) (*http.Response, error)

func (f originFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// found is a stored response of 1 KiB.
func found(t *testing.T) cache.Found {
	t.Helper()
	var o cache.Options
	o.SetDefaults()
	c := cache.New(o, "ams-1", memory.New(o.Memory), slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	h := c.Handler("shop", cache.Policy{}, originFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: 200, Header: http.Header{"Cache-Control": {"max-age=600"}, "Content-Type": {"image/png"}, "Etag": {`"x"`}},
			Body: io.NopCloser(strings.NewReader(strings.Repeat("x", 1<<10))), ContentLength: 1 << 10,
		}, nil
	}), func(_ http.ResponseWriter, _ *http.Request, err error) { t.Error(err) })
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "https://a/", nil))
	f, ok := h.(interface {
		Hit([]byte, cache.Target, cache.FieldReader, time.Time) (cache.Found, bool)
	}).Hit(nil, cache.Target{Scheme: "https", Authority: "a", Path: "/"}, &Request{}, time.Now())
	if !ok {
		t.Fatal("nothing is stored")
	}
	return f
}

// TestAllocations: between reading and writing, a hit over H1 allocates nothing.
func TestAllocations(t *testing.T) {
	const ask = "GET /a?b=c HTTP/1.1\r\nHost: a\r\nUser-Agent: browser\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nCookie: a=b\r\n\r\n"
	c := turnConn()
	s := c.server
	answer, now, b := found(t), time.Now(), s.batch()
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

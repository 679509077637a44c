package listener_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/anyedge/anyedge/proxy/listener"
)

// TestH3HitsOfEverySize asks for contents that are answered before the handler.
func TestH3HitsOfEverySize(t *testing.T) {
	for i, size := range []int{0, 1, 1000, 5000, 100_000, 1 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			h := newHits(t, size)
			client := serve(t, notFound, withHits(h)).h3(t, nil)
			for j, method := range []string{"GET", "HEAD"} {
				r, err := http.NewRequest(method, "https://"+host+"/", nil)
				must(t, err)
				resp, err := client.RoundTrip(r)
				must(t, err)
				n, err := io.Copy(io.Discard, resp.Body)
				must(t, err)
				_ = resp.Body.Close()
				want := int64(size)
				if method == "HEAD" {
					want = 0
				}
				if resp.Header.Get("Cache-Status") != "ams-1; hit" || n != want || resp.ContentLength != int64(size) || resp.Header.Get("Age") == "" {
					t.Errorf("%s %d: %d octets of %d, %v", method, i, n, resp.ContentLength, resp.Header)
				}
				if a := h.wait(t, j+1); !a.Whole || a.Sent != want {
					t.Errorf("%s: %+v", method, a)
				}
			}
		})
	}
}

// h3 is a connection to e.
func (e *edge) h3(t *testing.T, config *quic.Config) *http3.ClientConn {
	t.Helper()
	c, err := quic.DialAddr(t.Context(), e.https(), http3.ConfigureTLSConfig(e.clientTLS()), config)
	must(t, err)
	t.Cleanup(func() { _ = c.CloseWithError(0, "") })
	return (&http3.Transport{}).NewClientConn(c)
}

// TestH3HitsLeaveContent hands a GET that has content to the handler, with all of it.
func TestH3HitsLeaveContent(t *testing.T) {
	e := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }), withHits(newHits(t, 10)))
	r, err := http.NewRequest("GET", "https://"+e.https()+"/", strings.NewReader("content"))
	must(t, err)
	r.Host = host
	resp, err := e.client(listener.H3).Do(r)
	must(t, err)
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "content" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestH3HitsWaitForTheEnd hands a GET whose end doesn't come to the handler, in time.
func TestH3HitsWaitForTheEnd(t *testing.T) {
	e := serve(t, notFound, withHits(newHits(t, 10)), func(c *listener.Config) { c.Limits.HeaderTimeout = 400 * time.Millisecond })
	s, err := e.h3(t, nil).OpenRequestStream(t.Context())
	must(t, err)
	r, err := http.NewRequest("GET", "https://"+host+"/", nil)
	must(t, err)
	must(t, s.SendRequestHeader(r)) // Close would end the stream
	resp, err := s.ReadResponse()
	must(t, err)
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("status %d", resp.StatusCode)
	}
}

// TestH3HitInParts is a hit although its request's end comes late.
func TestH3HitInParts(t *testing.T) {
	s, err := serve(t, notFound, withHits(newHits(t, 100))).h3(t, nil).OpenRequestStream(t.Context())
	must(t, err)
	r, err := http.NewRequest("GET", "https://"+host+"/", nil)
	must(t, err)
	must(t, s.SendRequestHeader(r))
	time.Sleep(5 * time.Millisecond) // so that it comes by itself, mostly
	must(t, s.Close())
	if resp, err := s.ReadResponse(); err != nil || resp.Header.Get("Cache-Status") != "ams-1; hit" {
		t.Errorf("%+v, %v", resp, err)
	}
}

// TestManyH3Hits asks for more on one connection than it may have streams, beside requests that are no hits.
func TestManyH3Hits(t *testing.T) {
	for _, size := range []int{100, 6000, 40_000} {
		e := serve(t, http.HandlerFunc(describe), withHits(newHits(t, size)), func(c *listener.Config) { c.Limits.Streams = 20 })
		c := e.h3(t, nil)
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				for j := range 10 {
					path := []string{"/", "/miss"}[(i+j)%2]
					r, err := http.NewRequest("GET", "https://"+host+path, nil)
					must(t, err)
					resp, err := c.RoundTrip(r)
					if err != nil {
						t.Error(err)
						return
					}
					n, err := io.Copy(io.Discard, resp.Body)
					if hit := resp.Header.Get("Cache-Status") != ""; err != nil || hit != (path == "/") || hit && n != int64(size) {
						t.Errorf("%s: %d octets, %v, %v", path, n, resp.Header, err)
					}
				}
			})
		}
		all.Wait()
	}
}

// TestH3HitsToSlowReader holds a client that takes nothing to the limit.
func TestH3HitsToSlowReader(t *testing.T) {
	h := newHits(t, 1<<20)
	e := serve(t, notFound, withHits(h), func(c *listener.Config) { c.Limits.SendIdle = 200 * time.Millisecond })
	s, err := e.h3(t, &quic.Config{InitialStreamReceiveWindow: 10_000, MaxStreamReceiveWindow: 10_000}).OpenRequestStream(t.Context())
	must(t, err)
	r, err := http.NewRequest("GET", "https://"+host+"/", nil)
	must(t, err)
	must(t, errors.Join(s.SendRequestHeader(r), s.Close()))
	if a := h.wait(t, 1); !a.Stalled || a.Whole || a.Sent >= 1<<20 {
		t.Errorf("stalled %t, whole %t, %d octets sent", a.Stalled, a.Whole, a.Sent)
	}
}

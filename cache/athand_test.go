package cache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/anyedge/anyedge/cache"
)

// came is a content that has come with its header section.
type came struct {
	*strings.Reader
	buffered int
	closed   bool
}

func (c *came) Buffered() int { return c.buffered }
func (c *came) Close() error  { c.closed = true; return nil }

func respondAtOnce(text string, length int, fields ...string) (*http.Response, *came) {
	content := &came{Reader: strings.NewReader(text), buffered: len(text)}
	return respond(content, int64(length), fields...), content
}

// noBody stands for http.NoBody.
const noBody = "nobody"

// TestContentAtHand has contents that come with their header sections, or claim to.
func TestContentAtHand(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		length     int
		store      bool
		want       string
		stored     bool
	}{
		{"whole", "hello", 5, true, "hello", true},
		{"empty", "", 0, true, "", true},
		{"nothing", noBody, 0, true, "", true},
		{"no room", "hello", 5, false, "hello", false},
		{"too long", "hello, world", 5, true, "failed", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCache(t)
			c.SetMemory(64<<20, tt.store)
			response, content := respondAtOnce(tt.text, tt.length, "Cache-Control: max-age=60", "X: y")
			if tt.text == noBody {
				response.Body, content.closed = http.NoBody, true
			}
			o := &originFunc{answer: func(*http.Request) (*http.Response, error) { return response, nil }}
			h := c.Handler("site", cache.Policy{}, o, func(w http.ResponseWriter, _ *http.Request, _ error) { fmt.Fprint(w, "failed") })
			w := get(h, "http://example.com/")
			if got := w.Body.String(); got != tt.want || !content.closed {
				t.Errorf("got %q, closed %v", got, content.closed)
			}
			if status := w.Header().Get("Cache-Status"); strings.Contains(status, "stored") != tt.stored {
				t.Errorf("Cache-Status: %s", status)
			}
			if stats := c.Stats(); stats.HitBytes != 0 {
				t.Errorf("%d octets of hits", stats.HitBytes)
			}
			if !tt.stored {
				return
			}
			again := get(h, "http://example.com/")
			if got := again.Body.String(); got != tt.want || o.requests.Load() != 1 || again.Header().Get("X") != "y" {
				t.Errorf("again: %q, %d requests, fields %v", got, o.requests.Load(), again.Header())
			}
		})
	}
}

// TestContentAtHandIsFollowed: who waited for it gets it as well, but not the fields that are for the leader alone.
func TestContentAtHandIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		o := &originFunc{answer: func(*http.Request) (*http.Response, error) {
			<-answer
			r, _ := respondAtOnce("hello", 5, "Cache-Control: max-age=60, private=\"X\"", "X: y", "Etag: \"a\"")
			return r, nil
		}}
		h := handle(newCache(t), o)
		var wg sync.WaitGroup
		var got [2]*httptest.ResponseRecorder
		for i := range got {
			wg.Go(func() { got[i] = get(h, "http://example.com/") })
			synctest.Wait()
		}
		close(answer)
		wg.Wait()
		if o.requests.Load() != 1 || got[0].Body.String() != "hello" || got[1].Body.String() != "hello" {
			t.Errorf("%d requests: %q, %q", o.requests.Load(), got[0].Body, got[1].Body)
		}
		if x := got[0].Header().Get("X") + got[1].Header().Get("X"); x != "y" {
			t.Errorf("both have %q", x)
		}
		if status := got[1].Header().Get("Cache-Status"); !strings.Contains(status, "collapsed") {
			t.Errorf("Cache-Status: %s", status)
		}
	})
}

// TestContentAtHandIsPurged: what is purged while it is asked for isn't stored.
func TestContentAtHandIsPurged(t *testing.T) {
	c := newCache(t)
	o := &originFunc{answer: func(*http.Request) (*http.Response, error) {
		if _, err := c.Purge(cache.PurgeRequest{All: true}); err != nil {
			return nil, err
		}
		r, _ := respondAtOnce("hello", 5, "Cache-Control: max-age=60")
		return r, nil
	}}
	h := handle(c, o)
	for want := range int32(2) {
		if got := get(h, "http://example.com/").Body.String(); got != "hello" || o.requests.Load() != want+1 {
			t.Errorf("%q, %d requests", got, o.requests.Load())
		}
	}
}

// TestLeaderLeavesBeforeTheAnswer: its client goes while the origin is asked on its goroutine. The fill goes on for the one
// who follows, and ends where there is none.
func TestLeaderLeavesBeforeTheAnswer(t *testing.T) {
	for _, followed := range []bool{true, false} {
		t.Run(fmt.Sprint(followed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answer, failures := make(chan struct{}), make(chan error, 2)
				o := &originFunc{answer: func(r *http.Request) (*http.Response, error) {
					select {
					case <-answer:
						return respondText("hello", "Cache-Control: max-age=60"), nil
					case <-r.Context().Done():
						return nil, context.Cause(r.Context())
					}
				}}
				h := newCache(t).Handler("site", cache.Policy{}, o, func(_ http.ResponseWriter, _ *http.Request, err error) { failures <- err })
				ctx, cancel := context.WithCancelCause(t.Context())
				var wg sync.WaitGroup
				wg.Go(func() { h.ServeHTTP(newClient(nil), request(ctx, "http://example.com/")) })
				synctest.Wait()
				follower := newClient(nil)
				if followed {
					wg.Go(func() { h.ServeHTTP(follower, request(t.Context(), "http://example.com/")) })
					synctest.Wait()
				}
				cancel(io.ErrClosedPipe)
				synctest.Wait()
				if followed {
					close(answer)
				}
				wg.Wait()
				if err := <-failures; !errors.Is(err, io.ErrClosedPipe) || len(failures) > 0 {
					t.Errorf("the leader's client left, and it failed with %v, and %d others", err, len(failures))
				}
				if got := follower.content.String(); followed && got != "hello" || o.requests.Load() != 1 {
					t.Errorf("the follower got %q, after %d requests", got, o.requests.Load())
				}
			})
		})
	}
}

package cache_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A HEAD on a miss begins no fill, and waits for one that is under way.
func TestHeadJoinsAFill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &originFunc{answer: func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return respondText("hello", "Cache-Control: max-age=60"), nil
		}}
		h := handle(newCache(t), o)
		var wg sync.WaitGroup
		wg.Go(func() { get(h, "http://example.com/") })
		synctest.Wait()
		for range 100 {
			wg.Go(func() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodHead, "http://example.com/", nil))
				if got := w.Header(); got.Get("Content-Length") != "5" || w.Body.Len() != 0 {
					t.Errorf("got %v and %d bytes", got, w.Body.Len())
				}
				if got, want := w.Header().Get("Cache-Status"), "edge; fwd=uri-miss; fwd-status=200; stored; collapsed"; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		}
		wg.Wait()
		if n := o.requests.Load(); n != 1 {
			t.Errorf("the origin got %d requests", n)
		}
	})
}

// What can't be shared isn't waited for twice: the HEAD asks for itself.
func TestHeadJoinsNothingPrivate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &originFunc{answer: func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return respondText("hello", "Cache-Control: private"), nil
		}}
		h := handle(newCache(t), o)
		var wg sync.WaitGroup
		wg.Go(func() { get(h, "http://example.com/") })
		synctest.Wait()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodHead, "http://example.com/", nil))
		if got, want := w.Header().Get("Cache-Status"), "edge; fwd=uri-miss; fwd-status=200"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		wg.Wait()
		if n := o.requests.Load(); n != 2 {
			t.Errorf("the origin got %d requests", n)
		}
	})
}

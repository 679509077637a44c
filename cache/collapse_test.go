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
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anyedge/anyedge/cache"
)

// client is a ResponseWriter that tells of its first byte.
type client struct {
	header  http.Header
	status  int
	content strings.Builder
	first   func()
	gate    chan struct{} // when set, each Write waits for it to be closed
}

func newClient(first func()) *client { return &client{header: make(http.Header), first: first} }

func (c *client) Header() http.Header    { return c.header }
func (c *client) WriteHeader(status int) { c.status = status }

func (c *client) Write(p []byte) (int, error) {
	if c.gate != nil {
		<-c.gate
	}
	if c.content.Len() == 0 && c.first != nil {
		c.first()
	}
	return c.content.Write(p)
}

func request(ctx context.Context, target string, fields ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil).WithContext(ctx)
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func TestTenThousandClientsMakeOneRequest(t *testing.T) {
	const clients = 10_000
	var firsts sync.WaitGroup
	firsts.Add(clients)
	read, write := io.Pipe()
	o := &originFunc{answer: func(*http.Request) (*http.Response, error) {
		return respond(read, -1, "Cache-Control: max-age=60"), nil
	}}
	h := handle(newCache(t), o)
	go func() { // ends when all clients have the beginning
		fmt.Fprint(write, "begin,")
		firsts.Wait() // so every client gets the first bytes before the origin sends the last
		fmt.Fprint(write, "end")
		write.Close()
	}()
	var wg sync.WaitGroup
	var collapsed atomic.Int32
	for range clients {
		wg.Go(func() {
			c, outcome := newClient(firsts.Done), new(cache.Outcome)
			h.ServeHTTP(c, request(cache.WithOutcome(t.Context(), outcome), "http://example.com/cold"))
			if c.status != http.StatusOK || c.content.String() != "begin,end" {
				t.Errorf("got %d %q", c.status, c.content.String())
			}
			if outcome.Collapsed {
				collapsed.Add(1)
			}
		})
	}
	wg.Wait()
	if n := o.requests.Load(); n != 1 {
		t.Errorf("the origin got %d requests", n)
	}
	if n := collapsed.Load(); n != clients-1 {
		t.Errorf("%d were collapsed", n)
	}
	if w := get(h, "http://example.com/cold"); !strings.Contains(w.Header().Get("Cache-Status"), "edge; hit") {
		t.Errorf("then: %v", w.Header())
	}
}

func TestVaryIsCheckedForEachFollower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &originFunc{answer: func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return respondText(r.Header.Get("Accept-Encoding"), "Cache-Control: max-age=60", "Vary: Accept-Encoding"), nil
		}}
		h := handle(newCache(t), o)
		var wg sync.WaitGroup
		for i := range 600 {
			wg.Go(func() {
				want := []string{"br", "gzip", "zstd"}[i%3]
				if got := get(h, "http://example.com/", "Accept-Encoding: "+want).Body.String(); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		}
		wg.Wait()
		if n := o.requests.Load(); n != 3 {
			t.Errorf("the origin got %d requests for 3 variants", n)
		}
	})
}

func TestUncacheableLetsFollowersGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &originFunc{answer: func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return respondText("own", "Cache-Control: private"), nil
		}}
		h := handle(newCache(t), o)
		start := time.Now()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { get(h, "http://example.com/") })
		}
		wg.Wait()
		if n, took := o.requests.Load(), time.Since(start); n != 100 || took != 2*time.Second {
			t.Errorf("%d requests took %v; want 100, all followers at once after the leader", n, took)
		}
		start = time.Now()
		for range 2 {
			wg.Go(func() { get(h, "http://example.com/") })
		}
		wg.Wait()
		if took := time.Since(start); took != time.Second {
			t.Errorf("later requests took %v: they waited for each other", took)
		}
	})
}

func TestNeverCollapsed(t *testing.T) {
	for _, field := range []string{"Authorization: Basic a", "Range: lines=0-1"} {
		synctest.Test(t, func(t *testing.T) {
			o := &originFunc{answer: func(*http.Request) (*http.Response, error) {
				time.Sleep(time.Second)
				return respondText("text", "Cache-Control: max-age=60, public"), nil
			}}
			h := handle(newCache(t), o)
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() { get(h, "http://example.com/", field) })
			}
			wg.Wait()
			if n := o.requests.Load(); n != 3 {
				t.Errorf("%s: the origin got %d requests of 3", field, n)
			}
		})
	}
}

func TestLeadPassesOnOnce(t *testing.T) {
	for _, failures := range []int32{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			o := new(originFunc)
			o.answer = func(*http.Request) (*http.Response, error) {
				n := o.requests.Load()
				time.Sleep(time.Second)
				if n <= failures {
					return nil, errors.New("refused")
				}
				return respondText("good", "Cache-Control: max-age=60"), nil
			}
			h := handle(newCache(t), o)
			var wg sync.WaitGroup
			var good, bad atomic.Int32
			for range 50 {
				wg.Go(func() {
					if get(h, "http://example.com/").Code == http.StatusOK {
						good.Add(1)
					} else {
						bad.Add(1)
					}
				})
			}
			wg.Wait()
			want := map[int32]int32{1: 1, 2: 50}[failures]
			if bad.Load() != want || good.Load() != 50-want || o.requests.Load() != 2 {
				t.Errorf("%d failures: %d good, %d bad, %d requests", failures, good.Load(), bad.Load(), o.requests.Load())
			}
		})
	}
}

func TestFollowersDontWaitForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := new(originFunc)
		o.answer = func(r *http.Request) (*http.Response, error) {
			if o.requests.Load() == 1 {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return respondText("good", "Cache-Control: max-age=60"), nil
		}
		c := newCache(t, func(o *cache.Options) { o.CollapseWait = 3 * time.Second })
		h := handle(c, o)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { h.ServeHTTP(newClient(nil), request(ctx, "http://example.com/")) })
		synctest.Wait()
		start := time.Now()
		if w := get(h, "http://example.com/"); w.Code != http.StatusOK || time.Since(start) != 3*time.Second {
			t.Errorf("got %d after %v", w.Code, time.Since(start))
		}
		cancel()
		wg.Wait()
	})
}

func TestAbortedLeaderDoesntAbortItsFollowers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read, write := io.Pipe()
		var gone atomic.Bool
		o := &originFunc{answer: func(r *http.Request) (*http.Response, error) {
			context.AfterFunc(r.Context(), func() { gone.Store(true) })
			return respond(read, -1, "Cache-Control: max-age=60"), nil
		}}
		h := handle(newCache(t), o)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { serveAborted(h, newClient(nil), request(ctx, "http://example.com/")) })
		synctest.Wait()
		follower := newClient(nil)
		wg.Go(func() { h.ServeHTTP(follower, request(t.Context(), "http://example.com/")) })
		fmt.Fprint(write, "begin,")
		synctest.Wait()
		cancel()
		synctest.Wait()
		if gone.Load() {
			t.Error("the fill was aborted with its leader")
		}
		fmt.Fprint(write, "end")
		write.Close()
		wg.Wait()
		if got := follower.content.String(); got != "begin,end" {
			t.Errorf("the follower got %q", got)
		}
	})
}

// serveAborted serves a request whose client goes away, which panics as net/http wants it.
func serveAborted(h http.Handler, w http.ResponseWriter, r *http.Request) (aborted bool) {
	defer func() {
		switch e := recover(); e {
		case nil:
		case http.ErrAbortHandler:
			aborted = true
		default:
			panic(e)
		}
	}()
	h.ServeHTTP(w, r)
	return false
}

func TestFillThatNobodyWants(t *testing.T) {
	for _, tt := range []struct {
		name    string
		length  int64
		sent    string
		aborted bool
	}{
		{"begun", 4 << 20, "begin", true},
		{"unknown length", -1, "begin", true},
		{"nearly done", 6, "begin", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				read, write := io.Pipe()
				var aborted atomic.Bool
				o := &originFunc{answer: func(r *http.Request) (*http.Response, error) {
					context.AfterFunc(r.Context(), func() { aborted.Store(true); read.CloseWithError(r.Context().Err()) })
					return respond(read, tt.length, "Cache-Control: max-age=60"), nil
				}}
				h := handle(newCache(t), o)
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				wg.Go(func() { serveAborted(h, newClient(nil), request(ctx, "http://example.com/")) })
				fmt.Fprint(write, tt.sent)
				synctest.Wait()
				cancel()
				wg.Wait()
				synctest.Wait()
				if aborted.Load() != tt.aborted {
					t.Errorf("aborted: %v", aborted.Load())
				}
				if !tt.aborted {
					fmt.Fprint(write, "!")
					write.Close()
					synctest.Wait()
					if got := get(h, "http://example.com/").Body.String(); got != "begin!" {
						t.Errorf("stored %q", got)
					}
				}
			})
		})
	}
}

// TestSlowClientHurtsNobody has a client that doesn't read while others get a content that is stored.
func TestSlowClientHurtsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		content := strings.Repeat("0123456789", 100_000)
		o := &originFunc{answer: func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return respondText(content, "Cache-Control: max-age=60"), nil
		}}
		h := handle(newCache(t), o)
		slow := newClient(nil)
		slow.gate = make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() { h.ServeHTTP(slow, request(t.Context(), "http://example.com/")) })
		synctest.Wait()
		for range 3 {
			if got := get(h, "http://example.com/").Body.Len(); got != len(content) {
				t.Errorf("got %d bytes", got)
			}
		}
		close(slow.gate)
		wg.Wait()
		if slow.content.String() != content || o.requests.Load() != 1 {
			t.Errorf("the slow client got %d bytes; %d requests", slow.content.Len(), o.requests.Load())
		}
	})
}

// TestLaggardOfAnUnkeptContent has one that can't be kept: who holds the others up is cut off, and sees it.
func TestLaggardOfAnUnkeptContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		content := strings.Repeat("0123456789", 1_000_000)
		o := &originFunc{answer: func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return respond(strings.NewReader(content), -1, "Cache-Control: max-age=60"), nil
		}}
		h := handle(newCache(t, func(o *cache.Options) { o.MaxObject = 1 << 20 }), o)
		slow := newClient(nil)
		slow.gate = make(chan struct{})
		var wg sync.WaitGroup
		var cut bool
		wg.Go(func() { cut = serveAborted(h, slow, request(t.Context(), "http://example.com/")) })
		var got int
		wg.Go(func() { got = get(h, "http://example.com/").Body.Len() })
		time.Sleep(time.Minute)
		close(slow.gate)
		wg.Wait()
		if got != len(content) || !cut || o.requests.Load() != 1 {
			t.Errorf("the other got %d bytes, the laggard was cut off: %v; %d requests", got, cut, o.requests.Load())
		}
	})
}

// TestPartialInterestStillStores: a client that gets a 304, or a range, doesn't take the fill with it as it leaves.
func TestPartialInterestStillStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read, write := io.Pipe()
		o := &originFunc{answer: func(r *http.Request) (*http.Response, error) {
			context.AfterFunc(r.Context(), func() { read.CloseWithError(r.Context().Err()) })
			return respond(read, 8<<20, "Cache-Control: max-age=60", `Etag: "a"`), nil
		}}
		h := handle(newCache(t), o)
		if w := get(h, "http://example.com/", `If-None-Match: "a"`); w.Code != http.StatusNotModified {
			t.Errorf("got %d", w.Code)
		}
		if _, err := io.Copy(write, zeros(8<<20)); err != nil {
			t.Errorf("the fill was aborted: %v", err)
		}
		write.Close()
		synctest.Wait()
		if w := get(h, "http://example.com/"); w.Body.Len() != 8<<20 || !strings.Contains(w.Header().Get("Cache-Status"), "hit") {
			t.Errorf("then %d bytes, %v", w.Body.Len(), w.Header())
		}
	})
}

// TestEndlessContentBehind: what nobody reads and can't be stored isn't read for ever.
func TestEndlessContentBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := new(originFunc)
		var aborted atomic.Bool
		o.answer = func(r *http.Request) (*http.Response, error) {
			if o.requests.Load() == 1 {
				return respondText("old", "Cache-Control: max-age=1, stale-while-revalidate=60"), nil
			}
			context.AfterFunc(r.Context(), func() { aborted.Store(true) })
			return respond(zeroReader{}, -1, "Cache-Control: max-age=60"), nil
		}
		h := handle(newCache(t, func(o *cache.Options) { o.MaxObject = 1 << 20 }), o)
		get(h, "http://example.com/")
		time.Sleep(2 * time.Second)
		if got := get(h, "http://example.com/").Body.String(); got != "old" {
			t.Errorf("got %q", got)
		}
		synctest.Wait()
		if !aborted.Load() {
			t.Error("the fill goes on")
		}
	})
}

func TestPurgeKillsFillsUnderWay(t *testing.T) {
	for _, purge := range []cache.PurgeRequest{
		{URLs: []string{"http://example.com/"}}, {Tags: []string{"a"}}, {Prefixes: []string{"example.com/"}}, {Sites: []string{"site"}}, {All: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := new(originFunc)
			o.answer = func(*http.Request) (*http.Response, error) {
				text := fmt.Sprint(o.requests.Load())
				time.Sleep(time.Second)
				return respondText(text, "Cache-Control: max-age=60", "Cache-Tag: a"), nil
			}
			c := newCache(t)
			h := handle(c, o)
			var wg sync.WaitGroup
			wg.Go(func() { get(h, "http://example.com/") })
			synctest.Wait()
			if _, err := c.Purge(purge); err != nil {
				t.Error(err)
			}
			// A request that comes after the purge must not be answered with what was asked for before it.
			wg.Go(func() {
				if got := get(h, "http://example.com/").Body.String(); got == "1" {
					t.Errorf("%+v: got a response from before the purge", purge)
				}
			})
			wg.Wait()
			if got := get(h, "http://example.com/").Body.String(); got == "1" {
				t.Errorf("%+v: stored a response from before the purge", purge)
			}
		})
	}
}

// 425 says something about one client's request, so it is neither stored nor passed on, and keeps nobody from waiting for
// the next fill.
func TestTooEarlyIsForOneClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &originFunc{answer: func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			if r.Header.Get("Early-Data") == "1" {
				resp := respondText("early", "Cache-Control: max-age=60")
				resp.StatusCode = http.StatusTooEarly
				return resp, nil
			}
			return respondText("page", "Cache-Control: max-age=60"), nil
		}}
		h := handle(newCache(t), o)
		var wg sync.WaitGroup
		wg.Go(func() {
			if w := get(h, "http://example.com/", "Early-Data: 1"); w.Code != http.StatusTooEarly {
				t.Errorf("the early request: %d", w.Code)
			}
		})
		time.Sleep(time.Millisecond)
		for range 100 {
			wg.Go(func() {
				if w := get(h, "http://example.com/"); w.Code != http.StatusOK || w.Body.String() != "page" {
					t.Errorf("another one: %d %s", w.Code, w.Body)
				}
			})
		}
		wg.Wait()
		if n := o.requests.Load(); n != 2 {
			t.Errorf("the origin got %d requests, want the early one and one for all others", n)
		}
	})
}

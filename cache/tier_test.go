package cache_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anyedge/anyedge/cache"
)

// pages is an origin of pages that stay fresh for an hour, with a tag each: the path's first letter.
func pages() *originFunc {
	return &originFunc{answer: func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPost {
			return respondText("posted"), nil
		}
		language := r.Header.Get("Accept-Language")
		if etag := fmt.Sprintf("%q", language); r.Header.Get("If-None-Match") == etag {
			response := respondText("", "Etag: "+etag, "Cache-Control: max-age=3600")
			response.StatusCode = http.StatusNotModified
			return response, nil
		}
		return respondText("content of "+r.URL.RequestURI()+" "+language, "Cache-Control: max-age=3600", fmt.Sprintf("Etag: %q", language),
			"Vary: Accept-Language", "Cache-Tag: "+r.URL.Path[1:2]), nil
	}}
}

// expect sends a request and holds it against how it was answered, and with what.
func expect(t *testing.T, h http.Handler, target, how, content string, fields ...string) *httptest.ResponseRecorder {
	t.Helper()
	w := get(h, target, fields...)
	if got := hit(w.Header().Get("Cache-Status")); got != how {
		t.Errorf("%s: %s, want %s: %v", target, got, how, w.Header())
	}
	if w.Body.String() != content {
		t.Errorf("%s: got %d bytes %.60q, want %d bytes %.60q", target, w.Body.Len(), w.Body.String(), len(content), content)
	}
	return w
}

func TestWarmAfterRestart(t *testing.T) {
	s, o := newShelf(), pages()
	c, stop := tiered(t, s)
	h := handle(c, o)
	expect(t, h, "http://example.com/a", "uri-miss", "content of /a en", "Accept-Language: en")
	expect(t, h, "http://example.com/a", "vary-miss", "content of /a de", "Accept-Language: de")
	expect(t, h, "http://example.com/a", "memory", "content of /a en", "Accept-Language: en")
	expect(t, h, "http://example.com/b", "uri-miss", "content of /b ")
	stop()

	c, _ = tiered(t, s.restarted())
	h = handle(c, o)
	asked := o.requests.Load()
	w := expect(t, h, "http://example.com/a", "disk", "content of /a en", "Accept-Language: en")
	for name, want := range map[string]string{"Etag": `"en"`, "Cache-Control": "max-age=3600", "Vary": "Accept-Language", "Content-Length": "16"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	expect(t, h, "http://example.com/a", "memory", "content of /a en", "Accept-Language: en")
	expect(t, h, "http://example.com/a", "disk", "content of /a de", "Accept-Language: de")
	expect(t, h, "http://example.com/b", "disk", "content of /b ")
	if n := o.requests.Load(); n != asked {
		t.Errorf("the origin was asked %d times", n-asked)
	}
	expect(t, h, "http://example.com/a", "vary-miss", "content of /a fr", "Accept-Language: fr")
	expect(t, h, "http://example.com/c", "uri-miss", "content of /c ")
	if st := c.Stats(); st.DiskHits != 3 || st.Promoted != 3 || st.Loads != 2+1 || st.LoadErrors != 0 {
		t.Errorf("%+v", st)
	}
}

// TestAgeGoesOn: the time between two processes counts.
func TestAgeGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := newShelf(), pages()
		c, stop := tiered(t, s)
		get(handle(c, o), "http://example.com/a")
		stop()
		time.Sleep(time.Hour - time.Second)
		c, _ = tiered(t, s.restarted())
		if w := expect(t, handle(c, o), "http://example.com/a", "disk", "content of /a "); w.Header().Get("Age") != "3599" {
			t.Errorf("Age: %q", w.Header().Get("Age"))
		}
		time.Sleep(time.Second)
		expect(t, handle(c, o), "http://example.com/a", "stale", "content of /a ")
		synctest.Wait()
	})
}

// TestRecordFromTheFuture: when the clock was set back nobody knows how old a record is.
func TestRecordFromTheFuture(t *testing.T) {
	s, o := newShelf(), pages()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Minute)
		c, stop := tiered(t, s)
		get(handle(c, o), "http://example.com/a")
		stop()
	})
	synctest.Test(t, func(t *testing.T) { // the clock begins anew
		c, stop := tiered(t, s.restarted())
		expect(t, handle(c, o), "http://example.com/a", "uri-miss", "content of /a ")
		stop()
	})
}

// TestValidatedIsKept: what a 304 made fresh is fresh after a restart.
func TestValidatedIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := newShelf(), pages()
		c, stop := tiered(t, s)
		get(handle(c, o), "http://example.com/a")
		time.Sleep(2 * time.Hour)
		expect(t, handle(c, o), "http://example.com/a", "stale", "content of /a ")
		stop()
		c, stop = tiered(t, s.restarted())
		expect(t, handle(c, o), "http://example.com/a", "disk", "content of /a ")
		stop()
	})
}

func TestPurgedStaysPurged(t *testing.T) {
	for _, tt := range []struct {
		purge       cache.PurgeRequest
		a, ab, b, c string // how they are answered after the restart
	}{
		{cache.PurgeRequest{URLs: []string{"http://example.com/a"}}, "uri-miss", "disk", "disk", "disk"},
		{cache.PurgeRequest{Tags: []string{"a"}}, "uri-miss", "uri-miss", "disk", "disk"},
		{cache.PurgeRequest{Prefixes: []string{"example.com/a"}}, "uri-miss", "uri-miss", "disk", "disk"},
		{cache.PurgeRequest{Sites: []string{"site"}}, "uri-miss", "uri-miss", "uri-miss", "disk"},
		{cache.PurgeRequest{Prefixes: []string{"http://example.com/a/"}}, "disk", "uri-miss", "disk", "disk"},
		{cache.PurgeRequest{Prefixes: []string{"https://example.com/"}}, "disk", "disk", "disk", "disk"},
		{cache.PurgeRequest{All: true}, "uri-miss", "uri-miss", "uri-miss", "disk"},
		{cache.PurgeRequest{URLs: []string{"http://example.com/a"}, Soft: true}, "stale", "disk", "disk", "disk"},
		{cache.PurgeRequest{Tags: []string{"a"}, Soft: true}, "stale", "stale", "disk", "disk"},
		{cache.PurgeRequest{All: true, Soft: true}, "stale", "stale", "stale", "disk"},
	} {
		t.Run(fmt.Sprintf("%+v", tt.purge), func(t *testing.T) {
			s, o := newShelf(), pages()
			c, stop := tiered(t, s)
			h := handle(c, o)
			for _, path := range []string{"a", "a/b", "b"} {
				get(h, "http://example.com/"+path)
			}
			if r, err := c.Purge(tt.purge); err != nil || r.Warning != "" {
				t.Fatalf("%+v %v", r, err)
			}
			get(h, "http://example.com/c") // after the purge
			killed := s.restarted()        // without a goodbye
			stop()

			c, _ = tiered(t, killed)
			h = handle(c, o)
			for path, want := range map[string]string{"a": tt.a, "a/b": tt.ab, "b": tt.b, "c": tt.c} {
				expect(t, h, "http://example.com/"+path, want, "content of /"+path+" ")
			}
			// And once more: what was stored since is good.
			c, _ = tiered(t, killed.restarted())
			for _, path := range []string{"a", "a/b", "b", "c"} {
				expect(t, handle(c, o), "http://example.com/"+path, "disk", "content of /"+path+" ")
			}
		})
	}
}

// TestPurgedOnDiskAlone: what isn't in memory is purged as well.
func TestPurgedOnDiskAlone(t *testing.T) {
	s, o := newShelf(), pages()
	c, stop := tiered(t, s)
	get(handle(c, o), "http://example.com/a")
	stop()
	for _, soft := range []bool{true, false} {
		c, _ = tiered(t, s.restarted())
		if r, err := c.Purge(cache.PurgeRequest{Tags: []string{"a"}, Soft: soft}); err != nil || r.Count != 0 {
			t.Fatalf("%+v %v", r, err)
		}
		expect(t, handle(c, o), "http://example.com/a", map[bool]string{true: "stale", false: "uri-miss"}[soft], "content of /a ")
	}
}

func TestInvalidatedStaysInvalidated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := newShelf(), pages()
		c, stop := tiered(t, s)
		h := handle(c, o)
		get(h, "http://example.com/a")
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "http://example.com/a", nil))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "http://example.com/never-stored", nil))
		synctest.Wait()
		killed := s.restarted()
		if records, notes, _ := s.count(); records != 0 || notes != 1 {
			t.Errorf("%d records, %d notes", records, notes)
		}
		stop()
		c, stop = tiered(t, killed)
		expect(t, handle(c, o), "http://example.com/a", "uri-miss", "content of /a ")
		stop()
	})
}

// TestInvalidatedWhileLoading: what is read from disk when an invalidation comes is not what it says it is any more.
func TestInvalidatedWhileLoading(t *testing.T) {
	for name, invalidate := range map[string]func(*cache.Cache, http.Handler){
		"post": func(_ *cache.Cache, h http.Handler) {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "http://example.com/a", nil))
		},
		"url": func(c *cache.Cache, _ http.Handler) {
			purge(t, c, cache.PurgeRequest{URLs: []string{"http://example.com/a"}})
		},
		"site": func(c *cache.Cache, _ http.Handler) { purge(t, c, cache.PurgeRequest{Sites: []string{"site"}}) },
		"tag":  func(c *cache.Cache, _ http.Handler) { purge(t, c, cache.PurgeRequest{Tags: []string{"a"}}) },
		"all":  func(c *cache.Cache, _ http.Handler) { purge(t, c, cache.PurgeRequest{All: true}) },
	} {
		t.Run(name, func(t *testing.T) {
			s, o := newShelf(), pages()
			c, stop := tiered(t, s)
			get(handle(c, o), "http://example.com/a")
			stop()
			s = s.restarted()
			c, _ = tiered(t, s)
			h := handle(c, o)
			s.set(func() {
				s.onLoad = func() {
					s.set(func() { s.onLoad = nil })
					done := make(chan struct{})
					go func() { // ends with the invalidation
						defer close(done)
						invalidate(c, h)
					}()
					if name != "post" { // which waits for the load itself, to know the groups
						<-done
					}
				}
			})
			get(h, "http://example.com/a")
			waitFor(t, func() bool { _, notes, _ := s.count(); return notes > 0 })
			w := get(h, "http://example.com/a")
			if got := hit(w.Header().Get("Cache-Status")); name != "post" && got != "memory" || got == "disk" {
				t.Errorf("then: %s", got)
			}
		})
	}
}

func purge(t *testing.T, c *cache.Cache, p cache.PurgeRequest) {
	if r, err := c.Purge(p); err != nil || r.Warning != "" {
		t.Errorf("%+v: %+v %v", p, r, err)
	}
}

// TestOneLoadForAll: many requests for one key that is on disk alone read it once.
func TestOneLoadForAll(t *testing.T) {
	const clients = 1000
	s, o := newShelf(), pages()
	c, stop := tiered(t, s)
	get(handle(c, o), "http://example.com/a")
	stop()
	s = s.restarted()
	c, _ = tiered(t, s)
	var ready, wg sync.WaitGroup
	ready.Add(clients)
	s.set(func() { s.onLoad = ready.Wait })
	for range clients {
		wg.Go(func() {
			ready.Done()
			if w := get(handle(c, o), "http://example.com/a"); w.Body.String() != "content of /a " {
				t.Errorf("%q", w.Body)
			}
		})
	}
	wg.Wait()
	if _, _, loads := s.count(); loads != 1 || o.requests.Load() != 1 {
		t.Errorf("%d loads, %d requests", loads, o.requests.Load())
	}
}

// large is an origin of contents that stay on disk: 1 MiB, of which each line tells its place.
func large() (o *originFunc, content string) {
	var b strings.Builder
	for b.Len() < 1<<20 {
		fmt.Fprintf(&b, "%015d\n", b.Len())
	}
	content = b.String()
	return &originFunc{answer: func(*http.Request) (*http.Response, error) {
		return respondText(content, "Cache-Control: max-age=3600", `Etag: "1"`), nil
	}}, content
}

// restartLarge returns a handler that has such a content on disk alone.
func restartLarge(t *testing.T) (*shelf, *cache.Cache, http.Handler, *originFunc, string) {
	s := newShelf()
	o, content := large()
	c, stop := tiered(t, s)
	get(handle(c, o), "http://example.com/l")
	stop()
	s = s.restarted()
	c, _ = tiered(t, s)
	return s, c, handle(c, o), o, content
}

func TestLargeIsServedFromDisk(t *testing.T) {
	_, c, h, o, content := restartLarge(t)
	for range 2 {
		expect(t, h, "http://example.com/l", "disk", content)
	}
	w := expect(t, h, "http://example.com/l", "disk", content[70000:70100], "Range: bytes=70000-70099")
	if w.Code != http.StatusPartialContent {
		t.Errorf("status %d", w.Code)
	}
	w = get(h, "http://example.com/l", "Range: bytes=0-9, 500000-500009")
	if w.Code != http.StatusPartialContent || !strings.Contains(w.Body.String(), content[500000:500010]) {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if w := get(h, "http://example.com/l", `If-None-Match: "1"`); w.Code != http.StatusNotModified {
		t.Errorf("status %d", w.Code)
	}
	r := httptest.NewRequest(http.MethodHead, "http://example.com/l", nil)
	w = httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusOK || w.Body.Len() > 0 || w.Header().Get("Content-Length") != strconv.Itoa(len(content)) {
		t.Errorf("HEAD: %d %v", w.Code, w.Header())
	}
	if st := c.Stats(); st.Bytes > 10_000 || st.Loads != 1 || o.requests.Load() != 1 {
		t.Errorf("%+v, %d requests", st, o.requests.Load())
	}
}

// TestDamagedIsAMiss: a content that isn't what was stored is the origin's to answer, as long as nothing of it was sent.
func TestDamagedIsAMiss(t *testing.T) {
	damaged := func(string, int64) error { return errDamaged }
	t.Run("small", func(t *testing.T) {
		s, o := newShelf(), pages()
		c, stop := tiered(t, s)
		get(handle(c, o), "http://example.com/a")
		stop()
		s = s.restarted()
		s.damage = damaged
		c, _ = tiered(t, s)
		expect(t, handle(c, o), "http://example.com/a", "uri-miss", "content of /a ")
		expect(t, handle(c, o), "http://example.com/a", "memory", "content of /a ")
		if n := c.Stats().LoadErrors; n != 1 {
			t.Errorf("%d load errors", n)
		}
	})
	for name, fields := range map[string][]string{"whole": nil, "range": {"Range: bytes=10-19"}, "ranges": {"Range: bytes=10-19, 30-39"}} {
		t.Run(name, func(t *testing.T) {
			s, _, h, o, content := restartLarge(t)
			s.damage = damaged
			w := get(h, "http://example.com/l", fields...)
			if o.requests.Load() != 2 || w.Body.Len() == 0 || hit(w.Header().Get("Cache-Status")) != "uri-miss" || len(w.Header()["Etag"]) != 1 {
				t.Errorf("%d requests, %d %v", o.requests.Load(), w.Code, w.Header())
			}
			if fields == nil && w.Body.String() != content {
				t.Errorf("%d bytes", w.Body.Len())
			}
		})
	}
}

// TestDamagedInTheMiddle: what can't be completed ends so that nobody takes it for complete.
func TestDamagedInTheMiddle(t *testing.T) {
	s, _, h, _, content := restartLarge(t)
	s.damage = func(_ string, at int64) error {
		if at >= 2*shelfChunk {
			return errDamaged
		}
		return nil
	}
	w := httptest.NewRecorder()
	func() {
		defer func() {
			if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
				t.Errorf("recovered %v", err)
			}
		}()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://example.com/l", nil))
	}()
	if got := w.Body.String(); got != content[:2*shelfChunk] {
		t.Errorf("got %d bytes", len(got))
	}
}

// TestTooLargeForMemory: such a content lives on disk alone.
func TestTooLargeForMemory(t *testing.T) {
	s := newShelf()
	o, content := large()
	c, _ := tiered(t, s, func(o *cache.Options) { o.Memory = 4<<20 + 64 }) // a quarter is for fills, and the most that a slot may cost
	content += "and more"
	o.answer = func(*http.Request) (*http.Response, error) {
		return respondText(content, "Cache-Control: max-age=3600"), nil
	}
	h := handle(c, o)
	get(h, "http://example.com/l")
	waitFor(t, func() bool { // whoever comes before the fill is over shares it
		return c.Stats().Responses == 0 && hit(get(h, "http://example.com/l").Header().Get("Cache-Status")) == "disk"
	})
	expect(t, h, "http://example.com/l", "disk", content)
	if n := o.requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestNotWorthAWrite(t *testing.T) {
	for _, control := range []string{"max-age=9", "no-cache", "max-age=60, stale-while-revalidate=60, no-cache"} {
		s := newShelf()
		c, _ := tiered(t, s)
		get(handle(c, &originFunc{answer: func(*http.Request) (*http.Response, error) {
			return respondText("x", "Cache-Control: "+control, `Etag: "1"`), nil
		}}), "http://example.com/")
		if records, _, _ := s.count(); records != 0 || c.Stats().Responses != 1 {
			t.Errorf("%s: %d records, %+v", control, records, c.Stats())
		}
	}
}

// TestReplacedByLess: what isn't worth a write takes the place of what was.
func TestReplacedByLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, answers := newShelf(), []string{"max-age=60", "max-age=5"}
		o := &originFunc{}
		o.answer = func(*http.Request) (*http.Response, error) {
			n := int(o.requests.Load()) - 1
			return respondText(strconv.Itoa(n), "Cache-Control: "+answers[n]), nil
		}
		c, stop := tiered(t, s)
		get(handle(c, o), "http://example.com/")
		time.Sleep(time.Minute)
		expect(t, handle(c, o), "http://example.com/", "stale", "1")
		if records, _, _ := s.count(); records != 0 {
			t.Errorf("%d records", records)
		}
		stop()
	})
}

// TestSecondOffer: a store that waits for a second hit gets it.
func TestSecondOffer(t *testing.T) {
	s, o := newShelf(), pages()
	offers := 0
	s.refuse = func(cache.Record) bool { offers++; return offers < 2 }
	c, _ := tiered(t, s)
	for range 10 {
		get(handle(c, o), "http://example.com/a")
	}
	if records, _, _ := s.count(); records != 1 || offers != 2 {
		t.Errorf("%d records after %d offers", records, offers)
	}
}

func TestSafeTakesNoCookiesFromDisk(t *testing.T) {
	s := newShelf()
	o := &originFunc{answer: func(*http.Request) (*http.Response, error) {
		return respondText("x", "Cache-Control: max-age=3600", "Set-Cookie: a=b"), nil
	}}
	c, stop := tiered(t, s)
	get(handle(c, o), "http://example.com/")
	stop()
	c, _ = tiered(t, s.restarted(), func(o *cache.Options) { o.Preset = cache.Safe })
	expect(t, handle(c, o), "http://example.com/", "uri-miss", "x")
}

// TestForeignRecords: what isn't understood is no record.
func TestForeignRecords(t *testing.T) {
	s, o := newShelf(), pages()
	c, stop := tiered(t, s)
	get(handle(c, o), "http://example.com/a")
	stop()
	for i := range s.written {
		s.written[i].Meta[0]++
	}
	s = s.restarted()
	c, _ = tiered(t, s)
	expect(t, handle(c, o), "http://example.com/a", "uri-miss", "content of /a ")
	if n := c.Stats().LoadErrors; n != 1 || s.deletes != 1 {
		t.Errorf("%d load errors, %d deleted", n, s.deletes)
	}
}

// TestForeignNotes: a note that isn't understood may be a purge of anything.
func TestForeignNotes(t *testing.T) {
	s, o := newShelf(), pages()
	c, stop := tiered(t, s)
	get(handle(c, o), "http://example.com/a")
	stop()
	s = s.restarted()
	s.found = append(s.found, []byte{99})
	c, _ = tiered(t, s)
	expect(t, handle(c, o), "http://example.com/a", "uri-miss", "content of /a ")
	expect(t, handle(c, o), "http://example.com/a", "memory", "content of /a ")
}

// TestPurgeWithoutDisk: when the disk takes no notes a purge holds all the same, says so, and is tried again.
func TestPurgeWithoutDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := newShelf(), pages()
		c, stop := tiered(t, s)
		h := handle(c, o)
		get(h, "http://example.com/a")
		get(h, "http://example.com/b")
		s.set(func() { s.broken = errors.New("no space left on device") })
		for _, p := range []cache.PurgeRequest{{Tags: []string{"a"}}, {URLs: []string{"http://example.com/b"}}} {
			r, err := c.Purge(p)
			if err != nil || !strings.Contains(r.Warning, "no space left") || r.Count != 1 {
				t.Errorf("%+v %v", r, err)
			}
		}
		expect(t, h, "http://example.com/a", "uri-miss", "content of /a ")
		expect(t, h, "http://example.com/b", "uri-miss", "content of /b ")
		synctest.Wait()
		s.set(func() { s.broken = nil })
		time.Sleep(11 * time.Second)
		if _, notes, _ := s.count(); notes != 1 {
			t.Errorf("%d notes", notes)
		}
		stop()
	})
}

// TestCloseDoesNotWaitForABrokenDisk: notes that can't be written don't hold up the end.
func TestCloseDoesNotWaitForABrokenDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		s.broken = errors.New("no space left on device")
		c := newCacheWith(s)
		if _, err := c.Purge(cache.PurgeRequest{All: true}); err != nil {
			t.Error(err)
		}
		begun := time.Now()
		if err := c.Close(context.Background()); err == nil || time.Since(begun) > 0 {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

// TestPurgeWithAHangingDisk: a purge warns after a while, and holds.
func TestPurgeWithAHangingDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := newShelf(), pages()
		answer := make(chan struct{})
		s.onNote = func() { <-answer }
		c, stop := tiered(t, s)
		get(handle(c, o), "http://example.com/a")
		begun := time.Now()
		r, err := c.Purge(cache.PurgeRequest{Tags: []string{"a"}})
		if took := time.Since(begun); err != nil || !strings.Contains(r.Warning, "doesn't answer") || took != 5*time.Second {
			t.Errorf("%+v %v after %v", r, err, took)
		}
		expect(t, handle(c, o), "http://example.com/a", "uri-miss", "content of /a ")
		close(answer)
		synctest.Wait()
		if _, notes, _ := s.count(); notes != 1 {
			t.Errorf("%d notes", notes)
		}
		stop()
	})
}

// TestPurgesAreForgotten: what no record is older than needn't be remembered.
func TestPurgesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		c, stop := tiered(t, s)
		for i := range 5 {
			time.Sleep(11 * time.Second)
			purge(t, c, cache.PurgeRequest{Tags: []string{strconv.Itoa(i)}})
		}
		if _, notes, _ := s.count(); notes > 2 || c.Stats().Remembered > 2 {
			t.Errorf("%d notes, %d remembered", notes, c.Stats().Remembered)
		}
		get(handle(c, pages()), "http://example.com/a")
		for i := range 5 {
			time.Sleep(11 * time.Second)
			purge(t, c, cache.PurgeRequest{Tags: []string{strconv.Itoa(i)}})
		}
		if n := c.Stats().Remembered; n != 5 {
			t.Errorf("%d remembered", n)
		}
		purge(t, c, cache.PurgeRequest{All: true})
		if n := c.Stats().Remembered; n != 1 {
			t.Errorf("%d remembered after all was purged", n)
		}
		stop()
	})
}

package cache_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/anyedge/anyedge/cache"
)

// decoded reads a content as its client would.
func decoded(r *http.Response) (string, error) {
	var b strings.Builder
	err := decodeTo(&b, r)
	return b.String(), err
}

// decodeTo writes a content as its client reads it, as it comes.
func decodeTo(w io.Writer, r *http.Response) error {
	content := io.Reader(r.Body)
	switch r.Header.Get("Content-Encoding") {
	case "br":
		content = brotli.NewReader(r.Body)
	case "zstd":
		d, err := zstd.NewReader(r.Body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			return err
		}
		defer d.Close()
		content = d
	case "gzip":
		d, err := gzip.NewReader(r.Body)
		if err != nil {
			return err
		}
		content = d
	}
	_, err := io.Copy(w, content)
	return err
}

var codings = []string{"br", "zstd", "gzip"}

// page is n octets of text.
func page(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "<li id=%d>line %d of many</li>\n", i*7919, i)
	}
	return b.String()[:n]
}

// texts is an origin of text, which knows whether it has changed.
func texts(n int, fields ...string) *originFunc {
	fields = append([]string{"Content-Type: text/html", "Cache-Control: max-age=60", `ETag: "x"`}, fields...)
	return &originFunc{answer: func(r *http.Request) (*http.Response, error) {
		response := respondText(page(n), fields...)
		if r.Header.Get("If-None-Match") == `"x"` {
			response.StatusCode, response.Body, response.ContentLength = http.StatusNotModified, http.NoBody, 0
		}
		return response, nil
	}}
}

// awaitForm asks for a coding until its form is stored: it has a length.
func awaitForm(t testing.TB, h http.Handler, target, coding string) (w *httptest.ResponseRecorder) {
	waitFor(t, func() bool {
		w = get(h, target, "Accept-Encoding: "+coding)
		return w.Header().Get("Content-Length") != ""
	})
	return w
}

func TestFormsAreMadeOnce(t *testing.T) {
	const size = 50_000
	c := newCache(t)
	h := handle(c, texts(size))
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			for range 10 {
				w := get(h, "http://example.com/", "Accept-Encoding: "+codings[i%3])
				if got, err := decoded(w.Result()); err != nil || got != page(size) {
					t.Errorf("%s: %d octets, %v", w.Header().Get("Content-Encoding"), len(got), err)
				}
			}
		})
	}
	wg.Wait()
	for _, coding := range codings {
		w := awaitForm(t, h, "http://example.com/", coding)
		if got, err := decoded(w.Result()); err != nil || got != page(size) || w.Header().Get("Etag") != `"x-`+coding+`"` {
			t.Errorf("%s: %d octets, %v, %v", coding, len(got), err, w.Header())
		}
		if n := c.Stats().Encoding[coding]; n.Made != 1 || n.In < size || n.Out >= n.In {
			t.Errorf("%s: %+v", coding, n)
		}
	}
}

// Forms are accounted with what they were made of, and go with it.
func TestFormsAreAccounted(t *testing.T) {
	const size = 100_000
	for name, gone := range map[string]func(c *cache.Cache, h http.Handler){
		"purged": func(c *cache.Cache, _ http.Handler) { purgeURL(t, c, "http://example.com/a") },
		"replaced": func(c *cache.Cache, h http.Handler) {
			purgeURL(t, c, "http://example.com/a")
			get(h, "http://example.com/a")
		},
		"evicted": func(c *cache.Cache, _ http.Handler) { c.SetMemory(1<<10, true) },
		"validated and purged": func(c *cache.Cache, h http.Handler) {
			get(h, "http://example.com/a", "Cache-Control: no-cache")
			if n := c.Stats().Validated; n != 1 {
				t.Errorf("%d were validated", n)
			}
			for _, coding := range codings {
				if w := get(h, "http://example.com/a", "Accept-Encoding: "+coding); w.Header().Get("Content-Length") == "" {
					t.Errorf("%s has gone: %v", coding, w.Header())
				}
			}
			purgeURL(t, c, "http://example.com/a")
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCache(t, func(o *cache.Options) { o.Preset = cache.Standard })
			h := handle(c, texts(size))
			get(h, "http://example.com/a")
			before := c.Stats().Bytes
			made := int64(0)
			for _, coding := range codings {
				made += int64(awaitForm(t, h, "http://example.com/a", coding).Body.Len())
			}
			grown := c.Stats().Bytes - before
			if grown < made || grown > made+3*1024 {
				t.Errorf("%d octets more are stored, of forms with %d", grown, made)
			}
			gone(c, h)
			left := c.Stats()
			if want := before * left.Responses; left.Bytes != want {
				t.Errorf("%d octets are left of %d responses, want %d", left.Bytes, left.Responses, want)
			}
			waitFor(t, func() bool { return c.Stats().FillBytes == 0 })
		})
	}
}

func purgeURL(t *testing.T, c *cache.Cache, target string) {
	t.Helper()
	if _, err := c.Purge(cache.PurgeRequest{URLs: []string{target}}); err != nil {
		t.Error(err)
	}
}

// A form that the residency's largest slot has no room for isn't kept; the response is.
func TestFormsLeaveWhatTheyAreMadeOf(t *testing.T) {
	c := cacheWith(t, limited{limit: 110_000})
	h := handle(c, texts(100_000))
	get(h, "http://example.com/")
	get(h, "http://example.com/", "Accept-Encoding: gzip")
	waitFor(t, func() bool { return c.Stats().Encoding["gzip"].Made == 1 })
	for range 3 {
		w := get(h, "http://example.com/", "Accept-Encoding: gzip")
		if got, err := decoded(w.Result()); err != nil || got != page(100_000) {
			t.Errorf("%d octets, %v", len(got), err)
		}
	}
	if s := c.Stats(); s.Responses != 1 || s.Bytes > 110_000 || s.Encoding["gzip"].Made != 1 {
		t.Errorf("stored: %+v", s)
	}
}

// limited takes what costs no more than limit.
type limited struct {
	everything
	limit int64
}

func (l limited) Admit(_ uint64, cost int64) bool { return cost <= l.limit }
func (l limited) Limit() int64                    { return l.limit }

func TestLookupAnswersEncoded(t *testing.T) {
	c := newCache(t)
	h := handle(c, texts(5000))
	get(h, "http://example.com/")
	form := awaitForm(t, h, "http://example.com/", "br")
	key := cache.AppendKey(nil, "http", "example.com", "/", "", false)
	lookup := func(fields ...[2]string) cache.Found { return c.Lookup(key, requestFields(fields), time.Now()) }

	answer := lookup([2]string{"Accept-Encoding", "gzip, deflate, br, zstd"}).Answer
	if answer.Length() != int64(form.Body.Len()) || !strings.Contains(answer.FieldBlock(), "Content-Encoding: br\r\n") ||
		!strings.Contains(answer.FieldBlock(), `Etag: "x-br"`) || strings.Count(answer.FieldBlock(), "Vary: Accept-Encoding") != 1 {
		t.Errorf("%d octets with %q", answer.Length(), answer.FieldBlock())
	}
	for _, fields := range [][][2]string{
		nil,
		{{"Accept-Encoding", "gzip"}},
		{{"Accept-Encoding", "br;q=0"}},
		{{"Accept-Encoding", "br"}, {"Range", "bytes=0-3"}},
		{{"Accept-Encoding", "br"}, {"Cache-Control", "no-transform"}},
	} {
		found := lookup(fields...)
		if found.Answer != found.Response || strings.Count(found.Answer.FieldBlock(), "Vary: Accept-Encoding") != 1 {
			t.Errorf("%q: %q", fields, found.Answer.FieldBlock())
		}
	}
	if found := c.Lookup([]byte("http://example.com/b"), browser, time.Now()); found.Answer != nil {
		t.Error("a miss has an answer")
	}
	var fields cache.FieldReader = browser
	if n := testing.AllocsPerRun(100, func() { c.Lookup(key, fields, time.Now()) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// What comes is encoded and flushed when the origin pauses, in each way that a content comes.
func TestEncodedStreamIsFlushed(t *testing.T) {
	for _, control := range []string{"no-store", "max-age=60"} {
		for _, coding := range codings {
			read, write := io.Pipe()
			o := &originFunc{answer: func(*http.Request) (*http.Response, error) {
				return respond(read, -1, "Content-Type: text/html", "Cache-Control: "+control), nil
			}}
			url := front(t, handle(newCache(t), o))
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
			r.Header.Set("Accept-Encoding", coding)
			resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			if got := resp.Header.Get("Content-Encoding"); got != coding {
				t.Fatalf("got %q, want %q", got, coding)
			}
			lines := make(chan string)
			go func() { // ends with the content
				defer close(lines)
				pr, pw := io.Pipe()
				go func() { pw.CloseWithError(decodeTo(pw, resp)) }()
				for s := bufio.NewScanner(pr); s.Scan(); {
					lines <- s.Text()
				}
			}()
			for i := range 3 {
				line := fmt.Sprintf("%s %s line %d", control, coding, i)
				io.WriteString(write, line+"\n")
				if got := <-lines; got != line {
					t.Errorf("got %q, want %q", got, line)
				}
			}
			write.Close()
			if got, more := <-lines; more {
				t.Errorf("%q follows", got)
			}
			resp.Body.Close()
		}
	}
}

// A content that ends early doesn't look complete, and the encoder is as good as new.
func TestEncodedContentThatEndsEarly(t *testing.T) {
	broken := true
	o := &originFunc{answer: func(*http.Request) (*http.Response, error) {
		if broken {
			content := io.MultiReader(strings.NewReader(page(500_000)), errReader{errors.New("reset")})
			return respond(content, -1, "Content-Type: text/html", "Cache-Control: no-store"), nil
		}
		return respondText(page(500_000), "Content-Type: text/html", "Cache-Control: no-store"), nil
	}}
	h := handle(newCache(t), o)
	for _, coding := range codings {
		broken = true
		w := httptest.NewRecorder()
		func() {
			defer func() {
				if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
					t.Errorf("%s: the handler ended with %v", coding, err)
				}
			}()
			h.ServeHTTP(w, request(t.Context(), "http://example.com/", "Accept-Encoding: "+coding))
		}()
		if got, err := decoded(w.Result()); err == nil {
			t.Errorf("%s: %d octets look complete", coding, len(got))
		}
		broken = false
		if got, err := decoded(get(h, "http://example.com/", "Accept-Encoding: "+coding).Result()); err != nil || got != page(500_000) {
			t.Errorf("%s: %d octets, %v", coding, len(got), err)
		}
	}
}

// A node that sheds encodes nothing for one client; a form that is there for all goes on being used.
func TestSheddingPassesUnencoded(t *testing.T) {
	control := "no-store"
	c := newCache(t)
	h := handle(c, &originFunc{answer: func(*http.Request) (*http.Response, error) {
		return respondText(page(20_000), "Content-Type: text/html", "Cache-Control: "+control), nil
	}})
	coding := func(path string) string {
		return get(h, "http://example.com/"+path, "Accept-Encoding: gzip").Header().Get("Content-Encoding")
	}
	if got := coding("mine"); got != "gzip" {
		t.Errorf("before: %q", got)
	}
	c.Shed(true)
	if got := coding("mine"); got != "" {
		t.Errorf("while it sheds: %q", got)
	}
	if c.Stats().Unencoded["busy"] != 1 {
		t.Errorf("%v", c.Stats().Unencoded)
	}
	c.Shed(false)
	control = "max-age=60"
	get(h, "http://example.com/ours")
	coding("ours")
	waitFor(t, func() bool { return c.Stats().Encoding["gzip"].Made == 1 })
	c.Shed(true)
	if got := coding("ours"); got != "gzip" {
		t.Errorf("a stored form: %q", got)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// Of many clients of one content a few get it encoded, and all of them get it.
func TestManyClientsOfOneEncodedStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients, streams = 200, 4
		read, write := io.Pipe()
		o := &originFunc{answer: func(*http.Request) (*http.Response, error) {
			return respond(read, -1, "Content-Type: text/html", "Cache-Control: max-age=60"), nil
		}}
		c := newCache(t, func(o *cache.Options) { o.Encoding.Streams = streams })
		h := handle(c, o)
		var wg sync.WaitGroup
		var mu sync.Mutex
		encoded := 0
		for range clients {
			wg.Go(func() {
				w := get(h, "http://example.com/", "Accept-Encoding: gzip")
				mu.Lock()
				defer mu.Unlock()
				if w.Header().Get("Content-Encoding") == "gzip" {
					encoded++
				}
				if got, err := decoded(w.Result()); err != nil || got != page(300_000) {
					t.Errorf("%d octets, %v", len(got), err)
				}
			})
		}
		synctest.Wait()
		io.WriteString(write, page(300_000)[:1000])
		time.Sleep(time.Second)
		io.WriteString(write, page(300_000)[1000:])
		write.Close()
		wg.Wait()
		if s := c.Stats(); encoded != streams || s.Unencoded["busy"] != clients-streams || s.Encoding["gzip"].Passed != streams {
			t.Errorf("%d were encoded; %+v", encoded, s)
		}
		if n := o.requests.Load(); n != 1 {
			t.Errorf("the origin got %d requests", n)
		}
	})
}

// Forms are made of a content on disk, too; and of one that is damaged nothing reaches a client.
func TestFormsOfWhatIsOnDisk(t *testing.T) {
	const size = 600_000 // too large to be taken into memory
	s := newShelf()
	first, _ := tiered(t, s)
	get(handle(first, texts(size)), "http://example.com/")
	waitFor(t, func() bool { n, _, _ := s.count(); return n == 1 })
	second, _ := tiered(t, s.restarted())
	o := texts(size)
	h := handle(second, o)
	w := awaitForm(t, h, "http://example.com/", "zstd")
	if got, err := decoded(w.Result()); err != nil || got != page(size) || o.requests.Load() > 0 {
		t.Errorf("%d octets, %v, %d requests", len(got), err, o.requests.Load())
	}

	damaged := s.restarted()
	damaged.damage = func(string, int64) error { return errDamaged }
	third, _ := tiered(t, damaged)
	o = texts(size)
	w = get(handle(third, o), "http://example.com/", "Accept-Encoding: gzip")
	if got, err := decoded(w.Result()); err != nil || got != page(size) || o.requests.Load() != 1 {
		t.Errorf("%d octets, %v, %d requests", len(got), err, o.requests.Load())
	}
}

// Close waits for a form that is being made, or ends it.
func TestCloseEndsForms(t *testing.T) {
	c := newCacheUnclosed(t, func(o *cache.Options) { o.Encoding.Levels.Brotli = 11 })
	h := handle(c, texts(1<<20))
	get(h, "http://example.com/")
	get(h, "http://example.com/", "Accept-Encoding: br")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = c.Close(ctx)
	if n := runtime.NumGoroutine(); n > 50 {
		t.Errorf("%d goroutines are left", n)
	}
}

// Encoding changes with the options, for what is stored as well.
func TestEncodingIsConfigured(t *testing.T) {
	var o cache.Options
	c := newCache(t, func(set *cache.Options) { o = *set })
	h := handle(c, texts(5000))
	coding := func() string {
		return get(h, "http://example.com/", "Accept-Encoding: gzip, br").Header().Get("Content-Encoding")
	}
	if got := coding(); got != "br" {
		t.Errorf("by default %q", got)
	}
	o.Encoding.Off = true
	c.Configure(o)
	if got := coding(); got != "" {
		t.Errorf("off: %q", got)
	}
	o.Encoding.SetDefaults()
	o.Encoding.Codings = []string{"gzip"}
	c.Configure(o)
	if got := coding(); got != "gzip" {
		t.Errorf("gzip alone: %q", got)
	}
}

// BenchmarkHandlerHitEncoded is BenchmarkHandlerHit where the client gets an encoded form.
func BenchmarkHandlerHitEncoded(b *testing.B) {
	for _, coding := range []string{"identity", "br"} {
		b.Run(coding, func(b *testing.B) {
			h := handle(newCache(b), texts(2000))
			get(h, "http://example.com/")
			if coding != "identity" {
				awaitForm(b, h, "http://example.com/", coding)
			}
			r := request(b.Context(), "http://example.com/", "Accept-Encoding: "+coding)
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(&discard{header: make(http.Header, 16)}, r)
			}
		})
	}
}

// BenchmarkLookupEncoded is a hit in the cache alone.
func BenchmarkLookupEncoded(b *testing.B) {
	for _, coding := range []string{"identity", "gzip, deflate, br, zstd"} {
		b.Run(coding, func(b *testing.B) {
			c := newCache(b)
			h := handle(c, texts(2000))
			get(h, "http://example.com/")
			awaitForm(b, h, "http://example.com/", "br")
			key := []byte("http://example.com/")
			var fields cache.FieldReader = requestFields{{"Accept-Encoding", coding}}
			now := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				c.Lookup(key, fields, now)
			}
		})
	}
}

package cache_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/httpfield"
)

// lies are what becomes of the honest answers to requests for slices. Where the header section gives itself away, the
// content is wrong as well, so that a viewer would notice.
var lies = []struct {
	name string
	lie  func(o *film, r *http.Response) *http.Response
}{
	{"another begin", contentRange(func(c *httpfield.ContentRange) { c.Start++; c.Length-- })},
	{"shifted", contentRange(func(c *httpfield.ContentRange) { c.Start++ })},
	{"another end", contentRange(func(c *httpfield.ContentRange) { c.Length-- })},
	{"more than asked for", contentRange(func(c *httpfield.ContentRange) { c.Length++ })},
	{"another complete length", contentRange(func(c *httpfield.ContentRange) { c.Size++ })},
	{"no complete length", field("Content-Range", "bytes 0-1048575/*")},
	{"no range", field("Content-Range", "")},
	{"another unit", field("Content-Range", "lines 0-1/2")},
	{"malformed range", field("Content-Range", "bytes 9-5/3")},
	{"parts", field("Content-Type", "multipart/byteranges; boundary=x", "Content-Range", "")},
	{"another entity tag", field("Etag", `"other"`)},
	{"a weak entity tag", field("Etag", `W/"v0"`)},
	{"no entity tag", field("Etag", "")},
	{"two entity tags", func(_ *film, r *http.Response) *http.Response {
		r.Header.Add("Etag", `"other"`)
		r.Body.(*filmReader).version = 1
		return r
	}},
	{"encoded", field("Content-Encoding", "gzip")},
	{"private now", field("Cache-Control", "private")},
	{"the whole", whole(0)},
	{"the whole of another version", whole(1)},
	{"nothing there", func(o *film, _ *http.Response) *http.Response {
		return o.respond(http.StatusRequestedRangeNotSatisfiable, httpfield.Range{})
	}},
	{"gone", func(o *film, _ *http.Response) *http.Response { return o.respond(http.StatusGone, httpfield.Range{}) }},
	{"an error", func(o *film, _ *http.Response) *http.Response {
		return o.respond(http.StatusInternalServerError, httpfield.Range{})
	}},
	{"not modified", func(o *film, _ *http.Response) *http.Response {
		return o.respond(http.StatusNotModified, httpfield.Range{})
	}},
	{"another Content-Length", func(_ *film, r *http.Response) *http.Response {
		r.ContentLength--
		return r
	}},
	{"short content", func(_ *film, r *http.Response) *http.Response {
		r.Body.(*filmReader).end -= 10
		return r
	}},
	{"empty content", func(_ *film, r *http.Response) *http.Response {
		r.Body = http.NoBody
		return r
	}},
	{"long content", func(_ *film, r *http.Response) *http.Response {
		r.Body = io.NopCloser(io.MultiReader(r.Body, strings.NewReader("more")))
		return r
	}},
}

func contentRange(change func(*httpfield.ContentRange)) func(*film, *http.Response) *http.Response {
	return func(_ *film, r *http.Response) *http.Response {
		c, _ := httpfield.ParseContentRange(r.Header.Get("Content-Range"))
		change(&c)
		r.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", c.Start, c.Start+c.Length-1, c.Size))
		body := r.Body.(*filmReader)
		body.version, body.end = 1, body.pos+c.Length
		r.ContentLength = c.Length
		return r
	}
}

func field(pairs ...string) func(*film, *http.Response) *http.Response {
	return func(_ *film, r *http.Response) *http.Response {
		for i := 0; i < len(pairs); i += 2 {
			if r.Header.Del(pairs[i]); pairs[i+1] != "" {
				r.Header.Set(pairs[i], pairs[i+1])
			}
		}
		r.Body.(*filmReader).version = 1
		return r
	}
}

func whole(version uint64) func(*film, *http.Response) *http.Response {
	return func(o *film, _ *http.Response) *http.Response {
		r := o.respond(http.StatusOK, httpfield.Range{Length: o.size})
		r.Body.(*filmReader).version = version
		if version > 0 {
			r.Header.Set("Etag", fmt.Sprintf(`"v%d"`, version))
		}
		return r
	}
}

// TestLyingAboutSlices: whatever an origin answers to the request for a slice, the client gets what is right, or less of
// it and an abortion, or what the origin says to its own request. Nothing of it is stored.
func TestLyingAboutSlices(t *testing.T) {
	const size = 12 * mebi
	for _, tt := range lies {
		for _, wanted := range []string{"bytes=2097152-3145727", "bytes=0-3145727"} { // before the header section, and behind it
			synctest.Test(t, func(t *testing.T) {
				o := newFilm(size)
				h := handle(newCache(t), o)
				watch(h, 0, "Range: bytes=0-1048576")
				o.lie = func(r *http.Request, response *http.Response) *http.Response {
					if r.Header.Get("If-Range") == "" {
						return response
					}
					return tt.lie(o, response)
				}
				v, aborted := watch(h, 0, "Range: "+wanted)
				if v.wrong >= 0 || v.status != http.StatusPartialContent {
					t.Errorf("%s, %s: got %d, wrong at %d, %v", tt.name, wanted, v.status, v.wrong, v.header)
				}
				if part, _ := httpfield.ParseContentRange(v.header.Get("Content-Range")); !aborted && v.written != part.Length {
					t.Errorf("%s, %s: %d octets of %d pass for all", tt.name, wanted, v.written, part.Length)
				}
				o.lie = nil
				if v, aborted := watch(h, 0); aborted || v.wrong >= 0 || v.written != size {
					t.Errorf("%s, %s: then %d octets, wrong at %d", tt.name, wanted, v.written, v.wrong)
				}
			})
		}
	}
}

// TestChangesMidway: a content that changes while a client reads it is never mixed with the one before.
func TestChangesMidway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 32 * mebi
		o := newFilm(size)
		h := handle(newCache(t), o)
		watch(h, 0, "Range: bytes=0-1")
		v := &viewer{header: make(http.Header), wrong: -1}
		v.onWrite = func() {
			if v.written > 5*mebi {
				o.version.Store(1)
			}
		}
		aborted := serveAborted(h, v, request(t.Context(), "http://example.com/film"))
		if !aborted || v.wrong >= 0 || v.written < 5*mebi {
			t.Errorf("aborted %t, %d octets, wrong at %d", aborted, v.written, v.wrong)
		}
		v, _ = watch(h, 1)
		v.check(t, 200, size, "fwd=uri-miss; fwd-status=200; stored")
	})
}

// TestPartNobodyAskedFor: a 206 to a request without Range answers the one that asked, if anybody, and isn't stored.
func TestPartNobodyAskedFor(t *testing.T) {
	o := newFilm(20 * mebi)
	o.lie = func(r *http.Request, response *http.Response) *http.Response {
		if r.Header.Get("Range") == "" {
			response.StatusCode = http.StatusPartialContent
			response.Header.Set("Content-Range", "bytes 0-1048575/20971520")
			response.Body.(*filmReader).end = mebi
			response.ContentLength = mebi
		}
		return response
	}
	c := newCache(t)
	v, _ := watch(handle(c, o), 0)
	v.check(t, 206, mebi, "fwd=uri-miss; fwd-status=206; detail=partial")
	if n := c.Stats().Responses; n > 0 {
		t.Errorf("%d responses are stored", n)
	}
}

// TestSameContentOnceMore: what came under the same validator stays of use when the head is fetched again.
func TestSameContentOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFilm(20 * mebi)
		h := handle(newCache(t, func(o *cache.Options) { o.Preset = cache.Standard }), o)
		watch(h, 0, "Range: bytes=5242880-6291455")
		o.lie = func(r *http.Request, response *http.Response) *http.Response {
			if r.Header.Get("If-None-Match") != "" { // it doesn't know conditions
				r.Header.Del("If-None-Match")
				return o.answer(r)
			}
			return response
		}
		watch(h, 0, "Range: bytes=0-9", "Cache-Control: no-cache")
		synctest.Wait()
		o.octets.Store(0)
		v, _ := watch(h, 0, "Range: bytes=5242880-6291455")
		v.check(t, 206, mebi, "hit; ttl=60")
		if got := o.octets.Load(); got != 0 {
			t.Errorf("the origin gave %d octets", got)
		}
	})
}

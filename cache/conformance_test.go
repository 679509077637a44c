package cache_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/cache"
)

func standard(o *cache.Options) { o.Preset = cache.Standard }

// statusOrigin answers with the status in the path, and with fields.
func statusOrigin(fields ...string) *originFunc {
	return &originFunc{answer: func(r *http.Request) (*http.Response, error) {
		var status int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &status); err != nil {
			return nil, err
		}
		content := "content"
		if status == 204 || status == 205 {
			content = ""
		}
		response := respondText(content, fields...)
		response.StatusCode = status
		return response, nil
	}}
}

// Every final status that says so is stored and reused as it came, RFC 9111 §3: known ones and others. 206 and 304 are
// parts of something else, and 425 is about one request alone.
func TestEveryStatusIsReused(t *testing.T) {
	for _, field := range []string{"Cache-Control: max-age=60", "Cache-Control: s-maxage=60", "Expires: Fri, 31 Dec 9999 23:59:59 GMT"} {
		o := statusOrigin(field)
		h := handle(newCache(t, standard), o)
		for status := 200; status < 600; status++ {
			if status == 206 || status == 304 || status == 425 {
				continue
			}
			target := fmt.Sprintf("http://example.com/%d", status)
			first, second := get(h, target), get(h, target)
			if first.Code != status || second.Code != status || first.Body.String() != second.Body.String() {
				t.Errorf("%s, %d: got %d %q, then %d %q", field, status, first.Code, first.Body, second.Code, second.Body)
			}
			// A fill without content may be about to end.
			if got := second.Header().Get("Cache-Status"); !strings.HasPrefix(got, "edge; hit") && !strings.Contains(got, "collapsed") {
				t.Errorf("%s, %d: %s", field, status, got)
			}
		}
	}
}

// A status that is heuristically cacheable is reused when it was modified long ago, any other only where public says so,
// RFC 9111 §4.2.2.
func TestHeuristicsByStatus(t *testing.T) {
	cacheable := " 200 203 204 300 301 308 404 405 410 414 501 "
	for _, control := range []string{"X: y", "Cache-Control: public"} {
		h := handle(newCache(t, standard), statusOrigin("Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", control))
		for status := 200; status < 600; status++ {
			if status == 206 || status == 304 || status == 425 {
				continue
			}
			target := fmt.Sprintf("http://example.com/%d", status)
			get(h, target)
			hit := strings.HasPrefix(settledStatus(h, target), "edge; hit")
			if want := control != "X: y" || strings.Contains(cacheable, fmt.Sprintf(" %d ", status)); hit != want {
				t.Errorf("%s, %d: hit %v", control, status, hit)
			}
		}
	}
}

// settledStatus is the Cache-Status of a request that doesn't share another one's fill: a client may have all of a response
// without content before it is stored.
func settledStatus(h http.Handler, target string) string {
	for {
		if status := get(h, target).Header().Get("Cache-Status"); !strings.Contains(status, "collapsed") {
			return status
		}
	}
}

// No status is reused that forbids it, whatever else it says.
func TestNoStatusIsReusedAgainstItsWord(t *testing.T) {
	for _, control := range []string{"no-store, max-age=60", "private, s-maxage=60", "max-age=60, private=\"\"", "max-age=60, NO-STORE=x"} {
		o := statusOrigin("Cache-Control: " + control)
		h := handle(newCache(t, standard), o)
		n := int32(0)
		for status := 200; status < 600; status += 3 {
			if status == 206 || status == 304 {
				continue
			}
			for range 2 {
				get(h, fmt.Sprintf("http://example.com/%d", status))
				if n++; o.requests.Load() != n {
					t.Fatalf("%s, %d: the origin got %d requests, want %d", control, status, o.requests.Load(), n)
				}
			}
		}
	}
}

// Responses to other methods are never stored, RFC 9111 §3, nor used for them.
func TestOtherMethodsAreNotStored(t *testing.T) {
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "PROPFIND", "get", "FROB"} {
		o := statusOrigin("Cache-Control: max-age=60")
		h := handle(newCache(t, standard), o)
		for range 2 {
			r := request(t.Context(), "http://example.com/200")
			r.Method = method
			h.ServeHTTP(newClient(nil), r)
		}
		if get(h, "http://example.com/200"); o.requests.Load() != 3 {
			t.Errorf("%s: the origin got %d requests", method, o.requests.Load())
		}
	}
}

package cache_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/anyedge/anyedge/cache"
)

// While fills are refused, what is stored answers: fresh, or stale where an error of the origin's would let it. Fills that
// are under way are joined, and none begins.
func TestRefusedFills(t *testing.T) {
	c := newCache(t)
	control := map[string]string{
		"/fresh": "max-age=60", "/slow": "max-age=60", "/mild": "max-age=0, stale-if-error=60",
		"/behind": "max-age=0, stale-while-revalidate=60", "/strict": "max-age=0, must-revalidate",
	}
	asked, release := make(chan struct{}), make(chan struct{})
	o := &originFunc{answer: func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/slow" {
			close(asked)
			<-release
		}
		return respondText("x", "Cache-Control: "+control[r.URL.Path]), nil
	}}
	overloaded := 0
	h := c.Handler("site", cache.Policy{}, o, func(w http.ResponseWriter, _ *http.Request, err error) {
		if !errors.Is(err, cache.ErrOverloaded) {
			t.Errorf("refused with %v", err)
		}
		overloaded++
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	for _, path := range []string{"fresh", "mild", "behind", "strict"} {
		get(h, "http://example.com/"+path)
	}
	answers := make(chan *httptest.ResponseRecorder, 2)
	go func() { answers <- get(h, "http://example.com/slow") }()
	<-asked
	before := o.requests.Load()

	c.Refuse(true)
	go func() { answers <- get(h, "http://example.com/slow") }()
	for path, want := range map[string]int{"fresh": 200, "mild": 200, "behind": 200, "strict": 503, "cold": 503} {
		if w := get(h, "http://example.com/"+path); w.Code != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Cache-Status"))
		}
	}
	if overloaded != 2 || o.requests.Load() != before {
		t.Errorf("%d refused, the origin was asked %d times", overloaded, o.requests.Load()-before)
	}
	close(release)
	for range 2 {
		if w := <-answers; w.Code != http.StatusOK {
			t.Errorf("a fill under way: %d", w.Code)
		}
	}
	c.Refuse(false)
	if w := get(h, "http://example.com/cold"); w.Code != http.StatusOK {
		t.Errorf("afterwards: %d", w.Code)
	}
}

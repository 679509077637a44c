package cache_test

import (
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anyedge/anyedge/cache"
)

// What Explain says of a variant is what a request gets that selects it.
func TestExplain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t)
		h := handle(c, &originFunc{answer: func(r *http.Request) (*http.Response, error) {
			return respondText("hello", "Cache-Control: max-age=60, stale-while-revalidate=30", `ETag: "a"`, "Vary: Accept-Language", "Age: 10"), nil
		}})
		const url = "http://example.com/a"
		get(h, url, "Accept-Language: de")
		get(h, url, "Accept-Language: nl")
		for _, tt := range []struct {
			language string
			after    time.Duration
			verdict  string
		}{
			{"de", 0, "hit: fresh"},
			{"fr", 0, "nothing that is stored under the URL's own key is for these fields"},
			{"nl", 49 * time.Second, "hit: fresh"},
			{"nl", 2 * time.Second, "hit: stale, and validated behind"},
			{"de", time.Minute, "the origin is asked first whether it has changed: fwd=stale"},
		} {
			time.Sleep(tt.after)
			e := explain(t, c, url, tt.language)
			if len(e.Stored) != 2 || !strings.HasPrefix(e.Verdict, tt.verdict) {
				t.Errorf("%s: %+v", tt.language, e)
			}
		}
		s := explain(t, c, url, "de").Stored[1]
		if s.Vary["Accept-Language"] != "de" || s.Initial != 10*time.Second || s.Lifetime != time.Minute || s.Age != 121*time.Second ||
			s.Remaining != -61*time.Second || s.WhileRevalidate != 30*time.Second || s.ETag != `"a"` || s.Place != "memory" || !s.Selected {
			t.Errorf("%+v", s)
		}
		if _, err := c.Purge(cache.PurgeRequest{URLs: []string{url}}); err != nil {
			t.Fatal(err)
		}
		if e := explain(t, c, url, "de"); len(e.Stored) != 0 || !strings.HasPrefix(e.Verdict, "nothing is stored") {
			t.Errorf("after a purge: %+v", e)
		}
		if _, err := c.Explain("/a", nil, time.Now()); err == nil {
			t.Error("a path is no URL")
		}
	})
}

// Why the last response for a URL wasn't stored is told until another one is.
func TestExplainUnstored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		control := "private"
		c := newCache(t)
		h := handle(c, &originFunc{answer: func(*http.Request) (*http.Response, error) {
			return respondText("hello", "Cache-Control: "+control), nil
		}})
		const url = "http://example.com/a"
		if e := explain(t, c, url, "de"); e.Unstored != nil || e.Alone {
			t.Errorf("before any request: %+v", e)
		}
		get(h, url)
		if u := explain(t, c, url, "de").Unstored; u == nil || u.Reason != cache.ReasonPrivate || u.Status != 200 || !u.At.Equal(time.Now()) {
			t.Errorf("got %+v", u)
		}
		if e := explain(t, c, "http://example.com/b", "de"); e.Unstored != nil {
			t.Errorf("another URL: %+v", e.Unstored)
		}
		control = "max-age=60"
		get(h, url)
		if e := explain(t, c, url, "de"); e.Unstored != nil || e.Alone {
			t.Errorf("once it is stored: %+v", e)
		}
	})
}

// What lets an answer be stale is counted.
func TestStaleCauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := false
		c := newCache(t, func(o *cache.Options) { o.Preset = cache.Standard })
		h := handle(c, &originFunc{answer: func(r *http.Request) (*http.Response, error) {
			if fails {
				return nil, errors.New("refused")
			}
			control := map[string]string{"/a": "stale-while-revalidate=9", "/b": "stale-if-error=9", "/c": "public"}[r.URL.Path]
			return respondText("hello", "Cache-Control: max-age=1, "+control), nil
		}})
		for _, path := range []string{"a", "b", "c"} {
			get(h, "http://example.com/"+path)
		}
		time.Sleep(2 * time.Second)
		fails = true
		get(h, "http://example.com/a")
		get(h, "http://example.com/b")
		get(h, "http://example.com/c")
		get(h, "http://example.com/c", "Cache-Control: max-stale=5")
		synctest.Wait()
		want := map[string]uint64{"stale-while-revalidate": 1, "stale-if-error": 1, "disconnected": 1, "max-stale": 1}
		if got := c.Stats().Stale; !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func explain(t *testing.T, c *cache.Cache, url, language string) cache.URLExplanation {
	t.Helper()
	e, err := c.Explain(url, http.Header{"Accept-Language": {language}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

package cache_test

import (
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

func explain(t *testing.T, c *cache.Cache, url, language string) cache.URLExplanation {
	t.Helper()
	e, err := c.Explain(url, http.Header{"Accept-Language": {language}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

package cache_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Requests whose queries are as good as each other share a fill, unless its response says otherwise by then.
func TestSearchIsCheckedForEachFollower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rule := "No-Vary-Search: params"
		o := &originFunc{answer: func(r *http.Request) (*http.Response, error) {
			field := rule
			time.Sleep(time.Second)
			return respondText(r.URL.RawQuery, "Cache-Control: max-age=30", field), nil
		}}
		h := handle(newCache(t), o)
		ask := func(different bool) {
			t.Helper()
			var wg sync.WaitGroup
			for i := range 10 {
				wg.Go(func() {
					got := get(h, fmt.Sprint("http://example.com/?", i)).Body.String()
					if own := got == fmt.Sprint(i); different && !own {
						t.Errorf("%d got the response to %s", i, got)
					}
				})
			}
			wg.Wait()
			time.Sleep(time.Minute)
		}
		get(h, "http://example.com/?first")
		time.Sleep(time.Minute)
		before := o.requests.Load()
		if ask(false); o.requests.Load() != before+1 {
			t.Errorf("the origin got %d requests", o.requests.Load()-before)
		}
		rule = "X: none"
		ask(true)
	})
}

// What is stored for other resources isn't touched by a rule, and a rule takes no more room than its slot.
func TestManySearches(t *testing.T) {
	o := &originFunc{answer: func(r *http.Request) (*http.Response, error) {
		return respondText(r.URL.Path, "Cache-Control: max-age=60", `No-Vary-Search: params=("u")`), nil
	}}
	h := handle(newCache(t), o)
	for i := range 10_000 {
		target := fmt.Sprintf("http://example.com/%d", i)
		if got := get(h, target+"?u=1").Body.String(); got != fmt.Sprintf("/%d", i) {
			t.Fatalf("%d: got %s", i, got)
		}
		if got := get(h, target+"?u=2").Header().Get("Cache-Status"); !strings.HasPrefix(got, "edge; hit; ttl=") {
			t.Fatalf("%d: got %s", i, got)
		}
	}
}

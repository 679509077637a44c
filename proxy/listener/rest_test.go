//go:build unix

package listener_test

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/proxy/listener"
)

// resting is how many connections rest.
func resting() int {
	stacks := make([]byte, 4<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "listener.(*conn).await(")
}

// TestRest: quiet connections over H1 and H2 rest, answer when they are asked anew, and end with the listener.
func TestRest(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe), withHits(newHits(t, 100)))
	h1, h2 := e.client(listener.H1), e.client(listener.H2)
	askBoth := func() {
		for _, c := range []*http.Client{h1, h2} {
			resp, err := c.Get("https://" + e.https() + "/miss")
			must(t, err)
			_, err = io.Copy(io.Discard, resp.Body)
			must(t, err)
			must(t, resp.Body.Close())
		}
	}
	askBoth()
	for end := time.Now().Add(time.Minute); resting() < 2; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections rest", resting())
		}
	}
	askBoth()
	if n := e.metric("connections_total"); n > 2 {
		t.Errorf("%v connections", n)
	}
}

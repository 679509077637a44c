//go:build unix

package listener_test

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/anyedge/anyedge/proxy/listener"
)

// resting is how many connections rest.
func resting() int {
	stacks := make([]byte, 4<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "listener.(*conn).await(")
}

func waitResting(t *testing.T, want int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); resting() < want; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections rest", resting())
		}
	}
}

// TestRest: quiet connections over H1 and H2 rest, answer when they are asked anew, and when they rest again end with the
// listener, in order.
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
	waitResting(t, 2)
	askBoth()
	if n := e.metric("connections_total"); n > 2 {
		t.Errorf("%v connections", n)
	}
	waitResting(t, 2)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must(t, e.Shutdown(ctx))
	e.ended()
}

// TestKeyUpdateAtRest: what comes in pieces to connections that rest is put together, and a KeyUpdate has time to be answered.
func TestKeyUpdateAtRest(t *testing.T) {
	e := serve(t, notFound, withHits(newHits(t, 10)), withShortSend)
	h1, h2 := e.dialBare("http/1.1"), e.dialBare("h2")
	must(t, h1.SetDeadline(time.Now().Add(2*time.Minute)))
	must(t, h2.SetDeadline(time.Now().Add(2*time.Minute)))
	askH1 := func() {
		if resp, n := ask(t, h1); resp.StatusCode != 200 || n != 10 {
			t.Fatalf("status %d, %d octets", resp.StatusCode, n)
		}
	}
	askH1()
	_, err := io.WriteString(h2, http2.ClientPreface)
	must(t, err)
	f := http2.NewFramer(h2, h2)
	must(t, f.WriteSettings())
	waitResting(t, 2)
	for _, c := range []*bareTLS{h1, h2} {
		update := c.update()
		for i := range update {
			_, err := c.Conn.Write(update[i : i+1])
			must(t, err)
		}
	}
	askH1()
	must(t, f.WritePing(false, [8]byte{1}))
	for answered := false; !answered; {
		frame, err := f.ReadFrame()
		must(t, err)
		_, answered = frame.(*http2.PingFrame)
	}
	if h1.updates != 1 || h2.updates != 1 {
		t.Errorf("%d and %d KeyUpdates", h1.updates, h2.updates)
	}
}

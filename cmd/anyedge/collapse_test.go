package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// Ten thousand clients ask a node for one cold page at once: the origin is asked once, and all have its beginning
// before the origin sends its end. The first leaves in between: the others' content
// goes on.
func TestTenThousandStreamsMakeOneRequest(t *testing.T) {
	connections, streams := 100, 100
	if raceDetector {
		connections = 10
	}
	e := startEdge(t)
	e.awaitAnnounced()
	d := e.client()
	transport := func() http.RoundTripper {
		one, end := d.transport("HTTP/2.0")
		t.Cleanup(end)
		e.getBy(one, "shop.example.com", "/") // so that its requests share a connection
		return one
	}
	leaves, err := e.askCold(transport())
	if err != nil {
		t.Fatal(err)
	}

	var begun, done sync.WaitGroup
	for range connections {
		one := transport()
		for range streams {
			begun.Add(1)
			done.Go(func() { e.readCold(one, begun.Done) })
		}
	}
	begun.Wait()
	leaves.Body.Close()
	close(e.release)
	done.Wait()
	if asked, collapsed := e.cold.Load(), e.node.cache.Stats().Collapsed; asked != 1 || collapsed != uint64(connections*streams) {
		t.Errorf("the origin was asked %d times, %d requests were collapsed", asked, collapsed)
	}
}

const coldHalf = 4 << 10 // of the page at /cold, in octets

// serveCold answers the first half, and the second once that is released.
func (e *edge) serveCold(w http.ResponseWriter, r *http.Request) {
	e.cold.Add(1)
	w.Header().Set("Cache-Control", "max-age=60")
	fmt.Fprint(w, strings.Repeat("a", coldHalf))
	_ = http.NewResponseController(w).Flush()
	select {
	case <-e.release:
		fmt.Fprint(w, strings.Repeat("b", coldHalf))
	case <-r.Context().Done():
	}
}

func (e *edge) askCold(transport http.RoundTripper) (*http.Response, error) {
	req, err := http.NewRequestWithContext(e.t.Context(), "GET", fmt.Sprintf("https://127.0.0.1:%d/cold", e.https), nil)
	if err != nil {
		return nil, err
	}
	req.Host = "shop.example.com"
	return transport.RoundTrip(req)
}

// readCold reads the page and says when it has the first half, or can't get it.
func (e *edge) readCold(transport http.RoundTripper, begun func()) {
	resp, err := e.askCold(transport)
	if err != nil {
		begun()
		e.t.Error(err)
		return
	}
	defer resp.Body.Close()
	first := make([]byte, coldHalf)
	_, err = io.ReadFull(resp.Body, first)
	begun()
	rest, err2 := io.ReadAll(resp.Body)
	if err != nil || err2 != nil || string(first)+string(rest) != strings.Repeat("a", coldHalf)+strings.Repeat("b", coldHalf) {
		e.t.Errorf("got %d + %d octets, %v, %v", len(first), len(rest), err, err2)
	}
}

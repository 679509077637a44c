//go:build !race

package h3_test

import (
	"errors"
	"io"
	"net/http"
	"runtime"
	"slices"
	"testing"
)

// TestRequestAllocations bounds what a request that isn't a hit allocates, from the socket and back to it, besides what its
// handler does. What quic-go allocates for a stream, on both sides, is a part of it. The race detector allocates, too.
func TestRequestAllocations(t *testing.T) {
	const most = 92
	content := make([]byte, 1<<10)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) })
	c := s.dial()
	request, buffer := []byte(get()), make([]byte, 4<<10)
	ask := func() {
		st, err := c.OpenStreamSync(t.Context())
		must(t, err)
		_, err = st.Write(request)
		must(t, err)
		_ = st.Close() // never fails
		n := 0
		for err == nil {
			var m int
			m, err = st.Read(buffer)
			n += m
		}
		if !errors.Is(err, io.EOF) || n < len(content) {
			t.Fatalf("%d octets, %v", n, err)
		}
	}
	var counts []float64
	for range 5 {
		counts = append(counts, mallocs(200, ask))
	}
	if slices.Sort(counts); counts[2] > most {
		t.Errorf("a request allocates %v times, want at most %v", counts, most)
	}
}

// mallocs is how often the process allocates for one of n calls of f.
func mallocs(n int, f func()) float64 {
	f()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		f()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n)
}

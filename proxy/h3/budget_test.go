//go:build !race

package h3_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/anyedge/anyedge/proxy/hitpath/hitpathtest"
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
	hitpathtest.Budget(t, most, ask)
}

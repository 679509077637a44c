//go:build !race

package h3

import "testing"

// The race detector allocates, too.
func TestDecodeAllocations(t *testing.T) {
	b := encode(t, [2]string{":method", "GET"}, [2]string{":path", "/index.html"}, [2]string{":authority", "example.com"},
		[2]string{"user-agent", "a browser"}, [2]string{"x-own", "value"})
	var s section
	if n := testing.AllocsPerRun(100, func() {
		if err := s.decode(b, 1<<10); err != nil {
			t.Fatal(err)
		}
	}); n > 1 {
		t.Errorf("%v allocations, where one string is enough", n)
	}
}

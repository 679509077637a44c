package h2_test

import (
	"io"
	"testing"
)

// budget is what a request and its response may allocate: the response itself and its fields are most of it. The server is in
// it, which allocates as it likes beforehand.
const budget = 10

func TestAllocations(t *testing.T) {
	c, _ := client(t, func(p *peer) {
		p.greet()
		r := p.request()
		if r == nil {
			return
		}
		answer := []byte("\x00\x00\x0c\x01\x04\x00\x00\x00\x00\x88\x0f\x0d\x01\x32\x0f\x10\x04text" + "\x00\x00\x02\x00\x01\x00\x00\x00\x00ok")
		request := make([]byte, 4096)
		for id := r.StreamID; ; id += 2 {
			answer[8], answer[7], answer[21+8], answer[21+7] = byte(id), byte(id>>8), byte(id), byte(id>>8)
			if _, err := p.Write(answer); err != nil {
				return
			}
			if _, err := p.Read(request); err != nil { // each request comes in one piece
				return
			}
		}
	})
	request, content := get(t.Context(), t, "/"), make([]byte, 100)
	n := testing.AllocsPerRun(200, func() {
		resp, err := c.RoundTrip(request)
		must(t, err)
		if n, err := io.ReadFull(resp.Body, content[:2]); err != nil {
			t.Fatal(n, err)
		}
		if _, err := resp.Body.Read(content); err != io.EOF { //nolint:errorlint // io.Reader returns io.EOF itself
			t.Fatal(err)
		}
		must(t, resp.Body.Close())
	})
	if n > budget {
		t.Errorf("%v allocations, want at most %d", n, budget)
	}
	t.Logf("%v allocations", n)
}

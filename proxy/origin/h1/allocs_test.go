package h1_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/anyedge/anyedge/proxy/origin/h1"
)

// budget is what a request and its response may allocate: the response itself and its fields are most of it.
const budget = 10

func TestAllocations(t *testing.T) {
	c := &h1.Client{FirstByte: patience, KeepAlive: time.Hour, MaxIdle: 1, MaxHeader: 1 << 20, Dial: func(context.Context) (net.Conn, error) {
		client, server := net.Pipe()
		t.Cleanup(func() { _ = client.Close() })
		go func() { // ends with the connection; a request comes in one piece
			request, answer := make([]byte, 4096), []byte(ok)
			for {
				if _, err := server.Read(request); err != nil {
					return
				}
				if _, err := server.Write(answer); err != nil {
					return
				}
			}
		}()
		return client, nil
	}}
	request, content := &h1.Request{Request: newRequest(t.Context(), t, "GET")}, make([]byte, 100)
	n := testing.AllocsPerRun(200, func() {
		resp, err := c.RoundTrip(request)
		must(t, err)
		if _, err := io.ReadFull(resp.Body, content[:2]); err != nil {
			t.Fatal(err)
		}
		_, _ = resp.Body.Read(content) // its end
		must(t, resp.Body.Close())
	})
	if n > budget {
		t.Errorf("%v allocations, want at most %d", n, budget)
	}
	t.Logf("%v allocations", n)
}

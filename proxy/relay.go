package proxy

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"sync"
)

// copySize is how much of a content is held at once, each way and per request: two TLS records.
const copySize = 32 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copySize]byte) }}

// relay sends to the client, as it comes, a response that the cache has no part in: an origin's refusal to upgrade. A
// content that ends too early breaks the response off.
func relay(w http.ResponseWriter, resp *http.Response) {
	defer resp.Body.Close()
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	buf := copyBuffers.Get().(*[copySize]byte)
	defer copyBuffers.Put(buf)
	for {
		n, err := resp.Body.Read(buf[:])
		if n > 0 { // of a 204 H2 and H3 let nobody write even nothing
			if _, err := w.Write(buf[:n]); err != nil {
				panic(http.ErrAbortHandler)
			}
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

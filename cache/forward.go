package cache

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/anyedge/anyedge/cache/encoding"
)

// copyBuffer is how much is read at a time of a content that only passes, in bytes.
const copyBuffer = 32 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copyBuffer]byte) }}

// forward passes a response on to the client as it comes, and closes it.
func (x *exchange) forward(response *http.Response) {
	defer response.Body.Close()
	h := x.w.Header()
	copyFields(h, response.Header)
	leaveType(h)
	coding := x.codingOfPassing(response, h)
	defer x.unrepresent()
	x.status.addTo(h, x.c.name)
	names := trailerNames(response.Trailer)
	if len(names) > 0 {
		h["Trailer"] = []string{strings.Join(names, ", ")}
		delete(h, "Content-Length")
	}
	x.w.WriteHeader(response.StatusCode)
	if x.r.Method == http.MethodHead {
		return
	}
	if err := x.copyEncoded(response, coding); err != nil {
		x.abort()
	}
	addTrailer(x.w, newBlock(response.Trailer, func(name string) bool { return !isConnectionField(name) }), names)
}

func (x *exchange) copyEncoded(response *http.Response, coding encoding.Coding) error {
	if coding == encoding.Identity {
		return x.copy(response)
	}
	return x.encoding(coding, func() error { return x.copy(response) })
}

// copy writes the content as it comes: what was read is flushed unless more was there than fits.
func (x *exchange) copy(response *http.Response) error {
	if response.ContentLength < 0 {
		flush(x.w) // a stream's header section doesn't wait for its first byte
	}
	buf := copyBuffers.Get().(*[copyBuffer]byte)
	defer copyBuffers.Put(buf)
	for left := response.ContentLength; ; {
		n, err := response.Body.Read(buf[:])
		if n > 0 { // of a 204 H2 and H3 let nobody write even nothing
			if _, err := x.w.Write(buf[:n]); err != nil {
				return err
			}
		}
		left -= int64(n)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if n > 0 && n < len(buf) && left != 0 {
			flush(x.w)
		}
	}
}

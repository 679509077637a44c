package h3

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"

	"github.com/quic-go/quic-go"

	"github.com/anyedge/anyedge/proxy/message"
)

// body is the content of a request.
type body struct {
	stream  *requestStream
	request *http.Request
	frame   uint64 // octets left of a DATA frame
	left    int64  // octets that Content-Length says are to come; below 0: it doesn't say
	err     error  // what reading ended with
}

// Read reads on, RFC 9114, section 4.1. Trailers are in the request once it has returned io.EOF.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	for b.frame == 0 {
		if err := b.next(); err != nil {
			return 0, b.end(err)
		}
	}
	n, err := b.stream.in.Read(p[:min(uint64(len(p)), b.frame)])
	b.frame -= uint64(n)
	if b.left >= 0 {
		b.left -= int64(n)
	}
	switch {
	case n > 0:
		return n, nil // an error will come again
	case errors.Is(err, io.EOF):
		return 0, b.end(&streamError{codeIncomplete, io.ErrUnexpectedEOF})
	}
	return 0, b.end(err)
}

// next finds the next DATA frame. The error is io.EOF where the content has ended as it should.
func (b *body) next() error {
	kind, length, err := readFrame(b.stream.in)
	switch {
	case errors.Is(err, io.EOF) && b.left > 0:
		return &streamError{codeMessage, io.ErrUnexpectedEOF}
	case err != nil:
		return err
	case kind == frameData && b.left >= 0 && length > uint64(b.left):
		return &streamError{codeMessage, errors.New("more content than Content-Length says")}
	case kind == frameData:
		b.frame = length
		return nil
	case kind == frameHeaders:
		return b.trailers(length)
	}
	return b.stream.skip(kind, length)
}

// trailers reads the trailer section, behind which nothing but unknown frames may come.
func (b *body) trailers(length uint64) error {
	if err := b.stream.readSection(length); err != nil {
		return err
	}
	t, err := message.ReadTrailers(b.stream.section.list)
	if err != nil {
		return &streamError{codeMessage, err}
	}
	for {
		kind, length, err := readFrame(b.stream.in)
		if errors.Is(err, io.EOF) && b.left > 0 {
			return &streamError{codeMessage, io.ErrUnexpectedEOF}
		}
		if errors.Is(err, io.EOF) {
			b.tell(t)
		}
		if err != nil {
			return err
		}
		if kind == frameData || kind == frameHeaders {
			return &breach{codeFrameUnexpected, "a frame behind the trailer section"}
		}
		if err := b.stream.skip(kind, length); err != nil {
			return err
		}
	}
}

// tell fills in the trailers that were announced, in their place, and adds the others.
func (b *body) tell(trailers http.Header) {
	if b.request.Trailer == nil {
		b.request.Trailer = http.Header{}
	}
	maps.Copy(b.request.Trailer, trailers)
}

// end keeps what reading ended with, and tells the client of what it did wrong. After a deadline one may read on.
func (b *body) end(err error) error {
	if isDeadline(err) {
		return err
	}
	b.err = err
	if errors.As(err, new(*breach)) || errors.As(err, new(*streamError)) {
		b.stream.fail(err)
		b.err = fmt.Errorf("read the content of a request: %w", err)
	}
	return b.err
}

// Close says that no more of the content is wanted.
func (b *body) Close() error {
	b.stream.CancelRead(quic.StreamErrorCode(codeCancelled)) // nothing where all was read
	return nil
}

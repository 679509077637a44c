package encoding

import (
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// window is how far back streams refer, in bytes and as a power of two. It bounds an encoder's memory, and a decoder's:
// RFC 9659 lets zstd have 8 MiB.
const (
	windowBits = 20
	window     = 1 << windowBits
)

// writer is what the libraries' encoders have in common.
type writer interface {
	io.WriteCloser
	Flush() error
	Reset(io.Writer)
}

// Encoders make and keep encoders of certain levels. It may be used concurrently.
type Encoders struct {
	levels Levels
	pools  [Count]sync.Pool
}

// NewEncoders returns encoders with these levels.
func NewEncoders(l Levels) *Encoders { return &Encoders{levels: l} }

// NewFastEncoders returns encoders for contents that a client waits for.
func NewFastEncoders() *Encoders { return NewEncoders(fast) }

// Encoder encodes one content. It belongs to one goroutine at a time, until Release.
type Encoder struct {
	w    writer
	pool *sync.Pool
}

// Get returns an encoder of a coding other than Identity, which writes to w.
func (e *Encoders) Get(c Coding, w io.Writer) *Encoder {
	pool := &e.pools[c]
	inner, ok := pool.Get().(writer)
	if !ok {
		inner = e.levels.open(c)
	}
	inner.Reset(w)
	return &Encoder{w: inner, pool: pool}
}

// open makes an encoder; levels that Check let through can't fail.
func (l Levels) open(c Coding) writer {
	switch c {
	case Brotli:
		return brotli.NewWriterOptions(io.Discard, brotli.WriterOptions{Quality: l.Brotli, LGWin: windowBits})
	case Zstd:
		w, _ := zstd.NewWriter(io.Discard, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(l.Zstd)),
			zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window), zstd.WithLowerEncoderMem(true))
		return w
	}
	w, _ := gzip.NewWriterLevel(io.Discard, l.Gzip)
	return w
}

// Write encodes p. What comes out may stay in the encoder for now.
func (e *Encoder) Write(p []byte) (int, error) { return e.w.Write(p) }

// Flush writes out all that was written so far. It costs a few bytes each time.
func (e *Encoder) Flush() error { return e.w.Flush() }

// Close ends the content.
func (e *Encoder) Close() error { return e.w.Close() }

// Release gives the encoder back; a content that wasn't closed stays incomplete.
func (e *Encoder) Release() {
	e.w.Reset(io.Discard)
	e.pool.Put(e.w)
	e.w, e.pool = nil, nil
}

package encoding

import (
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// How far back a content refers, as a power of two in bytes: it makes most of an encoder's memory, and bounds a decoder's,
// for which RFC 9659 lets zstd have 8 MiB. With the default levels an encoder takes up to 13 MiB for what is stored, of
// which few are made at a time, and 1.5 MiB for what passes.
const (
	storedWindow  = 20
	passingWindow = 18
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
	window int
	pools  [Count]sync.Pool
}

// NewEncoders returns encoders with these levels, for contents that are encoded once.
func NewEncoders(l Levels) *Encoders { return &Encoders{levels: l, window: storedWindow} }

// NewFastEncoders returns encoders for contents that a client waits for.
func NewFastEncoders() *Encoders { return &Encoders{levels: fast, window: passingWindow} }

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
		inner = e.open(c)
	}
	inner.Reset(w)
	return &Encoder{w: inner, pool: pool}
}

// open makes an encoder; levels that Check let through can't fail.
func (e *Encoders) open(c Coding) writer {
	switch c {
	case Brotli:
		return brotli.NewWriterOptions(io.Discard, brotli.WriterOptions{Quality: e.levels.Brotli, LGWin: e.window})
	case Zstd:
		w, _ := zstd.NewWriter(io.Discard, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(e.levels.Zstd)),
			zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<e.window), zstd.WithLowerEncoderMem(true))
		return w
	}
	w, _ := gzip.NewWriterLevel(io.Discard, e.levels.Gzip)
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

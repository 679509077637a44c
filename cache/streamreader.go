package cache

import (
	"context"
	"io"
)

// streamReader is one reader's place in a stream. It belongs to one goroutine.
type streamReader struct {
	s      *stream
	at     *chunk
	off    int   // in at
	pos    int64 // in the content; guarded by s.mu, as is lagged
	lagged bool
}

// next returns what comes next, without copying it: it stays as it is until the reader asks for more, or leaves. Before it waits for more it calls idle. The error is io.EOF at the
// end of a complete content.
func (r *streamReader) next(ctx context.Context, idle func()) ([]byte, error) {
	for {
		data, grown, err := r.poll()
		if grown == nil {
			return data, err
		}
		idle()
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// poll returns what is there, or a channel that is closed when more is.
func (r *streamReader) poll() (data []byte, grown chan struct{}, err error) {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for r.off == len(r.at.data) && r.at.next != nil {
		r.at, r.off = r.at.next, 0
	}
	switch data = r.at.data[r.off:]; {
	case r.lagged:
		return nil, nil, errLagged
	case len(data) > 0:
		r.off += len(data)
		r.pos += int64(len(data))
		wake(&s.passed)
		return data, nil, nil
	case s.done && s.err != nil:
		return nil, nil, s.err
	case s.done:
		return nil, nil, io.EOF
	}
	if s.grown == nil {
		s.grown = make(chan struct{})
	}
	return nil, s.grown, nil
}

// detach leaves the stream.
func (r *streamReader) detach() {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.lagged {
		r.lagged = false
		r.s.lagging--
	}
	delete(r.s.readers, r)
	wake(&r.s.passed)
}

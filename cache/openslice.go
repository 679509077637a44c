package cache

import (
	"context"
	"errors"
	"time"
)

// errClosing is a fetch that isn't begun any more.
var errClosing = errors.New("fetch a slice: the cache is closing")

// errSlow is another request's fetch that doesn't answer.
var errSlow = errors.New("fetch a slice: waited too long for the one under way")

// openSlice is a slice that is about to be written: one that is stored, or a place in a stream that brings it.
type openSlice struct {
	index  int64
	stored *Response
	reader *streamReader
	fill   *fill // nil when a cutter brings it
	leads  bool
}

// ready waits until the origin's answer is known to be the slice.
func (s *openSlice) ready(x *exchange) error {
	if s.fill == nil {
		return nil
	}
	var timeout <-chan time.Time
	if !s.leads {
		timer := time.NewTimer(x.options.CollapseWait)
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-s.fill.answered.heard():
		return s.fill.err
	case <-timeout:
		return errSlow
	case <-x.r.Context().Done():
		return context.Cause(x.r.Context())
	}
}

func (s *openSlice) write(x *exchange, start, length int64) (written int64, err error) {
	if s.stored != nil {
		written, err = s.stored.content.WriteRange(x.w, start, length)
		x.fromStored += written
		return written, err
	}
	from := streamSource{reader: s.reader, ctx: x.r.Context()}
	written, err = from.copyRange(x.w, start, length)
	if err == nil && s.fill != nil {
		x.c.flights.keep(s.fill) // who wanted a part leaves the rest to be stored
	}
	return written, err
}

func (s *openSlice) close() {
	if s.reader != nil {
		s.reader.detach()
	}
	if s.fill != nil {
		s.fill.c.flights.leave(s.fill, s.leads)
	}
}

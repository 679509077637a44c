package load

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// h3Exchange is a request that a slot is to read the answer of.
type h3Exchange struct {
	req  *Request
	due  time.Time
	sent *quic.Stream
	err  error // why it couldn't be sent
}

// driveTogether is a closed loop in which the requests that follow upon answers of one datagram leave in one datagram, too,
// as other clients send them. If each stream's goroutine sent its own, each would leave by itself, which costs the server a
// datagram for each, and the load more than that.
func (h *h3Driver) driveTogether(ctx context.Context, s *source) {
	free := make(chan *h3Slot, h.plan.Streams)
	work := make([]chan h3Exchange, h.plan.Streams)
	var all sync.WaitGroup
	for i := range work {
		work[i] = make(chan h3Exchange, 1)
		slot := newH3Slot(h)
		slot.work = work[i]
		free <- slot
		all.Go(func() { slot.readAll(s, free) })
	}
	for h.sendTogether(ctx, s, free) {
	}
	for _, w := range work {
		close(w)
	}
	all.Wait()
}

// sendTogether waits for a slot that is free, and sends a request for it and for all others that are, too. False when there
// are no more requests.
func (h *h3Driver) sendTogether(ctx context.Context, s *source, free <-chan *h3Slot) bool {
	slot := <-free
	runtime.Gosched() // those whose answers came in the same datagram get free now
	for {
		req, due, ok := s.take()
		if !ok {
			return false
		}
		h.recorder.sent(due, due)
		stream, err := slot.send(ctx, req)
		slot.work <- h3Exchange{req, due, stream, err}
		if err != nil && !sleep(ctx, time.Now().Add(retryPause)) {
			return false
		}
		select {
		case slot = <-free:
		default:
			return true
		}
	}
}

// readAll reads answers until there are no more.
func (h *h3Slot) readAll(s *source, free chan<- *h3Slot) {
	for e := range h.work {
		err := e.err
		if err == nil {
			err = h.receive(e.sent)
		}
		if !h.d.recorder.add(e.req, e.due, &h.answer, err) {
			s.end()
		}
		free <- h
	}
}

package h3

import (
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// rests are buffers for the rest of answers.
var rests = sync.Pool{New: func() any { return new([]byte) }}

// finish ends a request whose answer is whole. Those that are whole at nearly the same time leave together, in as few packets
// as they fit in: quic-go makes packets of what there is as soon as it gets a turn. So the first lets others come to their
// end, and then ends them all.
func (c *Conn) finish(r *requestStream) {
	c.mu.Lock()
	first := c.whole == nil
	if !first {
		c.whole.next = r
	}
	c.whole = r
	c.mu.Unlock()
	if !first {
		return
	}
	runtime.Gosched()
	c.mu.Lock()
	c.whole = nil
	c.mu.Unlock()
	for r != nil {
		next := r.next
		r.finishNow()
		r = next
	}
}

// finishNow sends the rest of an answer without making anybody wait: where the client gives no window for it, a goroutine
// does. The client has a time for it, whatever deadline the handler has left.
func (r *requestStream) finishNow() {
	err := r.TryWriteAll(*r.answer.rest)
	if !errors.Is(err, quic.ErrWouldBlock) {
		r.end(err)
		return
	}
	r.conn.work.Go(func() {
		_ = r.SetWriteDeadline(time.Now().Add(r.conn.config.SendIdle))
		_, err := r.Write(*r.answer.rest)
		r.end(err)
	})
}

// end ends a request whose answer was sent, or failed.
func (r *requestStream) end(err error) {
	if err != nil {
		cancel(r.Stream, codeInternal)
	} else {
		if !r.asked {
			r.CancelRead(quic.StreamErrorCode(codeNone)) // nothing where all was read
		}
		_ = r.Close()
	}
	r.answer.release()
	r.conn.leave(r.Stream)
}

package h2

import (
	"context"
	"errors"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/anyedge/anyedge/cache/lifespan"
	"github.com/anyedge/anyedge/proxy/h2/frame"
	"github.com/anyedge/anyedge/proxy/message"
)

// maxQueue is how many streams may wait for handlers to end, in times of those that may be open. Beyond, the client resets
// what it has begun faster than that can end.
const maxQueue = 4

// maxCut is how many streams are remembered at least that were ended here while the client went on.
const maxCut = 1 << 10

var (
	errReset  = errors.New("the client has reset the stream")
	errOver   = errors.New("the stream is over")
	errRefuse = errors.New("the stream was reset for what the client did")
)

// stream is one that is open: a request that a handler answers, or a stored content on its way.
type stream struct {
	conn    *Conn
	id      uint32
	request *http.Request // nil: stored is sent
	life    life          // the request's context

	// conn.mu guards the following fields.
	window    int64 // octets of content that may be sent
	urgency   int8
	clientEnd bool  // nothing more comes
	ended     bool  // nothing more is sent
	err       error // why it doesn't go on; nil: it does
	stored    *stored
	body      body
	changed   sync.Cond // with conn.mu: any of these
	readBy    time.Time // zero: no deadline
	writeBy   time.Time
	sendBy    time.Time // when the client must have taken what is being sent; zero: that has waited for nothing yet
	stalled   bool      // it hasn't
}

// life is the context of a request. It ends with its stream, and with the server's.
type life struct {
	lifespan.Span
	values context.Context
}

// Value returns the server's.
func (l *life) Value(key any) any { return l.values.Value(key) }

// newStream returns the stream of a request. c.mu is held.
func newStream(c *Conn, id uint32, r *http.Request, ended bool) *stream {
	s := &stream{conn: c, id: id, window: c.initial, urgency: message.DefaultUrgency, clientEnd: ended}
	s.changed.L = &c.mu
	s.body = body{stream: s, declared: r.ContentLength, receive: uploadWindow}
	if ended {
		r.ContentLength, r.Body = 0, http.NoBody
	} else {
		r.Body = &s.body
	}
	s.life.values = c.server.Context
	s.request = r.WithContext(&s.life)
	s.body.request = s.request
	c.watch(s)
	return s
}

// watch has the life of s end with the server's context, of which all streams are one entry. c.mu is held.
func (c *Conn) watch(s *stream) {
	if c.unwatch == nil {
		c.unwatch = context.AfterFunc(c.server.Context, c.endLives)
	}
	if c.server.Context.Err() != nil { // endLives may have been there
		s.life.End()
	}
}

// endLives is called when the server's context has ended.
func (c *Conn) endLives() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.open {
		s.life.End()
	}
}

// start has a handler answer, now or when another has ended. c.mu is held.
func (c *Conn) start(s *stream) error {
	if c.running < c.server.Streams {
		c.run(s)
		return nil
	}
	if len(c.queue) >= maxQueue*c.server.Streams {
		return &frame.Error{Code: frame.EnhanceYourCalm, What: "requests that are reset faster than they end"}
	}
	c.queue = append(c.queue, s)
	return nil
}

// run is called with mu held.
func (c *Conn) run(s *stream) {
	c.running++
	c.work.Go(s.serve)
}

// next starts the next of those that wait. c.mu is held.
func (c *Conn) next() {
	c.running--
	for len(c.queue) > 0 && c.running < c.server.Streams {
		s := c.queue[0]
		c.queue[0] = nil
		c.queue = c.queue[1:]
		if s.err == nil {
			c.run(s)
		}
	}
}

// serve has the handler answer.
func (s *stream) serve() {
	message.GrowStack(false)
	w := message.NewResponse(s, s.request.Method == http.MethodHead)
	if s.call(w) {
		_ = w.Finish() // where it isn't whole, leave resets the stream
	}
	w.Release()
	s.leave()
}

// call returns false where the handler gives up on the answer.
func (s *stream) call(w http.ResponseWriter) (ok bool) {
	defer func() {
		p := recover()
		if err, isError := p.(error); p != nil && (!isError || !errors.Is(err, http.ErrAbortHandler)) {
			s.conn.server.Log.Error("a handler panicked", "client", s.request.RemoteAddr, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	s.conn.server.Handler.ServeHTTP(w, s.request)
	return true
}

// leave ends a stream whose handler has returned.
func (s *stream) leave() {
	s.life.End()
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.err == nil && !s.ended {
		c.reset(s, frame.InternalError)
	}
	c.next()
	c.write(true)
}

// Send fulfils message.Stream.
func (s *stream) Send(p *message.Part) error {
	left, last := p.Size(), p.End && len(p.Trailers) == 0
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	s.sendBy = time.Time{}
	if err := s.awaitRoom(); err != nil {
		return err
	}
	if p.Status != 0 {
		o := c.output()
		start := len(o.octets)
		o.octets = frame.CloseHeaders(appendSection(c.openHeaders(o.octets), p), start, s.id, endIf(last && left == 0))
	}
	for _, content := range p.Content {
		for len(content) > 0 {
			n, err := s.take(len(content))
			if err != nil {
				return err
			}
			left -= n
			c.appendData(s.id, endIf(last && left == 0), content[:n])
			content = content[n:]
		}
	}
	if !last && p.End {
		o := c.output()
		start := len(o.octets)
		o.octets = frame.CloseHeaders(appendTrailers(c.openHeaders(o.octets), p.Trailers), start, s.id, frame.EndStream)
	} else if last && p.Status == 0 && p.Size() == 0 {
		c.appendData(s.id, frame.EndStream, nil)
	}
	if p.End {
		s.end()
		return nil // leave will write
	}
	c.write(true)
	return nil
}

func endIf(end bool) uint8 {
	if end {
		return frame.EndStream
	}
	return 0
}

// appendData is called with mu held.
func (c *Conn) appendData(id uint32, flags uint8, p []byte) {
	o := c.output()
	o.octets = frame.Append(o.octets, frame.Head{Length: len(p), Kind: frame.Data, Flags: flags, Stream: id})
	o.octets = append(o.octets, p...)
}

// end notes that the answer is whole. What is left of the request isn't wanted, RFC 9113, section 8.1. conn.mu is held.
func (s *stream) end() {
	s.ended = true
	if !s.clientEnd {
		s.conn.cutOff(s.id, frame.NoError, true)
	}
	s.body.stop(errOver)
	s.conn.closed(s)
}

// take waits until some of n octets of content may be sent, and takes them out of the windows. conn.mu is held.
func (s *stream) take(n int) (int, error) {
	c := s.conn
	for {
		if err := s.awaitRoom(); err != nil {
			return 0, err
		}
		if may := min(int64(n), frame.MaxPayload, s.window, c.window); may > 0 {
			s.window -= may
			c.window -= may
			return int(may), nil
		}
		if c.out != nil && !c.writing {
			c.write(false) // what this stream has said so far, too
			continue
		}
		var err error
		if s.window <= 0 {
			err = s.waitToSend()
		} else {
			err = s.block(window)
		}
		if err != nil {
			return 0, err
		}
	}
}

// awaitRoom waits until not too much waits to be written. conn.mu is held.
func (s *stream) awaitRoom() error {
	c := s.conn
	for {
		switch {
		case s.err != nil:
			return s.err
		case s.ended:
			return errOver
		case c.broken:
			return os.ErrClosed
		case !c.isFull():
			return nil
		case !c.writing:
			c.write(false)
			continue
		}
		if err := s.block(room); err != nil {
			return err
		}
	}
}

// block waits until there may be some of r, in turn with others. conn.mu is held, but not meanwhile.
func (s *stream) block(r resource) error {
	c := s.conn
	c.blocked[r] = append(c.blocked[r], s)
	err := s.waitToSend()
	c.blocked[r] = slices.DeleteFunc(c.blocked[r], func(other *stream) bool { return other == s })
	c.wake() // another, if there is more than this one takes
	return err
}

// waitToSend waits until something has changed, for as long as the client may take nothing of a part. conn.mu is held, but not
// meanwhile.
func (s *stream) waitToSend() error {
	if s.sendBy.IsZero() {
		s.sendBy = time.Now().Add(s.conn.server.SendIdle)
	}
	if !s.writeBy.IsZero() && s.writeBy.Before(s.sendBy) {
		return s.wait(&s.writeBy)
	}
	err := s.wait(&s.sendBy)
	s.stalled = s.stalled || err != nil
	return err
}

// SendIdle is for package admission.
func (s *stream) SendIdle() time.Duration { return s.conn.server.SendIdle }

// Stalled is for package admission.
func (s *stream) Stalled() bool {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	return s.stalled || s.conn.stalled
}

// wait waits until something has changed; the error is that of the deadline. conn.mu is held, but not meanwhile.
func (s *stream) wait(deadline *time.Time) error {
	if by := *deadline; !by.IsZero() {
		left := time.Until(by)
		if left <= 0 {
			return os.ErrDeadlineExceeded
		}
		timer := time.AfterFunc(left, s.alarm)
		defer timer.Stop()
	}
	s.changed.Wait()
	return nil
}

// alarm has those look who wait.
func (s *stream) alarm() {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	s.changed.Broadcast()
}

// SetReadDeadline is for http.ResponseController.
func (s *stream) SetReadDeadline(t time.Time) error { return s.setDeadline(&s.readBy, t) }

// SetWriteDeadline is for http.ResponseController.
func (s *stream) SetWriteDeadline(t time.Time) error { return s.setDeadline(&s.writeBy, t) }

func (s *stream) setDeadline(which *time.Time, t time.Time) error {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	*which = t
	s.changed.Broadcast()
	return nil
}

// widen adds to a stream's window, which then may have something to send; false: that is too much. c.mu is held.
func (c *Conn) widen(s *stream, more int64) bool {
	if s.window+more > frame.MaxWindow {
		return false
	}
	s.window += more
	if s.stored != nil {
		c.queueStored(s)
	} else {
		s.changed.Broadcast()
	}
	return true
}

// clientEnds notes the end of a request. c.mu is held.
func (c *Conn) clientEnds(s *stream) {
	s.clientEnd = true
	s.body.end()
}

// reset ends a stream for err. c.mu is held.
func (c *Conn) reset(s *stream, code frame.Code) {
	c.cutOff(s.id, code, !s.clientEnd)
	s.stop(errRefuse)
	c.closed(s)
}

// cutOff says RST_STREAM. What the client, if it goes on, sends on the stream is passed over. c.mu is held.
func (c *Conn) cutOff(id uint32, code frame.Code, goesOn bool) {
	o := c.output()
	o.octets = frame.AppendReset(o.octets, id, code)
	if !goesOn {
		return
	}
	if c.cut == nil || len(c.cut) >= maxCut {
		c.cut, c.cutBefore = map[uint32]struct{}{}, c.cut
	}
	c.cut[id] = struct{}{}
}

// wasCut tells whether a stream was ended here while the client went on. c.mu is held.
func (c *Conn) wasCut(id uint32) bool {
	_, late := c.cut[id]
	_, early := c.cutBefore[id]
	return late || early
}

// forgetCut notes that the client goes on no more. c.mu is held.
func (c *Conn) forgetCut(id uint32) {
	delete(c.cut, id)
	delete(c.cutBefore, id)
}

// stop ends what is done on a stream. conn.mu is held.
func (s *stream) stop(err error) {
	if s.err != nil {
		return
	}
	s.err = err
	if s.stored != nil {
		s.stored.cancel(s.conn.stalled)
		return
	}
	s.life.End()
	s.body.stop(err)
	s.changed.Broadcast()
}

// closed notes that a stream is over. c.mu is held.
func (c *Conn) closed(s *stream) {
	delete(c.open, s.id)
	if len(c.open) == 0 {
		c.touched = time.Now()
	}
	c.endIfDone()
}

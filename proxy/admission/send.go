package admission

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// sendChunk is how much a client must take within the idle timeout: small enough that a slow one which moves is not
// taken for one that stands still, large enough to cost nothing.
const sendChunk = 64 << 10

// sender writes a response under a deadline that moves along as the client takes octets.
type sender struct {
	http.ResponseWriter
	control http.ResponseController
	own     pacer // nil: the deadlines are set here
	idle    time.Duration
	content *content // of the request; nil where it has none
	refused prometheus.Counter

	armed time.Time
	begun bool // the final response's header section is written
	cut   bool // the client was cut off, and counted
}

// pacer is a server's ResponseWriter that cuts off clients which take nothing for SendIdle by itself, as the sender would,
// whatever is written at a time.
type pacer interface {
	SendIdle() time.Duration
	// Stalled tells whether the client was cut off for that.
	Stalled() bool
}

// pacerOf returns what paces w by that time, nil where nothing does.
func pacerOf(w http.ResponseWriter, idle time.Duration) pacer {
	for {
		if p, ok := w.(pacer); ok && p.SendIdle() == idle {
			return p
		}
		wrapped, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return nil
		}
		w = wrapped.Unwrap()
	}
}

// Unwrap gives http.ResponseController the way to the server's own writer.
func (s *sender) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// WriteHeader begins the response. Informational responses don't.
func (s *sender) WriteHeader(status int) {
	s.arm()
	if status >= 200 {
		s.begin()
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *sender) begin() {
	if !s.begun && s.content != nil {
		s.content.release()
	}
	s.begun = true
}

// Write writes p in chunks, each with its own time.
func (s *sender) Write(p []byte) (n int, err error) {
	s.begin()
	for {
		s.arm()
		chunk := p[n:min(len(p), n+sendChunk)]
		m, err := s.ResponseWriter.Write(chunk)
		n += m
		if err != nil || n == len(p) {
			return n, s.note(err)
		}
	}
}

// Flush sends what is buffered.
func (s *sender) Flush() { _ = s.FlushError() }

// FlushError sends what is buffered.
func (s *sender) FlushError() error {
	s.begin()
	s.arm()
	return s.note(s.control.Flush())
}

// note counts a client that was cut off. What the error looks like depends on the protocol; the time doesn't.
func (s *sender) note(err error) error {
	if err != nil && !s.cut && s.stalled() {
		s.cut = true
		s.refused.Inc()
	}
	return err
}

func (s *sender) stalled() bool {
	if s.own != nil {
		return s.own.Stalled()
	}
	return time.Since(s.armed) >= s.idle
}

func (s *sender) arm() {
	if s.own != nil {
		return
	}
	now := time.Now()
	if now.Sub(s.armed) < s.idle/rearm {
		return
	}
	s.armed = now
	_ = s.control.SetWriteDeadline(now.Add(s.idle)) // where it isn't supported there is nothing to hold
}

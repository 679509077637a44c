package hitpath

import (
	"crypto/tls"
	"time"
)

// rearm is the share of a timeout that a deadline may lag behind, since setting one costs more than reading the clock.
const rearm = 8

// sender writes to a client, which has a time to take it. Who writes has it alone.
type sender struct {
	*tls.Conn
	wire  Wire
	idle  time.Duration // Server.SendIdle
	armed time.Time     // when the deadline was last moved
	sent  int64         // octets
}

const (
	// boosted is after how many octets crypto/tls makes records of the largest size; the first of a connection are small, so
	// that clients can read them sooner.
	boosted = 128 << 10
	// maxRecord is that size, in octets of what is sent.
	maxRecord = 16 << 10
)

// send writes p.
func (s *sender) send(p []byte) error {
	s.arm(time.Now())
	n, err := s.Write(p)
	s.sent += int64(n)
	return err
}

// sendTogether writes a, and b behind it, in records that leave together.
func (s *sender) sendTogether(a, b []byte) error {
	if len(b) == 0 && len(a) <= maxRecord && s.sent >= boosted { // it is one
		n, err := s.Write(a)
		s.sent += int64(n)
		return err
	}
	s.wire.Hold()
	n, err := s.Write(a)
	s.sent += int64(n)
	if err == nil && len(b) > 0 {
		n, err = s.Write(b)
		s.sent += int64(n)
	}
	if released := s.wire.Release(); err == nil {
		err = released
	}
	return err
}

// arm gives the client time to take what is written next.
func (s *sender) arm(now time.Time) {
	if now.Sub(s.armed) >= s.idle/rearm {
		s.armed = now
		_ = s.SetWriteDeadline(now.Add(s.idle))
	}
}

// stalled tells whether a write that failed did so for want of time.
func (s *sender) stalled() bool { return time.Since(s.armed) >= s.idle }

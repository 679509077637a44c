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
}

// send writes p.
func (s *sender) send(p []byte) error {
	s.arm()
	_, err := s.Write(p)
	return err
}

// arm gives the client time to take what is written next.
func (s *sender) arm() {
	now := time.Now()
	if now.Sub(s.armed) >= s.idle/rearm {
		s.armed = now
		_ = s.SetWriteDeadline(now.Add(s.idle))
	}
}

// stalled tells whether a write that failed did so for want of time.
func (s *sender) stalled() bool { return time.Since(s.armed) >= s.idle }

// writeBoth writes a and b, whose records leave together.
func (s *sender) writeBoth(a, b []byte) error {
	s.wire.Hold()
	_, err := s.Write(a)
	if err == nil && len(b) > 0 {
		_, err = s.Write(b)
	}
	if released := s.wire.Release(); err == nil {
		err = released
	}
	return err
}

package origin

import (
	"crypto/x509"
	"net/http"
	"net/url"
	"time"
)

// State is what is known of a server.
type State string

// The states of a server. A probe's first answer leads from Unprobed to Up; Fall failures in a row to Down; Rise
// successes in a row back. Failures of real requests lead to Ejected for a while, whatever the probes say.
const (
	Unprobed State = "unprobed" // no probe has answered yet, or none is configured; it is used
	Up       State = "up"
	Down     State = "down"
	Ejected  State = "ejected"
)

// slowStart is how long a server that came back gets less than its share, so that its own caches can warm up.
const slowStart = 10 * time.Second

// maxDoublings bounds how long ejections in a row get: 16 times the first.
const maxDoublings = 4

// server is one server of a pool. Its state is guarded by the pool's mutex.
type server struct {
	url       *url.URL
	transport *http.Transport
	upgrades  *http.Transport // H1 only: H2 has no Upgrade

	inFlight int
	probed   State // Unprobed, Up or Down
	since    time.Time
	streak   int  // probes in a row that contradict probed
	asked    bool // a probe was answered, well or badly

	failures     int // of real requests, in a row
	ejections    int // in a row
	ejectedUntil time.Time
	returned     time.Time // when it last became usable again
	lastError    string
}

func newServer(u *url.URL, o Options, roots *x509.CertPool, now time.Time) *server {
	return &server{url: u, transport: newTransport(u, o, roots, true), upgrades: newTransport(u, o, roots, false), probed: Unprobed, since: now}
}

func (s *server) state(now time.Time) State {
	if s.probed == Down {
		return Down
	}
	if now.Before(s.ejectedUntil) {
		return Ejected
	}
	return s.probed
}

func (s *server) usable(now time.Time) bool {
	state := s.state(now)
	return state == Up || state == Unprobed
}

// load is how busy s is, for comparing; a server that came back a moment ago counts as busier than it is.
func (s *server) load(now time.Time) float64 {
	share := 1.0
	if back := now.Sub(s.back()); !s.back().IsZero() && back < slowStart {
		share = max(0.1, float64(back)/float64(slowStart))
	}
	return float64(s.inFlight+1) / share
}

// back is when s last became usable again.
func (s *server) back() time.Time {
	if s.ejectedUntil.After(s.returned) {
		return s.ejectedUntil
	}
	return s.returned
}

// failed counts a failure of a real request and returns for how long that ejects s, or 0.
func (s *server) failed(now time.Time, o EjectionOptions, err error) time.Duration {
	s.lastError = err.Error()
	if o.Failures == 0 || now.Before(s.ejectedUntil) {
		return 0
	}
	s.failures++
	// After an ejection one failure is enough: the first request is a try.
	if s.failures < o.Failures && s.ejections == 0 {
		return 0
	}
	length := o.For << min(s.ejections, maxDoublings)
	s.failures, s.ejections = 0, s.ejections+1
	s.ejectedUntil = now.Add(length)
	return length
}

// succeeded ends a row of failures and says whether that readmits s.
func (s *server) succeeded() bool {
	readmitted := s.ejections > 0
	s.failures, s.ejections = 0, 0
	return readmitted
}

// answered takes note of a probe, and says whether that changed what the probes find.
func (s *server) answered(now time.Time, o ProbeOptions, err error) bool {
	s.asked = true
	if err != nil {
		s.lastError = err.Error()
	}
	good := err == nil
	if good == (s.probed == Up) && s.probed != Unprobed {
		s.streak = 0
		return false
	}
	s.streak++
	need := o.Rise
	switch {
	case good && s.probed == Unprobed:
		need = 1
	case !good:
		need = o.Fall
	}
	if s.streak < need {
		return false
	}
	s.turn(now, good)
	return true
}

func (s *server) turn(now time.Time, good bool) {
	if good {
		if s.probed == Down {
			s.returned = now
		}
		s.probed, s.lastError = Up, ""
		s.failures, s.ejections, s.ejectedUntil = 0, 0, time.Time{}
	} else {
		s.probed = Down
	}
	s.since, s.streak = now, 0
}

func (s *server) closeIdle() {
	s.transport.CloseIdleConnections()
	s.upgrades.CloseIdleConnections()
}

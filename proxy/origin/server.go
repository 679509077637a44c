package origin

import (
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/anyedge/anyedge/proxy/origin/h1"
	"github.com/anyedge/anyedge/proxy/origin/h2"
)

// State is what is known of a server.
type State string

// The states of a server. A probe's first answer leads from Unprobed to Up; Fall failures in a row to Down; Rise
// successes in a row back. Failures of real requests lead to Ejected, for a while and then until a request succeeds.
const (
	Unprobed State = "unprobed" // no probe has answered yet, or none is configured; it is used
	Up       State = "up"
	Down     State = "down"
	Ejected  State = "ejected"
)

// slowStart is how long a server that came back gets less than its share, so that its own caches can warm up.
const slowStart = 10 * time.Second

// trialInterval is the time between requests that find out whether an ejected server is well again.
const trialInterval = time.Second

// maxDoublings bounds how long ejections in a row get: 16 times the first.
const maxDoublings = 4

// server is one server of a pool. Its state is guarded by the pool's mutex.
type server struct {
	url                  *url.URL
	named                *http.Request // nothing but url; of responses, never sent
	renewed              func() *transports
	transports           atomic.Pointer[transports]
	connects, firstBytes histogram

	inFlight int
	results  map[string]int64 // requests since the pool was made, by status class or error type
	probed   State            // Unprobed, Up or Down
	since    time.Time
	streak   int // probes in a row that contradict probed

	failures     int       // of real requests, in a row
	ejections    int       // in a row; above 0 until a request succeeds
	ejectedAt    time.Time // what began before is no news
	ejectedUntil time.Time
	trial        time.Time // before then, no other request finds out whether an ejected server is well again
	returned     time.Time // when it last became usable again
	lastError    string
}

func newServer(u *url.URL, o Options, roots *x509.CertPool, id *identity, now time.Time) *server {
	s := &server{url: u, named: &http.Request{URL: u}, probed: Unprobed, since: now, results: map[string]int64{}}
	s.renewed = func() *transports {
		return &transports{
			usual: newTransport(u, o, roots, id, true), upgrades: newTransport(u, o, roots, id, false),
			plain: newPlain(u, o, roots, id), multiplexed: newMultiplexed(u, o, roots, id),
		}
	}
	s.transports.Store(s.renewed())
	return s
}

func (s *server) state() State {
	if s.probed != Down && s.ejections > 0 {
		return Ejected
	}
	return s.probed
}

// changed is when state last became what it is.
func (s *server) changed() time.Time {
	if s.state() == Ejected {
		return s.ejectedAt
	}
	return s.since
}

// usable says whether requests may go to s. One that was ejected gets a single request at a time once its time is over,
// until one succeeds.
func (s *server) usable(now time.Time) bool {
	switch s.state() {
	case Down:
		return false
	case Ejected:
		return !now.Before(s.ejectedUntil) && !now.Before(s.trial)
	}
	return true
}

// take takes a place at s.
func (s *server) take(now time.Time) {
	s.inFlight++
	if s.ejections > 0 && !now.Before(s.ejectedUntil) {
		s.trial = now.Add(trialInterval)
	}
}

// load is how busy s is, for comparing; a server that came back a moment ago counts as busier than it is.
func (s *server) load(now time.Time) float64 {
	share := 1.0
	if back := now.Sub(s.returned); !s.returned.IsZero() && back < slowStart {
		share = max(0.1, float64(back)/float64(slowStart))
	}
	return float64(s.inFlight+1) / share
}

// failed counts a failure of a real request and returns for how long that ejects s, or 0.
func (s *server) failed(now, began time.Time, o EjectionOptions, err error) time.Duration {
	s.lastError = err.Error()
	if o.Failures == 0 || now.Before(s.ejectedUntil) || began.Before(s.ejectedAt) {
		return 0
	}
	s.failures++
	// After an ejection one failure is enough: the first request is a try.
	if s.failures < o.Failures && s.ejections == 0 {
		return 0
	}
	length := o.For << min(s.ejections, maxDoublings)
	s.failures, s.ejections = 0, s.ejections+1
	s.ejectedAt, s.ejectedUntil, s.trial = now, now.Add(length), time.Time{}
	return length
}

// succeeded ends a row of failures and says whether that readmits s.
func (s *server) succeeded(began time.Time) bool {
	if began.Before(s.ejectedAt) {
		return false
	}
	readmitted := s.ejections > 0
	if readmitted {
		s.returned = time.Now()
	}
	s.failures, s.ejections, s.ejectedUntil = 0, 0, time.Time{}
	return readmitted
}

// answered takes note of a probe, and says whether that changed what the probes find.
func (s *server) answered(now time.Time, o ProbeOptions, err error) bool {
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

func (s *server) closeIdle() { s.transports.Load().closeIdle() }

// renew leaves the connections that there are to the requests in flight on them.
func (s *server) renew() { s.transports.Swap(s.renewed()).closeIdle() }

// transports speak to one server.
type transports struct {
	usual    *http.Transport
	upgrades *http.Transport // H1 only: H2 has no Upgrade
	// For requests without content, over H1, and over H2 while the server speaks that. nil: isn't spoken.
	plain       *h1.Client
	multiplexed *h2.Client
	onlyH1      atomic.Int64 // when the server last chose H1, in Unix seconds; 0: never
}

// askAgain is how long a server that has chosen H1 isn't offered H2.
const askAgain = 10 * time.Minute

// roundTrip sends what h1.Takes has taken.
func (t *transports) roundTrip(r *h1.Request) (*http.Response, error) {
	if t.multiplexed != nil && t.offersH2() {
		resp, err := t.multiplexed.RoundTrip(r)
		if !errors.Is(err, h2.ErrNotSpoken) {
			return resp, err
		}
		t.onlyH1.Store(time.Now().Unix())
	}
	return t.plain.RoundTrip(r)
}

func (t *transports) offersH2() bool {
	at := t.onlyH1.Load()
	return at == 0 || time.Now().Unix()-at >= int64(askAgain/time.Second)
}

func (t *transports) closeIdle() {
	t.usual.CloseIdleConnections()
	t.upgrades.CloseIdleConnections()
	if t.plain != nil {
		t.plain.CloseIdle()
	}
	if t.multiplexed != nil {
		t.multiplexed.CloseIdle()
	}
}

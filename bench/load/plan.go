package load

import (
	"errors"
	"fmt"
	"time"
)

// Protocol is what is spoken.
type Protocol string

// The protocols. Plain is H1 without TLS, as origins speak it.
const (
	H1    Protocol = "h1"
	H2    Protocol = "h2"
	H3    Protocol = "h3"
	Plain Protocol = "plain"
)

// Kept says what becomes of a connection between two requests.
type Kept string

// What becomes of connections.
const (
	Keep   Kept = "kept"    // it serves the next one
	New    Kept = "new"     // each request has one of its own, with a whole handshake
	Resume Kept = "resumed" // the same, with a handshake that resumes an earlier session
)

// Request is a GET and what its answer must be.
type Request struct {
	Path   string
	Range  string // the field's value; empty: none
	Status int    // 0: 200
	Octets int64  // of the content; below 0: any number
}

// Plan is a load.
type Plan struct {
	Protocol    Protocol
	Address     string // HOST:PORT
	Host        string // the authority, and the server name
	Connections int
	Streams     int // at a time on each connection; H1 has one
	Kept        Kept

	// Rate is how many requests are due in a second, all connections together: an open loop. 0: a closed one.
	Rate float64
	// Requests ends the load after so many, Duration after so long; whichever is given, or comes first.
	Requests int
	Duration time.Duration
	// Timeout is how long an answer may take from when it was asked for. 0: 10 s.
	Timeout time.Duration
	// Patient goes on after failures, with new connections. Without it the first failure ends the load.
	Patient bool

	// Request is the i-th. It is called by several goroutines.
	Request func(i int) *Request
	// Marks divide the time into phases, each with a tally of its own in the Result; in order.
	Marks []time.Duration
}

const (
	defaultTimeout = 10 * time.Second
	bucket         = 100 * time.Millisecond // of the series
)

// withDefaults is the plan as it is carried out.
func (p Plan) withDefaults() (*Plan, error) {
	if p.Timeout == 0 {
		p.Timeout = defaultTimeout
	}
	if p.Kept == "" {
		p.Kept = Keep
	}
	p.Connections, p.Streams = max(p.Connections, 1), max(p.Streams, 1)
	switch {
	case p.Request == nil:
		return nil, errors.New("load: there is nothing to ask for")
	case p.Requests == 0 && p.Duration == 0:
		return nil, errors.New("load: it would never end: give it a number of requests or a duration")
	case p.Protocol == H2 && p.Kept != Keep:
		return nil, errors.New("load: handshakes of H2 are those of H1: ask over h1")
	case p.Rate < 0:
		return nil, fmt.Errorf("load: a rate of %g requests a second", p.Rate)
	}
	if p.Protocol == H1 || p.Protocol == Plain {
		p.Streams = 1
	}
	return &p, nil
}

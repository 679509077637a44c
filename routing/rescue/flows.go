package rescue

import (
	"sync"
	"time"

	"github.com/anyedge/anyedge/routing/steer"
)

const (
	// maxFlows are remembered; the oldest gives way.
	maxFlows = 1 << 16
	// answerHolds is how long an answer is believed, and nobodyHolds how long it is that nobody gave one.
	answerHolds = time.Minute
	nobodyHolds = 10 * time.Second
	// metroWait and fleetWait are how long an answer may take. Until then segments are dropped: they come again.
	metroWait = 100 * time.Millisecond
	fleetWait = 500 * time.Millisecond
)

// asked says who has been asked for a connection's owner.
type asked uint8

const (
	askedNobody asked = iota
	askedMetro
	askedAll
	answered
)

// flows are connections whose owners were asked for. Its methods may be called concurrently.
type flows struct {
	mu    sync.Mutex // guards the following fields
	known map[flow]*inquiry
	order []flow // a ring, in the order of their first questions
	next  int
}

// inquiry is how far the search for an owner is.
type inquiry struct {
	asked asked
	at    time.Time // of the last question, or of the answer
	owner steer.NodeID
}

// look returns how far the search for f's owner is.
func (s *flows) look(f flow) inquiry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.known[f]; q != nil {
		return *q
	}
	return inquiry{}
}

// ask notes a question and returns how far the search was before.
func (s *flows) ask(f flow, whom asked, now time.Time) (was inquiry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.known[f]
	if q == nil {
		q = &inquiry{}
		s.add(f, q)
	}
	was = *q
	q.asked, q.at = whom, now
	return was
}

// retract takes a question back that wasn't put to everybody, unless it has been answered even so.
func (s *flows) retract(f flow, whom asked, was inquiry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.known[f]; q != nil && q.asked == whom {
		*q = was
	}
}

// add is called with s.mu held.
func (s *flows) add(f flow, q *inquiry) {
	if s.known == nil {
		s.known = map[flow]*inquiry{}
	}
	if len(s.order) < maxFlows {
		s.order = append(s.order, f)
	} else {
		delete(s.known, s.order[s.next])
		s.order[s.next] = f
		s.next = (s.next + 1) % maxFlows
	}
	s.known[f] = q
}

// answer notes who has f; false: nobody asked.
func (s *flows) answer(f flow, owner steer.NodeID, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.known[f]
	if q == nil || q.asked == askedNobody {
		return false
	}
	q.asked, q.at, q.owner = answered, now, owner
	return true
}

// forget has f be asked for anew.
func (s *flows) forget(f flow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.known[f]; q != nil {
		*q = inquiry{}
	}
}

package gossip

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// forgetAfter is how long what is known of a node that is gone is kept.
const forgetAfter = time.Hour

// states holds the newest state of each node. It knows no network.
type states struct {
	self string

	mu    sync.Mutex // guards the following fields
	known map[string]*entry
}

// entry is what is known of one node's state.
type entry struct {
	header           // of the last beat that was heard
	has    version   // the one that state is; the zero version before there is any
	state  []byte    // never changed: replaced by the next
	heard  time.Time // when the last beat was heard, by whatever way
	wanted time.Time // when it was last asked for
}

func newStates(self string) *states {
	return &states{self: self, known: map[string]*entry{}}
}

// hear notes a beat and says whether it is news, and whether the state that it tells of isn't here yet.
func (s *states) hear(h header, at time.Time) (news, missing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entry(h.node)
	if e == nil {
		return false, false
	}
	if h.later(&e.header) {
		e.header, e.heard, news = h, at, true
	}
	return news, e.newer(e.has)
}

// take notes a state and says whether it is news, of the beat or of the state itself.
func (s *states) take(h header, state []byte, at time.Time) (news, changed bool) {
	if len(state) > maxState {
		return false, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entry(h.node)
	if e == nil {
		return false, false
	}
	if h.later(&e.header) {
		e.header, e.heard, news = h, at, true
	}
	if h.newer(e.has) && h.node != s.self { // what an earlier process of ours said is outdone by publish
		e.has, e.state, changed = h.version, slices.Clone(state), true
	}
	return news, changed
}

// entry is that of a node, made where there is room; the lock is held.
func (s *states) entry(node string) *entry {
	e := s.known[node]
	if e == nil && len(s.known) < maxNodes {
		e = &entry{}
		e.node = node
		s.known[node] = e
	}
	return e
}

// missing are the nodes whose newest state isn't here, and that weren't asked for it within pause.
func (s *states) missing(now time.Time, pause time.Duration) (nodes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for node, e := range s.known {
		if node != s.self && e.newer(e.has) && now.Sub(e.wanted) >= pause {
			e.wanted = now
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// all is what is known, to hand on.
func (s *states) all(now time.Time) []told {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]told, 0, len(s.known))
	for _, e := range s.known {
		if e.has == (version{}) {
			continue
		}
		h := e.header
		h.version = e.has // a newer one isn't here: whoever misses it shall go on asking
		list = append(list, told{header: h, age: now.Sub(e.heard), state: e.state})
	}
	slices.SortFunc(list, func(a, b told) int { return strings.Compare(a.node, b.node) })
	return list
}

// publish makes state this node's newest and returns it with its header; nil is another beat of what there is.
func (s *states) publish(state []byte, now time.Time) (header, []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entry(s.self)
	if e.newer(e.has) || e.epoch == 0 { // somebody knows of an earlier process with a clock that was ahead
		e.version = version{epoch: max(uint64(now.UnixNano()), e.epoch+1)}
		e.beat = 0
	}
	e.beat++
	if state != nil {
		e.number++
		e.state = slices.Clone(state)
	}
	e.has, e.heard = e.version, now
	return e.header, e.state
}

// of is the state of a node and when it was last heard; the zero time before it ever was.
func (s *states) of(node string) (state []byte, heard time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.known[node]; e != nil {
		return e.state, e.heard
	}
	return nil, time.Time{}
}

// own is this node's state with its header, for whoever asks.
func (s *states) own() (header, []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entry(s.self)
	return e.header, e.state
}

// prune forgets the nodes that are no members, where nothing was heard for long.
func (s *states) prune(now time.Time, member func(string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for node, e := range s.known {
		if node != s.self && !member(node) && now.Sub(e.heard) >= forgetAfter {
			delete(s.known, node)
		}
	}
}

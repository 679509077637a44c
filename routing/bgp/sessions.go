package bgp

import (
	"net/netip"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/anyedge/anyedge/health"
)

// sessions are all peers' sessions, in the configuration's order. Its methods are safe for concurrent use: GoBGP calls
// them from goroutines of its own.
type sessions struct {
	journal *health.Journal
	up      chan struct{} // a token when a session came up
	alive   chan struct{} // a token when BFD may want a session ended, or let come up

	mu   sync.Mutex // guards the following fields; a leaf: nothing is called with it held
	list []*session
}

func newSessions(j *health.Journal) *sessions {
	return &sessions{journal: j, up: make(chan struct{}, 1), alive: make(chan struct{}, 1)}
}

// replace makes neighbors the peers; those that are the same keep their session's state.
func (ss *sessions) replace(neighbors []neighbor) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	old := ss.list
	ss.list = make([]*session, len(neighbors))
	for i, n := range neighbors {
		ss.list[i] = newSession(n)
		for _, s := range old {
			if s.sameSession(n) {
				s.neighbor = n
				ss.list[i] = s
			}
		}
	}
}

// event takes in a change of state.
func (ss *sessions) event(e *apiutil.WatchEventMessage_PeerEvent, at time.Time) {
	if e.Type != apiutil.PEER_EVENT_STATE {
		return
	}
	state := e.Peer.State
	ss.with(state.NeighborAddress, func(s *session) string {
		return s.enter(state.SessionState, downReason(state), at)
	})
	ss.wake()
	if state.SessionState == gobgp.BGP_FSM_ESTABLISHED {
		token(ss.up)
	}
}

// hear takes in what GoBGP's log says.
func (ss *sessions) hear(peer netip.Addr, h heard) {
	ss.with(peer, func(s *session) string { return s.hear(h) })
}

// diverges takes in a comparison of a peer's Adj-RIB-Out.
func (ss *sessions) diverges(peer netip.Addr, list []string) {
	ss.with(peer, func(s *session) string { return s.diverges(list) })
}

// end takes every session that is left to idle, once the engine has stopped and sends no more events.
func (ss *sessions) end() {
	for _, s := range ss.snapshot() {
		ss.with(s.Address, func(s *session) string { return s.enter(gobgp.BGP_FSM_IDLE, "shut down by us", time.Now()) })
	}
}

// with changes one session and journals what change returns.
func (ss *sessions) with(peer netip.Addr, change func(*session) string) {
	ss.tell(health.EventRoute, peer, change)
}

// tell is with for an event of another kind.
func (ss *sessions) tell(kind health.EventKind, peer netip.Addr, change func(*session) string) {
	ss.mu.Lock()
	name, text := "", ""
	for _, s := range ss.list {
		if s.Address == peer {
			name, text = s.Name, change(s)
		}
	}
	ss.mu.Unlock()
	if text != "" {
		ss.journal.Add(kind, name, text)
	}
}

// snapshot copies all sessions.
func (ss *sessions) snapshot() []session {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	list := make([]session, len(ss.list))
	for i, s := range ss.list {
		list[i] = *s
	}
	return list
}

// downReason says why an established session ended, where no NOTIFICATION does.
func downReason(s apiutil.PeerState) string {
	switch s.DisconnectReason {
	case api.PeerState_DISCONNECT_REASON_HOLD_TIMER_EXPIRED:
		return holdTimerExpired
	case api.PeerState_DISCONNECT_REASON_READ_FAILED:
		return "the router closed the connection without a NOTIFICATION"
	case api.PeerState_DISCONNECT_REASON_WRITE_FAILED:
		return "the connection broke"
	case api.PeerState_DISCONNECT_REASON_ADMIN_DOWN:
		return "shut down by us"
	}
	return s.DisconnectMessage
}

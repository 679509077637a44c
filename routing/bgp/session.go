package bgp

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/anyedge/anyedge/routing"
)

// session is what is known of one peer's session. sessions guards it.
type session struct {
	neighbor
	state     gobgp.FSMState
	since     time.Time
	flaps     int
	diverging []string // where Adj-RIB-Out wasn't what was wanted, when last compared

	ending  string // what the established session's NOTIFICATION said, on its way down
	ended   string // why the last session ended
	blocked string // what keeps one from coming up since
	firm    bool   // blocked is more than a silent close
	lapsed  string // what BFD found, until the session has been ended for that

	failures int // of BFD
}

// holdTimerExpired says so in the operator's terms.
const holdTimerExpired = "hold timer expired: the router fell silent"

func newSession(n neighbor) *session {
	return &session{neighbor: n, state: gobgp.BGP_FSM_IDLE, since: time.Now()}
}

func (s *session) established() bool { return s.state == gobgp.BGP_FSM_ESTABLISHED }

// enter takes the session to state and returns what the journal should say; "" for steps that nobody needs to read of.
func (s *session) enter(state gobgp.FSMState, reason string, at time.Time) string {
	if s.state == state {
		return ""
	}
	old := s.state
	s.state, s.since = state, at
	switch {
	case state == gobgp.BGP_FSM_ESTABLISHED:
		s.ending, s.blocked, s.firm, s.lapsed = "", "", false, ""
		return fmt.Sprintf("session with %s established", s.label())
	case old == gobgp.BGP_FSM_ESTABLISHED:
		s.flaps++
		s.ended = cmp.Or(s.ending, reason)
		return fmt.Sprintf("session with %s down: %s", s.label(), s.ended)
	case old == gobgp.BGP_FSM_OPENCONFIRM && state == gobgp.BGP_FSM_IDLE:
		return s.block(s.refused(), true)
	}
	return ""
}

// hear takes in what GoBGP's log said and returns what the journal should say.
func (s *session) hear(h heard) string {
	switch h.what {
	case dialFailed:
		return s.block(s.dialFailure(h.detail), true)
	case closedEarly:
		return s.block("the router closes the connection without a word: does it have a neighbour with our address?", false)
	case notificationSent:
		if !s.established() {
			return s.block(s.ourComplaint(h.notification), true)
		}
		s.ending = cmp.Or(s.lapsed, "we sent "+h.notification.String())
		if h.notification.code == codeHoldTimer {
			s.ending = holdTimerExpired
		}
	case notificationReceived:
		s.ending = "peer sent " + h.notification.String()
	}
	return ""
}

// block notes what keeps the session down. A silent close doesn't replace a reason that says more: it is also what a
// router does for some seconds after it has refused us with a word.
func (s *session) block(why string, firm bool) string {
	if s.blocked == why || !firm && s.firm {
		return ""
	}
	s.blocked, s.firm = why, firm
	return fmt.Sprintf("session with %s: %s", s.label(), why)
}

// dialFailure explains why TCP didn't connect.
func (s *session) dialFailure(detail string) string {
	to := fmt.Sprintf("%s port %d", s.Address, s.Port)
	switch {
	case strings.Contains(detail, "connection refused"):
		return "connection refused by " + to + ": no BGP daemon listens there"
	case strings.Contains(detail, "timeout") && s.password != "":
		return "no answer from " + to + ": authentication? TCP never completes: check password_file on both sides"
	case strings.Contains(detail, "timeout"):
		return "no answer from " + to + ": a wrong address, a firewall, or the router wants a TCP MD5 password"
	case strings.Contains(detail, "cannot assign requested address") && s.LocalAddress.IsValid():
		return fmt.Sprintf("local_address %s is on no interface of this host", s.LocalAddress)
	}
	return "connect to " + to + ": " + detail
}

// ourComplaint explains why we refused the router's OPEN.
func (s *session) ourComplaint(n notification) string {
	switch {
	case n.code == codeOpen && n.subcode == subBadPeerAS:
		return fmt.Sprintf("wrong peer AS (OPEN 2/2): the router isn't in AS %d, as bgp.peers[%s].asn says", s.ASN, s.Name)
	case n.code == codeOpen && n.subcode == subBadIdentity:
		return "bad BGP identifier (OPEN 2/3): the router's is bgp.router_id too, or 0.0.0.0"
	case n.code == codeFSM:
		return s.refused()
	}
	return "we refused the router's OPEN: " + n.String()
}

// refused explains a NOTIFICATION in answer to our OPEN. GoBGP v4 drops its content.
func (s *session) refused() string {
	return fmt.Sprintf("the router refused our OPEN: does it expect AS %d (bgp.asn) from our address, in address family %s?", s.ownASN, family(s.Address))
}

// diverges notes where Adj-RIB-Out isn't what was wanted and returns what the journal should say.
func (s *session) diverges(list []string) string {
	if slices.Equal(s.diverging, list) {
		return ""
	}
	s.diverging = list
	if len(list) == 0 {
		return fmt.Sprintf("%s has what was wanted again", s.label())
	}
	return fmt.Sprintf("%s was not sent what was wanted: %s", s.label(), strings.Join(list, "; "))
}

// lastError is what an operator should read: why there is no session, or why the last one ended.
func (s *session) lastError() string {
	switch {
	case s.established() || s.blocked == "":
		return s.ended
	case s.ended == "":
		return s.blocked
	}
	return s.blocked + "; the last session ended: " + s.ended
}

// report is the session as routing shows it, without its Adj-RIB-Out.
func (s *session) report() routing.Peer {
	return routing.Peer{
		Name: s.Name, Address: s.Address.String(), ASN: s.ASN, State: stateName(s.state),
		Since: s.since, Flaps: s.flaps, LastError: s.lastError(), AdjOut: []string{},
	}
}

// stateName is the state of RFC 4271 §8.2.2 in lower case.
func stateName(state gobgp.FSMState) string {
	return strings.ToLower(strings.TrimPrefix(state.String(), "BGP_FSM_"))
}

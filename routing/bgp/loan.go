package bgp

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

// loanLimit is how long a former process may take for an answer: setting routes takes 100 ms at most, ending the sessions
// three seconds.
const loanLimit = 5 * time.Second

// loan is the speaker of a former process. Its methods may be called concurrently.
type loan struct {
	conn net.Conn

	mu    sync.Mutex // guards the following fields, and lets one question be asked at a time
	peers []string   // by name: whose sessions it holds
	gone  error      // why it no longer answers
	last  uint64     // the last event of its journal that is known
	told  []routing.Peer
}

// ask asks and waits for the answer. An error of errGone is final.
func (l *loan) ask(q question) (answer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone != nil {
		return answer{}, l.gone
	}
	q.Since = l.last
	var a answer
	err := errors.Join(l.conn.SetDeadline(time.Now().Add(loanLimit)), json.NewEncoder(l.conn).Encode(q))
	if err == nil {
		err = json.NewDecoder(l.conn).Decode(&a)
	}
	if err != nil {
		l.gone = fmt.Errorf("%w: %w", errGone, err)
		_ = l.conn.Close()
		return answer{}, l.gone
	}
	if a.Error != "" {
		err = errors.New("the former process: " + a.Error)
	}
	return a, err
}

// errGone is a former process that no longer speaks.
var errGone = errors.New("the former process no longer holds its BGP sessions")

// tell asks for its sessions' state and notes what has happened to them.
func (l *loan) tell(j *health.Journal) ([]routing.Peer, error) {
	a, err := l.ask(question{Do: "tell"})
	if err != nil {
		return nil, err
	}
	for _, e := range a.Events {
		j.Add(e.Kind, e.Subject, e.Text)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last, l.told = a.Last, a.Peers
	return a.Peers, nil
}

// holds says whether it has a peer's session.
func (l *loan) holds(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.peers, name)
}

// hold makes names the peers whose sessions it shall keep.
func (l *loan) hold(names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.peers = names
}

func (l *loan) names() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.peers)
}

func (l *loan) isGone() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone != nil
}

// known is the state of its sessions when it last told.
func (l *loan) known() []routing.Peer {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.told
}

// Loan is a speaker that holds sessions, as one process tells the next of it.
type Loan struct {
	Options Options        `json:"options"` // that the sessions were begun with
	Allowed []netip.Prefix `json:"allowed"`
	Peers   []string       `json:"peers"` // whose sessions it holds
	Last    uint64         `json:"last"`  // event of its journal
	// Conn leads to it: to Lend of this process, or of one before.
	Conn unixConn `json:"-"`
}

// unixConn is a connection that can be handed to another process.
type unixConn interface {
	net.Conn
	syscall.Conn
}

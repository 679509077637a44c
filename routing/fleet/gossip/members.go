package gossip

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// Status says whether a node is there.
type Status string

// The statuses of a node. One that left has said so; one that failed answers nobody.
const (
	Alive  Status = "alive"
	Failed Status = "failed"
	Left   Status = "left"
)

// Member is another node of the fleet.
type Member struct {
	Name    string
	Address netip.AddrPort // where it gossips
	Status  Status
	Since   time.Time
	// RTT is how long its last answer took; 0 before it has answered this node.
	RTT time.Duration
	// Heard is when its last beat came, by whatever way, to about a second; zero before the first one.
	Heard time.Time
	// State is what it last published. It must not be changed.
	State []byte
}

// members is who is there, as memberlist tells. Its methods are memberlist's delegates: they are called with its lock
// held, so that they may not ask it anything.
type members struct {
	self     string
	changed  func()
	conflict func(name string, a, b netip.AddrPort)

	mu    sync.Mutex // guards the following fields
	known map[string]*Member
	left  map[string]bool // who has said goodbye
}

func newMembers(self string, changed func(), conflict func(string, netip.AddrPort, netip.AddrPort)) *members {
	return &members{self: self, changed: changed, conflict: conflict, known: map[string]*Member{}, left: map[string]bool{}}
}

// NotifyJoin is told of a node that is there.
func (m *members) NotifyJoin(n *memberlist.Node) { m.set(n, Alive) }

// NotifyUpdate is told of a node that has another address.
func (m *members) NotifyUpdate(n *memberlist.Node) { m.set(n, Alive) }

// NotifyLeave is told of a node that is gone.
func (m *members) NotifyLeave(n *memberlist.Node) { m.set(n, Failed) }

func (m *members) set(n *memberlist.Node, s Status) {
	if n.Name == m.self {
		return
	}
	m.mu.Lock()
	if s == Alive {
		delete(m.left, n.Name)
	} else if m.left[n.Name] {
		s = Left
	}
	known := m.known[n.Name]
	if known == nil {
		known = &Member{Name: n.Name}
		m.known[n.Name] = known
	}
	if known.Status != s {
		known.Status, known.Since = s, time.Now()
	}
	known.Address = addressOf(n)
	m.mu.Unlock()
	m.changed()
}

// goodbye is told that a node leaves, which memberlist alone tells apart from a failure.
func (m *members) goodbye(node string) {
	m.mu.Lock()
	if known := m.known[node]; known != nil {
		m.left[node] = true
		if known.Status == Failed {
			known.Status = Left
		}
	}
	m.mu.Unlock()
	m.changed()
}

// NotifyConflict is told that two nodes have one name.
func (m *members) NotifyConflict(existing, other *memberlist.Node) {
	m.conflict(existing.Name, addressOf(existing), addressOf(other))
}

// AckPayload is nothing: what nodes tell goes with their states.
func (m *members) AckPayload() []byte { return nil }

// NotifyPingComplete is told how long a node's answer took.
func (m *members) NotifyPingComplete(n *memberlist.Node, rtt time.Duration, _ []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.known[n.Name]; known != nil {
		known.RTT = rtt
	}
}

// NotifyAlive keeps out whoever no message could name.
func (m *members) NotifyAlive(n *memberlist.Node) error {
	if n.Name == "" || len(n.Name) > maxName {
		return fmt.Errorf("a name of %d octets", len(n.Name))
	}
	return nil
}

// list is who is there and who was lately, by name.
func (m *members) list() []Member {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]Member, 0, len(m.known))
	for _, known := range m.known {
		list = append(list, *known)
	}
	slices.SortFunc(list, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// member is one of them.
func (m *members) member(name string) (Member, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.known[name]
	if known == nil {
		return Member{}, false
	}
	return *known, true
}

// prune forgets who has been gone for long.
func (m *members) prune(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, known := range m.known {
		if known.Status != Alive && now.Sub(known.Since) >= forgetAfter {
			delete(m.known, name)
			delete(m.left, name)
		}
	}
}

// reaches says whether a node that is there gossips at address.
func (m *members) reaches(address netip.AddrPort) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, known := range m.known {
		if known.Status == Alive && known.Address == address {
			return true
		}
	}
	return false
}

// lost are the addresses of those who failed, to be tried again.
func (m *members) lost() (list []netip.AddrPort) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, known := range m.known {
		if known.Status == Failed {
			list = append(list, known.Address)
		}
	}
	return list
}

func addressOf(n *memberlist.Node) netip.AddrPort { return addrPort(n.Addr, n.Port) }

func addrPort(ip net.IP, port uint16) netip.AddrPort {
	a, _ := netip.AddrFromSlice(ip) // none where there is none
	return netip.AddrPortFrom(a.Unmap(), port)
}

package bfd

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Peer is a system to be watched.
type Peer struct {
	Address  netip.Addr
	Local    netip.Addr // that packets are sent from; invalid: what the kernel chooses
	Multihop bool       // routers are between
	Idle     bool       // it may be watched later: the port is open, and nothing is sent
	Options
}

// sameSession says whether a session with p may go on as one with other: over the same path.
func (p *Peer) sameSession(other *Peer) bool {
	return p.Address == other.Address && p.Local == other.Local && p.Multihop == other.Multihop
}

func (p *Peer) door() door { return door{multihop: p.Multihop, v6: !p.Address.Unmap().Is4()} }

// Status is what is known of a session.
type Status struct {
	State, Remote State
	Since         time.Time     // when State was entered
	Reason        string        // why
	Interval      time.Duration // between the packets that we send, before jitter
	Detection     time.Duration // how long the other system may be silent; 0 while it isn't heard
	Failures      int           // how often it went down unwanted
	Sent          uint64
	Received      uint64
	Discarded     uint64
	LastDiscarded string // why the last packet was discarded
	SendError     string // why the last packet wasn't sent
}

// take notes what a step of m has done.
func (st *Status) take(m *Machine, out Output) {
	st.Remote, st.Interval, st.Detection = m.remote.state, m.interval(), 0
	if !m.expires.IsZero() {
		st.Detection = m.Detection()
	}
	if c := out.Change; c != nil {
		st.State, st.Since, st.Reason = c.To, time.Now(), c.Reason()
		if c.Failure() {
			st.Failures++
		}
	}
}

// sent notes that a packet was sent, or why it wasn't.
func (st *Status) sent(err error) {
	if err != nil {
		st.SendError = err.Error()
		return
	}
	st.Sent, st.SendError = st.Sent+1, ""
}

// Monitor watches peers. Its methods are safe for concurrent use.
type Monitor struct {
	wire    wire
	changed func(netip.Addr, Change)

	sessions atomic.Pointer[map[netip.Addr]*session] // never changed, only replaced; Set and Close own it

	mu    sync.Mutex // guards the following field, and lets one change happen at a time
	doors map[door]*reader
}

// NewMonitor watches nobody yet. Every change of a session's state is passed to changed, from a goroutine of the session,
// which waits for it; changed may call Status.
func NewMonitor(changed func(peer netip.Addr, c Change)) *Monitor { return newMonitor(udp{}, changed) }

func newMonitor(w wire, changed func(netip.Addr, Change)) *Monitor {
	m := &Monitor{wire: w, changed: changed, doors: map[door]*reader{}}
	m.sessions.Store(&map[netip.Addr]*session{})
	return m
}

// Set watches exactly peers, those of them that have Enabled and aren't Idle. A session goes on, with other timers if they changed, as long
// as its peer's addresses and hops are as they were; else it ends with a goodbye, which not every router tells from a
// failure. The error says which port can't be listened on, and then nothing has changed.
func (m *Monitor) Set(peers []Peer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	wanted, doors := map[netip.Addr]Peer{}, map[door]bool{}
	for _, p := range peers {
		if p.Enabled {
			doors[p.door()] = true
		}
		if p.Enabled && !p.Idle {
			wanted[p.Address] = p
		}
	}
	if err := m.open(doors); err != nil {
		return err
	}
	m.replace(wanted)
	for d, r := range m.doors {
		if !doors[d] {
			r.stop()
			delete(m.doors, d)
		}
	}
	return nil
}

// Close ends every session with a goodbye. When it returns nothing of the monitor runs.
func (m *Monitor) Close() { _ = m.Set(nil) } // without peers there is no port to fail for

// Status is the session with peer; false if it isn't watched.
func (m *Monitor) Status(peer netip.Addr) (Status, bool) {
	s, ok := (*m.sessions.Load())[peer]
	if !ok {
		return Status{}, false
	}
	return s.report(), true
}

// open listens where it doesn't yet: everywhere or nowhere.
func (m *Monitor) open(doors map[door]bool) error {
	opened := map[door]listener{}
	for d := range doors {
		if m.doors[d] != nil {
			continue
		}
		l, err := m.wire.listen(d)
		if err != nil {
			for _, l := range opened {
				l.close()
			}
			return err
		}
		opened[d] = l
	}
	for d, l := range opened {
		m.doors[d] = newReader(l, d.multihop, m.session)
	}
	return nil
}

func (m *Monitor) session(from netip.Addr) *session { return (*m.sessions.Load())[from] }

// replace ends and begins sessions. A new one is known before it sends, so that no answer is lost.
func (m *Monitor) replace(wanted map[netip.Addr]Peer) {
	old := *m.sessions.Load()
	next, taken := map[netip.Addr]*session{}, map[uint32]bool{0: true}
	for a, s := range old {
		taken[s.machine.mine] = true
		if p, ok := wanted[a]; ok && s.peer.sameSession(&p) {
			next[a] = s
			s.configure(p.Options)
		}
	}
	for a, s := range old {
		if next[a] == nil {
			s.stop()
		}
	}
	var begun []*session
	for a, p := range wanted {
		if next[a] == nil {
			next[a] = newSession(p, discriminator(taken), m.wire, m.doors[p.door()], m.changed)
			begun = append(begun, next[a])
		}
	}
	m.sessions.Store(&next)
	for _, s := range begun {
		s.start()
	}
}

// discriminator is one that isn't taken, and takes it (RFC 5880 §6.8.1).
func discriminator(taken map[uint32]bool) uint32 {
	for {
		if d := rand.Uint32(); !taken[d] {
			taken[d] = true
			return d
		}
	}
}

// reader passes what comes in at a door to the sessions.
type reader struct {
	listener listener
	multihop bool
	session  func(netip.Addr) *session // nil for a stranger
	done     chan struct{}
}

func newReader(l listener, multihop bool, session func(netip.Addr) *session) *reader {
	r := &reader{l, multihop, session, make(chan struct{})}
	go r.run() // until stop
	return r
}

func (r *reader) stop() {
	r.listener.close()
	<-r.done
}

// readAgain is the pause after an error that isn't the end, such as a want of memory.
const readAgain = 10 * time.Millisecond

func (r *reader) run() {
	defer close(r.done)
	for {
		d, err := r.listener.read()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			time.Sleep(readAgain)
		default:
			r.deliver(d)
		}
	}
}

// catchUp delivers what is waiting now.
func (r *reader) catchUp() { r.listener.waiting(r.deliver) }

// deliver checks what RFC 5880 §6.8.6 and RFC 5881 §5 have checked, and passes the packet on. Every peer has one session, so
// that its address tells which; the machine sees to the discriminator.
func (r *reader) deliver(d received) {
	s := r.session(d.from)
	if s == nil || s.peer.Multihop != r.multihop {
		return
	}
	if !r.multihop && d.ttl != maxTTL {
		s.discard(fmt.Sprintf("TTL %d, not %d: it doesn't come from next door", d.ttl, maxTTL))
		return
	}
	p, err := Parse(d.octets)
	if err != nil {
		s.discard(err.Error())
		return
	}
	select {
	case s.packets <- p:
	default:
		s.discard("too many at once")
	}
}

package bfd

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// backlog is how many packets may wait for a session: more than a detection time has.
const backlog = 64

// session runs one machine: a goroutine owns the machine and its socket.
type session struct {
	peer    Peer    // as it was at the start
	options Options // as they are now; the monitor's
	machine *Machine
	wire    wire
	changed func(netip.Addr, Change)
	catchUp func() // puts into packets what is waiting to be read
	packets chan Packet
	timers  chan Options // that the machine is to have from now on
	end     context.CancelFunc
	done    chan struct{}

	socket sender // nil until a packet could be sent
	octets []byte

	mu     sync.Mutex // guards the following field
	status Status
}

func newSession(p Peer, mine uint32, w wire, r *reader, changed func(netip.Addr, Change)) *session {
	s := &session{
		peer: p, options: p.Options, machine: NewMachine(p.Options, mine), wire: w, changed: changed, catchUp: r.catchUp,
		packets: make(chan Packet, backlog), timers: make(chan Options), done: make(chan struct{}),
	}
	s.status = Status{State: Down, Since: time.Now(), Reason: "the router isn't heard"}
	return s
}

// start lets the session run until stop.
func (s *session) start() {
	ctx, end := context.WithCancel(context.Background())
	s.end = end
	go s.run(ctx)
}

// configure has the session go on by o.
func (s *session) configure(o Options) {
	if o != s.options {
		s.options = o
		s.timers <- o
	}
}

// stop says goodbye and waits until that is sent.
func (s *session) stop() {
	s.end()
	<-s.done
}

func (s *session) run(ctx context.Context) {
	defer close(s.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			s.act(s.machine.Shut(time.Now()))
			s.hangUp()
			return
		case p := <-s.packets:
			s.receive(p)
		case o := <-s.timers:
			s.act(s.machine.Configure(time.Now(), o))
		case <-timer.C:
			s.tick()
		}
		timer.Reset(s.pause())
	}
}

// pause is how long nothing is due.
func (s *session) pause() time.Duration {
	next := s.machine.Next()
	if next.IsZero() {
		return time.Hour // a packet wakes it
	}
	return max(time.Until(next), 0)
}

// tick does what is due. What is waiting to be read comes first: a busy process may not have come to it, and then it is not
// the router that is late.
func (s *session) tick() {
	s.catchUp()
	for {
		select {
		case p := <-s.packets:
			s.receive(p)
			continue
		default:
		}
		s.act(s.machine.Tick(time.Now()))
		return
	}
}

func (s *session) receive(p Packet) {
	out, err := s.machine.Receive(time.Now(), p)
	if err != nil {
		s.discard(err.Error())
		return
	}
	s.update(func(st *Status) { st.Received++ })
	s.act(out)
}

// act does what a step of the machine asks for.
func (s *session) act(out Output) {
	var sendErr error
	if out.Send != nil {
		sendErr = s.send(*out.Send)
	}
	s.update(func(st *Status) {
		st.take(s.machine, out)
		if out.Send != nil {
			st.sent(sendErr)
		}
	})
	if out.Change != nil {
		s.changed(s.peer.Address, *out.Change)
	}
}

func (s *session) update(change func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
}

// report copies the status.
func (s *session) report() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// discard notes a packet that doesn't count.
func (s *session) discard(why string) {
	s.update(func(st *Status) { st.Discarded, st.LastDiscarded = st.Discarded+1, why })
}

// send sends one packet. It opens the socket when there is none: the local address may have come meanwhile.
func (s *session) send(p Packet) error {
	if s.socket == nil {
		socket, err := s.wire.dial(&s.peer)
		if err != nil {
			return fmt.Errorf("open a socket: %w", err)
		}
		s.socket = socket
	}
	s.octets = p.Append(s.octets[:0])
	return s.socket.send(s.octets)
}

func (s *session) hangUp() {
	if s.socket != nil {
		s.socket.close()
	}
}

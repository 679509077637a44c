package bfd

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Machine is one session's state machine (RFC 5880 §6.8): pure, with the time passed in. It isn't safe for concurrent use.
//
// Its owner calls Tick when Next has come, hands in what it receives, and sends what each call returns.
type Machine struct {
	options Options
	mine    uint32         // bfd.LocalDiscr
	random  func() float64 // 0 ≤ x < 1

	state  State
	why    Diagnostic // bfd.LocalDiag
	remote remote

	polling bool      // packets carry P until one with F comes (§6.5)
	before  Options   // what held before the change that is polled for
	sent    time.Time // the last periodic packet, or one in its place
	wait    float64   // the part of the interval that the jitter has left until the next
	expires time.Time // bfd.DetectTimer; zero while there is nothing to miss
}

// remote is what the other system said last.
type remote struct {
	mine       uint32 // bfd.RemoteDiscr; 0: not heard
	state      State
	why        Diagnostic
	minTx      time.Duration
	minRx      time.Duration
	multiplier uint8
	demand     bool
}

// Output is what a step of the machine brings about.
type Output struct {
	Send   *Packet // to be sent at once; nil: nothing
	Change *Change // nil: the state is what it was
}

// Why a packet is discarded that has been parsed.
var (
	errSwitchedOff = errors.New("the session is switched off")
	errOther       = errors.New("it is for another session, or for us before a restart")
)

// NewMachine is a session in state Down with discriminator mine, which isn't 0. Its first packet is due at once.
func NewMachine(o Options, mine uint32) *Machine {
	// bfd.RemoteMinRxInterval begins as 1 µs, §6.8.1.
	m := &Machine{options: o, mine: mine, random: rand.Float64, state: Down, remote: remote{state: Down, minRx: time.Microsecond}}
	m.draw()
	return m
}

// State is the state now.
func (m *Machine) State() State { return m.state }

// Receive takes in a packet. The error says why it is discarded, and then nothing has changed.
func (m *Machine) Receive(now time.Time, p Packet) (Output, error) {
	switch {
	case p.Yours != 0 && p.Yours != m.mine:
		return Output{}, fmt.Errorf("%w: discriminator %#x", errOther, p.Yours)
	case m.state == AdminDown:
		return Output{}, errSwitchedOff
	}
	before := m.interval()
	m.remote = remote{
		mine: p.Mine, state: p.State, why: p.Diagnostic,
		minTx: p.MinTx, minRx: p.MinRx, multiplier: p.Multiplier, demand: p.Demand,
	}
	if p.Final {
		m.polling = false
	}
	if m.interval() != before { // §6.8.7: at once
		m.draw()
	}
	m.expires = now.Add(m.Detection())
	out := m.follow(now, p.State)
	if p.Poll {
		answer := m.packet()
		answer.Poll, answer.Final = false, true
		out.Send = &answer
	}
	return out, nil
}

// follow takes the step that the other system's state asks for.
func (m *Machine) follow(now time.Time, other State) Output {
	switch {
	case other == AdminDown && m.state != Down, m.state == Up && other == Down:
		return m.enter(now, Down, NeighborDown)
	case m.state == Down && other == Down:
		return m.enter(now, Init, m.why)
	case m.state == Down && other == Init, m.state == Init && other >= Init:
		return m.enter(now, Up, NoDiagnostic)
	}
	return Output{}
}

// Tick does what is due at now; nothing before Next.
func (m *Machine) Tick(now time.Time) Output {
	switch due := m.transmission(); {
	case !m.expires.IsZero() && !now.Before(m.expires):
		return m.expire(now)
	case !due.IsZero() && !now.Before(due):
		return Output{Send: m.transmit(now)}
	}
	return Output{}
}

// expire takes in that nothing came for the detection time (§6.8.4). Who is heard next may be another system: §6.8.1.
func (m *Machine) expire(now time.Time) Output {
	detection := m.Detection()
	m.expires, m.remote.mine = time.Time{}, 0
	if m.state != Init && m.state != Up {
		return Output{}
	}
	out := m.enter(now, Down, TimeExpired)
	out.Change.Detection = detection
	return out
}

// Next is when Tick is due; zero: there is nothing to wait for.
func (m *Machine) Next() time.Time {
	due := m.transmission()
	if due.IsZero() || !m.expires.IsZero() && m.expires.Before(due) {
		return m.expires
	}
	return due
}

// Expires is when the other system is taken for silent; zero: it isn't heard anyway.
func (m *Machine) Expires() time.Time { return m.expires }

// Shut switches the session off: the other system is told that this is no failure. It is for good.
func (m *Machine) Shut(now time.Time) Output {
	if m.state == AdminDown {
		return Output{}
	}
	m.expires = time.Time{}
	return m.enter(now, AdminDown, Administrative)
}

// Configure changes the timers. Of a session that is up the other system is asked whether it has seen that, and until it
// says so neither is our rate lower nor our patience shorter than before (§6.8.3).
func (m *Machine) Configure(now time.Time, o Options) Output {
	before := m.options
	m.options = o
	if m.state != Up {
		return Output{}
	}
	if m.polling {
		before.MinTx, before.MinRx = min(before.MinTx, m.before.MinTx), max(before.MinRx, m.before.MinRx)
	}
	m.before, m.polling = before, true
	return Output{Send: m.transmit(now)}
}

// enter changes the state, which is told at once (§6.8.7). The wish for fast packets that comes with Up is a changed
// interval, so that it begins a Poll Sequence; outside Up nothing rests on the other system's having seen it.
func (m *Machine) enter(now time.Time, to State, why Diagnostic) Output {
	from := m.state
	m.before = m.options
	m.before.MinTx = m.minTx()
	m.state, m.why = to, why
	m.polling = to == Up && m.minTx() != m.before.MinTx
	change := Change{From: from, To: to, Diagnostic: why, Remote: m.remote.state, RemoteWhy: m.remote.why, Detection: m.Detection()}
	return Output{Send: m.transmit(now), Change: &change}
}

// transmit is the packet to send now; it begins the time to the next.
func (m *Machine) transmit(now time.Time) *Packet {
	m.sent = now
	m.draw()
	p := m.packet()
	return &p
}

// packet is what is to be said now (§6.8.7).
func (m *Machine) packet() Packet {
	return Packet{
		State: m.state, Diagnostic: m.why, Poll: m.polling, Multiplier: uint8(m.options.Multiplier),
		Mine: m.mine, Yours: m.remote.mine, MinTx: m.minTx(), MinRx: m.options.MinRx,
	}
}

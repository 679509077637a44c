package gossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/anyedge/anyedge/health"
)

const (
	// label tells our packets from other memberlist users', and is authenticated with them.
	label = "anyedge"
	// leaveLimit bounds how long the goodbye waits for somebody to take it.
	leaveLimit = 2 * time.Second
	// wantPause is how long a node isn't asked again for a state.
	wantPause = time.Second
	// inboxSize is how many messages may wait for their turn; the sender of one too many gets no answer.
	inboxSize = 256
	// packetRoom is what a broadcast may take of a packet.
	packetRoom = 1100
)

// Config says who this node is and where the others are. Every field but Advertise and Join is required.
type Config struct {
	Name   string         // unique in the fleet
	Listen netip.AddrPort // TCP and UDP; port 0: the kernel's choice
	// Advertise is where others reach it; the zero value: Listen.
	Advertise netip.AddrPort
	Join      []string // HOST:PORT of some nodes of the fleet; this node's own is skipped
	// Keys are the ring: 16, 24 or 32 octets each. The first encrypts, each decrypts.
	Keys     [][]byte
	Interval time.Duration // of beats
	// Receive is called with each message that another node sent by Send, one at a time, while Run runs.
	Receive func(ctx context.Context, from string, message []byte)
	Journal *health.Journal // may be nil
	Log     *slog.Logger
}

// Mesh is this node among the others. Its methods may be called concurrently.
type Mesh struct {
	config    Config
	ring      *memberlist.Keyring
	transport *transport
	members   *members
	states    *states
	strangers *strangers
	seeds     *seeds
	queue     *memberlist.TransmitLimitedQueue
	list      *memberlist.Memberlist

	inbox   chan message
	wants   chan string   // who wants this node's state
	wake    chan struct{} // a state is missing
	mu      sync.Mutex    // guards the following fields
	changed chan struct{} // closed at the next change
	clashes map[string]netip.AddrPort

	ending sync.Mutex // guards the following fields: memberlist panics where one leaves after the end
	closed bool
	yields bool // the next process of this node goes on: nobody shall notice
}

// message is what another node sent to this one.
type message struct {
	from string
	text []byte
}

// Open binds the sockets and begins to answer; Run must follow, or Close.
func Open(c Config) (*Mesh, error) {
	if err := checkKeys(c.Keys); err != nil {
		return nil, err
	}
	ring, err := memberlist.NewKeyring(c.Keys, c.Keys[0])
	if err != nil {
		return nil, err
	}
	m := &Mesh{
		config: c, ring: ring, states: newStates(c.Name), seeds: &seeds{}, inbox: make(chan message, inboxSize),
		wants: make(chan string, inboxSize), wake: make(chan struct{}, 1), changed: make(chan struct{}), clashes: map[string]netip.AddrPort{},
	}
	m.strangers = newStrangers(m.stranger)
	m.members = newMembers(c.Name, m.change, m.clash)
	m.seeds.configure(c.Join)
	m.states.publish([]byte{}, time.Now())
	if m.transport, err = listen(c.Listen, c.Advertise); err != nil {
		return nil, fmt.Errorf("gossip: %w: choose another address, or see who has it: ss -lntup", err)
	}
	m.queue = &memberlist.TransmitLimitedQueue{NumNodes: m.size, RetransmitMult: 3}
	if m.list, err = memberlist.Create(m.settings()); err != nil {
		return nil, errors.Join(fmt.Errorf("gossip: %w", err), m.transport.Shutdown())
	}
	return m, nil
}

// settings are memberlist's: its own for a LAN, which suit 0.5 s round trips, but for what is said here.
func (m *Mesh) settings() *memberlist.Config {
	c := memberlist.DefaultLANConfig()
	c.Name, c.Label, c.Keyring, c.Transport = m.config.Name, label, m.ring, m.transport
	c.BindPort, c.AdvertisePort = int(m.Address().Port()), int(m.Address().Port())
	c.Delegate, c.Events, c.Conflict, c.Ping, c.Alive = &delegate{m}, m.members, m.members, m.members, m.members
	c.Logger = newLines(m.config.Log, m.strangers)
	c.TCPTimeout = 5 * time.Second
	c.PushPullInterval = 15 * time.Second
	c.DeadNodeReclaimTime = 5 * time.Second // a node that crashed may come back elsewhere
	c.EnableCompression = false             // what is sent is small
	return c
}

// Address is where others reach this node.
func (m *Mesh) Address() netip.AddrPort { return m.transport.advertise }

// Bound is where this node listens.
func (m *Mesh) Bound() netip.AddrPort { return m.transport.bound }

// Run beats, joins and receives until ctx ends; then it leaves, and returns when the sockets are closed.
func (m *Mesh) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	loops.Go(func() { m.beat(ctx) })
	loops.Go(func() { m.joinNowAndThen(ctx) })
	loops.Go(func() { m.receive(ctx) })
	loops.Go(func() { m.fetch(ctx) })
	loops.Go(func() { m.answer(ctx) })
	<-ctx.Done()
	err := m.leave()
	loops.Wait()
	return err
}

// Close closes the sockets without a goodbye. It may be called again, and at any time.
func (m *Mesh) Close() error {
	m.ending.Lock()
	defer m.ending.Unlock()
	m.closed = true
	return m.list.Shutdown()
}

// beat says each interval that this node lives.
func (m *Mesh) beat(ctx context.Context) {
	tick := time.NewTicker(m.config.Interval)
	defer tick.Stop()
	for {
		m.publish(nil)
		m.prune()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (m *Mesh) prune() {
	now := time.Now()
	m.members.prune(now)
	m.states.prune(now, func(node string) bool { _, is := m.members.member(node); return is })
}

func (m *Mesh) joinNowAndThen(ctx context.Context) {
	tick := time.NewTicker(joinPause)
	defer tick.Stop()
	for {
		m.joinAll(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Publish makes state, at most 256 KiB, this node's; it comes to all others.
func (m *Mesh) Publish(state []byte) error {
	if len(state) > maxState {
		return fmt.Errorf("gossip: a state of %d octets, above %d", len(state), maxState)
	}
	m.publish(append([]byte{}, state...))
	return nil
}

// publish broadcasts the state where it fits a packet, and else that there is one.
func (m *Mesh) publish(state []byte) {
	h, now := m.states.publish(state, time.Now())
	text := appendBeat(&h)
	if state != nil {
		if whole := appendState(&h, now); len(whole) <= packetRoom {
			text = whole
		}
	}
	m.broadcast(h.node, text)
}

// broadcast replaces what of node is still to be sent on.
func (m *Mesh) broadcast(node string, text []byte) {
	m.queue.QueueBroadcast(&news{node, text})
}

// fetch asks for the states that beats told of, as long as they are missing.
func (m *Mesh) fetch(ctx context.Context) {
	for {
		select {
		case <-m.wake:
		case <-ctx.Done():
			return
		}
		for _, node := range m.states.missing(time.Now(), wantPause) {
			if member, there := m.members.member(node); there && member.Status == Alive {
				m.lossy(member, appendNamed(kindWant, m.config.Name, nil))
			}
		}
	}
}

// answer sends this node's state to who wants it.
func (m *Mesh) answer(ctx context.Context) {
	for {
		select {
		case node := <-m.wants:
			if to, there := m.members.member(node); there {
				h, state := m.states.own()
				m.lossy(to, appendState(&h, state))
			}
		case <-ctx.Done():
			return
		}
	}
}

// lossy sends what is asked for again where it didn't arrive.
func (m *Mesh) lossy(to Member, text []byte) {
	if err := m.send(to, text); err != nil {
		m.config.Log.Debug("gossip: send a state, or ask for one", "node", to.Name, "error", err)
	}
}

// send sends a message over a connection.
func (m *Mesh) send(to Member, text []byte) error {
	n := &memberlist.Node{Name: to.Name, Addr: to.Address.Addr().AsSlice(), Port: to.Address.Port()}
	return m.list.SendReliable(n, text)
}

// Send brings a message to a member over a connection. That it arrived isn't known: answer with another one.
func (m *Mesh) Send(node string, text []byte) error {
	to, there := m.members.member(node)
	if !there || to.Status != Alive {
		return fmt.Errorf("send to %s: it isn't there", node)
	}
	if err := m.send(to, appendNamed(kindMessage, m.config.Name, text)); err != nil {
		return fmt.Errorf("send to %s: %w", node, err)
	}
	return nil
}

// receive hands on what came, one after the other.
func (m *Mesh) receive(ctx context.Context) {
	for {
		select {
		case msg := <-m.inbox:
			m.config.Receive(ctx, msg.from, msg.text)
		case <-ctx.Done():
			return
		}
	}
}

// Yield lets Run end without a goodbye: the next process of this node gossips in its place at once.
func (m *Mesh) Yield() {
	m.ending.Lock()
	defer m.ending.Unlock()
	m.yields = true
}

// leave says goodbye, so that the others don't take this node for failed, and closes everything.
func (m *Mesh) leave() error {
	m.ending.Lock()
	defer m.ending.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	if m.yields {
		return m.list.Shutdown()
	}
	goodbye := appendNamed(kindGoodbye, m.config.Name, nil)
	for _, n := range m.list.Members() {
		if n.Name != m.config.Name {
			_ = m.list.SendBestEffort(n, goodbye) // else it is taken for failed
		}
	}
	m.broadcast(m.config.Name, goodbye)
	if err := m.list.Leave(leaveLimit); err != nil {
		m.config.Log.Info("gossip: nobody took the goodbye", "error", err)
	}
	return m.list.Shutdown()
}

// SetKeys replaces the ring. To rotate without losing anybody: first add the new key behind the old one everywhere, then
// put it in front everywhere, then remove the old one.
func (m *Mesh) SetKeys(keys [][]byte) error {
	if err := checkKeys(keys); err != nil {
		return err
	}
	return install(m.ring, keys)
}

// SetJoin replaces the addresses at which the fleet is looked for.
func (m *Mesh) SetJoin(addresses []string) { m.seeds.configure(addresses) }

// Members are the other nodes, by name: those that are there, and for an hour those that no longer are.
func (m *Mesh) Members() []Member {
	list := m.members.list()
	for i := range list {
		list[i].State, list[i].Heard = m.states.of(list[i].Name)
	}
	return list
}

// Strangers are the addresses that speak without the fleet's secret, the latest first, and how much came from all.
func (m *Mesh) Strangers() ([]Stranger, uint64) { return m.strangers.list() }

// Seeds are the addresses at which the fleet is looked for, and why it isn't found there.
func (m *Mesh) Seeds() []Seed { return m.seeds.snapshot() }

// Changed is closed at the next change of what Members returns, but for beats.
func (m *Mesh) Changed() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

func (m *Mesh) change() {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *Mesh) size() int { return len(m.members.list()) + 1 }

func (m *Mesh) event(subject, text string) {
	m.config.Log.Warn(text)
	m.config.Journal.Add(health.EventNode, subject, text)
}

func (m *Mesh) stranger(s Stranger) {
	m.event(s.Address.String(), fmt.Sprintf("fleet: %s %s: it is not let in", s.Address, s.Text))
}

// clash tells of two nodes with one name: once for each address.
func (m *Mesh) clash(name string, a, b netip.AddrPort) {
	m.mu.Lock()
	known := m.clashes[name] == b
	m.clashes[name] = b
	m.mu.Unlock()
	if !known {
		m.event(name, fmt.Sprintf("fleet: two nodes are called %s, at %s and at %s: the second isn't let in, set its node.name", name, a, b))
	}
}

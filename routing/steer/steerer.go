package steer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing/quiclb"
)

// Steerer hands packets to the nodes that own them, for all VIPs of this node. Its methods may be called concurrently.
type Steerer struct {
	options Options
	stamps  stamps // of this process, in the tunnel
	journal *health.Journal
	log     *slog.Logger

	socket *net.UDPConn // the tunnel's; nil: this node steers to no other
	tunnel pause        // of its reader
	v6     bool
	resets *bucket // stateless resets that may be sent
	// sources limits what is forwarded for one network of clients, so that it can't take what there is for all.
	sources *sources

	table   atomic.Pointer[table]
	conns   atomic.Pointer[map[vipTag]workers]
	changes sync.Mutex // one change of table or conns at a time
	refused [refusals]atomic.Uint64
	leaving atomic.Bool
	former  atomic.Pointer[former]  // the process before this one; nil: it is gone
	handed  atomic.Pointer[handed]  // to the process after this one; nil: the sockets are read here
	rescuer atomic.Pointer[Rescuer] // nil: none
}

// Open binds the tunnel's socket. j gets what happens to other nodes; nil: none. generation should differ from those of the processes before on this node. Run must
// follow, or Close.
func Open(o Options, generation uint8, k Keys, j *health.Journal, log *slog.Logger) (*Steerer, error) {
	at := netip.AddrPortFrom(o.Address.Unmap(), o.Port)
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, fmt.Errorf("listen for the tunnel on %v/udp, which fleet.steering.address and port say: %w", at, err)
	}
	return OpenOn(conn, o, generation, k, j, log)
}

// OpenOn is Open with a socket that has been bound before, by the process before this one; it is closed with an error.
func OpenOn(socket *net.UDPConn, o Options, generation uint8, k Keys, j *health.Journal, log *slog.Logger) (*Steerer, error) {
	s, err := newSteerer(o, generation, k, j, log)
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	s.socket = socket
	if err := errors.Join(receiveTogether(socket, s.v6), setFragments(socket, s.v6, true)); err != nil {
		_ = socket.Close()
		return nil, fmt.Errorf("tunnel on %v: %w", socket.LocalAddr(), err)
	}
	_ = socket.SetReadBuffer(socketBuffer) // what the host allows serves
	_ = socket.SetWriteBuffer(socketBuffer)
	return s, nil
}

// Local is a Steerer of a node that steers to no other: only the processes of one node that follow each other tell their
// connections apart by it. Keys are LocalKeys of the first of them.
func Local(generation uint8, k Keys, j *health.Journal, log *slog.Logger) (*Steerer, error) {
	return newSteerer(Options{Metro: 1, Host: 1, MaxDatagram: maxDatagramRoom, Rate: 1}, generation, k, j, log)
}

// LocalKeys are random keys for Local.
func LocalKeys() Keys {
	root := make([]byte, TunnelKeyLen)
	_, _ = rand.Read(root) // never fails
	return Keys{
		CID: map[uint8][]byte{0: derive(root, "connection IDs of one node", quiclb.KeyLen)}, Tunnel: map[uint8][]byte{0: root},
		Reset: derive(root, "stateless resets of one node", ResetKeyLen),
	}
}

func newSteerer(o Options, generation uint8, k Keys, j *health.Journal, log *slog.Logger) (*Steerer, error) {
	if !supported {
		return nil, errors.New("QUIC steering needs Linux: remove fleet.steering")
	}
	s := &Steerer{
		options: o, journal: j, log: log,
		stamps: newStamps(time.Now()),
		v6:     !o.Address.Unmap().Is4(), resets: newBucket(resetRate, time.Second),
		sources: newSources(max(o.Rate/sourceShare, 1), time.Second/4),
	}
	s.conns.Store(&map[vipTag]workers{})
	self := NodeID{o.Metro, o.Host}
	if o.Host == 0 {
		self = NodeID{}
	}
	return s, s.replace(ServerID{NodeID: self, Generation: generation}, k, o.Peers())
}

// sourceShare is which part of what may be forwarded to one node a network of clients gets.
const sourceShare = 4

// socketBuffer is what the tunnel's buffers should hold, as those of the VIPs do.
const socketBuffer = 7 << 20

// Supported says whether this system has what steering needs.
const Supported = supported

// Generation is this process's.
func (s *Steerer) Generation() uint8 { return s.table.Load().self.Generation }

// Tunnel is the tunnel's socket, for the process after this one; nil: there is none.
func (s *Steerer) Tunnel() *net.UDPConn { return s.socket }

// Addr is where the tunnel listens.
func (s *Steerer) Addr() netip.AddrPort { return s.socket.LocalAddr().(*net.UDPAddr).AddrPort() }

// Update replaces the other nodes. What is known of those that stay at their address stays.
func (s *Steerer) Update(peers []Peer) error {
	s.changes.Lock()
	defer s.changes.Unlock()
	t := s.table.Load()
	return s.replace(t.self, t.keys, peers)
}

// Renumber gives this node other numbers: what nodes that gossip have settled. The connections that it has made under the
// former ones end where their packets come next, so it is for the start, and for the rare case that two nodes had the same.
func (s *Steerer) Renumber(id NodeID) error {
	s.changes.Lock()
	defer s.changes.Unlock()
	t := s.table.Load()
	if t.self.NodeID == id {
		return nil
	}
	self := t.self
	self.NodeID = id
	return s.replace(self, t.keys, slices.DeleteFunc(t.known(), func(p Peer) bool { return p.ID == id }))
}

// ID is this node's numbers.
func (s *Steerer) ID() NodeID { return s.table.Load().self.NodeID }

// Rekey replaces the keys: connections that were made under others go on as long as theirs are among the new ones.
func (s *Steerer) Rekey(k Keys) error {
	s.changes.Lock()
	defer s.changes.Unlock()
	t := s.table.Load()
	return s.replace(t.self, k, t.known())
}

// known are the peers of t as they were given.
func (t *table) known() (list []Peer) {
	for _, p := range t.list {
		list = append(list, p.Peer)
	}
	return list
}

// replace replaces the table; the nonces of connection IDs go on where keys and self stay. s.changes is held.
func (s *Steerer) replace(self ServerID, k Keys, peers []Peer) error {
	if len(k.Reset) != ResetKeyLen {
		return fmt.Errorf("stateless reset key of %d octets: must have %d", len(k.Reset), ResetKeyLen)
	}
	before := s.table.Load()
	t, err := newTable(&s.options, self, s.stamps, k, peers, before)
	if err != nil {
		return err
	}
	if before != nil && before.self == self && reflect.DeepEqual(before.keys, k) {
		t.ids = before.ids
	} else if t.ids, err = newIDs(k, self); err != nil {
		return err
	}
	s.table.Store(t)
	return nil
}

// Run carries datagrams between nodes until ctx ends; then it says goodbye and closes the tunnel. It returns when all
// that it started has ended; the error is what ended it before.
func (s *Steerer) Run(ctx context.Context) error {
	defer s.Unfollow()
	if s.socket == nil {
		<-ctx.Done()
		s.TakeBack()
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var reading sync.WaitGroup
	var err error
	reading.Go(func() { // ends when the socket is closed
		defer cancel()
		err = s.receive()
	})
	s.keepBeat(ctx)
	s.Close()
	s.TakeBack() // nothing reads any more: it only ends
	reading.Wait()
	return err
}

// Close closes the tunnel of a Steerer that doesn't run.
func (s *Steerer) Close() {
	s.Unfollow()
	if s.socket != nil {
		_ = s.socket.Close()
	}
}

// ConnectionIDs makes the connection IDs of a worker, below MaxWorkers: of the transports that read the sockets with that
// number.
func (s *Steerer) ConnectionIDs(worker uint8) quic.ConnectionIDGenerator {
	return connectionIDs{s, worker}
}

type connectionIDs struct {
	s      *Steerer
	worker uint8
}

func (c connectionIDs) ConnectionIDLen() int { return CIDLen }

func (c connectionIDs) GenerateConnectionID() (quic.ConnectionID, error) {
	b, err := c.s.table.Load().ids.generators[c.worker].Append(make([]byte, 0, CIDLen))
	if err != nil {
		return quic.ConnectionID{}, err
	}
	return quic.ConnectionIDFromBytes(b), nil
}

// ResetKey is what the transports of a VIP's address make stateless reset tokens with, the same at every node. It must be
// used by those alone that read through Wrap: who doesn't, answers for connections that live elsewhere.
func (s *Steerer) ResetKey(vip netip.AddrPort) *quic.StatelessResetKey {
	key := quic.StatelessResetKey(resetKey(s.table.Load().keys, vip))
	return &key
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

package edgetls

import (
	"crypto/rand"
	"crypto/tls"
	"math"
	"slices"
	"sync"
	"time"
)

// How tickets' keys live. A stolen key opens the TLS 1.2 sessions of a day at most; those of TLS 1.3 keep forward
// secrecy by their key exchange.
const (
	ticketKeyLife = 24 * time.Hour
	// ticketKeys is how many days' keys open tickets: RFC 8446, section 4.6.1 lets a ticket live for seven days, and a
	// key seals for one.
	ticketKeys = 8
	noEpoch    = math.MinInt64
)

// TicketKeys returns the keys of one epoch's session tickets, of 32 octets each: the first, which is always there, seals,
// all open. Epochs are the days of Unix time, so nodes that derive the same keys open each other's tickets.
type TicketKeys func(epoch int64) [][]byte

// ShareTickets seals and opens session tickets under derived keys from now on, in place of random ones or of those
// derived before, in every configuration that s has given out. Tickets of yesterday's epoch and of tomorrow's open too:
// clocks differ.
func (s *Store) ShareTickets(keys TicketKeys) { s.tickets.share(keys) }

// RandomTickets are the random keys of a process's session tickets, for the process that comes after it.
type RandomTickets struct {
	Epoch int64    `json:"epoch"` // that the first seals in
	Keys  [][]byte `json:"keys"`  // of 32 octets, newest first
}

// RandomTickets returns the keys under which tickets are sealed as long as none are shared.
func (s *Store) RandomTickets() RandomTickets {
	s.tickets.rotate(time.Now())
	s.tickets.mu.Lock()
	defer s.tickets.mu.Unlock()
	r := RandomTickets{Epoch: s.tickets.epoch}
	for _, key := range s.tickets.random {
		r.Keys = append(r.Keys, slices.Clone(key[:]))
	}
	return r
}

// GoOnWith seals and opens tickets under the random keys of the process before, so that its clients resume. Keys of another
// length are left out.
func (s *Store) GoOnWith(r RandomTickets) {
	s.tickets.mu.Lock()
	defer s.tickets.mu.Unlock()
	var keys [][32]byte
	for _, key := range r.Keys {
		if len(key) == len([32]byte{}) {
			keys = append(keys, [32]byte(key))
		}
	}
	if len(keys) == 0 || s.tickets.derive != nil {
		return
	}
	s.tickets.random, s.tickets.epoch = keys, r.Epoch
	s.tickets.sealer.SetSessionTicketKeys(keys)
}

// ticketRing seals and opens session tickets: today's key seals, those of the days before open too. Keys are random, of
// this process, or derived, of every node that derives the same.
//
// A tls.Config has such a ring of its own, but a Clone takes only a copy of the keys, so the tickets of TCP would be
// lost on QUIC as soon as either rotated. Functions are shared by clones, therefore the ring hangs on those.
type ticketRing struct {
	sealer *tls.Config // holds the keys for its EncryptTicket and DecryptTicket, and does nothing else

	mu     sync.Mutex // guards the following fields
	derive TicketKeys // nil: keys are random
	random [][32]byte // newest first
	epoch  int64      // that the sealer's keys are for
}

func newTicketRing() *ticketRing { return &ticketRing{sealer: &tls.Config{}, epoch: noEpoch} }

func (r *ticketRing) wrap(state tls.ConnectionState, session *tls.SessionState) ([]byte, error) {
	r.rotate(time.Now())
	return r.sealer.EncryptTicket(state, session)
}

func (r *ticketRing) unwrap(ticket []byte, state tls.ConnectionState) (*tls.SessionState, error) {
	r.rotate(time.Now())
	return r.sealer.DecryptTicket(ticket, state)
}

// share takes derived keys from the next ticket on.
func (r *ticketRing) share(derive TicketKeys) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.derive, r.epoch = derive, noEpoch
}

// rotate brings in the keys of a new day.
func (r *ticketRing) rotate(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	epoch := now.Unix() / int64(ticketKeyLife/time.Second)
	if epoch == r.epoch {
		return
	}
	r.epoch = epoch
	if r.derive != nil {
		r.sealer.SetSessionTicketKeys(derived(r.derive, epoch))
		return
	}
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	r.random = slices.Insert(r.random, 0, key)
	r.random = r.random[:min(len(r.random), ticketKeys)]
	r.sealer.SetSessionTicketKeys(r.random)
}

// derived are the keys that open tickets in an epoch, in the order in which they are tried: today's, those of the days
// before, and tomorrow's, which a node whose clock is ahead seals with.
func derived(derive TicketKeys, epoch int64) (keys [][32]byte) {
	add := func(epoch int64) {
		for _, key := range derive(epoch) {
			keys = append(keys, [32]byte(key))
		}
	}
	for age := range int64(ticketKeys) {
		add(epoch - age)
	}
	add(epoch + 1)
	return keys
}

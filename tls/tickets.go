package edgetls

import (
	"crypto/rand"
	"crypto/tls"
	"slices"
	"sync"
	"time"
)

// How tickets' keys live. A stolen key opens the TLS 1.2 sessions of a day at most; those of TLS 1.3 keep forward
// secrecy by their key exchange.
const (
	ticketKeyLife = 24 * time.Hour
	// ticketKeys is how many keys open tickets: RFC 8446, section 4.6.1 lets a ticket live for seven days, and the
	// newest key seals until it is a day old.
	ticketKeys = 8
)

// ticketRing seals and opens session tickets. The newest key seals, all of them open. Keys are random, of this process.
//
// A tls.Config has such a ring of its own, but a Clone takes only a copy of the keys, so the tickets of TCP would be
// lost on QUIC as soon as either rotated. Functions are shared by clones, therefore the ring hangs on those.
type ticketRing struct {
	sealer *tls.Config // holds the keys for its EncryptTicket and DecryptTicket, and does nothing else

	mu   sync.Mutex // guards the following fields
	keys [][32]byte // newest first
	next time.Time  // when the newest gets old
}

func newTicketRing() *ticketRing { return &ticketRing{sealer: &tls.Config{}} }

func (r *ticketRing) wrap(state tls.ConnectionState, session *tls.SessionState) ([]byte, error) {
	r.rotate(time.Now())
	return r.sealer.EncryptTicket(state, session)
}

func (r *ticketRing) unwrap(ticket []byte, state tls.ConnectionState) (*tls.SessionState, error) {
	r.rotate(time.Now())
	return r.sealer.DecryptTicket(ticket, state)
}

// rotate brings in a new key when the newest is a day old.
func (r *ticketRing) rotate(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Before(r.next) {
		return
	}
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	r.keys = slices.Insert(r.keys, 0, key)
	r.keys = r.keys[:min(len(r.keys), ticketKeys)]
	r.next = now.Add(ticketKeyLife)
	r.sealer.SetSessionTicketKeys(r.keys)
}

package edgetls

import (
	"crypto/tls"
	"sync"
	"sync/atomic"
)

// Store holds the certificates that are served. Its methods may be called concurrently.
type Store struct {
	config  *tls.Config
	tickets *ticketRing
	current atomic.Pointer[snapshot]

	mu     sync.Mutex // guards the following fields, and the order of stores to current
	loaded loaded
	added  []*entry
}

// Load returns a Store with the certificates of o. The error has every problem, each naming its file and what to do.
// Options without certificates are none: Add may bring them.
func Load(o Options) (*Store, error) {
	s := &Store{tickets: newTicketRing()}
	s.config = s.newConfig(s.tickets)
	if err := s.Replace(o); err != nil {
		return nil, err
	}
	return s, nil
}

// Replace serves the certificates of o in place of those that came from files before, all or nothing: with an error
// nothing changes. Those of Add stay. Handshakes under way finish with what they began with, and session tickets
// stay valid.
func (s *Store) Replace(o Options) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replace(o)
}

func (s *Store) replace(o Options) error {
	next, err := load(o)
	if err != nil {
		return err
	}
	s.loaded = next
	s.publish()
	return nil
}

// Add serves one more certificate, which came from no file. Its Leaf may be nil.
func (s *Store) Add(cert tls.Certificate) error {
	e, err := newEntry(&cert)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.added = append(s.added, e)
	s.publish()
	return nil
}

// publish makes a snapshot of what is loaded and added. s.mu is held.
func (s *Store) publish() {
	entries := make([]*entry, 0, len(s.loaded.entries)+len(s.added))
	entries = append(append(entries, s.loaded.entries...), s.added...)
	s.current.Store(newSnapshot(entries, s.strictConfig(s.loaded.options)))
}

// Certificates lists what is served, in the order of the configuration.
func (s *Store) Certificates() []CertificateInfo {
	entries := s.current.Load().entries
	list := make([]CertificateInfo, len(entries))
	for i, e := range entries {
		list[i] = e.info()
	}
	return list
}

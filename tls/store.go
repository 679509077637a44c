package edgetls

import (
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Store holds the certificates that are served. Its methods may be called concurrently.
type Store struct {
	config     *tls.Config
	tickets    *ticketRing
	current    atomic.Pointer[snapshot]
	challenges atomic.Pointer[challengeFinder]
	uncovered  atomic.Pointer[func(name string)]

	mu      sync.Mutex // guards the following fields, and the order of stores to current
	loaded  loaded
	added   []*entry
	managed []*entry
}

// Managed is a certificate that an authority has issued to this node.
type Managed struct {
	Certificate tls.Certificate // its Leaf may be nil
	Authority   string          // who has issued it, for people
}

// Load returns a Store with the certificates of o. The error has every problem, each naming its file and what to do.
// Options without certificates are none: Add may bring them.
func Load(o Options) (*Store, error) {
	var errs []error
	s := LoadEach(o, func(_ string, err error) { errs = append(errs, err) })
	return s, errors.Join(errs...)
}

// LoadEach is Load that reports every problem by the key of what has it; the Store is nil where there is one.
func LoadEach(o Options, report func(key string, err error)) *Store {
	good := true
	l := load(o, func(key string, err error) {
		good = false
		report(key, err)
	})
	if !good {
		return nil
	}
	s := &Store{tickets: newTicketRing(), loaded: l}
	s.config = s.newConfig(s.tickets)
	s.publish()
	return s
}

// OnUncovered has f told of each handshake for a name that no certificate covers, in lower case. f must not wait.
func (s *Store) OnUncovered(f func(name string)) { s.uncovered.Store(&f) }

// choose chooses a certificate for a handshake.
func (s *Store) choose(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
	snapshot := s.current.Load()
	if tell := s.uncovered.Load(); tell != nil && h.ServerName != "" && len(snapshot.candidates(h)) == 0 {
		(*tell)(strings.ToLower(h.ServerName))
	}
	return snapshot.certificate(h)
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
	var errs []error
	next := load(o, func(_ string, err error) { errs = append(errs, err) })
	if err := errors.Join(errs...); err != nil {
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

// SetManaged serves list in place of what it was given before: certificates that an authority issues to this node and
// that are renewed by themselves. A name that a certificate from a file or of Add has stays with that one.
// With an error nothing changes.
func (s *Store) SetManaged(list []Managed) error {
	entries := make([]*entry, len(list))
	for i := range list {
		cert := list[i].Certificate
		e, err := newEntry(&cert)
		if err != nil {
			return err
		}
		e.authority = list[i].Authority
		entries[i] = e
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.managed = entries
	s.publish()
	return nil
}

// publish makes a snapshot of what is loaded, added and managed. s.mu is held.
func (s *Store) publish() {
	own := slices.Concat(s.loaded.entries, s.added)
	next := newSnapshot(own, s.managed, s.policyConfig(s.loaded.options))
	next.strict, next.ech = s.loaded.options.StrictSNI, serverKeys(s.loaded.ech)
	s.current.Store(next)
}

// Certificates lists what is served, in the order of the configuration; managed ones come last.
func (s *Store) Certificates() []CertificateInfo {
	entries := s.current.Load().entries
	list := make([]CertificateInfo, len(entries))
	for i, e := range entries {
		list[i] = e.info()
	}
	return list
}

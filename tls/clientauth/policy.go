package clientauth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anyedge/anyedge/tls/files"
)

// ErrNoCertificate is that of a connection whose client has shown no certificate, where one is required.
var ErrNoCertificate = errors.New("the client has shown no certificate")

// Policy decides which certificates one site takes. Its methods may be called concurrently.
type Policy struct {
	options Options
	own     *x509.Certificate
	current atomic.Pointer[rules]

	mu     sync.Mutex // guards the following field, and the order of stores to current
	stamps files.Stamps
}

// Load reads the files that o names; the error has every problem. A connection with the certificate own, if that isn't nil,
// gets through the handshake, though not through Verify: it is this node's, which asks itself whether it serves.
func Load(o Options, own *x509.Certificate) (*Policy, error) {
	p := &Policy{options: o, own: own}
	return p, p.read()
}

// read reads the files. p.mu is held, or p is nobody else's yet.
func (p *Policy) read() error {
	stamps := files.Look(p.paths()...) // before the reading, so that a change meanwhile is seen later
	r, err := readRules(p.options)
	if err != nil {
		return err
	}
	p.stamps = stamps
	p.current.Store(r)
	return nil
}

func (p *Policy) paths() []string { return append([]string{p.options.CAFile}, p.options.CRLFiles...) }

// Reload reads the files again if one has changed since they were last read without a mistake: all or nothing.
func (p *Policy) Reload() (changed bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if files.Look(p.paths()...).Equal(p.stamps) {
		return false, nil
	}
	return true, p.read()
}

// Verify decides whether a request may come by a connection: with the client that its certificate names, or with nil where
// it has none and needs none. state may be nil, that of a connection without TLS.
func (p *Policy) Verify(state *tls.ConnectionState, now time.Time) (*Client, error) {
	if state == nil || len(state.PeerCertificates) == 0 {
		if p.options.Mode == Optional {
			return nil, nil
		}
		return nil, ErrNoCertificate
	}
	return p.current.Load().verify(state.PeerCertificates, now)
}

// Status describes a policy, for people.
type Status struct {
	CAFile string       `json:"ca_file"`
	Mode   string       `json:"mode"`
	Lists  []ListStatus `json:"revocation_lists,omitempty"`
}

// ListStatus describes a revocation list.
type ListStatus struct {
	File    string    `json:"file"`
	Issuer  string    `json:"issuer"`
	Revoked int       `json:"revoked"` // certificates
	Due     time.Time `json:"next_update,omitzero"`
	// Warning says what is wrong with it, and what follows.
	Warning string `json:"warning,omitempty"`
}

// Status describes p now, its lists in the order of their files.
func (p *Policy) Status(now time.Time) Status {
	r := p.current.Load()
	s := Status{CAFile: p.options.CAFile, Mode: p.options.Mode}
	for _, file := range p.options.CRLFiles {
		for _, l := range r.lists {
			if l.file == file {
				s.Lists = append(s.Lists, ListStatus{File: l.file, Issuer: l.issuer, Revoked: len(l.revoked), Due: l.due, Warning: p.warning(l, now)})
			}
		}
	}
	return s
}

func (p *Policy) warning(l *list, now time.Time) string {
	switch {
	case !l.expired(now):
		return ""
	case p.options.ExpiredCRL == UseExpired:
		return "is past its time: what was revoked since isn't known"
	}
	return "is past its time: no certificate of its authority is taken"
}

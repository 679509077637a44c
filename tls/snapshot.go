package edgetls

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// errNoCertificate becomes an internal_error alert: there is nothing to serve.
var errNoCertificate = errors.New("choose a certificate: there is none: add tls.certificates, or look at what tls.acme waits for")

// snapshot answers which certificate is served for a name. It is immutable.
type snapshot struct {
	entries   []*entry // in the order of the configuration; the first is the default
	config    *tls.Config
	exact     map[string][]*tls.Certificate
	wildcard  map[string][]*tls.Certificate // *.example.com by .example.com
	addresses map[netip.Addr][]*tls.Certificate
	own       map[*tls.Certificate]bool // not managed
	strict    bool                      // the default one is for nobody
	ech       []tls.EncryptedClientHelloKey
}

// newSnapshot indexes own, and those names of managed that none of own has.
func newSnapshot(own, managed []*entry, config *tls.Config) *snapshot {
	s := &snapshot{
		entries: slices.Concat(own, managed), config: config,
		exact:     map[string][]*tls.Certificate{},
		wildcard:  map[string][]*tls.Certificate{},
		addresses: map[netip.Addr][]*tls.Certificate{},
		own:       map[*tls.Certificate]bool{},
	}
	// Cheapest signature first, so that a client that takes either gets that; else the configuration's order.
	byCost := slices.Clone(own)
	slices.SortStableFunc(byCost, func(a, b *entry) int { return cmp.Compare(a.cost(), b.cost()) })
	for _, e := range byCost {
		s.index(e)
	}
	for _, e := range managed {
		s.indexMissing(e)
	}
	return s
}

// indexMissing indexes the names of e that nothing has yet.
func (s *snapshot) indexMissing(e *entry) {
	for _, name := range e.names() {
		parent, wild := strings.CutPrefix(name, "*")
		switch {
		case wild && s.wildcard[parent] == nil:
			s.wildcard[parent] = []*tls.Certificate{e.cert}
		case !wild && s.exact[name] == nil:
			s.exact[name] = []*tls.Certificate{e.cert}
		}
	}
}

func (s *snapshot) index(e *entry) {
	s.own[e.cert] = true
	for _, name := range e.names() {
		if parent, ok := strings.CutPrefix(name, "*"); ok {
			s.wildcard[parent] = append(s.wildcard[parent], e.cert)
		} else {
			s.exact[name] = append(s.exact[name], e.cert)
		}
	}
	for _, ip := range e.cert.Leaf.IPAddresses {
		if a, ok := netip.AddrFromSlice(ip); ok {
			s.addresses[a.Unmap()] = append(s.addresses[a.Unmap()], e.cert)
		}
	}
}

// certificate chooses by SNI (RFC 6066, section 3): the exact name, then a wildcard, which stands for one label
// (RFC 9525, section 6.3). Without a name, the certificate of the address that the client reached.
//
// A name that no certificate covers gets the default one, the first, and no unrecognized_name alert: a client that
// checks names sees which certificate it got, one that doesn't is served, and the site's own answer is 421. Where the
// options are strict it gets that alert, which nil leads to.
func (s *snapshot) certificate(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if len(s.entries) == 0 {
		return nil, errNoCertificate
	}
	if c := pick(h, s.candidates(h)); c != nil {
		return c, nil
	}
	if s.strict {
		return nil, nil
	}
	return s.entries[0].cert, nil
}

func (s *snapshot) candidates(h *tls.ClientHelloInfo) []*tls.Certificate {
	if h.ServerName == "" {
		return s.addresses[localAddr(h.Conn)]
	}
	name := strings.ToLower(h.ServerName)
	if found := s.exact[name]; found != nil {
		return found
	}
	if dot := strings.IndexByte(name, '.'); dot > 0 {
		return s.wildcard[name[dot:]]
	}
	return nil
}

// pick returns the first candidate that the client can verify; the first, where it can verify none.
func pick(h *tls.ClientHelloInfo, candidates []*tls.Certificate) *tls.Certificate {
	switch len(candidates) {
	case 0:
		return nil
	case 1:
		return candidates[0] // whatever the client makes of it: there is no other
	}
	for _, c := range candidates {
		if h.SupportsCertificate(c) == nil {
			return c
		}
	}
	return candidates[0]
}

// localAddr is the address that the client reached, or none.
func localAddr(c net.Conn) netip.Addr {
	if c == nil {
		return netip.Addr{}
	}
	switch a := c.LocalAddr().(type) {
	case *net.TCPAddr:
		return a.AddrPort().Addr().Unmap()
	case *net.UDPAddr:
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

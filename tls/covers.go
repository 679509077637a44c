package edgetls

import (
	"crypto/tls"
	"strings"
	"time"
)

// Until is the end of the last certificate that is served for a host name, or a wildcard such as *.example.com; false
// when none covers it. One that isn't valid yet covers nothing.
func (s *Store) Until(name string, now time.Time) (until time.Time, ok bool) {
	for _, c := range s.current.Load().covering(name) {
		if leaf := c.Leaf; !now.Before(leaf.NotBefore) && leaf.NotAfter.After(until) {
			until, ok = leaf.NotAfter, true
		}
	}
	return until, ok
}

// HasOwn tells whether a certificate from a file or of Add covers a host name or a wildcard.
func (s *Store) HasOwn(name string) bool {
	snapshot := s.current.Load()
	for _, c := range snapshot.covering(name) {
		if snapshot.own[c] {
			return true
		}
	}
	return false
}

// covering are the certificates for a name; one for *.example.com covers that wildcard, and each name with one label in
// its place.
func (s *snapshot) covering(name string) []*tls.Certificate {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	_, parent, _ := strings.Cut(name, ".")
	exact, wild := s.exact[name], s.wildcard["."+parent]
	return append(exact[:len(exact):len(exact)], wild...)
}

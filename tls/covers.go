package edgetls

import (
	"slices"
	"strings"
	"time"
)

// Until is the end of the last certificate that covers a host name, or a wildcard such as *.example.com; false when none
// does. One that isn't valid yet covers nothing.
func (s *Store) Until(name string, now time.Time) (until time.Time, ok bool) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for _, e := range s.current.Load().entries {
		if leaf := e.cert.Leaf; e.covers(name) && !now.Before(leaf.NotBefore) && leaf.NotAfter.After(until) {
			until, ok = leaf.NotAfter, true
		}
	}
	return until, ok
}

// covers tells whether a certificate is for a name in lower case; one for *.example.com covers that wildcard, and each
// name with one label in its place.
func (e *entry) covers(name string) bool {
	_, parent, _ := strings.Cut(name, ".")
	return slices.ContainsFunc(e.names(), func(n string) bool { return n == name || n == "*."+parent })
}

package bgp

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// settings is a configuration, read and checked. It is never changed once made.
type settings struct {
	options   Options
	allowed   []netip.Prefix // sorted by comparePrefixes
	neighbors []neighbor
	levels    ladder
}

// newSettings reads o and the password files it names. The error joins all mistakes.
func newSettings(o Options, allowed []netip.Prefix) (*settings, error) {
	var errs []error
	o.Check(func(key, problem string) { errs = append(errs, fmt.Errorf("bgp.%s: %s", key, problem)) })
	s := &settings{options: o, levels: newLadder(o.Levels, func(string, string) {})} // Check has reported
	for i := range o.Peers {
		p := o.Peers[i]
		p.Port = cmp.Or(p.Port, defaultPort)
		password, err := readPassword(p.PasswordFile)
		if err != nil {
			errs = append(errs, fmt.Errorf("bgp.peers[%s].%w", p.Name, err))
		}
		extra := readCommunities(p.Communities, func(string, string) {}) // Check has reported
		s.neighbors = append(s.neighbors, neighbor{Peer: p, extra: extra, password: password, ownASN: o.ASN, holdTime: o.HoldTime})
	}
	for _, p := range allowed {
		if problem := o.CheckPrefix(p); problem != "" {
			errs = append(errs, fmt.Errorf("announce %s: %s", p, problem))
		}
	}
	s.allowed = slices.Compact(slices.SortedFunc(slices.Values(allowed), comparePrefixes))
	return s, errors.Join(errs...)
}

func (s *settings) allows(p netip.Prefix) bool {
	_, found := slices.BinarySearchFunc(s.allowed, p, comparePrefixes)
	return found
}

// allowsHost says whether p is a single address within what may be announced, and not announced by itself.
func (s *settings) allowsHost(p netip.Prefix) bool {
	within := func(a netip.Prefix) bool { return a.Contains(p.Addr()) && a.Bits() < p.Bits() }
	return p.IsSingleIP() && slices.ContainsFunc(s.allowed, within)
}

// blackholing says whether some peer takes routes to addresses that it shall drop.
func (s *settings) blackholing() bool {
	return slices.ContainsFunc(s.neighbors, func(n neighbor) bool { return n.Blackhole })
}

// policyInput is what the policies must let through: the paths of these settings, and during a change those of before.
func (s *settings) policyInput(before *settings) policyInput {
	in := policyInput{asn: s.options.ASN, peers: s.neighbors, allowed: s.allowed}
	in.classes = classes(slices.Concat(s.options.Peers, before.options.Peers))
	for _, of := range []*settings{s, before} {
		for _, set := range of.levels {
			same := func(other attributeSet) bool { return other.fingerprint() == set.fingerprint() }
			if !slices.ContainsFunc(in.sets, same) {
				in.sets = append(in.sets, set)
			}
		}
	}
	return in
}

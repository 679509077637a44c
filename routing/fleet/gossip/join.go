package gossip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// joinPause is how long nobody is asked again to let this node in.
const joinPause = 10 * time.Second

// Seed is an address of the configuration at which the fleet may be found.
type Seed struct {
	Address string `json:"address"`
	Problem string `json:"problem,omitempty"` // why the last try failed; none before the first, and for a node that is a member
}

// seeds are where the fleet is looked for.
type seeds struct {
	mu   sync.Mutex // guards the following fields
	list []Seed
}

func (s *seeds) configure(addresses []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.list
	s.list = nil
	for _, a := range addresses {
		next := Seed{Address: a}
		if i := slices.IndexFunc(old, func(o Seed) bool { return o.Address == a }); i >= 0 {
			next = old[i]
		}
		s.list = append(s.list, next)
	}
}

func (s *seeds) snapshot() []Seed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
}

// note keeps what a try came to, and says whether that is news.
func (s *seeds) note(address, problem string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.list, func(o Seed) bool { return o.Address == address })
	if i < 0 || s.list[i].Problem == problem {
		return false
	}
	s.list[i].Problem = problem
	return problem != ""
}

// joinAll asks at every address where a node of the fleet may be, but isn't a member: those of the configuration, and
// those of members that failed. So a partition heals, whichever side comes back first.
func (m *Mesh) joinAll(ctx context.Context) {
	var tries sync.WaitGroup
	places := make(chan struct{}, 8)
	try := func(f func()) {
		select {
		case places <- struct{}{}:
			tries.Go(func() { defer func() { <-places }(); f() }) // ended by the transport's end, at the latest
		case <-ctx.Done():
		}
	}
	for _, s := range m.seeds.snapshot() {
		try(func() { m.joinSeed(ctx, s.Address) })
	}
	for _, a := range m.members.lost() {
		try(func() { _, _ = m.list.Join([]string{a.String()}) })
	}
	tries.Wait()
}

func (m *Mesh) joinSeed(ctx context.Context, seed string) {
	err := m.join(ctx, seed)
	if ctx.Err() != nil {
		return
	}
	problem := ""
	if err != nil {
		problem = plain(err)
	}
	if m.seeds.note(seed, problem) {
		m.event(m.config.Name, fmt.Sprintf("fleet: join %s: %s", seed, problem))
	}
}

// join asks at every address of a seed that isn't a member's or this node's own.
func (m *Mesh) join(ctx context.Context, seed string) error {
	addresses, err := resolve(ctx, seed)
	if err != nil {
		return err
	}
	var errs []error
	for _, a := range addresses {
		if a == m.Address() || m.members.reaches(a) {
			continue
		}
		if _, err := m.list.Join([]string{a.String()}); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) < len(addresses) {
		return nil
	}
	return errors.Join(errs...)
}

// resolve is where a seed is: HOST:PORT, by whatever name.
func resolve(ctx context.Context, seed string) ([]netip.AddrPort, error) {
	if at, err := netip.ParseAddrPort(seed); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(at.Addr().Unmap(), at.Port())}, nil
	}
	host, service, err := net.SplitHostPort(seed)
	if err != nil {
		return nil, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "tcp", service)
	if err != nil {
		return nil, err
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var list []netip.AddrPort
	for _, a := range found {
		list = append(list, netip.AddrPortFrom(a.Unmap(), uint16(port)))
	}
	return list, nil
}

// plain is why a try to join failed, for people.
func plain(err error) string {
	text := err.Error()
	if why := foreignText(text); why != "" {
		return why + ": is fleet.secret_file the same on both nodes?"
	}
	// memberlist lists what failed, each on a line with a bullet: one address was asked.
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimPrefix(strings.TrimSpace(lines[len(lines)-1]), "* ")
}

package dns01

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/libdns/libdns"
	"github.com/mholt/acmez/v3"
	acmeproto "github.com/mholt/acmez/v3/acme"
)

const (
	// ttl is that of the records: who looks too early must not remember for long that there was none.
	ttl = time.Minute
	// cleanLimit bounds the deletion of a record.
	cleanLimit = 30 * time.Second
)

// Solver answers dns-01 challenges. It fulfils acmez.Solver and acmez.Waiter; its methods may be called concurrently.
type Solver struct{ hosts []host }

// host is who hosts some zones.
type host struct {
	Options
	provider
}

var (
	_ acmez.Solver = (*Solver)(nil)
	_ acmez.Waiter = (*Solver)(nil)
)

// New returns a Solver for the zones of list. It reads the files that list names, and asks nobody yet.
func New(list []Options) (*Solver, error) {
	s := &Solver{}
	for _, o := range list {
		p, err := newProvider(&o)
		if err != nil {
			return nil, err
		}
		s.hosts = append(s.hosts, host{o, p})
	}
	return s, nil
}

// Covers tells whether name, which may be a wildcard, is in one of the zones.
func (s *Solver) Covers(name string) bool {
	h, _ := s.find(name)
	return h != nil
}

// find is who hosts the longest zone that name is in.
func (s *Solver) find(name string) (best *host, zone string) {
	for i := range s.hosts {
		if z := s.hosts[i].zoneOf(name); len(z) > len(zone) {
			best, zone = &s.hosts[i], z
		}
	}
	return best, zone
}

// record is what an authority looks for.
type record struct {
	host *host
	zone string
	name string // the record's, without a dot at its end
	text string
}

func (s *Solver) record(ctx context.Context, c acmeproto.Challenge) (*record, error) {
	h, zone := s.find(c.Identifier.Value)
	if h == nil {
		return nil, fmt.Errorf("%s is in none of the zones of tls.acme.dns", c.Identifier.Value)
	}
	r := &record{h, zone, strings.TrimSuffix(c.DNS01TXTRecordName(), "."), c.DNS01KeyAuthorization()}
	if h.ChallengeZone == "" {
		return r, nil
	}
	var err error
	if r.name, err = h.delegated(ctx, r.name); err != nil {
		return nil, err
	}
	r.zone = h.ChallengeZone
	return r, nil
}

func (r *record) rr() libdns.Record {
	return libdns.TXT{Name: libdns.RelativeName(r.name+".", r.zone+"."), TTL: ttl, Text: r.text}
}

// Present adds the record of c.
func (s *Solver) Present(ctx context.Context, c acmeproto.Challenge) error {
	r, err := s.record(ctx, c)
	if err != nil {
		return err
	}
	if _, err := r.host.AppendRecords(ctx, r.zone+".", []libdns.Record{r.rr()}); err != nil {
		return fmt.Errorf("add %s to the zone %s by %s: %w", r.name, r.zone, r.host.who(), err)
	}
	return nil
}

// CleanUp deletes the record of c. ctx may have ended.
func (s *Solver) CleanUp(ctx context.Context, c acmeproto.Challenge) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanLimit)
	defer cancel()
	r, err := s.record(ctx, c)
	if err != nil {
		return err
	}
	if _, err := r.host.DeleteRecords(ctx, r.zone+".", []libdns.Record{r.rr()}); err != nil {
		return fmt.Errorf("delete %s from the zone %s by %s: %w", r.name, r.zone, r.host.who(), err)
	}
	return nil
}

// who is the provider for people.
func (h *host) who() string {
	if h.Server != "" {
		return h.Provider + " at " + h.Server
	}
	return h.Provider
}

// Wait waits until every name server of the zone has the record of c.
func (s *Solver) Wait(ctx context.Context, c acmeproto.Challenge) error {
	r, err := s.record(ctx, c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.host.Propagation)
	defer cancel()
	return r.propagated(ctx)
}

package dns01

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// The first pause between two looks, which doubles, and the longest.
const (
	firstPause = 250 * time.Millisecond
	longPause  = 5 * time.Second
)

// queryTimeout bounds one question to one name server.
const queryTimeout = 3 * time.Second

// resolvFile names the system's resolvers.
const resolvFile = "/etc/resolv.conf"

// propagated waits until all name servers have r, or ctx has ended.
func (r *record) propagated(ctx context.Context) error {
	var missing error
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		err := r.missing(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || missing == nil {
			missing = err // the last that isn't of the time's end
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the record %s: not within %s: %w", r.name, r.host.Propagation, missing)
		case <-time.After(pause):
		}
	}
}

// missing says which name servers haven't r yet.
func (r *record) missing(ctx context.Context) error {
	servers, err := r.servers(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range servers {
		if err := r.missingAt(ctx, s); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// server is a name server with its addresses.
type server struct {
	name      string
	addresses []string // HOST:PORT
}

// servers are the name servers that must have r.
func (r *record) servers(ctx context.Context) (list []server, err error) {
	for _, s := range r.host.NameServers {
		list = append(list, server{s, []string{s}})
	}
	if list != nil {
		return list, nil
	}
	resolver, err := r.host.resolver()
	if err != nil {
		return nil, err
	}
	answer, err := query(ctx, resolver, r.zone, dns.TypeNS, true)
	if err != nil {
		return nil, fmt.Errorf("ask %s for the name servers of %s: %w", resolver, r.zone, err)
	}
	for _, rr := range answer.Answer {
		if ns, ok := rr.(*dns.NS); ok {
			list = append(list, server{strings.TrimSuffix(ns.Ns, "."), addressesOf(ctx, resolver, ns.Ns)})
		}
	}
	if list == nil {
		return nil, fmt.Errorf("ask %s for the name servers of %s: it names none: is that the name of a zone?", resolver, r.zone)
	}
	return list, nil
}

func (h *host) resolver() (string, error) {
	if h.Resolver != "" {
		return h.Resolver, nil
	}
	c, err := dns.ClientConfigFromFile(resolvFile)
	if err != nil {
		return "", fmt.Errorf("find a resolver: %w", err)
	}
	if len(c.Servers) == 0 {
		return "", fmt.Errorf("find a resolver: %s has none: set tls.acme.dns[].resolver", resolvFile)
	}
	return net.JoinHostPort(c.Servers[0], c.Port), nil
}

// addressesOf are those of a name server, with the port of DNS; a family that isn't known is missed by nobody.
func addressesOf(ctx context.Context, resolver, name string) (list []string) {
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		answer, err := query(ctx, resolver, name, kind, true)
		if err != nil {
			continue
		}
		for _, rr := range answer.Answer {
			switch rr := rr.(type) {
			case *dns.A:
				list = append(list, net.JoinHostPort(rr.A.String(), "53"))
			case *dns.AAAA:
				list = append(list, net.JoinHostPort(rr.AAAA.String(), "53"))
			}
		}
	}
	return list
}

// missingAt says why s may not have r. An address that doesn't answer is of no account where another one does: this node
// may have no way to a family.
func (r *record) missingAt(ctx context.Context, s server) error {
	var silent []error
	answered := false
	for _, address := range s.addresses {
		answer, err := query(ctx, address, r.name, dns.TypeTXT, false)
		if err != nil {
			silent = append(silent, fmt.Errorf("%s at %s: %w", s.name, address, err))
			continue
		}
		if !hasText(answer, r.text) {
			return fmt.Errorf("%s at %s doesn't have it", s.name, address)
		}
		answered = true
	}
	switch {
	case answered:
		return nil
	case silent == nil:
		return fmt.Errorf("%s has no address", s.name)
	}
	return errors.Join(silent...)
}

func hasText(m *dns.Msg, text string) bool {
	return slices.ContainsFunc(m.Answer, func(rr dns.RR) bool {
		t, ok := rr.(*dns.TXT)
		return ok && strings.Join(t.Txt, "") == text
	})
}

// query asks one server one question: over TCP again where the answer was truncated. A name that isn't there is an answer.
func query(ctx context.Context, server, name string, kind uint16, recurse bool) (*dns.Msg, error) {
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
	m.RecursionDesired = recurse
	var answer *dns.Msg
	for _, network := range []string{"udp", "tcp"} {
		c := dns.Client{Net: network, Timeout: queryTimeout}
		var err error
		if answer, _, err = c.ExchangeContext(ctx, m, server); err != nil {
			return nil, err
		}
		if !answer.Truncated {
			break
		}
	}
	if answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError {
		return nil, fmt.Errorf("it answers %s", dns.RcodeToString[answer.Rcode])
	}
	return answer, nil
}

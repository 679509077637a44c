package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/proxy/origin/h1"
)

const (
	maxProbeContent = 64 << 10         // read of a probe's answer, so that its connection can be used again
	resolveInterval = 30 * time.Second // how often names are looked up again for connections to addresses they left
)

// Run probes the servers until ctx ends, and then returns nil. Without Probe.Path it only follows their names.
func (p *Pool) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, s := range p.servers {
		if p.options.Probe.Path != "" {
			all.Go(func() { p.probeAlways(ctx, s) })
		}
		if _, err := netip.ParseAddr(s.url.Hostname()); err != nil {
			all.Go(func() { p.followName(ctx, s) })
		}
	}
	all.Wait()
	return nil
}

func (p *Pool) probeAlways(ctx context.Context, s *server) {
	for {
		p.probe(ctx, s)
		if ctx.Err() != nil {
			return
		}
		// A tenth of jitter, so that the probes of many nodes don't come in step.
		interval := p.options.Probe.Interval
		if !sleep(ctx, interval-interval/20+rand.N(interval/10+1)) {
			return
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// probe asks s once and reports what comes of it.
func (p *Pool) probe(ctx context.Context, s *server) {
	err := p.ask(ctx, s)
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	turned := s.answered(time.Now(), p.options.Probe, err)
	state := s.probed
	up, complete, detail := p.census()
	p.handOut()
	p.mu.Unlock()
	if turned {
		p.tell(s, state, err)
	}
	if complete {
		p.reporter.Servers(p.name, up, len(p.servers), detail)
	}
}

// census counts the servers that are up, and says why the others are down; complete once the probes know of each. An
// origin that never answered is unknown until then, not up.
// The pool's mutex is held.
func (p *Pool) census() (up int, complete bool, detail string) {
	var down []string
	complete = true
	for _, s := range p.servers {
		switch s.probed {
		case Unprobed:
			complete = false
		case Up:
			up++
		case Down:
			down = append(down, s.url.Host+": "+s.lastError)
		}
	}
	return up, complete, strings.Join(down, "; ")
}

func (p *Pool) tell(s *server, state State, err error) {
	text := fmt.Sprintf("%s %s", s.url, state)
	if err != nil {
		text = fmt.Sprintf("%s down: %d probes in a row failed: %v", s.url, p.options.Probe.Fall, err)
		s.closeIdle() // connections to a server that went away; a new one finds it when it is back
	}
	p.journal.Add(health.EventOrigin, p.name, text)
	attrs := []any{"origin", p.name, "server", s.url.String()}
	if err != nil {
		attrs = append(attrs, "error", err)
	}
	p.log.Info("server "+string(state), attrs...)
}

// ask makes one probe; nil is a 2xx or 3xx.
func (p *Pool) ask(ctx context.Context, s *server) error {
	ctx, cancel := context.WithTimeout(ctx, p.options.Probe.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url.Scheme+"://"+s.url.Host+p.options.Probe.Path, nil)
	if err != nil {
		return err
	}
	for _, host := range []string{p.options.Probe.Host, p.options.Host} {
		if host != "" {
			req.Host = host
			break
		}
	}
	req.Header.Set("User-Agent", "anyedge-probe")
	resp, err := s.transports.Load().probe(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.CopyN(io.Discard, resp.Body, maxProbeContent); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 399 {
		return fmt.Errorf("GET %s answered %s", p.options.Probe.Path, resp.Status)
	}
	return nil
}

// probe sends r over the connections that requests like it use.
func (t *transports) probe(r *http.Request) (*http.Response, error) {
	if h1.Takes(r) {
		return t.roundTrip(&h1.Request{Request: r})
	}
	return t.usual.RoundTrip(r)
}

// followName leaves the connections of s behind when its name no longer leads to an address that it led to. New ones
// resolve anew by themselves.
func (p *Pool) followName(ctx context.Context, s *server) {
	var known []string
	for {
		found, err := p.resolver().LookupHost(ctx, s.url.Hostname())
		if err == nil {
			if slices.ContainsFunc(known, func(a string) bool { return !slices.Contains(found, a) }) {
				s.renew()
				p.journal.Add(health.EventOrigin, p.name, fmt.Sprintf("%s leads to %s now", s.url.Hostname(), strings.Join(found, ", ")))
			}
			known = found
		}
		if !sleep(ctx, resolveInterval) {
			return
		}
	}
}

func (p *Pool) resolver() *net.Resolver {
	if p.options.Resolver != nil {
		return p.options.Resolver
	}
	return net.DefaultResolver
}

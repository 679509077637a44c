package acme

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/anyedge/anyedge/health"
)

// step looks at one name: its certificate is loaded, obtained or renewed as it needs. It is the only one for t.
func (m *Manager) step(ctx context.Context, s *settings, t *task, told bool) {
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	if s != nil && !m.wantedStill(ctx, s, t) {
		return
	}
	h, err := m.tend(ctx, s, t, told)
	m.finish(ctx, t, h, err)
}

// tend returns the certificate that name has in the end, if any, and why it hasn't a better one.
// Where there are other nodes, one of them obtains and renews, and this one takes what that has; told says that there is
// something new.
func (m *Manager) tend(ctx context.Context, s *settings, t *task, told bool) (*held, error) {
	if s == nil {
		return nil, errNotConfigured
	}
	name := t.name
	for _, err := range s.mend(ctx, name) {
		m.config.Log.Warn("acme storage", "name", name, "error", err)
	}
	magic, cache := s.magic()
	defer cache.Stop()
	err := m.settle(ctx, s, name, told)
	if err == nil {
		err = m.obtain(ctx, s, magic, t)
	}
	if waits(err) || errors.Is(err, errNotDue) {
		m.exchange(ctx, s, name)
		if _, cached := magic.CacheManagedCertificate(ctx, name); cached == nil {
			err = nil // it has been taken from another node, or nothing was due
		}
	}
	h := s.stored(context.WithoutCancel(ctx), name)
	switch {
	case h != nil:
		h.staple(cache, name)
	case err == nil:
		err = errUnreadable
	}
	return h, err
}

// manage lets certmagic do what is to be done.
func manage(ctx context.Context, magic *certmagic.Config, name string) error {
	ctx, said := withRefusals(ctx)
	err := magic.ManageSync(ctx, []string{name})
	if err != nil {
		err = said.or(err)
	}
	return err
}

// errUnreadable is met when somebody else changes what is stored, while it is.
var errUnreadable = errors.New("the certificate was stored and can't be read back: is the storage used by others, or full?")

// staple takes over the OCSP response that certmagic has got for h.
func (h *held) staple(cache *certmagic.Cache, name string) {
	for _, c := range cache.AllMatchingCertificates(name) {
		if c.Leaf != nil && bytes.Equal(c.Leaf.Raw, h.certificate.Leaf.Raw) {
			h.certificate.OCSPStaple = c.OCSPStaple
		}
	}
}

// finish keeps the outcome of a step and tells of it.
func (m *Manager) finish(ctx context.Context, t *task, h *held, err error) {
	if ctx.Err() != nil && err != nil {
		err = fmt.Errorf("not within %s: %w", stepLimit, err)
	}
	now := time.Now()
	m.mu.Lock()
	was := t.held
	if h != nil {
		t.held = h
	}
	t.busy = false
	wait, waiting := errors.AsType[*errWaiting](err)
	switch {
	case err == nil:
		t.failures, t.problem = 0, nil
		t.next = nextLook(now, t.held.renewal, t.held.certificate.Leaf.NotAfter, m.config.Interval)
	case waiting:
		t.failures, t.problem, t.failed = 0, err, now
		t.next = now.Add(spread(wait.pause(m.config.Interval)))
	default:
		t.failures++
		t.problem, t.failed = err, now
		t.next = now.Add(spread(pause(m.config.Retry, t.failures, rateLimited(err))))
	}
	if t.told { // while it was looked at
		t.next = now
	}
	next, failures := t.next, t.failures
	m.mu.Unlock()
	if h != nil && !h.same(was) {
		m.tell(t.name, was, h)
	}
	if err != nil && !waiting && !errors.Is(context.Cause(ctx), context.Canceled) {
		m.complain(t.name, err, failures, next.Sub(now))
	}
}

// same tells whether clients see no difference.
func (h *held) same(other *held) bool {
	return other != nil && bytes.Equal(h.certificate.Leaf.Raw, other.certificate.Leaf.Raw) &&
		bytes.Equal(h.certificate.OCSPStaple, other.certificate.OCSPStaple)
}

// tell publishes a certificate that has changed, and says so where it isn't its OCSP response alone.
func (m *Manager) tell(name string, was, h *held) {
	m.publishSoon()
	if was != nil && bytes.Equal(was.certificate.Leaf.Raw, h.certificate.Leaf.Raw) {
		return
	}
	m.announce(name)
	text := fmt.Sprintf("certificate for %s obtained from %s, until %s", name, h.authority, h.certificate.Leaf.NotAfter.UTC().Format(time.DateTime))
	m.config.Journal.Add(health.EventNode, name, text)
	m.config.Log.Info("certificate obtained", "name", name, "authority", h.authority, "until", h.certificate.Leaf.NotAfter)
}

// announce tells the other nodes that there is something new of name. Those that don't hear of it ask by themselves.
func (m *Manager) announce(name string) {
	if t := m.config.Team; t != nil {
		others, _ := t.fleet.Others()
		for _, node := range others {
			t.send(node, message{Have: name})
		}
	}
}

// complain tells of a failure: the first in a row to everybody, the others to the log.
func (m *Manager) complain(name string, err error, failures int, next time.Duration) {
	m.config.Log.Warn("certificate not obtained", "name", name, "error", err, "failures", failures, "next", next.Round(time.Second))
	if failures == 1 {
		m.config.Journal.Add(health.EventNode, name, fmt.Sprintf("certificate for %s not obtained: %v", name, err))
	}
}

package acme

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/certmagic"
)

// vain is after how many failures in a row a node leaves a name to the next one.
const vain = 3

// errWaiting says that another node obtains a name. It is no failure.
type errWaiting struct {
	node   string
	silent bool // it doesn't tell when it has: it holds the lock, and may not see this one
}

func (e *errWaiting) Error() string { return e.node + " obtains it" }

func waits(err error) bool {
	_, ok := errors.AsType[*errWaiting](err)
	return ok
}

// waitingLooks is how often within an interval a name is looked at that another node obtains, and silentPause how long the
// longest pause is where that one is silent.
const (
	waitingLooks = 20
	silentPause  = 5 * time.Second
)

// pause is how long a name isn't looked at.
func (e *errWaiting) pause(interval time.Duration) time.Duration {
	if e.silent {
		return min(interval/waitingLooks, silentPause)
	}
	return interval / waitingLooks
}

// due tells whether a better certificate is wanted.
func (h *held) due(now time.Time) bool { return h == nil || !now.Before(h.renewal) }

// newer tells whether h is to be served rather than other.
func (h *held) newer(other *held) bool {
	return other == nil || h.certificate.Leaf.NotBefore.After(other.certificate.Leaf.NotBefore) ||
		h.certificate.Leaf.NotAfter.After(other.certificate.Leaf.NotAfter)
}

// settle asks the other nodes for what they have of name, where this one needs something, and returns nil where it is on
// this node to obtain the rest.
func (m *Manager) settle(ctx context.Context, s *settings, name string, told bool) error {
	t := m.config.Team
	if t == nil {
		return nil
	}
	others, _ := t.fleet.Others()
	lower := t.lower(others)
	if h := s.stored(ctx, name); !told && !h.due(time.Now()) {
		return waitsFor(lower, nil)
	}
	replies := t.question(ctx, others, message{Want: name})
	if err := m.adopt(ctx, s, name, replies); err != nil {
		m.config.Log.Warn("acme: what other nodes have", "name", name, "error", err)
	}
	return waitsFor(lower, replies)
}

// waitsFor is the first of lower that doesn't decline; one that has been asked and doesn't answer does.
func waitsFor(lower []string, replies map[string]reply) error {
	for _, node := range lower {
		if r, answered := replies[node]; replies == nil || answered && !r.Declines {
			return &errWaiting{node: node}
		}
	}
	return nil
}

// adopt stores the newest certificate of replies, where it is newer than what is stored.
func (m *Manager) adopt(ctx context.Context, s *settings, name string, replies map[string]reply) error {
	best := s.stored(ctx, name)
	var errs []error
	for node, r := range replies {
		if r.Bundle == nil {
			continue
		}
		h, err := s.unpack(r.Bundle, name)
		if err == nil && h.newer(best) {
			err = s.store(ctx, r.Bundle, name)
			best = h
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("from %s: %w", node, err))
		}
	}
	return errors.Join(errs...)
}

// unpack makes a certificate of a bundle, which must be from an authority of ours.
func (s *settings) unpack(b *bundle, name string) (*held, error) {
	for _, i := range s.issuers {
		if i.IssuerKey() == b.Issuer {
			return (&files{b.Cert, b.Key, b.Meta}).held(i, name)
		}
	}
	return nil, fmt.Errorf("a certificate of %s, which is none of the authorities configured here", b.Issuer)
}

// store writes a bundle that unpack has taken.
func (s *settings) store(ctx context.Context, b *bundle, name string) error {
	keys := certmagic.StorageKeys
	return errors.Join(
		s.storage.Store(ctx, keys.SitePrivateKey(b.Issuer, name), b.Key),
		s.storage.Store(ctx, keys.SiteCert(b.Issuer, name), b.Cert),
		s.storage.Store(ctx, keys.SiteMeta(b.Issuer, name), b.Meta),
	)
}

// offer is what this node has of name, for another one.
func (m *Manager) offer(name string) reply {
	m.mu.Lock()
	t, s := m.names[name], m.settings
	declines := t == nil || t.failures >= vain
	m.mu.Unlock()
	if s == nil {
		return reply{Declines: true}
	}
	r := reply{Declines: declines}
	var best *held
	for _, i := range s.issuers {
		f, err := s.readFiles(context.Background(), i, name)
		if err != nil {
			continue
		}
		if h, err := f.held(i, name); err == nil && h.newer(best) {
			best, r.Bundle = h, &bundle{i.IssuerKey(), f.cert, f.key, f.meta}
		}
	}
	return r
}

// look has name looked at at once, since another node has something new of it.
func (m *Manager) look(name string) {
	m.mu.Lock()
	if t := m.names[name]; t != nil {
		t.next, t.told = time.Time{}, true
	}
	m.mu.Unlock()
	m.rouse()
}

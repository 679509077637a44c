package acme

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/tls/acme/redis"
)

// errNotDue is met where Redis is away, and nothing has to be done without it.
var errNotDue = errors.New("nothing is due")

// obtain lets certmagic do what is to be done for t, as the only one of the nodes that share a storage.
//
// While that is away, nodes that join each other go on, since those settle by themselves which of them obtains. Any other
// node waits, but not for ever: twice the same certificate is better than none.
func (m *Manager) obtain(ctx context.Context, s *settings, magic *certmagic.Config, t *task) error {
	if s.depot == nil {
		return manage(ctx, magic, t.name)
	}
	err := s.depot.lead(ctx, t.name, func() error {
		m.exchange(ctx, s, t.name)
		defer m.exchange(ctx, s, t.name)
		return manage(ctx, magic, t.name)
	})
	if !redis.IsAway(err) {
		return err
	}
	h := s.stored(ctx, t.name)
	switch {
	case m.config.Team != nil || m.vain(t) && h.pressing(time.Now()):
		return manage(ctx, magic, t.name)
	case h.due(time.Now()):
		return fmt.Errorf("whether another node obtains it isn't known: %w", err)
	}
	return errNotDue
}

// exchange is that of the settings; what goes wrong is told, and no more.
func (m *Manager) exchange(ctx context.Context, s *settings, name string) {
	if err := s.exchange(ctx, name); err != nil && !redis.IsAway(err) {
		m.config.Log.Warn("acme: what the nodes share", "name", name, "error", err)
	}
}

// vain tells whether t was tried for so often that it isn't waited for any more.
func (m *Manager) vain(t *task) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return t.failures >= vain
}

// pressing tells whether half of the time is over in which h should have been renewed.
func (h *held) pressing(now time.Time) bool {
	if h == nil {
		return true
	}
	return now.After(h.renewal.Add(h.certificate.Leaf.NotAfter.Sub(h.renewal) / 2))
}

// StorageStatus is how it stands with what the nodes share.
type StorageStatus struct {
	Server  string    `json:"server"`
	Problem string    `json:"problem,omitempty"` // why it can't be used
	Since   time.Time `json:"since,omitzero"`    // when that began
}

// Storage tells of the storage that the nodes share; nil: there is none.
func (m *Manager) Storage() *StorageStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.settings.shared()
}

func (s *settings) shared() *StorageStatus {
	if s == nil || s.depot == nil {
		return nil
	}
	status := &StorageStatus{Server: s.options.Redis.Server}
	if since, err := s.depot.store.Away(); err != nil {
		status.Problem, status.Since = err.Error(), since
	}
	return status
}

// watchStorage tells when the storage that the nodes share goes away, and when it is back.
func (m *Manager) watchStorage() {
	m.mu.Lock()
	s := m.settings.shared()
	away := s != nil && s.Problem != ""
	changed := away != m.away
	m.away = away
	m.mu.Unlock()
	switch {
	case changed && away:
		m.config.Log.Warn("acme: what the nodes share can't be reached: this node goes on with its copy", "error", s.Problem)
		m.config.Journal.Add(health.EventNode, s.Server, "certificates are served from this node's copy: "+s.Problem)
	case changed && s != nil:
		m.config.Log.Info("acme: what the nodes share can be reached again", "server", s.Server)
		m.config.Journal.Add(health.EventNode, s.Server, "what the nodes share of certificates can be reached again")
	}
}

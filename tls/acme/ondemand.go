package acme

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/anyedge/anyedge/health"
)

const (
	// askQueue is how many names wait for a question; further ones come again with their clients' next try.
	askQueue = 64
	// askTimeout bounds one question.
	askTimeout = 5 * time.Second
	// refusedFor is how long a name that was refused isn't asked about again, failedFor one that had no answer or no room.
	refusedFor = 10 * time.Minute
	failedFor  = 10 * time.Second
	// mostRefused bounds the names that are remembered; above it, questions are limited by their rate alone.
	mostRefused = 8192
	// sweepPause is how often it is looked which of them are over, while there are so many.
	sweepPause = time.Second
	// onDemandPrefix is where names are stored that were taken.
	onDemandPrefix = "on_demand"
)

// What becomes of a name that a client asks for.
type verdict string

const (
	allowed verdict = "allowed"
	refused verdict = "refused" // by whom is asked
	failed  verdict = "failed"  // there was no answer
	limited verdict = "limited" // too many at once, an hour, or in all
)

// demand are the names that clients ask for. Its methods may be called concurrently.
type demand struct {
	names chan string // to be asked about
	http  *http.Client

	mu      sync.Mutex           // guards the following fields
	silent  map[string]time.Time // names that aren't asked about until then, those under way among them
	swept   time.Time            // when those that are over were forgotten
	taken   []time.Time          // when names were taken within the last hour
	counted map[verdict]int64
}

func newDemand() *demand {
	return &demand{
		names:   make(chan string, askQueue),
		http:    &http.Client{Timeout: askTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		silent:  map[string]time.Time{},
		counted: map[verdict]int64{allowed: 0, refused: 0, failed: 0, limited: 0},
	}
}

// Demand says that a client has asked for name, in lower case, which no certificate covers. It doesn't wait: where the name
// may be obtained at all, it is asked about in its turn, and served once its certificate is there.
func (m *Manager) Demand(name string) {
	o := m.onDemand()
	if o == nil || !o.Obtainable(name) || strings.Contains(name, "*") || m.config.Serves == nil || !m.config.Serves(name) {
		return
	}
	if m.has(name) || !m.demand.begin(name) {
		return
	}
	select {
	case m.demand.names <- name:
	default: // others were quicker
		m.demand.end(name, limited)
	}
}

// onDemand are the options, where names are obtained on demand.
func (m *Manager) onDemand() *Options {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.settings == nil || m.settings.options.OnDemand == nil {
		return nil
	}
	return &m.settings.options
}

func (m *Manager) has(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.names[name] != nil
}

// begin tells whether name is to be asked about now; then end has to follow.
func (d *demand) begin(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case time.Now().Before(d.silent[name]):
		return false
	case len(d.names) == cap(d.names):
		d.counted[limited]++
		return false
	}
	d.silence(name, refusedFor)
	return true
}

// silence has name not asked about for a while, as long as not too many are remembered. d.mu is held.
func (d *demand) silence(name string, while time.Duration) {
	now := time.Now()
	if len(d.silent) >= mostRefused && now.After(d.swept.Add(sweepPause)) {
		d.swept = now
		maps.DeleteFunc(d.silent, func(_ string, until time.Time) bool { return now.After(until) })
	}
	if _, known := d.silent[name]; known || len(d.silent) < mostRefused {
		d.silent[name] = now.Add(while)
	}
}

// end notes what has become of name.
func (d *demand) end(name string, v verdict) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counted[v]++
	switch v {
	case failed, limited:
		d.silence(name, failedFor)
	case allowed:
		delete(d.silent, name)
	}
}

func (d *demand) counts() map[verdict]int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.counted)
}

// spare tells whether one more name may be taken within the hour, and takes it.
func (d *demand) spare(rate int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	hourAgo := time.Now().Add(-time.Hour)
	for len(d.taken) > 0 && d.taken[0].Before(hourAgo) {
		d.taken = d.taken[1:]
	}
	if len(d.taken) >= rate {
		return false
	}
	d.taken = append(d.taken, time.Now())
	return true
}

// answerDemands asks about names, one after the other and no faster than the options let, until ctx ends.
func (m *Manager) answerDemands(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case name := <-m.demand.names:
			o := m.onDemand()
			if o == nil {
				m.demand.end(name, limited)
				continue
			}
			m.demand.end(name, m.consider(ctx, o.OnDemand, name))
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second / time.Duration(o.OnDemand.AskRate)):
			}
		}
	}
}

// consider takes name, where it is allowed and there is room.
func (m *Manager) consider(ctx context.Context, o *OnDemandOptions, name string) verdict {
	if len(m.Demanded()) >= o.Names {
		return limited
	}
	v, err := m.demand.ask(ctx, o.Ask, name)
	switch {
	case v == failed:
		m.config.Log.Warn("acme: ask whether a name may be obtained", "name", name, "error", err)
		return v
	case v == refused:
		m.config.Log.Debug("acme: a name may not be obtained", "name", name, "reason", err)
		return v
	case !m.demand.spare(o.Rate):
		m.config.Log.Warn("acme: a name has to wait: tls.acme.on_demand.rate", "name", name, "rate", o.Rate)
		return limited
	}
	m.mu.Lock()
	s := m.settings
	if s != nil && m.names[name] == nil {
		m.names[name] = &task{name: name, onDemand: true, told: true}
	}
	m.mu.Unlock()
	if s == nil {
		return limited
	}
	if err := s.storage.Store(ctx, path.Join(onDemandPrefix, certmagic.StorageKeys.Safe(name)), []byte(name)); err != nil {
		m.config.Log.Warn("acme: a restart will forget that a name was allowed", "name", name, "error", err)
	}
	m.config.Journal.Add(health.EventNode, name, "a certificate for "+name+" is obtained on demand")
	m.rouse()
	return v
}

// ask asks the endpoint about name.
func (d *demand) ask(ctx context.Context, endpoint, name string) (verdict, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return failed, err // Check has seen to it
	}
	q := u.Query()
	q.Set("domain", name)
	u.RawQuery = q.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return failed, err
	}
	answer, err := d.http.Do(r)
	if err != nil {
		return failed, err
	}
	_ = answer.Body.Close()
	switch {
	case answer.StatusCode == http.StatusOK:
		return allowed, nil
	case answer.StatusCode >= http.StatusInternalServerError:
		return failed, errors.New("it answers " + answer.Status)
	}
	return refused, errors.New("it answers " + answer.Status)
}

// Demanded are the names that are obtained on demand.
func (m *Manager) Demanded() (names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, t := range m.names {
		if t.onDemand {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// wantedStill forgets a name of those on demand that no site serves any more, and asks again before one is renewed: it is
// forgotten when it is refused. Without an answer it is renewed, since it was allowed.
func (m *Manager) wantedStill(ctx context.Context, s *settings, t *task) bool {
	m.mu.Lock()
	onDemand := t.onDemand
	m.mu.Unlock()
	if !onDemand || s.options.OnDemand == nil {
		return true
	}
	if m.config.Serves == nil || !m.config.Serves(t.name) {
		m.forget(ctx, s, t.name, fmt.Sprintf("the certificate for %s is no longer kept: no site serves the name", t.name))
		return false
	}
	if h := s.stored(ctx, t.name); h == nil || !h.due(time.Now()) {
		return true
	}
	v, err := m.demand.ask(ctx, s.options.OnDemand.Ask, t.name)
	if v != refused {
		return true
	}
	m.forget(ctx, s, t.name, fmt.Sprintf("the certificate for %s is not renewed: %s: %v", t.name, s.options.OnDemand.Ask, err))
	return false
}

// forget drops a name that was taken on demand.
func (m *Manager) forget(ctx context.Context, s *settings, name, why string) {
	m.mu.Lock()
	delete(m.names, name)
	m.mu.Unlock()
	if err := s.storage.Delete(ctx, path.Join(onDemandPrefix, certmagic.StorageKeys.Safe(name))); err != nil {
		m.config.Log.Warn("acme: forget a name that was obtained on demand", "name", name, "error", err)
	}
	m.config.Log.Info("acme: "+why, "name", name)
	m.config.Journal.Add(health.EventNode, name, why)
	m.publishSoon()
}

// storedDemands are the names that were taken on demand before.
func storedDemands(s *settings) (names []string) {
	if s == nil || s.options.OnDemand == nil {
		return nil
	}
	keys, err := s.storage.List(context.Background(), onDemandPrefix, false)
	if err != nil {
		return nil // there are none
	}
	for _, key := range keys[:min(len(keys), s.options.OnDemand.Names)] {
		name, err := s.storage.Load(context.Background(), key)
		if err == nil && s.options.Obtainable(string(name)) {
			names = append(names, string(name))
		}
	}
	return names
}

package acme

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/health"
	edgetls "github.com/anyedge/anyedge/tls"
)

// Config is what a Manager is made of.
type Config struct {
	// Node is this node's name, for those that look at what the nodes share.
	Node       string
	Challenges Challenges
	// Team are the other nodes; nil: there are none. It is the Challenges as well then.
	Team *Team
	// StorageKeys returns the fleet's keys for what is stored, of 32 octets: all open, the first seals. nil: the fleet has no
	// secret.
	StorageKeys func() [][]byte
	// Serves tells whether a site serves a name, in lower case: no other is obtained on demand. It doesn't wait; nil: none is.
	Serves func(name string) bool
	// Publish takes all certificates that there are, whenever one has changed; the Store's SetManaged.
	Publish  func([]edgetls.Managed) error
	Registry prometheus.Registerer // nil: nothing is counted
	Journal  *health.Journal       // nil: none
	Log      *slog.Logger          // nil discards

	// Interval is how often each certificate is looked at: whether to renew it, and its OCSP response; 0: 10 minutes. One
	// that ends within five intervals is due.
	Interval time.Duration
	// Retry are the pauses after the first, second, … failure in a row; nil: from a minute to 6 hours.
	Retry []time.Duration
}

const (
	defaultInterval = 10 * time.Minute
	// stepLimit bounds one look at one name: two authorities that are slow, or DNS that takes its time.
	stepLimit = 10 * time.Minute
	// steps is how many names are looked at at once: a CA that is slow with one keeps few others waiting.
	steps = 8
	// publishPause lets changes gather: with 10,000 certificates, each publication takes some ten milliseconds.
	publishPause = 100 * time.Millisecond
)

// Manager keeps the certificates of some names good. Its methods may be called concurrently.
type Manager struct {
	config  Config
	metrics *metrics
	demand  *demand
	wake    chan struct{} // a token for each worker that should look for work
	changed chan struct{} // a token when something is to be published

	configuring sync.Mutex // held by Configure
	publishing  sync.Mutex // held while names are read and published, so that the last is the newest

	mu       sync.Mutex // guards the following fields
	settings *settings  // nil: nothing is obtained
	names    map[string]*task
	away     bool // what the nodes share can't be reached, and that was told
}

// task is one name.
type task struct {
	name     string
	held     *held // nil: there is no certificate yet
	busy     bool  // a worker has it
	told     bool  // another node has something new
	onDemand bool  // a client has asked for it; the configuration hasn't it
	next     time.Time
	failures int // in a row
	problem  error
	failed   time.Time
}

// NewManager returns a Manager without names: Configure gives it some.
func NewManager(c Config) *Manager {
	if c.Interval == 0 {
		c.Interval = defaultInterval
	}
	if c.Retry == nil {
		c.Retry = defaultRetry
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	m := &Manager{config: c, wake: make(chan struct{}, steps), changed: make(chan struct{}, 1), names: map[string]*task{}, demand: newDemand()}
	m.metrics = newMetrics(c.Registry, m)
	if t := c.Team; t != nil {
		t.mu.Lock()
		t.manager = m
		t.mu.Unlock()
	}
	return m
}

// Configure keeps certificates for names good from now on, and no others, by o; nil obtains nothing. Those that are
// stored are published before it returns, which asks nobody. With an error nothing changes.
func (m *Manager) Configure(o *Options, names []string) error {
	m.configuring.Lock()
	defer m.configuring.Unlock()
	var next *settings
	if o != nil {
		var err error
		if next, err = newSettings(*o, &m.config, m.metrics); err != nil {
			return err
		}
	}
	tasks := loadAll(next, names)
	for name, t := range loadAll(next, storedDemands(next)) {
		if tasks[name] == nil {
			t.onDemand = true
			tasks[name] = t
		}
	}
	m.retire(m.use(next, tasks))
	m.rouse()
	return m.publish()
}

// loadAll makes a task of each name, with what is stored.
func loadAll(s *settings, names []string) map[string]*task {
	tasks := map[string]*task{}
	if s == nil {
		return tasks
	}
	var mu sync.Mutex // guards tasks
	var loaders sync.WaitGroup
	part := (len(names) + steps - 1) / steps
	for list := range slices.Chunk(names, max(part, 1)) {
		loaders.Go(func() {
			for _, name := range list {
				name = strings.ToLower(name)
				t := &task{name: name, held: s.stored(context.Background(), name), told: true} // what others have is news
				mu.Lock()
				tasks[name] = t
				mu.Unlock()
			}
		})
	}
	loaders.Wait()
	return tasks
}

// use swaps settings and tasks in; what is known of a name stays with it.
func (m *Manager) use(s *settings, tasks map[string]*task) (old *settings) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, t := range m.names {
		if next := tasks[name]; next != nil {
			if t.held == nil {
				t.held = next.held
			}
			t.next, t.onDemand = time.Time{}, next.onDemand // another authority may not refuse
			t.told = t.told || t.busy                       // what is under way began before
			tasks[name] = t
		}
	}
	old, m.settings, m.names = m.settings, s, tasks
	return old
}

// retire closes settings that have been replaced, once their last step has ended.
func (m *Manager) retire(s *settings) {
	if s == nil {
		return
	}
	m.mu.Lock()
	s.retired = true
	idle := s.steps == 0
	m.mu.Unlock()
	if idle {
		s.close()
	}
}

// leave ends a step that take began.
func (m *Manager) leave(s *settings) {
	if s == nil {
		return
	}
	m.mu.Lock()
	s.steps--
	last := s.retired && s.steps == 0
	m.mu.Unlock()
	if last {
		s.close()
	}
}

// rouse lets every worker look for work.
func (m *Manager) rouse() {
	for range steps {
		select {
		case m.wake <- struct{}{}:
		default: // all are awake
		}
	}
}

// publish hands out every certificate that there is.
func (m *Manager) publish() error {
	m.publishing.Lock()
	defer m.publishing.Unlock()
	m.mu.Lock()
	list := make([]edgetls.Managed, 0, len(m.names))
	for _, t := range m.names {
		if t.held != nil {
			list = append(list, edgetls.Managed{Certificate: t.held.certificate, Authority: t.held.authority})
		}
	}
	m.mu.Unlock()
	slices.SortFunc(list, func(a, b edgetls.Managed) int {
		return strings.Compare(firstName(&a.Certificate), firstName(&b.Certificate))
	})
	return m.config.Publish(list)
}

func firstName(c *tls.Certificate) string {
	if c.Leaf == nil || len(c.Leaf.DNSNames) == 0 {
		return ""
	}
	return c.Leaf.DNSNames[0]
}

// Run obtains and renews until ctx ends, and returns when every step has ended. It begins when it is known who else is
// there.
func (m *Manager) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	for range steps {
		workers.Go(func() {
			if m.config.Team.settles(ctx) {
				m.work(ctx)
			}
		})
	}
	workers.Go(func() { m.publishChanges(ctx) })
	workers.Go(func() { m.answerDemands(ctx) })
	workers.Wait()
	m.mu.Lock()
	last := m.settings
	m.mu.Unlock()
	if last != nil {
		last.close()
	}
	if m.config.Team != nil {
		m.config.Team.Close()
	}
	return nil
}

// publishSoon has publishChanges look.
func (m *Manager) publishSoon() {
	select {
	case m.changed <- struct{}{}:
	default: // it will be seen
	}
}

func (m *Manager) publishChanges(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.changed:
		}
		if err := m.publish(); err != nil {
			m.config.Log.Error("publish certificates", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(publishPause):
		}
	}
}

func (m *Manager) work(ctx context.Context) {
	for ctx.Err() == nil {
		t, told, s, wait := m.take(time.Now())
		if t != nil {
			m.step(ctx, s, t, told)
			m.leave(s)
			m.watchStorage()
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-m.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// take finds a name that is due, or says how long there is none.
func (m *Manager) take(now time.Time) (due *task, told bool, s *settings, wait time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	wait = time.Minute
	for _, t := range m.names {
		switch {
		case t.busy:
		case t.next.After(now):
			wait = min(wait, t.next.Sub(now))
		case due == nil || t.held == nil && due.held != nil: // what nobody can be served with comes first
			due = t
		}
	}
	if due != nil {
		told, due.busy, due.told = due.told, true, false
		if m.settings != nil {
			m.settings.steps++
		}
	}
	return due, told, m.settings, wait
}

// errNotConfigured is met by a name whose configuration went while its turn came.
var errNotConfigured = errors.New("tls.acme is no longer configured")

package governor

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// interval is how often memory is read: a collection of a large heap takes about as long.
const interval = time.Second

// Cache is what the governor governs; *cache.Cache fulfils it.
type Cache interface {
	// SetMemory changes how many bytes may be held, and whether fills may be stored.
	SetMemory(bytes int64, store bool)
	// Stored is how many bytes are held.
	Stored() int64
}

// Governor owns the budget of a cache. Its methods may be called concurrently.
type Governor struct {
	root  fs.FS
	group group
	limit int64
	log   *slog.Logger
	read  func() Reading

	mu      sync.Mutex // guards the following fields, and the order in which the cache hears of them
	cache   Cache
	state   State
	last    Reading
	shrinks uint64
	percent int // GOGC as it was last set
	rate    rate
}

// New reads the process's limits, and sets GOMEMLIMIT by them unless the environment does. Run sets GOGC in the same way.
func New(log *slog.Logger) *Governor {
	root := os.DirFS("/")
	g := &Governor{root: root, group: find(root), log: log, percent: usualPace}
	g.limit = setMemoryLimit(g.group.limit)
	g.read = func() Reading { return g.group.read(g.root) }
	return g
}

// Limit is what the process may take, in bytes.
func (g *Governor) Limit() int64 { return g.limit }

// Govern begins to govern a cache whose whole budget is as the options say.
func (g *Governor) Govern(c Cache, o Options) {
	g.mu.Lock()
	g.cache = c
	g.mu.Unlock()
	g.Configure(o)
}

// Configure changes the whole budget, which takes effect at once.
func (g *Governor) Configure(o Options) {
	g.mu.Lock()
	defer g.mu.Unlock()
	full := o.Memory.Of(g.limit)
	if float64(full) > maxShare*float64(g.limit) {
		g.log.Warn("cache.memory is more than there is: it will shrink in use", "memory", full, "limit", g.limit)
	}
	if full != g.state.Full {
		g.apply(State{Budget: full, Full: full, Store: true, Cycle: g.state.Cycle})
	}
}

// Run governs until ctx ends.
func (g *Governor) Run(ctx context.Context) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			g.step()
		case <-ctx.Done():
			return nil
		}
	}
}

// step reads, decides, and tells the cache.
func (g *Governor) step() {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.read()
	r.Stored = g.cache.Stored()
	g.last = r
	next := decide(g.state, g.limit, r)
	if next.Budget < g.state.Budget {
		g.shrinks++
	}
	if next.Store != g.state.Store {
		g.log.Warn("memory", "stored", next.Store, "live", r.Live, "limit", g.limit, "budget", next.Budget)
	}
	g.apply(next)
	g.rate.note(r.Allocated, time.Now())
	g.setPace(pace(g.limit, r, g.rate.perSecond))
}

func (g *Governor) apply(next State) {
	if next.Budget != g.state.Budget || next.Store != g.state.Store {
		g.cache.SetMemory(next.Budget, next.Store)
	}
	g.state = next
}

// State is what is decided now, and the reading behind it.
func (g *Governor) State() (State, Reading) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.state, g.last
}

// RegisterMetrics registers the governor's metrics, which it collects when asked for.
func (g *Governor) RegisterMetrics(reg prometheus.Registerer) {
	gauge := func(name, help string, value func(State, Reading) float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "anyedge_governor_" + name, Help: help},
			func() float64 { return value(g.State()) }))
	}
	gauge("limit_bytes", "Memory that the process may take.", func(State, Reading) float64 { return float64(g.limit) })
	gauge("live_bytes", "Memory that a garbage collection can't free.", func(_ State, r Reading) float64 { return float64(r.Live) })
	gauge("budget_bytes", "Memory that the cache may hold now.", func(s State, _ Reading) float64 { return float64(s.Budget) })
	gauge("budget_full_bytes", "Memory that the cache may hold when there is enough.", func(s State, _ Reading) float64 { return float64(s.Full) })
	reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "anyedge_governor_shrinks_total", Help: "How often memory got short and the cache's was lowered.",
	}, g.shrunk))
}

func (g *Governor) shrunk() float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return float64(g.shrinks)
}

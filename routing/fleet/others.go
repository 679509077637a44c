package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

// verifyAtOnce bounds the questions to one node's data plane at a time.
const verifyAtOnce = 8

// Others are the other nodes: what they say, and whether their data planes answer. Its methods may be called concurrently;
// View waits for nothing.
type Others struct {
	metro   string
	load    func() float64 // what this node serves, in bits per second; negative while it isn't known
	journal *health.Journal
	prober  *prober

	mu       sync.Mutex // guards the following fields
	fleet    bool       // others are sought, even if nobody was ever found
	listed   []*source  // by the configuration
	gossip   []*source  // by themselves
	vips     []VIP
	interval time.Duration
	known    map[string]*knowledge // by node
	changed  chan struct{}         // closed at the next change of who they are
}

var _ routing.View = (*Others)(nil)

// knowledge is what has been heard of one node. Zero times are of what never was.
type knowledge struct {
	metro    string
	told     time.Time
	report   routing.Report
	critical map[string]time.Time // by origin: when it was last found critical
	verified map[string]time.Time // by VIP
	problem  string
}

// NewOthers returns a fleet of nobody; Configure says who is in it. load is what this node serves.
func NewOthers(metro string, load func() float64, j *health.Journal) *Others {
	return &Others{
		metro: metro, load: load, journal: j, prober: newProber(), interval: time.Second,
		known: map[string]*knowledge{}, changed: make(chan struct{}),
	}
}

// Members are the nodes of a configuration with what their files have.
type Members struct {
	options Options
	sources []*source
}

// Read reads the files that o names. The error joins all mistakes.
func Read(o Options) (*Members, error) {
	m := &Members{options: o}
	var errs []error
	for i, n := range o.Nodes {
		s, err := newSource(n)
		if err != nil {
			errs = append(errs, fmt.Errorf("fleet.nodes[%d]: %w", i, err))
		}
		m.sources = append(m.sources, s)
	}
	return m, errors.Join(errs...)
}

// Configure replaces who the others are and what they are asked for. What is known of those that stay stays.
func (s *Others) Configure(m *Members, vips []VIP) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listed, s.vips, s.interval, s.fleet = m.sources, vips, m.options.Interval, len(m.options.Join) > 0
	s.settle()
}

// gossiped replaces who is known by gossip.
func (s *Others) gossiped(list []*source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gossip = list
	s.settle()
}

// Verified are the nodes whose data planes have lately answered this one for every VIP, by name.
func (s *Others) Verified() (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, src := range s.sources() {
		k := s.known[src.node.Name]
		if len(s.vips) > 0 && !slices.ContainsFunc(s.vips, func(v VIP) bool { return !routing.Fresh(age(k.verified[v.Name], now)) }) {
			list = append(list, src.node.Name)
		}
	}
	return list
}

// settle makes what is known that of those who are there; the lock is held.
func (s *Others) settle() {
	known := map[string]*knowledge{}
	for _, src := range s.sources() {
		k := s.known[src.node.Name]
		if k == nil {
			k = &knowledge{critical: map[string]time.Time{}, verified: map[string]time.Time{}}
		}
		known[src.node.Name] = k
	}
	s.known = known
	close(s.changed)
	s.changed = make(chan struct{})
}

// sources are all, by the configuration where a node is in both, in the order of their names; the lock is held.
func (s *Others) sources() []*source {
	all := slices.Clone(s.listed)
	for _, src := range s.gossip {
		if !slices.ContainsFunc(s.listed, func(l *source) bool { return l.node.Name == src.node.Name }) {
			all = append(all, src)
		}
	}
	slices.SortStableFunc(all, func(a, b *source) int { return strings.Compare(a.node.Name, b.node.Name) })
	return all
}

// Run asks until ctx ends, and returns nil.
func (s *Others) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	running := map[*source]context.CancelFunc{}
	defer loops.Wait()
	for {
		s.mu.Lock()
		sources, changed := s.sources(), s.changed
		s.mu.Unlock()
		for src, stop := range running {
			if !slices.Contains(sources, src) {
				stop()
				delete(running, src)
			}
		}
		for _, src := range sources {
			if running[src] == nil {
				own, stop := context.WithCancel(ctx)
				running[src] = stop
				loops.Go(func() { s.loop(own, src) })
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			for _, stop := range running {
				stop()
			}
			return nil
		}
	}
}

// loop asks one node, at first at once.
func (s *Others) loop(ctx context.Context, src *source) {
	defer src.close()
	for ctx.Err() == nil {
		start := time.Now()
		s.mu.Lock()
		vips, interval := s.vips, s.interval
		s.mu.Unlock()
		s.round(ctx, src, vips)
		select {
		case <-time.After(time.Until(start.Add(interval))):
		case <-ctx.Done():
		}
	}
}

// round asks one node for its word and, side by side, for the data plane of each VIP.
func (s *Others) round(ctx context.Context, src *source, vips []VIP) {
	var all sync.WaitGroup
	var told, answered error
	all.Go(func() {
		var a *answer
		if a, told = src.ask(ctx); told == nil {
			s.tell(src.node.Name, a)
		}
	})
	all.Go(func() { answered = s.verify(ctx, src.node, vips) })
	all.Wait()
	if ctx.Err() == nil {
		s.note(src.node.Name, errors.Join(told, answered))
	}
}

// verify asks for every VIP and returns one of the errors, if there is one.
func (s *Others) verify(ctx context.Context, n Node, vips []VIP) error {
	places := make(chan struct{}, verifyAtOnce)
	errs := make(chan error, len(vips))
	var all sync.WaitGroup
	for _, v := range vips {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			err := s.prober.verify(ctx, n, v)
			if err == nil {
				s.verified(n.Name, v.Name)
				return
			}
			errs <- fmt.Errorf("VIP %s: %w", v.Name, err)
		})
	}
	all.Wait()
	close(errs)
	return <-errs
}

func (s *Others) tell(node string, a *answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.known[node]
	if k == nil {
		return // a reload has removed it
	}
	k.metro, k.told, k.report = a.Metro, a.at, *a.Report
	for _, origin := range a.Report.Critical {
		k.critical[origin] = k.told
	}
	maps.DeleteFunc(k.critical, func(_ string, at time.Time) bool { return k.told.Sub(at) > time.Hour })
}

func (s *Others) verified(node, vip string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.known[node]; k != nil {
		k.verified[vip] = time.Now()
	}
}

// note keeps what is wrong with a node, and tells when that begins and ends.
func (s *Others) note(node string, err error) {
	text := ""
	if err != nil {
		text = oneLine(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.known[node]
	if k == nil {
		return
	}
	switch was := k.problem; {
	case was == "" && text != "":
		s.journal.Add(health.EventNode, node, "other node: "+text)
	case was != "" && text == "":
		s.journal.Add(health.EventNode, node, "other node: answers again")
	}
	k.problem = text
}

// View is what is known of the others for vip: nil where there are none by the configuration, and nobody where a fleet was
// never found, so that this node takes itself for the last one.
func (s *Others) View(vip string) *routing.Fleet {
	s.mu.Lock()
	defer s.mu.Unlock()
	sources := s.sources()
	if len(sources) == 0 && !s.fleet {
		return nil
	}
	f := &routing.Fleet{Metro: s.metro, Load: max(s.load(), 0)}
	now := time.Now()
	for _, src := range sources {
		n := s.known[src.node.Name].node(vip, now)
		n.Name = src.node.Name
		f.Nodes = append(f.Nodes, n)
	}
	return f
}

// node is what is known at now for vip.
func (k *knowledge) node(vip string, now time.Time) routing.Node {
	n := routing.Node{
		Metro: k.metro, Age: age(k.told, now), Verified: age(k.verified[vip], now), Level: routing.Withdrawn,
		Headroom: k.report.Headroom, Origins: make(map[string]time.Duration, len(k.report.Origins)), Problem: k.problem,
	}
	if level, has := k.report.Levels[vip]; has {
		n.Level = level
	}
	n.Failing = slices.Contains(k.report.Failing, vip)
	for _, origin := range k.report.Origins {
		n.Origins[origin] = age(k.critical[origin], now)
	}
	return n
}

// age is how long ago at was, negative if it never was.
func age(at, now time.Time) time.Duration {
	if at.IsZero() {
		return -1
	}
	return max(now.Sub(at), 0)
}

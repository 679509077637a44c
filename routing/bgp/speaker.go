package bgp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bfd"
)

// Speaker announces routes to the configured peers. Its methods are safe for concurrent use. With no peers configured it
// takes everything and does nothing.
type Speaker struct {
	log      *slog.Logger
	journal  *health.Journal
	sessions *sessions
	watch    watch
	engine   atomic.Pointer[engine] // nil while nothing runs

	mu       sync.Mutex // guards the following fields, and lets one change happen at a time
	settings *settings
	phase    phase
	wanted   map[netip.Prefix]routing.Route
	placed   map[netip.Prefix]placed
	endWork  context.CancelFunc
	work     sync.WaitGroup
}

type phase uint8

const (
	fresh   phase = iota // Start is to come
	running              // between Start and Stop
	stopped              // for good
)

var _ routing.Speaker = (*Speaker)(nil)

// New reads o, the password files it names, and the allow-list: the only prefixes that will ever be announced. The error
// joins all mistakes. j and its absence are fine; log gets GoBGP's chatter at level debug.
func New(o Options, allowed []netip.Prefix, j *health.Journal, log *slog.Logger) (*Speaker, error) {
	s, err := newSettings(o, allowed)
	if err != nil {
		return nil, err
	}
	speaker := &Speaker{
		log: log, journal: j, sessions: newSessions(j), settings: s,
		wanted: map[netip.Prefix]routing.Route{}, placed: map[netip.Prefix]placed{},
	}
	speaker.watch = bfd.NewMonitor(speaker.sessions.watched)
	return speaker, nil
}

// Start begins to speak with the peers and announces what has been set; it doesn't wait for sessions. Stop ends it, and so
// does the end of ctx, though with no goodbye but a Cease. A speaker starts once.
func (s *Speaker) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != fresh {
		return errors.New("start the BGP speaker: it was started before")
	}
	if err := s.startEngine(); err != nil {
		return err
	}
	s.phase = running
	work, endWork := context.WithCancel(ctx)
	s.endWork = endWork
	s.work.Go(func() { s.compareNewSessions(work) }) // until Stop or the end of ctx
	s.work.Go(func() { s.followBFD(work) })          // likewise
	s.work.Go(func() {                               // likewise
		<-work.Done()
		if ctx.Err() != nil {
			s.endEngine()
		}
	})
	return s.reconcile()
}

// startEngine starts GoBGP if there are peers, since only then the AS and the router ID are known.
func (s *Speaker) startEngine() error {
	if len(s.settings.neighbors) == 0 {
		return nil
	}
	e, err := startEngine(&s.settings.options, s.settings.policyInput(s.settings), s.sessions, s.log)
	if err != nil {
		return err
	}
	s.sessions.replace(s.settings.neighbors)
	if err := s.addPeers(e); err != nil {
		s.watch.Close()
		e.stop()
		return err
	}
	s.engine.Store(e)
	s.sessions.wake()
	return nil
}

func (s *Speaker) addPeers(e *engine) error {
	if err := s.watch.Set(s.settings.watched(nil)); err != nil {
		return err
	}
	for i := range s.settings.neighbors {
		if err := e.addPeer(&s.settings.neighbors[i]); err != nil {
			return err
		}
	}
	return nil
}

// Set announces exactly routes, as routing.Speaker says. A route whose prefix isn't in the allow-list, or at level
// Withdrawn, is an error that names it. Where two routes have one prefix, the less attractive level holds.
//
// Set returns when the UPDATEs have been written to the peers that are up, or after 100 ms; the context doesn't shorten
// that. Peers that come up later get the routes then.
func (s *Speaker) Set(_ context.Context, routes []routing.Route) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var refused error
	s.wanted, refused = s.admit(routes)
	if s.phase == stopped && len(s.wanted) > 0 {
		return errors.Join(refused, errors.New("announce: the BGP speaker has stopped"))
	}
	return errors.Join(refused, s.reconcile())
}

// admit takes what may be announced of routes; the error names what may not.
func (s *Speaker) admit(routes []routing.Route) (map[netip.Prefix]routing.Route, error) {
	wanted := map[netip.Prefix]routing.Route{}
	var errs []error
	for _, r := range routes {
		switch other, twice := wanted[r.Prefix]; {
		case r.Blackhole && !s.settings.allowsHost(r.Prefix):
			errs = append(errs, fmt.Errorf("announce %s to be dropped: it is no single address within vips.%s.announce, or is announced itself", r.Prefix, r.VIP))
		case r.Blackhole && !s.settings.blackholing():
			errs = append(errs, fmt.Errorf("announce %s to be dropped: no peer has blackhole: true", r.Prefix))
		case !r.Blackhole && !s.settings.allows(r.Prefix):
			errs = append(errs, fmt.Errorf("announce %s: not in the allow-list, vips.%s.announce", r.Prefix, r.VIP))
		case r.Level >= routing.Withdrawn:
			errs = append(errs, fmt.Errorf("announce %s: level %d is not announced", r.Prefix, r.Level))
		case !twice || other.Level < r.Level:
			wanted[r.Prefix] = r
		}
	}
	return wanted, errors.Join(errs...)
}

// Peers reports the sessions in the configuration's order and what each peer was sent.
func (s *Speaker) Peers() []routing.Peer {
	peers := []routing.Peer{}
	e := s.engine.Load()
	for _, session := range s.sessions.snapshot() {
		p := session.report()
		p.BFD = s.bfdReport(&session)
		if e != nil && session.established() {
			out, err := e.adjOut(&session.neighbor)
			if err != nil {
				p.LastError = err.Error()
			}
			for _, prefix := range slices.SortedFunc(maps.Keys(out), comparePrefixes) {
				p.AdjOut = append(p.AdjOut, prefix.String())
			}
		}
		peers = append(peers, p)
	}
	return peers
}

// Sessions is Peers without what each peer was sent, which costs next to nothing.
func (s *Speaker) Sessions() []routing.Peer {
	var list []routing.Peer
	for _, session := range s.sessions.snapshot() {
		list = append(list, session.report())
	}
	return list
}

package bgp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

// loanInterval is how often former processes are asked how their sessions are: this late at most a session that has ended
// begins anew here.
const loanInterval = 500 * time.Millisecond

// Speakers announces by its own Speaker, and by those of former processes that still hold sessions. Without those it is the
// Speaker alone. Its methods may be called concurrently.
type Speakers struct {
	own     *Speaker
	journal *health.Journal
	log     *slog.Logger

	mu      sync.Mutex // guards the following fields, and lets one change happen at a time
	options Options
	allowed []netip.Prefix
	loans   []*loan
	routes  []routing.Route
	follow  context.CancelFunc // ends the goroutine that asks former processes; nil: there is none
	asking  sync.WaitGroup
}

var _ routing.Speaker = (*Speakers)(nil)

// NewSpeakers is New for Speakers.
func NewSpeakers(o Options, allowed []netip.Prefix, j *health.Journal, log *slog.Logger) (*Speakers, error) {
	own, err := New(o, allowed, j, log)
	if err != nil {
		return nil, err
	}
	return &Speakers{own: own, journal: j, log: log, options: o, allowed: allowed}, nil
}

// Borrow has former processes keep those of their sessions that the configuration still has, and as it was. It is called
// before Start, at most once. The routes that they announce stay until Set says otherwise.
func (s *Speakers) Borrow(list []Loan) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, given := range list {
		l := &loan{conn: given.Conn, last: given.Last}
		l.hold(s.together(given.Peers, keepable(&given.Options, &s.options, given.Peers)))
		s.loans = append(s.loans, l)
		if len(l.names()) > 0 {
			_, _ = l.tell(s.journal) // one that is gone shows when it is followed
		}
		same := reflect.DeepEqual(given.Options, s.options) && slices.Equal(given.Allowed, s.allowed)
		if same && len(l.names()) == len(given.Peers) {
			continue // nothing that it would have to be told
		}
		s.instruct(l)
	}
	return s.own.Configure(context.Background(), s.ownOptions(), s.allowed)
}

// keepable are those of peers whose sessions, begun under was, are what is wants.
func keepable(was, is *Options, peers []string) (keep []string) {
	if was.ASN != is.ASN || was.RouterID != is.RouterID || was.HoldTime != is.HoldTime {
		return nil
	}
	for _, name := range peers {
		a, b := find(was.Peers, name), find(is.Peers, name)
		if a != nil && b != nil && reflect.DeepEqual(*a, *b) {
			keep = append(keep, name)
		}
	}
	return keep
}

// together is keep, less those with BFD where one of names has it that isn't kept: all BFD sessions of an address are one
// process's, whose socket has the port. s.mu is held.
func (s *Speakers) together(names, keep []string) []string {
	watched := func(name string) bool {
		p := find(s.options.Peers, name)
		return p != nil && p.BFD.Enabled
	}
	for _, name := range names {
		if watched(name) && !slices.Contains(keep, name) {
			return slices.DeleteFunc(keep, watched)
		}
	}
	return keep
}

func find(peers []Peer, name string) *Peer {
	i := slices.IndexFunc(peers, func(p Peer) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return &peers[i]
}

// only is the options with those peers alone for which keep holds.
func (s *Speakers) only(keep func(name string) bool) Options {
	o := s.options
	o.Peers = nil
	for _, p := range s.options.Peers {
		if keep(p.Name) {
			o.Peers = append(o.Peers, p)
		}
	}
	return o
}

// ownOptions are for the own Speaker. s.mu is held.
func (s *Speakers) ownOptions() Options {
	return s.only(func(name string) bool {
		return !slices.ContainsFunc(s.loans, func(l *loan) bool { return l.holds(name) })
	})
}

// instruct tells a former process which sessions to keep, and ends one that has none left. One that can't be told keeps
// none: what it holds would be announced by nobody's decision. s.mu is held.
func (s *Speakers) instruct(l *loan) {
	var err error
	if len(l.names()) > 0 {
		o := s.only(l.holds)
		_, err = l.ask(question{Do: "configure", Options: &o, Allowed: s.allowed})
	}
	if err != nil {
		s.log.Error("the BGP sessions of the former process begin anew", "error", err)
		s.journal.Add(health.EventRoute, "", "the BGP sessions of the former process begin anew: "+err.Error())
		l.hold(nil)
	}
	if len(l.names()) == 0 {
		s.end(l, "its sessions move to the next process")
	}
}

// end ends a loan. s.mu is held.
func (s *Speakers) end(l *loan, message string) {
	_, _ = l.ask(question{Do: "stop", Message: message}) // one that is gone has ended already
	_ = l.conn.Close()
	s.loans = slices.DeleteFunc(s.loans, func(o *loan) bool { return o == l })
}

// Start begins to speak with those peers whose session no former process holds.
func (s *Speakers) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.own.Start(ctx); err != nil {
		return err
	}
	if len(s.loans) > 0 {
		following, end := context.WithCancel(ctx)
		s.follow = end
		s.asking.Go(func() { s.followLoans(following) }) // until Stop, LendOn or the end of ctx
	}
	return nil
}

// followLoans takes over the sessions of former processes as they end.
func (s *Speakers) followLoans(ctx context.Context) {
	tick := time.NewTicker(loanInterval)
	defer tick.Stop()
	for s.takeEnded(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// takeEnded begins the sessions that have ended at former processes; false: none is left there.
func (s *Speakers) takeEnded(ctx context.Context) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range slices.Clone(s.loans) {
		if ctx.Err() != nil {
			return false
		}
		before := l.names()
		peers, err := l.tell(s.journal)
		up := func(name string) bool {
			return err == nil && slices.ContainsFunc(peers, func(p routing.Peer) bool { return p.Name == name && p.State == "established" })
		}
		l.hold(s.together(before, slices.DeleteFunc(slices.Clone(before), func(name string) bool { return !up(name) })))
		if len(l.names()) == len(before) {
			continue
		}
		s.tell(l, before)
		s.instruct(l)
		if err := s.own.Configure(ctx, s.ownOptions(), s.allowed); err != nil {
			s.log.Error("begin the sessions of the former process", "error", err)
		}
	}
	return len(s.loans) > 0
}

// tell notes which sessions a former process holds no longer. s.mu is held.
func (s *Speakers) tell(l *loan, before []string) {
	for _, name := range before {
		if !l.holds(name) {
			s.journal.Add(health.EventRoute, name, "the session of the former process begins anew at this one")
		}
	}
}

// MoveSessions ends what former processes hold and begins it here, one session after the other, each once the one before is
// up, or after limit. Routers that know each other's routes never are without any.
func (s *Speakers) MoveSessions(ctx context.Context, limit time.Duration) error {
	for name := s.firstLent(); name != ""; name = s.firstLent() {
		if err := s.move(ctx, name); err != nil {
			return err
		}
		if !s.awaitUp(ctx, name, limit) && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

func (s *Speakers) firstLent() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.loans {
		if names := l.names(); len(names) > 0 {
			return names[0]
		}
	}
	return ""
}

func (s *Speakers) move(ctx context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range slices.Clone(s.loans) {
		if before := l.names(); l.holds(name) {
			l.hold(s.together(before, slices.DeleteFunc(slices.Clone(before), func(n string) bool { return n == name })))
			s.tell(l, before)
			s.instruct(l)
		}
	}
	return s.own.Configure(ctx, s.ownOptions(), s.allowed)
}

func (s *Speakers) awaitUp(ctx context.Context, name string, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(loanInterval / 10)
	defer tick.Stop()
	for {
		for _, p := range s.own.Peers() {
			if p.Name == name && p.State == "established" {
				return true
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
}

// Set is Speaker's, by all.
func (s *Speakers) Set(ctx context.Context, routes []routing.Route) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.routes = routes
	errs := []error{s.own.Set(ctx, routes)}
	for _, l := range s.loans {
		_, err := l.ask(question{Do: "set", Routes: routes})
		if errors.Is(err, errGone) {
			err = nil // its sessions have ended with it, and begin here
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Configure is Speaker's. Sessions of former processes whose options are the same stay.
func (s *Speakers) Configure(ctx context.Context, o Options, allowed []netip.Prefix) error {
	if _, err := newSettings(o, allowed); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.options
	wasAllowed := s.allowed
	kept := map[*loan][]string{}
	for _, l := range s.loans {
		kept[l] = l.names()
		l.hold(s.together(l.names(), keepable(&was, &o, l.names())))
	}
	s.options, s.allowed = o, allowed
	if err := s.own.Configure(ctx, s.ownOptions(), allowed); err != nil {
		s.options, s.allowed = was, wasAllowed
		for l, names := range kept {
			l.hold(names)
		}
		return fmt.Errorf("%w", err)
	}
	for _, l := range slices.Clone(s.loans) {
		s.instruct(l)
	}
	return s.own.Configure(ctx, s.ownOptions(), allowed) // what instruct has set free
}

// Peers is Speaker's: all, in the configuration's order.
func (s *Speakers) Peers() []routing.Peer { return s.withLoans(s.own.Peers()) }

// Sessions is Speaker's, likewise.
func (s *Speakers) Sessions() []routing.Peer { return s.withLoans(s.own.Sessions()) }

// withLoans are our own peers and those whose sessions former processes hold, in the configuration's order.
func (s *Speakers) withLoans(peers []routing.Peer) []routing.Peer {
	s.mu.Lock()
	loans, order := slices.Clone(s.loans), map[string]int{}
	for i, p := range s.options.Peers {
		order[p.Name] = i
	}
	s.mu.Unlock()
	for _, l := range loans {
		for _, p := range l.known() {
			if l.holds(p.Name) {
				peers = append(peers, p)
			}
		}
	}
	slices.SortStableFunc(peers, func(a, b routing.Peer) int { return order[a.Name] - order[b.Name] })
	return peers
}

// Lent are the names of the peers whose sessions former processes hold.
func (s *Speakers) Lent() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := map[string]bool{}
	for _, l := range s.loans {
		for _, name := range l.names() {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// endFollowing ends what follows former processes' Speakers, and waits for it.
func (s *Speakers) endFollowing() {
	s.mu.Lock()
	end := s.follow
	s.mu.Unlock()
	if end != nil {
		end()
	}
	s.asking.Wait()
}

// LendOn ends the decisions here: it returns what the next process needs to announce by the own Speaker, whose Lend the
// caller serves, and by those of former processes. Own has no Conn yet; nil: there is no session.
func (s *Speakers) LendOn() (own *Loan, others []Loan) {
	s.endFollowing()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.loans {
		if conn, ok := l.conn.(unixConn); ok && !l.isGone() {
			others = append(others, Loan{Options: s.only(l.holds), Allowed: s.allowed, Peers: l.names(), Last: l.last, Conn: conn})
		}
	}
	o := s.ownOptions()
	if len(o.Peers) == 0 {
		return nil, others
	}
	own = &Loan{Options: o, Allowed: s.allowed}
	for _, p := range o.Peers {
		own.Peers = append(own.Peers, p.Name)
	}
	for _, e := range s.journal.Since(0) {
		own.Last = e.Seq
	}
	return own, others
}

// Own is the own Speaker, to be lent.
func (s *Speakers) Own() *Speaker { return s.own }

// Stop is Speaker's, for all.
func (s *Speakers) Stop(ctx context.Context, message string) error {
	s.endFollowing()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range slices.Clone(s.loans) {
		s.end(l, message)
	}
	return s.own.Stop(ctx, message)
}

// Collector returns the metrics: of the own sessions all, of former processes' what they tell.
func (s *Speakers) Collector() prometheus.Collector { return lentCollector{collector{s.own}, s} }

type lentCollector struct {
	collector
	all *Speakers
}

// Collect implements prometheus.Collector.
func (c lentCollector) Collect(ch chan<- prometheus.Metric) {
	c.collector.Collect(ch)
	d := newDescriptions()
	lent := c.all.Lent()
	for _, p := range c.all.Peers() {
		if !slices.Contains(lent, p.Name) {
			continue
		}
		up := 0.0
		if p.State == "established" {
			up = 1
		}
		ch <- prometheus.MustNewConstMetric(d.up, prometheus.GaugeValue, up, p.Name)
		ch <- prometheus.MustNewConstMetric(d.flaps, prometheus.CounterValue, float64(p.Flaps), p.Name)
		ch <- prometheus.MustNewConstMetric(d.adjOut, prometheus.GaugeValue, float64(len(p.AdjOut)), p.Name)
	}
}

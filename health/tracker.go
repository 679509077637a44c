package health

import (
	"cmp"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// Tracker gathers what the parts of the node report and grades it. All methods may be called at any time by anyone;
// those that the data path calls take no lock that a reader holds for longer than some microseconds, and allocate
// nothing.
type Tracker struct {
	start   time.Time // of the windows' clock, which is monotonic
	journal *Journal
	changed chan struct{}
	options atomic.Pointer[Options]
	origins *registry[origin]
	vips    *registry[vip]
	load    nodeLoad
}

// NewTracker grades by o and notes changes of grade in j.
func NewTracker(o Options, j *Journal) *Tracker {
	t := &Tracker{
		start: time.Now(), journal: j, changed: make(chan struct{}, 1),
		origins: newRegistry(newOrigin), vips: newRegistry(newVIP), load: nodeLoad{marks: map[Figure]*mark{}},
	}
	t.options.Store(&o)
	return t
}

// SetOptions grades by o from now on. A window whose span changes starts empty.
func (t *Tracker) SetOptions(o Options) { t.options.Store(&o); t.notify() }

// Retain forgets every other origin and VIP, and drops what is still reported of them.
// Those that stay keep what is known of them.
func (t *Tracker) Retain(origins, vips []string) {
	t.origins.keep(origins)
	t.vips.keep(vips)
	t.notify()
}

// Request counts demand: a request for that origin's content was served, from the cache or not.
func (t *Tracker) Request(origin string) {
	if o := t.origins.get(origin); o != nil {
		o.demand.add(time.Since(t.start))
	}
}

// Unanswered counts a request that Request has counted, and that got an error of this node's.
func (t *Tracker) Unanswered(origin string) {
	if o := t.origins.get(origin); o != nil {
		o.errors.add(time.Since(t.start))
	}
}

// Fill takes how a fetch from origin ended.
func (t *Tracker) Fill(origin string, f Fill) {
	if o := t.origins.get(origin); o != nil {
		o.fill(f, time.Since(t.start), &t.options.Load().Signals)
	}
}

// Place takes whether a fetch from origin found a place at one of its servers at once, or had to wait, maybe in vain.
func (t *Tracker) Place(origin string, atOnce bool) {
	if o := t.origins.get(origin); o != nil {
		o.place(atOnce, time.Since(t.start), &t.options.Load().Signals)
	}
}

// Servers takes how many of origin's servers its active probes find up, and what the others fail with.
func (t *Tracker) Servers(origin string, up, total int, detail string) {
	o := t.origins.get(origin)
	if o != nil && o.found(servers{up: up, total: total, detail: detail}) {
		t.notify()
	}
}

// SelfCheck takes the result of one round of a check through vip: of all its addresses together, since a failure of
// one that alternates with a success of another would never be three in a row.
func (t *Tracker) SelfCheck(vip string, name SignalName, err error) {
	v := t.vips.get(vip)
	if v != nil && v.result(name, err, t.options.Load().SelfCheck) {
		t.notify()
	}
}

// Certificates takes how many of all names of a VIP's sites no certificate covers, or not for long any more, and which in
// words.
func (t *Tracker) Certificates(vip string, bad, all int, detail string) {
	if v := t.vips.get(vip); v != nil {
		v.covered(bad, all, detail)
		t.notify()
	}
}

// Changed holds a token when a probe or a self check may have changed a grade. What only windows can tell, fills,
// shows by the next look: they are too many to wake anybody.
func (t *Tracker) Changed() <-chan struct{} { return t.changed }

func (t *Tracker) notify() {
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// Signals grades everything at now and returns it by subject and name; it is a fresh slice.
func (t *Tracker) Signals(now time.Time) []Signal {
	r := &report{now: now, journal: t.journal}
	options := t.options.Load()
	clock := now.Sub(t.start)
	for _, o := range t.origins.all() {
		o.signals(r, clock, &options.Signals)
	}
	for _, v := range t.vips.all() {
		v.signals(r, options.SelfCheck)
	}
	t.load.signals(r, &options.Load)
	slices.SortStableFunc(r.signals, func(a, b Signal) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Name, b.Name))
	})
	return r.signals
}

// Shares returns each origin's share of the requests for all of them during the last ten seconds; equal shares if
// there were none.
func (t *Tracker) Shares(origins []string) map[string]float64 {
	shares := make(map[string]float64, len(origins))
	clock := time.Since(t.start)
	all := 0.0
	for _, name := range origins {
		if o := t.origins.get(name); o != nil {
			shares[name] = float64(o.demand.sum(clock))
			all += shares[name]
		}
	}
	for _, name := range origins {
		if all == 0 {
			shares[name] = 1 / float64(len(origins))
			continue
		}
		shares[name] /= all
	}
	return shares
}

// report is one pass over everything that is graded.
type report struct {
	now     time.Time
	journal *Journal
	signals []Signal
}

// grade grades s by b and m, the grade that it had.
func (r *report) grade(s Signal, b bounds, m *mark) {
	s.Warn, s.Crit, s.WarnExit, s.CritExit = b.warn, b.crit, b.warnExit, b.critExit
	g := Unknown
	if enough(m.grade, s.Samples, max(s.MinSamples, 1)) {
		g = b.grade(m.grade, s.Value)
	}
	r.enter(s, g, m)
}

// enter notes that s has grade g.
func (r *report) enter(s Signal, g Grade, m *mark) {
	was := m.move(g, r.now)
	s.Grade, s.Since = m.grade, m.since
	r.signals = append(r.signals, s)
	if was != g && notable(s.Name, was, g) {
		r.journal.Add(EventSignal, s.Subject, fmt.Sprintf("%s → %s: %s", was, g, s))
	}
}

// notable says whether a change of grade is worth an event. A window that a quiet hour empties and fills again goes
// between unknown and ok all the time; that the node has proven itself is worth one.
func notable(name SignalName, was, is Grade) bool {
	return was >= Warn || is >= Warn || name == SelfCheck || name == ServiceProbe
}

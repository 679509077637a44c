package routing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anyedge/anyedge/health"
)

const (
	// tick is the longest time between two rounds: what only windows tell shows this late at most, which is little
	// beside their spans.
	tick = 500 * time.Millisecond
	// historySize is how many decisions are kept for each VIP.
	historySize = 32
)

// Source is where signals come from. *health.Tracker fulfils it.
type Source interface {
	Signals(now time.Time) []health.Signal
	// Shares returns each origin's share of the recent requests for all of them; the map is the caller's.
	Shares(origins []string) map[string]float64
	// Changed holds a token when Signals may have changed.
	Changed() <-chan struct{}
}

// Controller decides for each VIP, tells the speaker, and remembers why. All methods may be called at any time by
// anyone, before Run too; what they change is decided before they return. Only Run and Withdraw talk to the speaker.
type Controller struct {
	source    Source
	journal   *health.Journal
	log       *slog.Logger
	metrics   *metrics
	announcer *announcer
	others    View    // nil: there is nobody to ask
	memory    *Memory // nil: nothing outlives the process
	clock     *clock
	kick      chan struct{} // wakes Run
	shedding  atomic.Bool
	refusing  atomic.Bool
	view      atomic.Pointer[[]view] // the last round, for readers; immutable
	lastRound atomic.Value           // time.Time: when Run last ended a round

	mu       sync.Mutex // guards the following fields: one round at a time
	options  Options
	vips     []*tracked // as configured
	operator operator
	kept     saved         // what memory has, by clock
	step     time.Duration // of the wall clock, as of the last round
	handed   bool          // another process decides now
}

// tracked is a VIP with what was decided for it.
type tracked struct {
	VIP
	state   State
	last    Record
	history []Record // changes of level or reason, oldest first; never changed in place, since views share it
	moved   Reason   // of the last change of level
}

// view is what one round decided for one VIP.
type view struct {
	vip     VIP
	record  Record
	history []Record
	moved   Reason
	hole    *Blackhole // nil: none
}

// NewController decides for vips by o from what src tells. sp is told from Run on; decisions are noted in j and log.
func NewController(o Options, vips []VIP, src Source, sp Speaker, j *health.Journal, log *slog.Logger) *Controller {
	m, clock := newMetrics(), newClock()
	c := &Controller{
		source: src, journal: j, log: log, metrics: m, announcer: newAnnouncer(sp, clock, m, j, log),
		clock: clock, kick: make(chan struct{}, 1), operator: operator{byVIP: map[string]*Drain{}, force: map[string]*Force{}, holes: map[string]*Blackhole{}},
	}
	c.view.Store(&[]view{})
	c.Configure(o, vips)
	return c
}

// Run decides and tells the speaker until ctx ends. It withdraws nothing when it ends: Withdraw does.
func (c *Controller) Run(ctx context.Context) error {
	var keeping sync.WaitGroup
	defer keeping.Wait()
	keeping.Go(func() { c.memory.keep(ctx, c.log) }) // ends with ctx
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.source.Changed():
		case <-c.kick:
		case <-timer.C:
		}
		now := time.Now()
		c.mu.Lock()
		c.round(c.clock.of(now))
		c.mu.Unlock()
		retry := c.announcer.sync(ctx, c.routes)
		c.lastRound.Store(time.Now())
		timer.Reset(max(time.Until(c.due(now, retry)), 0))
	}
}

// Levels are the VIPs', by name, as of the last round.
func (c *Controller) Levels() map[string]Level {
	levels := map[string]Level{}
	views := *c.view.Load()
	for i := range views {
		levels[views[i].vip.Name] = views[i].level()
	}
	return levels
}

// LastRound is when Run last decided and told the speaker; zero before the first time. Whoever sees it grow old knows that
// nothing is decided any more.
func (c *Controller) LastRound() time.Time {
	t, _ := c.lastRound.Load().(time.Time)
	return t
}

// due is when the next round is: after a tick, or when a decision or the speaker's retry is due before that.
func (c *Controller) due(now, retry time.Time) time.Time {
	due, clock := now.Add(tick), c.clock.of(now)
	if !retry.IsZero() && retry.Before(due) {
		due = retry
	}
	for _, v := range *c.view.Load() {
		for _, n := range v.record.Decision.Next {
			if at := now.Add(n.At.Sub(clock)); !n.At.IsZero() && at.Before(due) {
				due = at
			}
		}
	}
	return due
}

// Configure takes a new configuration. VIPs that stay keep their state; those that are gone are withdrawn.
func (c *Controller) Configure(o Options, vips []VIP) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.now()
	was := map[string]*tracked{}
	for _, t := range c.vips {
		was[t.Name] = t
	}
	c.options = o
	c.vips = make([]*tracked, 0, len(vips))
	for _, v := range vips {
		t := was[v.Name]
		if t == nil {
			t = &tracked{state: c.memory.state(v.Name, now)}
		}
		t.VIP = v
		c.vips = append(c.vips, t)
		delete(was, v.Name)
	}
	for _, gone := range was {
		c.remove(gone)
	}
	c.round(now)
	c.announcer.repair()
	c.wake()
}

func (c *Controller) remove(t *tracked) {
	delete(c.operator.byVIP, t.Name)
	delete(c.operator.force, t.Name)
	delete(c.operator.holes, t.Name)
	if t.state.Level == Withdrawn {
		return
	}
	d := Decision{From: t.state.Level, To: Withdrawn, Reason: Removed, Text: string(Removed)}
	c.tell(t.Name, d)
}

// Drain takes vip, or all if it is empty, out of service by degrees for d, or until Undrain if that is 0, across restarts
// with a Memory; reason is for explain and events. Asked again it changes only the reason and the end. The error says what
// is wrong with d, or names the VIPs that there are.
func (c *Controller) Drain(vip string, d time.Duration, reason string) error {
	asked, err := newDrain(d, reason, c.clock.now())
	if err != nil {
		return err
	}
	text := "drain"
	if d > 0 {
		text += " for " + setting(d)
	}
	return c.operate(vip, text, reason, func(time.Time, []string) { c.operator.drain(vip, asked) })
}

// Leave takes all VIPs out of service as Drain does, because the process is about to stop: the next one doesn't inherit it.
func (c *Controller) Leave(reason string) {
	_ = c.operate("", "drain", reason, func(now time.Time, _ []string) { // all is always known
		c.operator.leave = &Drain{Since: now, Reason: reason}
	})
}

// Undrain puts vip, or all if it is empty, back into service, by steps. The error names the VIPs that there are.
func (c *Controller) Undrain(vip string) error {
	return c.operate(vip, "undrain", "", func(_ time.Time, vips []string) { c.operator.undrain(vip, vips) })
}

// Consult has decisions rest on what v knows of the other nodes too. It is called before Run, at most once.
func (c *Controller) Consult(v View) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.others = v
}

// Shedding says whether the node should do without what it can: it has too much to do. It costs one atomic load.
func (c *Controller) Shedding() bool { return c.shedding.Load() }

// Refusing says whether the node should refuse what only an origin could answer. It costs one atomic load.
func (c *Controller) Refusing() bool { return c.refusing.Load() }

// Force puts vip at level for d, whatever the signals say; reason is for explain and events. It holds for a VIP that has
// proven itself, and a drain outranks it. Asked again, the last one counts.
func (c *Controller) Force(vip string, level Level, d time.Duration, reason string) error {
	if vip == "" {
		return errors.New("force: name the VIP")
	}
	f, err := newForce(level, d, reason, c.clock.now())
	if err != nil {
		return err
	}
	text := fmt.Sprintf("force to level %d for %s", level, setting(d))
	return c.operate(vip, text, reason, func(time.Time, []string) { c.operator.force[vip] = f })
}

// Unforce ends the force of vip, or of all if it is empty. The error names the VIPs that there are.
func (c *Controller) Unforce(vip string) error {
	return c.operate(vip, "unforce", "", func(time.Time, []string) { c.operator.unforce(vip) })
}

// Blackhole has the peers that take such routes drop what is sent to vip's addresses for d, RFC 7999, whatever its level;
// reason is for explain and events. Asked again, the last one counts.
func (c *Controller) Blackhole(vip string, d time.Duration, reason string) error {
	if vip == "" {
		return errors.New("blackhole: name the VIP")
	}
	h, err := newBlackhole(d, reason, c.clock.now())
	if err != nil {
		return err
	}
	return c.operate(vip, "blackhole for "+setting(d), reason, func(time.Time, []string) { c.operator.holes[vip] = h })
}

// Unblackhole ends the blackhole of vip, or of all if it is empty. The error names the VIPs that there are.
func (c *Controller) Unblackhole(vip string) error {
	return c.operate(vip, "unblackhole", "", func(time.Time, []string) { c.operator.unblackhole(vip) })
}

// Undamp forgets what the changes of vip, or of all if it is empty, have cost so far. Routers don't.
func (c *Controller) Undamp(vip string) error {
	return c.operate(vip, "undamp", "", func(time.Time, []string) {
		for _, t := range c.vips {
			if vip == "" || vip == t.Name {
				t.state.Damper = Damper{}
			}
		}
	})
}

// operate does what an operator asks, and decides at once, so that explain already shows it.
func (c *Controller) operate(vip, verb, reason string, do func(now time.Time, vips []string)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := c.names()
	if err := known(vip, names); err != nil {
		return err
	}
	text := "operator: " + verb
	if vip == "" {
		text += " all"
	}
	if reason != "" {
		text += ": " + reason
	}
	c.journal.Add(health.EventDecision, vip, text)
	now := c.clock.now()
	do(now, names)
	c.round(now)
	c.wake()
	return nil
}

// names are the VIPs'. c.mu is held.
func (c *Controller) names() []string {
	names := make([]string, len(c.vips))
	for i, t := range c.vips {
		names[i] = t.Name
	}
	return names
}

// Withdraw withdraws every route at once, for the end of the process: nothing is announced again. It returns what the
// speaker says, or ctx's error if the speaker doesn't come round in time.
func (c *Controller) Withdraw(ctx context.Context, reason string) error {
	if reason == "" {
		reason = "asked for"
	}
	c.mu.Lock()
	c.operator.stop = reason
	c.round(c.clock.now())
	c.mu.Unlock()
	return c.announcer.set(ctx, c.routes)
}

func (c *Controller) wake() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// round decides for every VIP at now, by c.clock, and publishes it. c.mu is held.
func (c *Controller) round(now time.Time) {
	if c.handed {
		return
	}
	signals := bySubject(c.signals())
	c.noteStep()
	c.operator.expire(now, func(vip, what string) { c.journal.Add(health.EventDecision, vip, "operator: the "+what+" has expired") })
	views := make([]view, len(c.vips))
	for i, t := range c.vips {
		c.decide(t, now, signals)
		views[i] = view{vip: t.VIP, record: t.last, history: t.history, moved: t.moved, hole: c.operator.holes[t.Name]}
	}
	c.view.Store(&views)
	c.shed(views)
	c.remember(now)
}

// signals are the source's, with their times by c.clock.
func (c *Controller) signals() []health.Signal {
	list := c.source.Signals(time.Now())
	for i := range list {
		list[i].Since = c.clock.of(list[i].Since)
	}
	return list
}

// noteStep notes when the wall clock has been set. c.mu is held.
func (c *Controller) noteStep() {
	step := c.clock.step()
	if (step - c.step).Abs() < stepLimit {
		return
	}
	c.step = step
	c.journal.Add(health.EventNode, "", "clock: "+stepText(step))
}

// shed publishes whether anything asks for that, and notes when it changes.
func (c *Controller) shed(views []view) {
	refuse := slices.ContainsFunc(views, func(v view) bool { return v.record.Decision.Refuse })
	if c.refusing.Swap(refuse) != refuse {
		text := "load: fills are no longer refused"
		if refuse {
			text = "load: fills are refused"
		}
		c.journal.Add(health.EventDecision, "", text)
	}
	shed := slices.ContainsFunc(views, func(v view) bool { return v.record.Decision.Shed })
	if c.shedding.Swap(shed) == shed {
		return
	}
	text := "load: nothing needs to be shed any more"
	if shed {
		text = "load: the node should shed locally"
	}
	c.journal.Add(health.EventDecision, "", text)
}

func (c *Controller) decide(t *tracked, now time.Time, signals index) {
	in := Input{
		Now: now, VIP: t.Name, SelfChecks: t.SelfChecks, Signals: signals.of(&t.VIP), Shares: c.source.Shares(t.Origins),
		Drain: c.operator.of(t.Name), Force: c.operator.force[t.Name], Stop: c.operator.stop, Quarantine: c.memory.quarantine(),
		Fleet: c.fleet(t.Name), State: t.state, Options: c.options,
	}
	was := t.last.Decision
	t.last = Record{Input: in, Decision: Decide(in)}
	d := t.last.Decision
	t.state = d.State
	moved := d.From != d.To || !slices.Equal(d.Withheld, was.Withheld)
	if !moved && d.Reason == was.Reason {
		return
	}
	t.history = append(slices.Clone(t.history[max(0, len(t.history)-historySize+1):]), t.last)
	if moved {
		t.moved = d.Reason
		c.tell(t.Name, d)
	}
}

func (c *Controller) fleet(vip string) *Fleet {
	if c.others == nil {
		return nil
	}
	return c.others.View(vip)
}

// tell notes a change of level wherever people look.
func (c *Controller) tell(vip string, d Decision) {
	c.metrics.transition(vip, d)
	c.journal.Add(health.EventDecision, vip, d.Sentence(vip))
	c.log.Info("level changed", "vip", vip, "from", d.From.String(), "to", d.To.String(), "reason", string(d.Reason), "why", d.Text)
}

// index finds signals by what they are about. An origin and a VIP may share a name.
type index map[subject][]health.Signal

type subject struct {
	cause health.Cause
	name  string
}

func bySubject(signals []health.Signal) index {
	x := make(index, len(signals))
	for _, s := range signals {
		k := subject{s.Cause, s.Subject}
		x[k] = append(x[k], s)
	}
	return x
}

// of returns what counts for v: its own signals, if it asks itself, those of its origins, and the node's.
func (x index) of(v *VIP) []health.Signal {
	load := x[subject{health.Load, health.WholeNode}]
	list := make([]health.Signal, 0, 3+5*len(v.Origins)+len(load))
	if v.SelfChecks {
		list = append(list, x[subject{health.Local, v.Name}]...)
	}
	for _, o := range v.Origins {
		list = append(list, x[subject{health.Path, o}]...)
	}
	if v.Name != health.WholeNode {
		list = append(list, x[subject{health.Local, health.WholeNode}]...)
	}
	return append(list, load...)
}

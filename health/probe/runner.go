package probe

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/anyedge/anyedge/health"
)

// Report takes the result of one round over a VIP: nil, or what is wrong at which of its addresses.
type Report func(vip string, name health.SignalName, err error)

// Runner checks VIPs at intervals and reports once per round, VIP and signal, whatever number of addresses that has:
// one that fails beside one that answers is a failure, every time. Its methods may be called concurrently.
type Runner struct {
	report Report

	mu       sync.Mutex // guards the following fields
	interval time.Duration
	timeout  time.Duration
	vips     map[string]targets
	changed  chan struct{} // closed at the next change
}

// targets are what is checked of one VIP.
type targets struct {
	selves   []Self
	services []Service
}

// NewRunner returns a Runner that has nothing to check yet. A round begins every interval and takes timeout at most.
func NewRunner(report Report, interval, timeout time.Duration) *Runner {
	return &Runner{report: report, interval: interval, timeout: timeout, changed: make(chan struct{})}
}

// Set replaces what is checked. Rounds under way are dropped without a report, and new ones begin at once.
func (r *Runner) Set(selves []Self, services []Service) {
	vips := map[string]targets{}
	for _, s := range selves {
		t := vips[s.VIP]
		t.selves = append(t.selves, s)
		vips[s.VIP] = t
	}
	for _, s := range services {
		t := vips[s.VIP]
		t.services = append(t.services, s)
		vips[s.VIP] = t
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.vips = vips
	r.change()
}

// Configure replaces the pace.
func (r *Runner) Configure(interval, timeout time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.interval, r.timeout = interval, timeout
	r.change()
}

// change lets Run begin anew. r.mu is held.
func (r *Runner) change() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// Run checks until ctx ends, and then returns nil. It is called once.
func (r *Runner) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		r.generation(ctx)
	}
	return nil
}

// generation checks what is set now until that changes.
func (r *Runner) generation(ctx context.Context) {
	r.mu.Lock()
	vips, interval, timeout, changed := r.vips, r.interval, r.timeout, r.changed
	r.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	var loops sync.WaitGroup
	defer loops.Wait()
	defer cancel()
	for name, t := range vips {
		loops.Go(func() { r.loop(ctx, name, t, interval, timeout) })
	}
	select {
	case <-changed:
	case <-ctx.Done():
	}
}

// loop checks one VIP, at first at once.
func (r *Runner) loop(ctx context.Context, vip string, t targets, interval, timeout time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for pace := (pacer{}); ; {
		r.round(ctx, vip, t, timeout, &pace)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// round makes every check of a VIP that is due side by side. The probes of services have their own timeouts.
func (r *Runner) round(ctx context.Context, vip string, t targets, timeout time.Duration, pace *pacer) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { r.check(limited, vip, health.SelfCheck, tcpChecks(t.selves)) })
	if pace.due() {
		all.Go(func() { pace.result(r.check(limited, vip, health.SelfQUIC, quicChecks(t.selves))) })
	}
	all.Go(func() { r.check(ctx, vip, health.ServiceProbe, serviceChecks(t.services)) })
	all.Wait()
}

// pacer makes checks over QUIC rarer while they succeed: a handshake costs two milliseconds of a processor, and what they
// drive is no more than Alt-Svc. As long as one has failed, and until enough have succeeded at first, each round has one.
type pacer struct {
	successes int // in a row
	idle      int // rounds since the last check
}

// due says whether this round has a check.
func (p *pacer) due() bool {
	p.idle++
	return p.successes < health.SelfQUICProven || p.idle >= health.SelfQUICEvery
}

// result takes what came of it.
func (p *pacer) result(err error) {
	p.idle = 0
	p.successes++
	if err != nil {
		p.successes = 0
	}
}

type check func(context.Context) error

func tcpChecks(targets []Self) (list []check) {
	for _, t := range targets {
		if t.HTTPS.IsValid() {
			list = append(list, t.Check)
		}
		if t.HTTP.IsValid() {
			list = append(list, t.CheckPlain)
		}
	}
	return list
}

func quicChecks(targets []Self) (list []check) {
	for _, t := range targets {
		if t.QUIC.IsValid() {
			list = append(list, t.CheckQUIC)
		}
	}
	return list
}

func serviceChecks(services []Service) (list []check) {
	for _, s := range services {
		list = append(list, s.Check)
	}
	return list
}

// check reports the errors of checks together, in their order, unless the round was dropped, and returns them.
func (r *Runner) check(ctx context.Context, vip string, name health.SignalName, checks []check) error {
	if len(checks) == 0 {
		return nil
	}
	errs := make([]error, len(checks))
	var all sync.WaitGroup
	for i, c := range checks {
		all.Go(func() { errs[i] = c(ctx) })
	}
	all.Wait()
	err := errors.Join(slices.DeleteFunc(errs, func(err error) bool { return err == nil })...)
	if !errors.Is(ctx.Err(), context.Canceled) {
		r.report(vip, name, err)
	}
	return err
}

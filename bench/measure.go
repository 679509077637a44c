package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/anyedge/anyedge/bench/load"
	"github.com/anyedge/anyedge/bench/scenarios"
	"github.com/anyedge/anyedge/bench/target"
)

// contestant is a server among those that are compared.
type contestant struct {
	*target.Server
	stores, files, proxies bool // as of a target.Peer
	direct                 bool // the origin itself
	foreign                bool // it runs already, with an origin that may not be ours
}

// row is a scenario over a protocol.
type row struct {
	scenario *scenarios.Scenario
	protocol load.Protocol
}

func (r row) name() string { return fmt.Sprintf("%s %s", r.scenario.Name, r.protocol) }

// rowsOf lists a scenario's rows.
func rowsOf(list []*scenarios.Scenario, only []load.Protocol) []row {
	var rows []row
	for _, s := range list {
		for _, p := range []load.Protocol{load.H1, load.H2, load.H3} {
			if s.Clients(p) != nil && (len(only) == 0 || slices.Contains(only, p)) {
				rows = append(rows, row{s, p})
			}
		}
	}
	return rows
}

// figures are what one run of a row over one server gives.
type figures struct {
	PerCPU float64 // requests for each second of the server's processor time
	Rate   float64 // requests a second
	P50    float64 // ns
	P99    float64 // ns
	Memory float64 // octets
	Late   float64 // ns: for 99 % of the requests the load itself was late by that at most; 0 in a closed loop
	Origin int64   // requests that went to the origin
	Run    int
	result *load.Result
}

// applies says why a row isn't measured over a contestant; empty when it is.
func (c *contestant) applies(r row) string {
	switch {
	case c.direct:
	case !slices.Contains(c.Protocols, r.protocol):
		return "no " + string(r.protocol)
	case r.scenario.Content.Fresh == 0:
		if !c.proxies {
			return "no origin"
		}
	case c.files && !r.scenario.Stored():
		return "no such files"
	}
	return ""
}

// measure runs a row over a contestant once. What isn't what it seems, such as a hit that went to the origin, is an error.
func (s *session) measure(c *contestant, r row, seed int) (*figures, error) {
	plan := s.plan(c, r, seed)
	if err := s.warm(r, plan); err != nil {
		return nil, err
	}
	l, err := load.Open(s.ctx, plan)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	c.ResetPeak()
	before, err := c.Usage()
	if err != nil {
		return nil, err
	}
	asked := s.asked()
	happened := s.happen(r.scenario.Events)
	result, err := l.Run(s.ctx)
	if err := errors.Join(err, happened()); err != nil {
		return nil, err
	}
	after, err := c.Usage()
	if err != nil {
		return nil, err
	}
	f := &figures{
		Rate: float64(result.Requests) / result.Elapsed.Seconds(), Origin: s.asked() - asked,
		P50: float64(result.Latency.ValueAtQuantile(50)), P99: float64(result.Latency.ValueAtQuantile(99)),
		Late: float64(result.Lateness.ValueAtQuantile(99)), Memory: float64(after.Memory), Run: seed, result: result,
	}
	used := after.CPU - before.CPU
	switch {
	case !c.Accounted():
		f.PerCPU, f.Memory = math.NaN(), math.NaN()
	case used <= 0:
		return nil, fmt.Errorf("%d requests took no processor time", result.Requests)
	default:
		f.PerCPU = float64(result.Requests) / used.Seconds()
	}
	return f, f.plausible(c, r)
}

// plan is the load of a row upon a contestant.
func (s *session) plan(c *contestant, r row, seed int) load.Plan {
	plan := r.scenario.Plan(r.protocol, c.Address, seed)
	if s.job.Window > 0 && len(r.scenario.Events) == 0 {
		plan.Duration = s.job.Window
	}
	if c.direct {
		plan.Protocol = load.Plain
	}
	if s.job.Host != "" {
		plan.Host = s.job.Host
	}
	if s.job.Path != "" {
		only := &load.Request{Path: s.job.Path, Octets: -1}
		plan.Request = func(int) *load.Request { return only }
	}
	return plan
}

// asked is how many requests our origin has had.
func (s *session) asked() int64 {
	if s.origin == nil {
		return 0
	}
	return s.origin.Requests()
}

// warm has what is to be stored stored: by one request for the whole, and then by one for each stream.
func (s *session) warm(r row, plan load.Plan) error {
	if !r.scenario.Stored() {
		return nil
	}
	plan.Rate, plan.Duration, plan.Kept, plan.Marks = 0, time.Minute, load.Keep, nil
	all := plan
	all.Requests = plan.Connections * plan.Streams
	plan.Connections, plan.Streams, plan.Requests = 1, 1, 1
	if s.job.Path == "" {
		whole := r.scenario.Whole()
		plan.Request = func(int) *load.Request { return whole }
	}
	for _, p := range []load.Plan{plan, all} {
		if _, err := load.Run(s.ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// happen lets events happen at their times from now on. What it returns waits for them, or for the session's end.
func (s *session) happen(events []scenarios.Event) (wait func() error) {
	began, done := time.Now(), make(chan error, 1)
	go func() {
		for _, e := range events {
			select {
			case <-time.After(time.Until(began.Add(e.At))):
			case <-s.ctx.Done():
				done <- s.ctx.Err()
				return
			}
			if err := s.do(e.Do); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	return func() error { return <-done }
}

func (s *session) do(a scenarios.Action) error {
	if a == scenarios.OriginDown {
		s.origin.Down()
		return nil
	}
	return s.origin.Up()
}

// plausible checks what the origin saw.
func (f *figures) plausible(c *contestant, r row) error {
	const some = 100 // one in so many may be otherwise: what was under way when it began, or a probe
	n := int64(f.result.Requests)
	switch {
	case c.files && !r.scenario.Missed(), c.direct, c.foreign:
	case r.scenario.Stored() && f.Origin > n/some:
		return fmt.Errorf("not hits: %d of %d requests went to the origin", f.Origin, n)
	case r.scenario.Missed() && f.Origin < n-n/some:
		return fmt.Errorf("not misses: of %d requests %d went to the origin", n, f.Origin)
	}
	return nil
}

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/anyedge/anyedge/bench/load"
	"github.com/anyedge/anyedge/bench/scenarios"
	"github.com/anyedge/anyedge/bench/target"
)

// contestant is a server among those that are compared.
type contestant struct {
	*target.Server
	files  bool // it has no origin
	stores bool
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
	Origin int64   // requests that went to the origin
	result *load.Result
}

// applies says why a row isn't measured over a contestant; empty when it is.
func (c *contestant) applies(r row) string {
	switch {
	case !slices.Contains(c.Protocols, r.protocol):
		return "no " + string(r.protocol)
	case c.files && r.scenario.Missed():
		return "no origin"
	case !c.files && !c.stores && !r.scenario.Missed() && r.scenario.Kept == load.Keep:
		return "no cache"
	}
	return ""
}

// measure runs a row over a contestant once. What isn't what it seems, such as a hit that went to the origin, is an error.
func measure(ctx context.Context, c *contestant, r row, window time.Duration, seed int, origin *target.Origin) (*figures, error) {
	plan := r.scenario.Plan(r.protocol, c.Address, seed)
	if window > 0 {
		plan.Duration = window
	}
	if err := warm(ctx, r, plan); err != nil {
		return nil, err
	}
	l, err := load.Open(ctx, plan)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	c.ResetPeak()
	before, err := c.Usage()
	if err != nil {
		return nil, err
	}
	asked := origin.Requests()
	result, err := l.Run(ctx)
	if err != nil {
		return nil, err
	}
	after, err := c.Usage()
	if err != nil {
		return nil, err
	}
	f := &figures{
		Rate: float64(result.Requests) / result.Elapsed.Seconds(), Origin: origin.Requests() - asked,
		P50: float64(result.Latency.ValueAtQuantile(50)), P99: float64(result.Latency.ValueAtQuantile(99)),
		Memory: float64(after.Memory), result: result,
	}
	used := after.CPU - before.CPU
	if used <= 0 {
		return nil, fmt.Errorf("%d requests took no processor time", result.Requests)
	}
	f.PerCPU = float64(result.Requests) / used.Seconds()
	return f, f.plausible(c, r)
}

// warm has what is to be stored stored: by one request, and then by one for each stream.
func warm(ctx context.Context, r row, plan load.Plan) error {
	if r.scenario.Missed() {
		return nil
	}
	plan.Rate, plan.Duration, plan.Kept = 0, time.Minute, load.Keep
	for _, n := range []int{1, plan.Connections * plan.Streams} {
		plan.Requests = n
		if n == 1 {
			plan.Connections = 1
		} else {
			plan.Connections = n / plan.Streams
		}
		if _, err := load.Run(ctx, plan); err != nil {
			return err
		}
	}
	return nil
}

// plausible checks what the origin saw.
func (f *figures) plausible(c *contestant, r row) error {
	const some = 100 // one in so many may be otherwise: what was under way when it began, or a probe
	n := int64(f.result.Requests)
	switch {
	case c.files:
	case r.scenario.Stored() && f.Origin > n/some:
		return fmt.Errorf("not hits: %d of %d requests went to the origin", f.Origin, n)
	case r.scenario.Missed() && f.Origin < n-n/some:
		return fmt.Errorf("not misses: of %d requests %d went to the origin", n, f.Origin)
	}
	return nil
}

package load

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync"
	"time"
)

// driver has a connection's share of the requests answered until there are no more.
type driver interface {
	// connect opens the connection. Kept connections are opened before the time runs.
	connect(ctx context.Context) error
	drive(ctx context.Context, s *source)
	close()
}

// Load is a plan whose connections are open.
type Load struct {
	plan      *Plan
	drivers   []driver
	recorders []*recorder
}

// Open opens the plan's connections, so that Run measures requests alone. The caller closes the Load.
func Open(ctx context.Context, p Plan) (*Load, error) {
	plan, err := p.withDefaults()
	if err != nil {
		return nil, err
	}
	l := &Load{plan: plan}
	sessions := tls.NewLRUClientSessionCache(2 * plan.Connections)
	for range plan.Connections {
		r := newRecorder(plan)
		l.recorders = append(l.recorders, r)
		l.drivers = append(l.drivers, newDriver(plan, r, sessions))
	}
	if plan.Kept != Keep {
		return l, nil
	}
	for _, d := range l.drivers {
		if err := d.connect(ctx); err != nil {
			l.Close()
			return nil, fmt.Errorf("load: connect to %s over %s: %w", plan.Address, plan.Protocol, err)
		}
	}
	return l, nil
}

func newDriver(p *Plan, r *recorder, sessions tls.ClientSessionCache) driver {
	d := &dialer{plan: p, recorder: r}
	if p.Kept == Resume {
		d.sessions = sessions
	}
	switch {
	case p.Protocol == H3:
		return &h3Driver{dialer: d}
	case p.Protocol == H2 && p.Kept == Keep:
		return &h2Driver{dialer: d}
	default:
		return &h1Driver{dialer: d}
	}
}

// Run asks until the plan is done or ctx ends, which is no error. It can be called once.
func (l *Load) Run(ctx context.Context) (*Result, error) {
	s := &source{plan: l.plan, began: time.Now()}
	var all sync.WaitGroup
	for i, d := range l.drivers {
		l.recorders[i].began = s.began
		all.Go(func() { d.drive(ctx, s) })
	}
	all.Wait()
	result := merge(l.recorders, l.plan, time.Since(s.began))
	if l.plan.Patient {
		return result, nil
	}
	for _, r := range l.recorders {
		if r.first != nil {
			return result, fmt.Errorf("load: %s over %s: %w", l.plan.Address, l.plan.Protocol, r.first)
		}
	}
	return result, nil
}

// Close closes the connections.
func (l *Load) Close() {
	for _, d := range l.drivers {
		d.close()
	}
}

// Run opens a plan's connections, asks, and closes them.
func Run(ctx context.Context, p Plan) (*Result, error) {
	l, err := Open(ctx, p)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return l.Run(ctx)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

// How long each step of the goodbye may take, beyond routing.drain_lead.
const (
	convergence   = time.Second      // withdrawn → the routers' last packet to us; FRR alone coalesces for 50 ms
	requestsEnd   = 30 * time.Second // GOAWAY → the last request's end
	sessionEnd    = 3 * time.Second  // Cease → the peers' sockets closed
	drainSlack    = 2 * time.Second  // beyond drain_lead, until the controller has withdrawn
	drainPoll     = 20 * time.Millisecond
	hurriedFinish = time.Second // each step, once a second signal came
)

// goodbye stops attracting traffic before it stops serving:
// depreferred → withdrawn, sessions up → routers converge → GOAWAY, requests end → Cease.
// Each step is bounded; a second signal cuts the waits.
func (n *node) goodbye() error {
	n.journal.Add(health.EventNode, n.config().Node.Name, "stopping: draining")
	n.control.Leave("the node is stopping")
	if n.announces() {
		n.await(n.config().Routing.DrainLead+drainSlack, n.allWithdrawn)
	}

	withdrawErr := n.bounded(sessionEnd, func(ctx context.Context) error { return n.control.Withdraw(ctx, "the node is stopping") })
	n.journal.Add(health.EventNode, n.config().Node.Name, "stopping: withdrawn, listeners still open")
	if n.announces() {
		n.await(convergence, func() bool { return false })
	}
	n.checks.Set(nil, nil) // they would only find the listeners closed
	n.journal.Add(health.EventNode, n.config().Node.Name, "stopping: listeners close")
	closing := time.Now()
	if n.former != nil && !n.former.drained() {
		_ = n.former.send(&message{Step: stepFinish}) // or it is gone
	}
	listenErr := n.bounded(requestsEnd, n.shutdownListeners)
	if n.former != nil {
		n.await(time.Until(closing.Add(requestsEnd+drainSlack)), n.former.drained)
	}
	if errors.Is(listenErr, context.DeadlineExceeded) || errors.Is(listenErr, context.Canceled) {
		n.log.Warn("connections were cut off", "after", time.Since(closing).Round(time.Millisecond), "error", listenErr)
		listenErr = nil
	}
	speakerErr := n.bounded(sessionEnd, func(ctx context.Context) error {
		return n.speakers.Stop(ctx, fmt.Sprintf("anyedge %s is stopping", n.config().Node.Name))
	})
	cacheErr := n.bounded(sessionEnd, n.cache.Close)
	n.live.Load().close()
	return errors.Join(withdrawErr, listenErr, speakerErr, cacheErr)
}

func (n *node) shutdownListeners(ctx context.Context) error {
	listeners := n.live.Load().listeners
	errs := make(chan error, len(listeners))
	var all sync.WaitGroup
	for _, l := range listeners {
		all.Go(func() { errs <- l.Shutdown(ctx) })
	}
	all.Wait()
	close(errs)
	var joined error
	for err := range errs {
		joined = errors.Join(joined, err)
	}
	return joined
}

func (n *node) allWithdrawn() bool {
	all, err := n.control.Explain("")
	if err != nil {
		return true
	}
	for _, e := range all {
		if e.Level != routing.Withdrawn {
			return false
		}
	}
	return true
}

// announces says whether a router may still send us packets.
func (n *node) announces() bool { return len(n.config().BGP.Peers) > 0 }

// await waits until done, at most for limit, and not at all in a hurry.
func (n *node) await(limit time.Duration, done func() bool) {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	poll := time.NewTicker(drainPoll)
	defer poll.Stop()
	for !done() {
		select {
		case <-n.hurry:
			return
		case <-deadline.C:
			return
		case <-poll.C:
		}
	}
}

// bounded gives step at most limit, and hurriedFinish once in a hurry.
func (n *node) bounded(limit time.Duration, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	n.workers.Go(func() {
		select {
		case <-done:
		case <-n.hurry:
			timer := time.NewTimer(hurriedFinish)
			defer timer.Stop()
			select {
			case <-done:
			case <-timer.C:
				cancel()
			}
		}
	})
	return step(ctx)
}

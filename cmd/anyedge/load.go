package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/health/load"
	"github.com/anyedge/anyedge/routing"
)

// bits is a rate in bits per second that one goroutine sets and others read; negative while it isn't known.
type bits struct{ v atomic.Uint64 }

func (b *bits) set(v float64) { b.v.Store(math.Float64bits(v)) }
func (b *bits) get() float64  { return math.Float64frombits(b.v.Load()) }

// measureLoad measures what this node has to do until ctx ends.
func (n *node) measureLoad(ctx context.Context) error {
	cfg := n.config()
	sampler := load.NewSampler(load.Sources{
		FS: os.DirFS("/"), CPUs: runtime.GOMAXPROCS(0), Connections: n.gate.Usage, Disks: disks(cfg), Used: load.Used,
	})
	for {
		o := n.config().Health.Load
		n.tracker.Load(append(sampler.Sample(time.Now(), &o), sessionFigures(n.speakers.Sessions(), &o)...))
		n.sent.set(sampler.Sent())
		n.cache.Shed(n.control.Shedding())
		n.cache.Refuse(n.control.Refusing())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(o.Interval):
		}
	}
}

// sessionFigures are how many of the BGP sessions are down; none where there are no peers.
func sessionFigures(peers []routing.Peer, o *health.LoadOptions) []health.Figure {
	if len(peers) == 0 || slices.Contains(o.Off, health.BGPSessions) {
		return nil
	}
	var down []string
	for _, p := range peers {
		if p.State != "established" {
			down = append(down, strings.TrimSuffix(p.Name+": "+p.LastError, ": "))
		}
	}
	f := health.Figure{Name: health.BGPSessions, Subject: health.WholeNode, Value: float64(len(down)) / float64(len(peers))}
	if len(down) > 0 {
		f.Detail = fmt.Sprintf("%d of %d down: %s", len(down), len(peers), strings.Join(down[:min(len(down), 2)], "; "))
	}
	return []health.Figure{f}
}

// disks are the filesystems that the node writes to.
func disks(cfg *configs.Config) (list []string) {
	if file := cfg.Routing.StateFile; file != "" {
		list = append(list, filepath.Dir(file))
	}
	return list
}

// roomBelow is the part of its capacity up to which a node offers room to others: above, their clients would make it warn.
const roomBelow = 0.75

// headroom is how much more this node can serve, in bits per second: none while any load signal warns, and negative
// while it doesn't know its capacity or what it sends.
func headroom(sent float64, signals []health.Signal, o *health.LoadOptions) float64 {
	if o.Bandwidth.Capacity == 0 || sent < 0 {
		return -1
	}
	for _, s := range signals {
		if s.Cause == health.Load && s.Grade >= health.Warn {
			return 0
		}
	}
	return max(roomBelow*1e6*float64(o.Bandwidth.Capacity)-sent, 0)
}

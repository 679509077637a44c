package main

import (
	"cmp"
	"context"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/disk"
	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/health"
)

// diskTier is the cache's disk tier: none as long as it is zero.
type diskTier struct {
	store *disk.Store // nil also when it can't be used
	out   disk.Stats  // why it can't
}

// newCache returns the cache with its tiers. A disk that can't be used leaves it without one: the node serves.
func (n *node) newCache(cfg *configs.Config) *cache.Cache {
	var tier []cache.Option
	switch {
	case cfg.Cache.Disk == nil:
	case n.former != nil: // which still has it
		tier = append(tier, cache.WithStoreLater())
	default:
		tier = append(tier, n.openDisk(*cfg.Cache.Disk))
	}
	return cache.New(cfg.Cache.Options, cfg.Node.Name, newResidency(cfg.Cache.Options), n.log, tier...)
}

func (n *node) openDisk(o disk.Options) cache.Option {
	store, err := disk.Open(o, n.log)
	if err != nil {
		n.withoutDisk(o, err)
		return cache.WithoutStore(err)
	}
	n.disk.store = store
	store.RegisterMetrics(n.registry)
	return cache.WithStore(store)
}

// withoutDisk tells that the disk tier can't be used.
func (n *node) withoutDisk(o disk.Options, err error) {
	path := cmp.Or(append(o.Paths, o.Path)...)
	n.disk.out = disk.Stats{Disk: path, State: disk.Resting, Reason: "left out until the next start: " + firstLine(err), Size: o.Size}
	n.log.Error("the disk tier is left out until the next start", "error", err)
	n.journal.Add(health.EventNode, "disk "+path, n.disk.out.Reason)
}

// closeCache closes what newCache opened, for a node that won't run.
func (n *node) closeCache() {
	if n.cache != nil {
		_ = n.bounded(sessionEnd, n.cache.Close) // there is nothing in it
	}
}

// stats are the disks' figures.
func (d *diskTier) stats() []disk.Stats {
	switch {
	case d.store != nil:
		return d.store.Stats()
	case d.out.Disk != "":
		return []disk.Stats{d.out}
	}
	return nil
}

// diskInterval is how often the disks' states are looked at, for the journal.
const diskInterval = time.Second

// watchDisks tells the journal when a disk begins or ends to be full, failing or resting, until ctx ends.
func (n *node) watchDisks(ctx context.Context) error {
	if n.disk.store == nil {
		return nil
	}
	last := map[string]disk.State{}
	tick := time.NewTicker(diskInterval)
	defer tick.Stop()
	for {
		for _, s := range n.disk.stats() {
			if event := diskEvent(last[s.Disk], s); event != "" {
				n.journal.Add(health.EventNode, "disk "+s.Disk, event)
			}
			last[s.Disk] = s.State
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// diskEvent is what the journal gets of a disk that was in another state, empty for nothing.
func diskEvent(before disk.State, s disk.Stats) string {
	well := func(state disk.State) bool { return state == "" || state == disk.OK || state == disk.Loading }
	switch {
	case before == s.State || well(before) && well(s.State):
		return ""
	case well(s.State):
		return "works again"
	}
	return string(s.State) + ": " + s.Reason
}

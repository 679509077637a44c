package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/fleet"
	"github.com/anyedge/anyedge/routing/fleet/gossip"
	"github.com/anyedge/anyedge/routing/steer"
)

// openFleet binds this node's place in the fleet; nil where the configuration has none.
func (n *node) openFleet(cfg *configs.Config) (*fleet.Fleet, error) {
	if len(cfg.Fleet.Join) == 0 {
		return nil, nil
	}
	var fixed fleet.ServerID
	if s := cfg.Fleet.Steering; s != nil && s.Host != 0 {
		fixed.Metro, fixed.Host = s.Metro, s.Host
	}
	f, err := fleet.Open(fleet.Config{
		Name: cfg.Node.Name, Metro: cfg.Node.Metro, Version: version(), Address: cfg.Node.Address, Fixed: fixed, Options: cfg.Fleet.Options,
		Keys: n.secret.Load().GossipKeys(), Cache: &purges{n, cfg.Node.Name}, Others: n.others, Journal: n.journal, Log: n.log, Hear: n.hear,
		Report: func() *routing.Report { return n.report(n.config()) },
	})
	if err != nil {
		return nil, err
	}
	if n.steering != nil {
		f.SetTunnel(n.steering.Addr())
	}
	n.registry.MustRegister(f.Collector())
	return f, nil
}

// closeFleet ends what openFleet began where the node doesn't run.
func (n *node) closeFleet() {
	if n.fleet != nil {
		_ = n.fleet.Close() // the node fails for another reason
	}
}

// refleet brings what a reload may change to the fleet.
func (n *node) refleet(cfg *configs.Config) {
	if n.fleet == nil {
		return
	}
	n.fleet.SetJoin(cfg.Fleet.Join)
	if err := n.fleet.SetKeys(n.secret.Load().GossipKeys()); err != nil {
		n.log.Error("fleet: the former keys go on", "error", err)
	}
}

// number gives steering the numbers that the fleet has settled, where the configuration says none. They are known at once
// but at a node's first start.
func (n *node) number() {
	if n.steering == nil || n.fleet == nil {
		return
	}
	id, err := n.fleet.ServerID()
	if err != nil || n.config().Fleet.Steering.Host != 0 {
		return
	}
	was, now := n.steering.ID(), steer.NodeID{Metro: id.Metro, Host: id.Host}
	if was == now {
		return
	}
	if err := n.steering.Renumber(now); err != nil {
		n.log.Error("steering: the former numbers stay", "error", err)
		return
	}
	n.log.Info("steering: this node's numbers", "id", now.String())
	n.journal.Add(health.EventNode, n.config().Node.Name, "steering: this node is "+now.String()+" in connection IDs")
}

// steerTo tells steering of the nodes of the configuration and of those that gossip.
func (n *node) steerTo(cfg *configs.Config) {
	if n.steering == nil {
		return
	}
	if err := n.steering.Update(n.steered(cfg)); err != nil {
		n.log.Error("steering: the former nodes stay", "error", err) // what can be wrong was refused before
	}
}

// steered are the nodes that packets may go to. The configuration comes first where a number or an address is in both.
func (n *node) steered(cfg *configs.Config) []steer.Peer {
	list := cfg.Fleet.Steering.Peers()
	if n.fleet == nil && n.former != nil && len(cfg.Fleet.Join) > 0 && len(list) == 0 {
		return n.former.offer.Peers // until this process gossips
	}
	if n.fleet == nil {
		return list
	}
	own, v6 := n.steering.ID(), cfg.Fleet.Steering.Address.Is6()
	for _, p := range n.fleet.Peers() {
		peer := steer.Peer{Name: p.Name, ID: steer.NodeID{Metro: p.ID.Metro, Host: p.ID.Host}, Tunnel: p.Tunnel, Dead: p.Status != gossip.Alive}
		taken := func(o steer.Peer) bool { return o.ID == peer.ID || o.Tunnel == peer.Tunnel }
		if p.Tunnel.IsValid() && p.Tunnel.Addr().Is6() == v6 && peer.ID != own && !slices.ContainsFunc(list, taken) {
			list = append(list, peer)
		}
	}
	return list
}

// followFleet tells steering who comes and goes.
func (n *node) followFleet(ctx context.Context) error {
	tick := time.NewTicker(n.config().Fleet.Interval)
	defer tick.Stop()
	var before []steer.Peer
	for {
		n.number()
		if now := n.steered(n.config()); !slices.Equal(now, before) {
			n.steerTo(n.config())
			before = now
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// purges is the cache as the fleet's purges reach it. The sites of other nodes may be unknown here: nothing of theirs is
// stored then.
type purges struct {
	n    *node
	name string
}

// Purge carries out another node's purge, or this one's for the fleet.
func (p *purges) Purge(_ context.Context, request json.RawMessage) (json.RawMessage, string, error) {
	var r cache.PurgeRequest
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, "", fmt.Errorf("purge: %w", err)
	}
	result, err := p.n.purgeEverywhere(r)
	if err != nil {
		return nil, "", err
	}
	b, err := json.Marshal(result)
	return b, result.Warning, err
}

// Clear purges everything.
func (p *purges) Clear(_ context.Context, why string) error {
	result, err := p.n.purgeEverywhere(cache.PurgeRequest{All: true})
	if err == nil && result.Warning != "" {
		err = errors.New("a restart may bring back what is stored: " + result.Warning)
	}
	p.n.log.Info("fleet: everything that is stored was purged", "why", why)
	p.n.journal.Add(health.EventNode, p.name, "purged everything: "+why)
	return err
}

// FleetPurge is what came of a purge on every node.
type FleetPurge struct {
	Nodes []fleet.Purged `json:"nodes"`
}

// PurgeFleet purges here and on every other node of the fleet.
func (n *node) PurgeFleet(ctx context.Context, p cache.PurgeRequest) (any, error) {
	if n.fleet == nil {
		return nil, errors.New("purge the fleet: fleet.join doesn't say where it is")
	}
	if err := n.knowsSites(p); err != nil {
		return nil, err
	}
	request, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	list, err := n.fleet.Purge(ctx, request)
	return FleetPurge{list}, err
}

// write tells what came of it at each node, and returns an error where not every one has purged.
func (f *FleetPurge) write(w io.Writer) {
	for _, p := range f.Nodes {
		var r cache.PurgeResult
		if p.State != fleet.StatePurged || json.Unmarshal(p.Result, &r) != nil {
			fmt.Fprintf(w, "%s: %s: %s\n", p.Node, p.State, p.Text)
			continue
		}
		fmt.Fprintf(w, "%s: ", p.Node)
		writePurged(w, r)
		if p.Text != "" || r.Warning != "" {
			fmt.Fprintf(w, "  warning: a restart may bring it back: %s\n", firstOf(p.Text, r.Warning))
		}
	}
}

// incomplete is the nodes that have not purged, as an error.
func (f *FleetPurge) incomplete() error {
	failed := slices.DeleteFunc(slices.Clone(f.Nodes), func(p fleet.Purged) bool { return p.State == fleet.StatePurged })
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("purged on %d of %s", len(f.Nodes)-len(failed), count(len(f.Nodes), "node"))
}

// fleetStatus is the fleet by gossip; nil where there is none.
func (n *node) fleetStatus() *fleet.Status {
	if n.fleet == nil {
		return nil
	}
	return n.fleet.Status()
}

// writeFleet prints the fleet for people.
func writeFleet(w io.Writer, s *fleet.Status, now time.Time) {
	if s == nil {
		return
	}
	alive, left := 0, 0
	for _, m := range s.Members {
		switch m.State {
		case gossip.Alive:
			alive++
		case gossip.Left:
			left++
		}
	}
	fmt.Fprintf(w, "fleet\t%s\t%s\t%d of %s there\t%s\n", firstOf(s.ServerID, "no server ID"), s.Address, alive, count(len(s.Members)-left, "other"), s.Problem)
	for _, m := range s.Members {
		fmt.Fprintf(w, "member\t%s\t%s\tfor %s\t%s\n", m.Name, m.State, age(now, m.Since), memberText(&m, now))
	}
	for _, seed := range s.Seeds {
		if seed.Problem != "" {
			fmt.Fprintf(w, "join\t%s\t\t\t%s\n", seed.Address, seed.Problem)
		}
	}
	for _, x := range s.Strangers {
		fmt.Fprintf(w, "stranger\t%s\t%s\t%s ago\t%s\n", x.Address, count(x.Count, "time"), age(now, x.Last), x.Text)
	}
}

// memberText is what is known of a member, in a clause.
func memberText(m *fleet.MemberStatus, now time.Time) string {
	list := []string{firstOf(m.Metro, "no metro")}
	add := func(there bool, text string) {
		if there {
			list = append(list, text)
		}
	}
	add(m.Version != "", m.Version)
	add(m.ServerID != "", m.ServerID)
	add(m.RTT > 0, m.RTT.Round(10*time.Microsecond).String()+" away")
	add(!m.Heard.IsZero(), "heard "+age(now, m.Heard).String()+" ago")
	add(len(m.VerifiedBy) > 0, "verified by "+strings.Join(m.VerifiedBy, " "))
	add(len(m.VerifiedBy) == 0, "verified by nobody")
	add(m.PurgesMissing > 0, count(m.PurgesMissing, "purge")+" missing")
	add(m.Problem != "", m.Problem)
	return strings.Join(list, ", ")
}

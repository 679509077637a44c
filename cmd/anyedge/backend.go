package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp"
)

// The methods below make *node the admin API's Backend.

// Status is the node at a glance.
func (n *node) Status() any {
	l := n.live.Load()
	s := Status{
		Node: l.cfg.Node.Name, Metro: l.cfg.Node.Metro, Version: version(), Started: n.started,
		Config: ConfigStatus{File: n.file, Loaded: l.loaded},
		VIPs:   n.vipStatus(l.cfg), Peers: n.speakers.Peers(),
		Cache: n.cache.Stats(), Disks: n.disk.stats(), Certificates: n.certs.Certificates(), ACME: n.acme.Status(), ACMEStorage: n.acme.Storage(), Report: n.report(l.cfg), Nodes: n.nodeStatus(),
		FleetSecret: n.secretStatus(), Steering: n.steeringStatus(), Rescue: n.rescueStatus(), Fleet: n.fleetStatus(), Upgrade: n.upgradeStatus(),
	}
	for _, name := range slices.Sorted(maps.Keys(l.pools)) {
		s.Origins = append(s.Origins, l.pools[name].Status())
	}
	if m := n.mistake.Load(); m != nil {
		s.Config.Mistake, s.Config.MistakeAt = m.err.Error(), &m.at
	}
	return s
}

// Config is the effective configuration, as check --print prints it.
func (n *node) Config() []byte {
	var text bytes.Buffer
	_ = configs.Print(&text, n.config()) // a buffer takes everything
	return text.Bytes()
}

func (n *node) vipStatus(cfg *configs.Config) []VIPStatus {
	all, _ := n.control.Explain("") // fails for a name that isn't there, and this is none
	var list []VIPStatus
	for _, e := range all {
		v := VIPStatus{Name: e.VIP, Level: e.Level, LevelName: e.Level.String(), Since: e.Since, Text: e.Text, Blackhole: e.Blackhole}
		if c := cfg.VIPs[e.VIP]; c != nil {
			v.Addresses, v.Announce = texts(c.Addresses), texts(c.Announce)
		}
		list = append(list, v)
	}
	return list
}

func texts[T interface{ String() string }](values []T) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = v.String()
	}
	return list
}

// Explain says why vip, or every VIP, is at its level.
func (n *node) Explain(vip string) (any, error) { return n.control.Explain(vip) }

// ExplainURL says what is stored for a URL on this node.
func (n *node) ExplainURL(url string, fields http.Header) (cache.URLExplanation, error) {
	return n.cache.Explain(url, fields, time.Now())
}

// Purge drops stored responses of this node.
func (n *node) Purge(_ context.Context, p cache.PurgeRequest) (cache.PurgeResult, error) {
	if err := n.knowsSites(p); err != nil {
		return cache.PurgeResult{}, err
	}
	return n.purgeEverywhere(p)
}

// knowsSites says which sites of a purge there are none of.
func (n *node) knowsSites(p cache.PurgeRequest) error {
	known := slices.Sorted(maps.Keys(n.live.Load().cfg.Sites))
	for _, site := range p.Sites {
		if !slices.Contains(known, site) {
			return fmt.Errorf("purge: no site %q: there are %s", site, strings.Join(known, ", "))
		}
	}
	return nil
}

// Drain takes vip, or all, out of service for d, or until Undrain if that is 0.
func (n *node) Drain(vip string, d time.Duration, reason string) error {
	return n.control.Drain(vip, d, reason)
}

// Undrain puts vip, or all, back into service.
func (n *node) Undrain(vip string) error { return n.control.Undrain(vip) }

// Force sets vip's level for d, whatever its signals say.
func (n *node) Force(vip string, level uint8, d time.Duration, reason string) error {
	return n.control.Force(vip, routing.Level(level), d, reason)
}

// Unforce ends the force of vip, or of all.
func (n *node) Unforce(vip string) error { return n.control.Unforce(vip) }

// Blackhole has peers drop what is sent to vip's addresses for d.
func (n *node) Blackhole(vip string, d time.Duration, reason string) error {
	takes := func(p bgp.Peer) bool { return p.Blackhole }
	if !slices.ContainsFunc(n.config().BGP.Peers, takes) {
		return errors.New("blackhole: no peer would drop it: set bgp.peers[].blackhole where the router has agreed to")
	}
	return n.control.Blackhole(vip, d, reason)
}

// Unblackhole ends the blackhole of vip, or of all.
func (n *node) Unblackhole(vip string) error { return n.control.Unblackhole(vip) }

// Undamp forgets the damping of vip, or of all.
func (n *node) Undamp(vip string) error { return n.control.Undamp(vip) }

// Ready returns nil while some VIP is announced at some level, to somebody if there are peers.
func (n *node) Ready() error {
	if peers := n.speakers.Peers(); len(peers) > 0 && !slices.ContainsFunc(peers, heard) {
		return errors.New("no BGP session is established: " + peers[0].Name + ": " + firstOf(peers[0].LastError, peers[0].State))
	}
	all, err := n.control.Explain("")
	if err != nil {
		return err
	}
	var why []string
	for _, e := range all {
		if e.Level != routing.Withdrawn {
			return nil
		}
		why = append(why, e.VIP+": "+e.Text)
	}
	return errors.New("no VIP is announced: " + strings.Join(why, "; "))
}

// heard says whether p hears our announcements.
func heard(p routing.Peer) bool { return p.State == "established" }

package main

import (
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/proxy/listener"
	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/fleet"
)

// What this node tells the others, how it asks them, and the door at its own address by which they see that it serves.

// report is what this node tells the others.
func (n *node) report(cfg *configs.Config) *routing.Report {
	signals := n.tracker.Signals(time.Now())
	r := &routing.Report{
		Levels: n.control.Levels(), Origins: slices.Sorted(maps.Keys(cfg.Origins)), Critical: []string{},
		Load: n.sent.get(), Headroom: headroom(n.sent.get(), signals, &cfg.Health.Load),
	}
	for _, s := range signals {
		if routing.Failing(s) && !slices.Contains(r.Failing, s.Subject) {
			r.Failing = append(r.Failing, s.Subject)
		}
		if s.Cause == health.Path && s.Grade == health.Crit && !slices.Contains(r.Critical, s.Subject) {
			r.Critical = append(r.Critical, s.Subject)
		}
	}
	return r
}

// nodeStatus is what is known of the other nodes, by name.
func (n *node) nodeStatus() (list []NodeStatus) {
	all, _ := n.control.Explain("") // fails for a name that isn't there, and this is none
	able, now := map[string]int{}, time.Now()
	for _, e := range all {
		if e.Fleet == nil {
			continue
		}
		for _, other := range e.Fleet.Nodes {
			i := slices.IndexFunc(list, func(s NodeStatus) bool { return s.Name == other.Name })
			if i < 0 {
				i = len(list)
				list = append(list, NodeStatus{Name: other.Name, Metro: other.Metro, Told: before(now, other.Age), Answered: before(now, other.Verified)})
			}
			if answered := before(now, other.Verified); answered.Before(list[i].Answered) {
				list[i].Answered = answered
			}
			problem := other.Unable()
			if problem == "" {
				able[other.Name]++
				problem = "can take over"
			}
			list[i].Text = strings.TrimPrefix(list[i].Text+"; "+e.VIP+" "+other.Level.String()+", "+problem, "; ")
		}
	}
	for i := range list {
		switch able[list[i].Name] {
		case len(all):
			list[i].State = "up"
		case 0:
			list[i].State = "down"
		default:
			list[i].State = "warn"
		}
	}
	return list
}

// before is the time of what has that age; zero for a negative one, which is of what never was.
func before(now time.Time, age time.Duration) time.Time {
	if age < 0 {
		return time.Time{}
	}
	return now.Add(-age)
}

// asked are the VIPs that others are asked for.
func asked(cfg *configs.Config) (list []fleet.VIP) {
	for _, name := range slices.Sorted(maps.Keys(cfg.VIPs)) {
		v := cfg.VIPs[name]
		list = append(list, fleet.VIP{Name: name, ServerName: serverName(cfg, name), HTTPS: v.HTTPS, HTTP: v.HTTP})
	}
	return list
}

// ownDoors are the listeners at the node's own address, one for each port that a VIP has, where there are others to see
// that it serves. They have no VIP of their own.
func ownDoors(cfg *configs.Config, taken []socket) (list []socket) {
	if len(cfg.Fleet.Nodes)+len(cfg.Fleet.Join) == 0 || !cfg.Node.Address.IsValid() {
		return nil
	}
	add := func(port uint16, tls bool) {
		door := netip.AddrPortFrom(cfg.Node.Address, port)
		if port != 0 && !slices.ContainsFunc(slices.Concat(taken, list), func(s socket) bool { return s.at == door }) {
			list = append(list, socket{at: door, tls: tls})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.VIPs)) {
		add(cfg.VIPs[name].HTTPS, true)
		add(cfg.VIPs[name].HTTP, false)
	}
	return list
}

// atOwnDoor is the handler there: what is asked for says which VIP is meant.
func (n *node) atOwnDoor() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info := *listener.InfoFrom(r.Context())
		cfg := n.config()
		if info.VIP = vipOf(cfg, r.Host); info.VIP != "" {
			v := cfg.VIPs[info.VIP]
			info.Plain, info.HTTPSPort = v.Plain, v.HTTPS
		}
		n.server.ServeHTTP(w, r.WithContext(listener.WithInfo(r.Context(), &info)))
	})
}

// vipOf is the first VIP by name that serves host, or none.
func vipOf(cfg *configs.Config, host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	for _, vip := range slices.Sorted(maps.Keys(cfg.VIPs)) {
		for _, s := range cfg.Sites {
			if on(s, vip) && served(cfg.VIPs[vip]) && slices.ContainsFunc(s.Hosts, func(pattern string) bool { return serves(pattern, strings.ToLower(host)) }) {
				return vip
			}
		}
	}
	return ""
}

// serves says whether a site's host covers host.
func serves(pattern, host string) bool {
	suffix, wild := strings.CutPrefix(strings.ToLower(pattern), "*")
	if wild {
		return strings.HasSuffix(host, suffix)
	}
	return suffix == host
}

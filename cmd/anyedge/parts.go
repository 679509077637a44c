package main

import (
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/memory"
	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/health/probe"
	"github.com/anyedge/anyedge/proxy"
	"github.com/anyedge/anyedge/proxy/listener"
	"github.com/anyedge/anyedge/proxy/origin"
	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp"
)

// certInterval is how often the certificates' files are looked at: ACME clients renew weeks ahead.
const certInterval = 2 * time.Second

// The functions below translate the configuration into what each package is built from.

func newSpeakers(cfg *configs.Config, j *health.Journal, log *slog.Logger) (*bgp.Speakers, error) {
	return bgp.NewSpeakers(cfg.BGP, prefixes(cfg), j, log)
}

// prefixes is the allow-list: what BGP may announce.
func prefixes(cfg *configs.Config) []netip.Prefix {
	var all []netip.Prefix
	for _, v := range cfg.VIPs {
		all = append(all, v.Announce...)
	}
	return all
}

// newResidency decides over what stays in memory.
func newResidency(o cache.Options) cache.Residency {
	if o.Eviction == cache.Ristretto {
		return memory.NewRistretto(o.Memory)
	}
	return memory.New(o.Memory)
}

func announcedVIPs(cfg *configs.Config) []routing.VIP {
	var list []routing.VIP
	for _, name := range slices.Sorted(maps.Keys(cfg.VIPs)) {
		v := cfg.VIPs[name]
		list = append(list, routing.VIP{
			Name: name, Prefixes: v.Announce, Addresses: v.Addresses, Origins: originsOf(cfg, name), SelfChecks: served(v) || len(v.Probes) > 0,
		})
	}
	return list
}

// served says whether this node serves a VIP, or only announces it.
func served(v *configs.VIP) bool { return v.HTTPS != 0 || v.HTTP != 0 }

// originsOf are the origins that the sites on vip fill from.
func originsOf(cfg *configs.Config, vip string) []string {
	found := map[string]bool{}
	for _, s := range cfg.Sites {
		if !on(s, vip) || !served(cfg.VIPs[vip]) {
			continue
		}
		found[s.Origin] = true
		for _, p := range s.Paths {
			found[p.Origin] = true
		}
	}
	delete(found, "") // a path that leaves the site's
	return slices.Sorted(maps.Keys(found))
}

func on(s *proxy.SiteOptions, vip string) bool {
	return len(s.VIPs) == 0 || slices.Contains(s.VIPs, vip)
}

// selfChecks are the addresses at which the node asks itself.
func (n *node) selfChecks(cfg *configs.Config) []probe.Self {
	awaited := n.awaited(cfg)
	n.checked.Store(&awaited)
	var list []probe.Self
	for name, v := range cfg.VIPs {
		for _, a := range v.Addresses {
			if !served(v) {
				continue
			}
			self := probe.Self{
				VIP: name, Node: cfg.Node.Name, Token: n.token, ServerName: n.checkedName(cfg, name), Certificate: n.own,
				HTTPS: at(a, v.HTTPS), QUIC: at(a, v.HTTPS), HTTP: at(a, v.HTTP),
			}
			if n.awaitsFirst(cfg, name) {
				self.HTTPS, self.QUIC = netip.AddrPort{}, netip.AddrPort{}
			}
			list = append(list, self)
		}
	}
	return list
}

// services are the probes of what stands beside the node.
func services(cfg *configs.Config) (list []probe.Service) {
	for name, v := range cfg.VIPs {
		for _, o := range v.Probes {
			list = append(list, probe.Service{VIP: name, Options: o})
		}
	}
	return list
}

// at is a's port p, or nothing where there is no p.
func at(a netip.Addr, p uint16) netip.AddrPort {
	if p == 0 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a, p)
}

// serverName is a host that vip serves, for the self check's handshake.
func serverName(cfg *configs.Config, vip string) string {
	for _, name := range slices.Sorted(maps.Keys(cfg.Sites)) {
		s := cfg.Sites[name]
		if !on(s, vip) {
			continue
		}
		for _, h := range s.Hosts {
			if h != "*" {
				return strings.Replace(h, "*", "self-check", 1)
			}
		}
	}
	return ""
}

func originOptions(cfg *configs.Config, name string) origin.Options {
	o := *cfg.Origins[name]
	o.LocalAddress = cfg.Node.Address
	return o
}

// newPools builds every origin's pool, keeping those of old whose options are the same: with their connections, and
// with what they know of their servers. The errors of all come at once.
func newPools(cfg *configs.Config, old map[string]*pool, r origin.Reporter, j *health.Journal, log *slog.Logger) (map[string]*pool, error) {
	pools := map[string]*pool{}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(cfg.Origins)) {
		o := originOptions(cfg, name)
		if old[name] != nil && reflect.DeepEqual(old[name].Options(), o) {
			pools[name] = old[name]
			continue
		}
		p, err := origin.New(name, o, r, j, log)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		pools[name] = &pool{Pool: p, stop: func() {}}
	}
	return pools, errors.Join(errs...)
}

func (n *node) chainOptions(l *live) proxy.ChainOptions {
	pools := map[string]proxy.Pool{}
	for name, p := range l.pools {
		pools[name] = p
	}
	return proxy.ChainOptions{
		Node: l.cfg.Node.Name, Sites: l.cfg.Sites, ClientAuth: l.clients, Pools: pools, Cache: n.cache, Admission: n.limiter, Metrics: n.requests,
		SelfToken: n.token, Demand: n.tracker.Request, Unanswered: n.tracker.Unanswered, AccessLog: n.access.logger(l.cfg.Log.Access), Journal: n.journal, Log: n.log,
	}
}

// sockets are the listeners that cfg wants.
func sockets(cfg *configs.Config) []socket {
	var list []socket
	for _, name := range slices.Sorted(maps.Keys(cfg.VIPs)) {
		v := cfg.VIPs[name]
		for _, a := range v.Addresses {
			if v.HTTPS != 0 {
				list = append(list, socket{vip: name, at: at(a, v.HTTPS), tls: true})
			}
			if v.HTTP != 0 {
				list = append(list, socket{vip: name, at: at(a, v.HTTP)})
			}
		}
	}
	return append(list, ownDoors(cfg, list)...)
}

func (n *node) open(s socket, cfg *configs.Config) (*listener.Listener, error) {
	c := listener.Config{
		VIP: s.vip, Limits: cfg.Limits, TLS: n.tlsConfig(s.vip), Handler: n.server,
		TokenKey: n.tokenKey(), Gate: n.gate, Clients: n.clients, Handshakes: n.handshakes, Metrics: n.connections,
		Journal: n.journal, Log: n.log,
	}
	c.Addresses = []netip.Addr{s.at.Addr()}
	if s.tls {
		c.HTTPS, c.Hits = s.at.Port(), n.server
		if v := cfg.VIPs[s.vip]; v != nil {
			c.QUICWorkers = v.QUICWorkers
		}
	} else {
		c.HTTP, c.Handler = s.at.Port(), n.plain(s.vip)
	}
	if s.vip == "" {
		c.Handler, c.Hits = n.atOwnDoor(), nil
	}
	if n.quic != nil {
		c.Steering = steering{n.quic}
	}
	c.Inherited = n.inherited
	if s.vip != "" && n.rescue != nil {
		c.Rescue = n.rescue
	}
	return listener.Open(c)
}

// earlyData says whether a site on vip answers early data; "" is every VIP.
func earlyData(cfg *configs.Config, vip string) bool {
	for _, s := range cfg.Sites {
		if s.EarlyData && (vip == "" || on(s, vip)) {
			return true
		}
	}
	return false
}

// plain is the handler of vip's plain port: a reload may change whether it redirects, and where to.
func (n *node) plain(vip string) http.Handler {
	return n.answerChallenges(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info := *listener.InfoFrom(r.Context())
		if v := n.config().VIPs[vip]; v != nil {
			info.Plain, info.HTTPSPort = v.Plain, v.HTTPS
		}
		n.server.ServeHTTP(w, r.WithContext(listener.WithInfo(r.Context(), &info)))
	}))
}

// selfChecked takes the outcome of a self check to the signals, and offers H3 for as long as QUIC answers.
func (n *node) selfChecked(vip string, name health.SignalName, err error) {
	n.tracker.SelfCheck(vip, name, err)
	if name != health.SelfQUIC {
		return
	}
	for _, s := range n.tracker.Signals(time.Now()) {
		if s.Name == health.SelfQUIC && s.Subject == vip && s.Grade != health.Unknown {
			n.offerQUIC(vip, s.Grade == health.OK)
		}
	}
}

func (n *node) offerQUIC(vip string, answers bool) {
	for s, l := range n.live.Load().listeners {
		if s.vip == vip && s.tls {
			l.SetQUICAnswers(answers)
		}
	}
}

// originCollector reads the metrics of the live pools.
func (n *node) originCollector() prometheus.Collector {
	return origin.NewCollector(func() []*origin.Pool {
		var list []*origin.Pool
		for _, p := range n.live.Load().pools {
			list = append(list, p.Pool)
		}
		return list
	})
}

// certsChanged is told of each reload of the certificates' files.
func (n *node) certsChanged(err error) {
	if err != nil {
		n.log.Error("certificates: the old ones go on", "error", err)
		n.certProblem.Store(new(err.Error()))
		n.journal.Add(health.EventNode, n.config().Node.Name, "certificates not reloaded: "+firstLine(err))
		return
	}
	n.certProblem.Store(nil)
	n.log.Info("certificates reloaded")
	n.journal.Add(health.EventNode, n.config().Node.Name, "certificates reloaded")
}

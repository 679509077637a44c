package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/proxy"
	"github.com/anyedge/anyedge/proxy/listener"
	"github.com/anyedge/anyedge/proxy/origin"
	"github.com/anyedge/anyedge/routing/fleet"
	"github.com/anyedge/anyedge/tls/clientauth"
)

// live is one configuration and what was built from it; a reload swaps it whole.
type live struct {
	cfg       *configs.Config
	loaded    time.Time
	chain     *proxy.Chain
	pools     map[string]*pool
	clients   map[string]*clientauth.Policy // whose certificates the sites take, by site
	members   *fleet.Members
	listeners map[socket]*listener.Listener
}

// pool is an origin's pool with the end of its probes.
type pool struct {
	*origin.Pool
	stop func() // ends the probes: none reports afterwards
}

// socket identifies a listener over reloads: one that is wanted before and after keeps its socket and connections.
// So there is one for each address and port of a VIP, and what may change on it is looked up at each request.
type socket struct {
	vip string
	at  netip.AddrPort
	tls bool
}

// mistake is why the last reload changed nothing.
type mistake struct {
	at  time.Time
	err error
}

// Reload loads, validates and builds the configuration, then swaps it in. On a mistake nothing changes: the node goes
// on with what it has, and status shows the mistake. Connections, the cache and unchanged BGP sessions stay.
func (n *node) Reload() error {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	n.supervisor.reloading()
	defer n.supervisor.ready()
	err := n.reload()
	if err != nil {
		n.mistake.Store(&mistake{time.Now(), err})
		n.log.Error("reload: the old configuration goes on", "error", err)
		n.journal.Add(health.EventNode, n.config().Node.Name, "reload refused: "+firstLine(err))
		return err
	}
	n.mistake.Store(nil)
	n.log.Info("reloaded", "file", n.file)
	n.journal.Add(health.EventNode, n.config().Node.Name, "reloaded "+n.file)
	return nil
}

func (n *node) reload() error {
	cfg, err := configs.Load(n.file)
	if err != nil {
		return err
	}
	old := n.live.Load()
	if err := fixed(old.cfg, cfg); err != nil {
		return err
	}
	if err := unconfirmed(old.cfg, cfg, n.announcedNow()); err != nil {
		return err
	}
	read, err := checkFiles(cfg)
	if err != nil {
		return err
	}
	next, err := n.build(cfg, old)
	if err != nil {
		return err
	}
	access, err := openAccess(cfg.Log.Access)
	if err != nil {
		next.discard(old)
		return err
	}
	// The last that can fail: a peer's session is only touched once the rest stands.
	if err := n.speakers.Configure(n.work, cfg.BGP, prefixes(cfg)); err != nil {
		_ = access.Close()
		next.discard(old)
		return err
	}
	n.access.use(access)
	n.certProblem.Store(nil)
	if err := n.certs.Replace(cfg.TLS.Options); err != nil {
		n.log.Error("the certificates changed between check and use: the old ones go on", "error", err)
	}
	if err := n.obtain(cfg); err != nil {
		n.log.Error("what tls.acme names changed between check and use: certificates are obtained as before", "error", err)
	}
	if err := n.readSecret(cfg); err != nil {
		n.log.Error("the fleet secret changed between check and use: the former keys go on", "error", err)
	}
	for _, w := range warnings(cfg, read) {
		n.log.Warn(w)
	}
	n.swap(next)
	return nil
}

// restart is what to do about a change that a reload can't make.
const restart = "a reload can't change it: restart the node"

// fixed reports every change that only a restart can make, as Mistakes.
func fixed(old, cfg *configs.Config) error {
	var mistakes configs.Mistakes
	for key, same := range map[string]bool{
		"node.name":          old.Node.Name == cfg.Node.Name,
		"admin":              reflect.DeepEqual(old.Admin, cfg.Admin),
		"cache.disk":         reflect.DeepEqual(old.Cache.Disk, cfg.Cache.Disk),
		"cache.eviction":     old.Cache.Eviction == cfg.Cache.Eviction,
		"bgp.asn":            old.BGP.ASN == cfg.BGP.ASN,
		"routing.state_file": old.Routing.StateFile == cfg.Routing.StateFile,
		"bgp.router_id":      old.BGP.RouterID == cfg.BGP.RouterID,
		"log.level":          old.Log.Level == cfg.Log.Level,
		"log.format":         old.Log.Format == cfg.Log.Format,
		"fleet.join":         (len(old.Fleet.Join) == 0) == (len(cfg.Fleet.Join) == 0),
		"fleet.listen":       old.Fleet.Listen == cfg.Fleet.Listen,
		"fleet.advertise":    old.Fleet.Advertise == cfg.Fleet.Advertise,
		"fleet.state_file":   old.Fleet.StateFile == cfg.Fleet.StateFile,
		"fleet.interval":     old.Fleet.Interval == cfg.Fleet.Interval || len(cfg.Fleet.Join) == 0,
		"node.metro":         old.Node.Metro == cfg.Node.Metro || len(cfg.Fleet.Join) == 0,
		"node.address":       old.Node.Address == cfg.Node.Address || len(cfg.Fleet.Join) == 0,
		"fleet.secret_file":  (old.Fleet.SecretFile == "") == (cfg.Fleet.SecretFile == ""), // QUIC sockets have keys for their life
		// A listener's server has these for its life, and another would have to close its connections.
		"limits.header":         old.Limits.Header == cfg.Limits.Header,
		"limits.header_timeout": old.Limits.HeaderTimeout == cfg.Limits.HeaderTimeout,
		"limits.idle_timeout":   old.Limits.IdleTimeout == cfg.Limits.IdleTimeout,
		"limits.streams":        old.Limits.Streams == cfg.Limits.Streams,
		"fleet.tcp_rescue":      old.Fleet.TCPRescue == cfg.Fleet.TCPRescue,
		"fleet.steering":        sameSteering(old.Fleet.Steering, cfg.Fleet.Steering),
	} {
		if !same {
			mistakes = append(mistakes, cfg.Mistake(key, restart))
		}
	}
	for name, v := range cfg.VIPs {
		if was := old.VIPs[name]; was != nil && was.QUICWorkers != v.QUICWorkers {
			mistakes = append(mistakes, cfg.Mistake("vips."+name+".quic_workers", restart))
		}
	}
	return sorted(mistakes)
}

// build makes what cfg asks for beside old, which goes on untouched, or nothing.
func (n *node) build(cfg *configs.Config, old *live) (*live, error) {
	next := &live{cfg: cfg, loaded: time.Now(), listeners: map[socket]*listener.Listener{}}
	var kept map[string]*pool
	if old != nil {
		kept = old.pools
	}
	var err error
	if next.pools, err = newPools(cfg, kept, n.tracker, n.journal, n.log); err != nil {
		return nil, err
	}
	if next.clients, err = clientPolicies(cfg, n.own); err == nil {
		next.chain, err = proxy.NewChain(n.chainOptions(next))
	}
	if err == nil {
		next.members, err = fleet.Read(cfg.Fleet.Options)
	}
	if err == nil {
		err = n.openListeners(next, old)
	}
	if err != nil {
		next.discard(old)
		return nil, err
	}
	return next, nil
}

func (n *node) openListeners(next, old *live) error {
	var errs []error
	for _, s := range sockets(next.cfg) {
		if old != nil && old.listeners[s] != nil {
			next.listeners[s] = old.listeners[s]
			continue
		}
		l, err := n.open(s, next.cfg)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		next.listeners[s] = l
	}
	return errors.Join(errs...)
}

// discard closes what was built beside old and will not be used.
func (l *live) discard(old *live) {
	for name, p := range l.pools {
		if old == nil || old.pools[name] != p {
			p.Close()
		}
	}
	for s, ln := range l.listeners {
		if old == nil || old.listeners[s] != ln {
			ctx, cancel := context.WithCancel(context.Background())
			cancel() // nothing was accepted: close at once
			_ = ln.Shutdown(ctx)
		}
	}
}

// endProbes ends the probes that next no longer has, before anybody hears what those of next find.
func (l *live) endProbes(next *live) {
	for name, p := range l.pools {
		if next.pools[name] != p {
			p.stop()
		}
	}
}

// close ends the pools; the listeners have said goodbye by now.
func (l *live) close() {
	for _, p := range l.pools {
		p.stop()
		p.Close()
	}
}

// swap makes next the live configuration; requests under way finish on the old one.
func (n *node) swap(next *live) {
	old := n.live.Swap(next)
	old.endProbes(next)
	n.apply(next, old)
	n.retire(old, next)
}

// apply tells every part of the node of next, and starts what old had not; there is none at the start.
func (n *node) apply(next, old *live) {
	cfg := next.cfg
	n.server.Swap(next.chain)
	n.tracker.SetOptions(cfg.Health)
	n.tracker.Retain(slices.Collect(maps.Keys(cfg.Origins)), slices.Collect(maps.Keys(cfg.VIPs)))
	n.limiter.Configure(cfg.Limits)
	n.gate.SetLimit(cfg.Limits.Connections)
	n.clients.SetLimit(cfg.Limits.ClientConnections)
	n.handshakes.SetLimits(cfg.Limits.QUICHandshakes, cfg.Limits.QUICHandshakeRate)
	n.cache.Configure(cfg.Cache.Options)
	n.governor.Configure(cfg.Cache.Governed)
	n.control.Configure(cfg.Routing, announcedVIPs(cfg))
	n.others.Configure(next.members, asked(cfg))
	n.refleet(cfg)
	n.steerTo(cfg)
	n.checks.Configure(cfg.Health.SelfCheck.Interval, cfg.Health.SelfCheck.Timeout)
	n.checks.Set(n.selfChecks(cfg), services(cfg))
	for name, p := range next.pools {
		if old != nil && old.pools[name] == p {
			continue
		}
		if p.Options().Probe.Path == "" {
			n.tracker.Servers(name, 0, 0, "") // what the probes that it had found last must not count for ever
		}
		n.probePool(p)
	}
	for s, l := range next.listeners {
		l.SetEarlyData(earlyData(cfg, s.vip))
		if old == nil || old.listeners[s] != l {
			n.start("listener "+s.String(), l.Serve)
		}
	}
}

// retire ends what next no longer has: listeners say goodbye to their clients, pools close their connections.
func (n *node) retire(old, next *live) {
	for s, l := range old.listeners {
		if next.listeners[s] == l {
			continue
		}
		n.workers.Go(func() {
			ctx, cancel := context.WithTimeout(n.work, requestsEnd)
			defer cancel()
			if err := l.Shutdown(ctx); err != nil {
				n.log.Warn("closing a listener that the new configuration has not", "listener", s.String(), "error", err)
			}
		})
	}
	for name, p := range old.pools {
		if next.pools[name] != p {
			p.Close()
		}
	}
}

func (n *node) probePool(p *pool) {
	ctx, cancel := context.WithCancel(n.work)
	ended := make(chan struct{})
	p.stop = func() { cancel(); <-ended }
	n.workers.Go(func() {
		defer close(ended)
		if err := p.Run(ctx); err != nil && ctx.Err() == nil {
			n.log.Error("probes stopped", "origin", p.Name(), "error", err)
		}
	})
}

func (s socket) String() string { return s.vip + " " + s.at.String() }

func firstLine(err error) string {
	line, rest, more := strings.Cut(err.Error(), "\n")
	if more {
		return fmt.Sprintf("%s (and %d more)", line, 1+strings.Count(rest, "\n"))
	}
	return line
}

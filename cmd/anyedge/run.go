package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/governor"
	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/health/probe"
	"github.com/anyedge/anyedge/proxy"
	"github.com/anyedge/anyedge/proxy/admin"
	"github.com/anyedge/anyedge/proxy/admission"
	"github.com/anyedge/anyedge/proxy/listener"
	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp"
	"github.com/anyedge/anyedge/routing/fleet"
	"github.com/anyedge/anyedge/routing/rescue"
	"github.com/anyedge/anyedge/routing/steer"
	edgetls "github.com/anyedge/anyedge/tls"
	"github.com/anyedge/anyedge/tls/acme"
	"github.com/anyedge/anyedge/tls/secret"
)

func newRun() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "run -c FILE",
		Short: "Run this node in the foreground",
		Long: `Run serves until SIGTERM or SIGINT, which drains: the VIPs are depreferred, withdrawn, and only then the listeners
close. A second one withdraws at once and stops. SIGHUP reloads the configuration; a mistake in it changes nothing.`,
		Example: "  anyedge run -c /etc/anyedge/node.yaml",
		GroupID: "node",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return run(c.Context(), file) },
	}
	c.Flags().StringVarP(&file, "config", "c", "", "the configuration file")
	_ = c.MarkFlagRequired("config") // fails only for a flag that isn't there
	return c
}

func run(ctx context.Context, file string) error {
	cfg, err := configs.Load(file)
	if err != nil {
		return err
	}
	if err := checkFiles(cfg); err != nil {
		return err
	}
	log := newLog(os.Stderr, cfg.Log)
	for _, w := range warnings(cfg) {
		log.Warn(w)
	}
	n, err := newNode(cfg, file, log)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	watching := make(chan struct{})
	go func() { // ends when signals is closed, below
		defer close(watching)
		n.obey(signals, stop)
	}()
	err = n.Run(ctx)
	signal.Stop(signals)
	close(signals)
	<-watching
	return err
}

// obey turns signals into what they ask for.
func (n *node) obey(signals <-chan os.Signal, stop func()) {
	stopping := false
	for s := range signals {
		switch {
		case s == syscall.SIGHUP && stopping:
			n.log.Warn("not reloaded: the node is stopping") // what a reload starts, the goodbye wouldn't end
		case s == syscall.SIGHUP:
			_ = n.Reload() // it has logged and kept the mistake for status
		case stopping:
			n.log.Warn("stopping at once", "signal", s.String())
			n.hurryOnce()
		default:
			n.log.Info("draining, then stopping; a second signal stops at once", "signal", s.String())
			stopping = true
			stop()
		}
	}
}

// node is one running anyedge: everything that stays over a reload, and the live part that a reload swaps.
type node struct {
	file     string
	log      *slog.Logger
	started  time.Time
	registry *prometheus.Registry
	journal  *health.Journal
	tracker  *health.Tracker
	token    string           // proves to a self check that this process answered it
	own      *tls.Certificate // shown by self checks, to sites that ask for one

	certs         *edgetls.Store
	acme          *acme.Manager
	challenges    acme.Challenges
	team          *acme.Team                 // of the nodes that obtain certificates together; nil: the configuration has no other nodes
	checked       atomic.Pointer[string]     // what selfChecks took into account of awaited
	secret        atomic.Pointer[secret.Set] // of the fleet; nil: none
	server        *proxy.Server
	connections   *listener.Metrics
	requests      *proxy.Metrics
	gate          *listener.Gate
	handshakes    *listener.Handshakes
	limiter       *admission.Limiter
	cache         *cache.Cache
	disk          diskTier
	governor      *governor.Governor
	access        accessLog
	speaker       *bgp.Speaker
	control       *routing.Controller
	checks        *probe.Runner
	others        *fleet.Others
	fleet         *fleet.Fleet   // nil: it gossips with nobody
	steering      *steer.Steerer // nil: none
	sent          bits           // by this node, now
	rescue        *rescue.Rescue // nil: none
	rescueProblem string         // why there is none, though the configuration asks for it
	admin         *admin.Server
	supervisor    supervisor
	series        *recorder

	work      context.Context // ends the workers, after the goodbye
	endWork   context.CancelFunc
	workers   sync.WaitGroup
	hurry     chan struct{} // closed: no more waiting in the goodbye
	hurryOnce func()
	live      atomic.Pointer[live]
	reloading sync.Mutex // one reload at a time
	mistake   atomic.Pointer[mistake]
}

// newNode builds a node and binds its sockets, all or nothing; Run makes it serve.
func newNode(cfg *configs.Config, file string, log *slog.Logger) (_ *node, err error) {
	n := &node{
		file: file, log: log, started: time.Now(), token: rand.Text(), hurry: make(chan struct{}),
		series: newRecorder(), registry: prometheus.NewRegistry(), journal: health.NewJournal(4096), server: proxy.NewServer(),
	}
	n.hurryOnce = sync.OnceFunc(func() { close(n.hurry) })
	n.work, n.endWork = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			n.endWork()
			n.closeCache()
			if n.rescue != nil {
				n.rescue.Close()
			}
			if n.steering != nil {
				n.steering.Close()
			}
		}
	}()
	if n.own, err = ownCertificate(cfg.Node.Name); err != nil {
		return nil, err
	}
	n.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	n.tracker = health.NewTracker(cfg.Health, n.journal)
	n.sent.set(-1)
	n.limiter = admission.New(cfg.Limits, n.registry)
	n.connections, n.requests, n.gate = listener.NewMetrics(n.registry), proxy.NewMetrics(n.registry), listener.NewGate(cfg.Limits.Connections)
	n.handshakes = listener.NewHandshakes(cfg.Limits.QUICHandshakes, cfg.Limits.QUICHandshakeRate)
	n.governor = governor.New(log)
	n.cache = n.newCache(cfg)
	n.governor.Govern(n.cache, cfg.Cache.Governed)
	n.cache.RegisterMetrics(n.registry)
	n.governor.RegisterMetrics(n.registry)
	var certErr, accessErr, speakerErr error
	n.certs, certErr = edgetls.Load(cfg.TLS.Options)
	access, accessErr := openAccess(cfg.Log.Access)
	n.speaker, speakerErr = newSpeaker(cfg, n.journal, log)
	if err := errors.Join(certErr, accessErr, speakerErr); err != nil {
		return nil, err
	}
	n.access.use(access)
	if err := n.readSecret(cfg); err != nil {
		return nil, err
	}
	if n.steering, err = newSteering(cfg, n.secret.Load(), n.journal, log); err != nil {
		return nil, err
	}
	n.rescue, n.rescueProblem = newRescue(cfg, n.steering, log)
	n.newACME(cfg)
	if err := n.obtain(cfg); err != nil {
		return nil, err
	}
	n.control = routing.NewController(cfg.Routing, announcedVIPs(cfg), n.tracker, n.speaker, n.journal, log)
	n.others = fleet.NewOthers(cfg.Node.Metro, n.sent.get, n.journal)
	n.control.Consult(n.others)
	n.checks = probe.NewRunner(n.selfChecked, cfg.Health.SelfCheck.Interval, cfg.Health.SelfCheck.Timeout)

	next, err := n.build(cfg, nil)
	if err != nil {
		return nil, err
	}
	if n.fleet, err = n.openFleet(cfg); err != nil {
		next.discard(nil)
		return nil, err
	}
	if n.admin, err = admin.New(cfg.Admin, n, n.journal, n.registry, log); err != nil {
		n.closeFleet()
		next.discard(nil)
		return nil, err
	}
	n.live.Store(next)
	n.registry.MustRegister(n.tracker.Collector(), n.control.Collector(), n.speaker.Collector(), n.originCollector())
	if n.steering != nil {
		n.registry.MustRegister(n.steering.Collector())
	}
	if n.rescue != nil {
		n.registry.MustRegister(n.rescue.Collector())
	}
	return n, nil
}

// Run serves until ctx ends, says goodbye and returns when everything has stopped.
func (n *node) Run(ctx context.Context) error {
	defer n.endWork()
	if err := n.remember(); err != nil {
		return err
	}
	if err := n.speaker.Start(n.work); err != nil {
		return err
	}
	if n.steering != nil {
		n.start("steering", n.steering.Run)
	}
	if n.rescue != nil {
		n.start("TCP rescue", n.rescue.Run)
	}
	n.number()
	n.apply(n.live.Load(), nil)
	n.start("announcements", n.control.Run)
	n.start("self checks", n.checks.Run)
	n.start("load", n.measureLoad)
	n.start("other nodes", n.others.Run)
	if n.fleet != nil {
		n.start("fleet", n.fleet.Run)
	}
	if n.fleet != nil && n.steering != nil {
		n.start("nodes to steer to", n.followFleet)
	}
	n.start("admin API", n.admin.Serve)
	n.start("memory", n.governor.Run)
	n.start("disks", n.watchDisks)
	n.start("certificates", n.watchCertificates)
	n.start("ACME", n.acme.Run)
	n.start("clients' authorities", n.watchClients)
	n.start("status page's samples", n.sample)
	n.start("events around route changes", n.watchChanges)
	n.start("watchdog", watchdog{beat: n.control.LastRound, alive: func() { n.supervisor.alive(n.summary()) }, abort: n.freeze}.run)
	n.start("certificates", func(ctx context.Context) error { return n.certs.Watch(ctx, certInterval, n.certsChanged) })
	n.journal.Add(health.EventNode, n.config().Node.Name, "started "+version())
	n.log.Info("serving", "node", n.config().Node.Name, "admin", n.admin.Addr().String())
	n.supervisor.ready()

	<-ctx.Done()
	n.supervisor.stopping()
	err := n.goodbye()
	n.endWork()
	n.workers.Wait()
	n.access.use(unclosed{io.Discard})
	return err
}

// remember gives the control path what an earlier process left.
func (n *node) remember() error {
	file := n.config().Routing.StateFile
	if file == "" {
		return nil
	}
	m, err := routing.OpenMemory(file, time.Now())
	if err == nil {
		n.control.Remember(m)
	}
	return err
}

// start runs a worker until the node's work ends. One that fails is reported and missed: the rest goes on serving,
// and what the failure breaks shows in the signals.
func (n *node) start(what string, work func(context.Context) error) {
	n.workers.Go(func() {
		if err := work(n.work); err != nil && n.work.Err() == nil {
			n.log.Error(what+" stopped", "error", err)
			n.journal.Add(health.EventNode, n.config().Node.Name, fmt.Sprintf("%s stopped: %v", what, err))
		}
	})
}

func (n *node) config() *configs.Config { return n.live.Load().cfg }

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
	before, err := formerProcess()
	if err != nil {
		before.refuse(err)
		return err
	}
	n, err := prepare(file, before)
	if err != nil {
		before.refuse(err)
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT, upgradeSignal)
	defer signal.Stop(signals)
	watching := make(chan struct{})
	go func() { // ends when signals is closed, below
		defer close(watching)
		n.obey(signals, stop)
	}()
	err = n.Run(ctx)
	if err != nil {
		before.refuse(err)
	}
	signal.Stop(signals)
	close(signals)
	<-watching
	return err
}

// prepare builds the node of a file, after another process unless that is nil.
func prepare(file string, before *former) (*node, error) {
	cfg, err := configs.Load(file)
	if err != nil {
		return nil, err
	}
	read, err := checkFiles(cfg)
	if err != nil {
		return nil, err
	}
	log := newLog(os.Stderr, cfg.Log)
	for _, w := range warnings(cfg, read) {
		log.Warn(w)
	}
	return newNodeAfter(before, cfg, read.certs, file, log)
}

// obey turns signals into what they ask for.
func (n *node) obey(signals <-chan os.Signal, stop func()) {
	stopping := false
	for s := range signals {
		switch {
		case s == syscall.SIGHUP && stopping:
			n.log.Warn("not reloaded: the node is stopping") // what a reload starts, the goodbye wouldn't end
		case s == syscall.SIGHUP && n.upgrading.Load():
			n.log.Warn("not reloaded: an upgrade is under way, which reads the configuration by itself")
		case s == upgradeSignal && !stopping:
			n.workers.Go(func() { _, _ = n.Upgrade(n.work, admin.UpgradeRequest{}) }) // it has logged and kept why not
		case s == upgradeSignal:
			n.log.Warn("no upgrade: the node is stopping")
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
	file        string
	binary      string // that an upgrade starts
	log         *slog.Logger
	started     time.Time
	registry    *prometheus.Registry
	journal     *health.Journal
	tracker     *health.Tracker
	token       string                 // proves to a self check that this process answered it
	certProblem atomic.Pointer[string] // why the certificates' files weren't read again; nil: they were
	own         *tls.Certificate       // shown by self checks, to sites that ask for one

	certs       *edgetls.Store
	acme        *acme.Manager
	challenges  acme.Challenges
	team        *acme.Team                 // of the nodes that obtain certificates together; nil: the configuration has no other nodes
	checked     atomic.Pointer[string]     // what selfChecks took into account of awaited
	secret      atomic.Pointer[secret.Set] // of the fleet; nil: none
	server      *proxy.Server
	connections *listener.Metrics
	requests    *proxy.Metrics
	gate        *listener.Gate
	clients     *admission.Shares // connections of each client
	handshakes  *listener.Handshakes
	limiter     *admission.Limiter
	cache       *cache.Cache
	disk        diskTier
	governor    *governor.Governor
	access      accessLog
	speakers    *bgp.Speakers
	control     *routing.Controller
	checks      *probe.Runner
	others      *fleet.Others
	fleet       *fleet.Fleet   // nil: it gossips with nobody
	steering    *steer.Steerer // to other nodes; nil: none
	quic        *steer.Steerer // steering, or what tells the processes of this node apart; nil: no Linux
	sent        bits           // by this node, now
	rescue      *rescue.Rescue // nil: none
	admin       *admin.Server
	supervisor  supervisor
	series      *recorder

	rescueProblem string // why there is no rescue, though the configuration asks for it

	work     context.Context // ends the workers, after the goodbye
	endWork  context.CancelFunc
	workers  sync.WaitGroup
	rule     context.Context // ends those that decide, when another process does; in work
	endRule  context.CancelFunc
	rulers   sync.WaitGroup
	front    context.Context // ends the admin API, in work
	endFront context.CancelFunc

	former    *former             // the process before this one; nil: there was none
	inherited *listener.Inherited // its sockets, or systemd's; nil: there are none
	tokens    []byte              // the key of QUIC's tokens where the fleet has none
	localKeys steer.Keys
	successor atomic.Pointer[successor] // the process after this one; nil: there is none
	upgrading atomic.Bool               // stays set once another process decides
	taken     atomic.Bool               // the successor has the sockets
	stopping  atomic.Bool
	failure   atomic.Pointer[UpgradeStatus] // of the last upgrade that came to nothing
	stopAsked context.Context               // ends when somebody asks to stop
	stop      context.CancelFunc
	decided   atomic.Bool   // by another process
	succeeded chan struct{} // closed when it is, and who has asked for that has the answer
	abandoned error         // why nobody does; set before stop
	lent      []string      // with peers: BGP sessions that stay here while another process decides
	lending   sync.WaitGroup
	voice     context.Context // ends lending
	endVoice  context.CancelFunc

	hurry     chan struct{} // closed: no more waiting in the goodbye
	hurryOnce func()
	live      atomic.Pointer[live]
	reloading sync.Mutex // one reload at a time
	mistake   atomic.Pointer[mistake]
}

// newNode builds a node and binds its sockets, all or nothing; Run makes it serve.
func newNode(cfg *configs.Config, file string, log *slog.Logger) (*node, error) {
	certs, err := edgetls.Load(cfg.TLS.Options)
	if err != nil {
		return nil, err
	}
	return newNodeAfter(nil, cfg, certs, file, log)
}

// newNodeAfter is newNode for a process that comes after another one, whose sockets it takes; nil: there was none. certs are
// those of the files: reading thousands takes a second, which nobody is served meanwhile.
func newNodeAfter(before *former, cfg *configs.Config, certs *edgetls.Store, file string, log *slog.Logger) (_ *node, err error) {
	if before != nil {
		if err := before.compatible(cfg); err != nil {
			return nil, err
		}
	}
	n := &node{
		former: before, succeeded: make(chan struct{}),
		file: file, binary: installedBinary(), log: log, started: time.Now(), token: rand.Text(), hurry: make(chan struct{}),
		series: newRecorder(), registry: prometheus.NewRegistry(), journal: health.NewJournal(4096), server: proxy.NewServer(),
	}
	if before != nil {
		n.inherited = before.inherited
	} else if n.inherited, err = activated(); err != nil {
		return nil, err
	}
	n.hurryOnce = sync.OnceFunc(func() { close(n.hurry) })
	n.work, n.endWork = context.WithCancel(context.Background())
	n.rule, n.endRule = context.WithCancel(n.work)
	n.front, n.endFront = context.WithCancel(n.work)
	n.voice, n.endVoice = context.WithCancel(context.Background())
	n.shareKeys()
	defer func() {
		if err != nil {
			n.endWork()
			n.closeCache()
			if n.rescue != nil {
				n.rescue.Close()
			}
			if n.quic != nil {
				n.quic.Close()
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
	n.clients = admission.NewShares(cfg.Limits.ClientConnections)
	n.handshakes = listener.NewHandshakes(cfg.Limits.QUICHandshakes, cfg.Limits.QUICHandshakeRate)
	n.governor = governor.New(log)
	n.cache = n.newCache(cfg)
	n.governor.Govern(n.cache, cfg.Cache.Governed)
	n.cache.RegisterMetrics(n.registry)
	n.governor.RegisterMetrics(n.registry)
	n.certs = certs
	var speakerErr error
	access, accessErr := openAccess(cfg.Log.Access)
	n.speakers, speakerErr = newSpeakers(cfg, n.journal, log)
	if err := errors.Join(accessErr, speakerErr); err != nil {
		return nil, err
	}
	n.access.use(access)
	if err := n.readSecret(cfg); err != nil {
		return nil, err
	}
	if err := n.openSteering(cfg); err != nil {
		return nil, err
	}
	n.rescue, n.rescueProblem = newRescue(cfg, n.steering, log)
	n.newACME(cfg)
	if err := n.obtain(cfg); err != nil {
		return nil, err
	}
	n.control = routing.NewController(cfg.Routing, announcedVIPs(cfg), n.tracker, n.speakers, n.journal, log)
	n.others = fleet.NewOthers(cfg.Node.Metro, n.sent.get, n.journal)
	n.control.Consult(n.others)
	n.checks = probe.NewRunner(n.selfChecked, cfg.Health.SelfCheck.Interval, cfg.Health.SelfCheck.Timeout)

	next, err := n.build(cfg, nil)
	if err != nil {
		return nil, err
	}
	n.closeActivated()
	if before == nil { // else the former process is still there
		n.fleet, err = n.openFleet(cfg)
	}
	if err != nil {
		next.discard(nil)
		return nil, err
	}
	if n.admin, err = n.openAdmin(cfg); err != nil {
		n.closeFleet()
		next.discard(nil)
		return nil, err
	}
	n.live.Store(next)
	n.registry.MustRegister(n.tracker.Collector(), n.control.Collector(), n.speakers.Collector(), n.originCollector())
	if n.quic != nil {
		n.registry.MustRegister(n.quic.Collector())
	}
	if n.rescue != nil {
		n.registry.MustRegister(n.rescue.Collector())
	}
	n.registerUpgrade()
	return n, nil
}

// Run serves until ctx ends, says goodbye and returns when everything has stopped. It serves no more, too, when another
// process has taken over, and returns when it has finished what it served.
func (n *node) Run(ctx context.Context) error {
	defer n.endVoice()
	defer n.endWork()
	n.stopAsked, n.stop = context.WithCancel(ctx)
	defer n.stop()
	ctx = n.stopAsked
	if n.former != nil {
		if err := n.takeOver(ctx); err != nil {
			return err
		}
	} else {
		if err := n.remember(); err != nil {
			return err
		}
		n.serve()
	}
	if err := n.lead(); err != nil {
		return err
	}

	select {
	case <-n.succeeded:
	case <-ctx.Done():
		n.stopping.Store(true)
		n.awaitUpgrade()
	}
	if n.decided.Load() {
		return n.finish(ctx)
	}
	if n.abandoned != nil {
		return n.abandoned // nothing is left to say goodbye with
	}
	n.supervisor.stopping()
	err := n.goodbye()
	n.endWork()
	n.rulers.Wait()
	n.workers.Wait()
	n.access.use(unclosed{io.Discard})
	return err
}

// serve begins with what clients see.
func (n *node) serve() {
	if n.quic != nil {
		n.start("steering", n.quic.Run)
	}
	n.number()
	n.apply(n.live.Load(), nil)
	if n.rescue != nil { // once steering knows the other nodes: what is of nobody is reset
		n.startRule("TCP rescue", n.rescue.Run)
	}
	n.startRule("self checks", n.checks.Run)
	n.startRule("load", n.measureLoad)
	n.startRule("memory", n.governor.Run)
}

// lead begins to decide, and with what goes with that: there is one process of a node at a time that does.
func (n *node) lead() error {
	if err := n.speakers.Start(n.voice); err != nil {
		return err
	}
	n.startRule("announcements", n.control.Run)
	n.startRule("other nodes", n.others.Run)
	if n.fleet != nil {
		n.startRule("fleet", n.fleet.Run)
	}
	if n.fleet != nil && n.steering != nil {
		n.startRule("nodes to steer to", n.followFleet)
	}
	n.startIn(n.front, &n.workers, "admin API", n.admin.Serve)
	n.startRule("disks", n.watchDisks)
	n.startRule("certificates", n.watchCertificates)
	if len(n.config().Fleet.Join) == 0 || n.fleet != nil {
		n.startRule("ACME", n.acme.Run)
	}
	n.startRule("clients' authorities", n.watchClients)
	n.startRule("status page's samples", n.sample)
	n.startRule("events around route changes", n.watchChanges)
	n.startRule("watchdog", watchdog{beat: n.control.LastRound, alive: func() { n.supervisor.alive(n.summary()) }, abort: n.freeze}.run)
	n.startRule("certificates", func(ctx context.Context) error { return n.certs.Watch(ctx, certInterval, n.certsChanged) })
	if n.former != nil {
		n.leadAfter()
	}
	n.journal.Add(health.EventNode, n.config().Node.Name, "started "+version())
	n.log.Info("serving", "node", n.config().Node.Name, "admin", n.admin.Addr().String())
	n.supervisor.ready()
	return nil
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
	n.startIn(n.work, &n.workers, what, work)
}

// startRule is start for what only the process that decides does.
func (n *node) startRule(what string, work func(context.Context) error) {
	n.startIn(n.rule, &n.rulers, what, work)
}

func (n *node) startIn(life context.Context, crew *sync.WaitGroup, what string, work func(context.Context) error) {
	crew.Go(func() {
		if err := work(life); err != nil && life.Err() == nil {
			n.log.Error(what+" stopped", "error", err)
			n.journal.Add(health.EventNode, n.config().Node.Name, fmt.Sprintf("%s stopped: %v", what, err))
		}
	})
}

func (n *node) config() *configs.Config { return n.live.Load().cfg }

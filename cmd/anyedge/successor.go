package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/proxy/admin"
	"github.com/anyedge/anyedge/routing/steer"
)

// The process that makes way for another one: what it does, in the order of wire.go's steps.

// How long each step of an upgrade may take.
const (
	readyLimit = 30 * time.Second // the new process reads files, and may ask a shared storage for certificates
	proveLimit = 15 * time.Second // some rounds of self checks
	ruleLimit  = 10 * time.Second // until this one has stopped deciding
	diskLimit  = 5 * time.Second  // to write what is queued for the disks
	leadLimit  = 30 * time.Second // until the new one decides

	settleLimit  = 5 * time.Second // handshakes under way end
	defaultDrain = time.Hour       // the last download of the former process
	purgeWait    = 2 * time.Second // for the other process's part of a purge
	tellEvery    = time.Second     // the new process, of what is still served

	formerMemory = 64 << 20 // of the cache, in bytes, once another process decides
)

// upgradeVariable in the environment is the descriptor by which a process that is started for an upgrade hears of it.
const upgradeVariable = "ANYEDGE_UPGRADE_FD"

// successor is the process that comes after this one.
type successor struct {
	*counterpart
	process *exec.Cmd
	exited  chan struct{} // closed when it has
	link    *net.UnixConn // this process's end, of what QUIC datagrams are handed over by
	drain   time.Duration
	move    bool
	ready   ready
	started time.Time
}

// counterpart is the other process, while there are two. Its methods may be called concurrently.
type counterpart struct {
	*wire
	news chan *arrival // what it says, but for purges and their answers
	gone chan struct{} // closed when it no longer says anything

	mu     sync.Mutex // guards the following fields
	asked  uint64
	purges map[uint64]chan struct{} // asked for, not answered yet
}

// arrival is a message with the sockets that came with it.
type arrival struct {
	*message
	sockets []*os.File
}

func newCounterpart(w *wire) *counterpart {
	return &counterpart{wire: w, news: make(chan *arrival, 16), gone: make(chan struct{}), purges: map[uint64]chan struct{}{}}
}

// listen takes what the other process says until it is gone; purge carries out its purges.
func (c *counterpart) listen(purge func(cache.PurgeRequest)) {
	defer close(c.gone)
	for {
		m, sockets, err := c.receive()
		if err != nil {
			return
		}
		switch m.Step {
		case stepPurge:
			if m.Purge != nil {
				purge(*m.Purge)
			}
			_ = c.send(&message{Step: stepPurged, ID: m.ID}) // it is gone: nobody waits
		case stepPurged:
			c.answered(m.ID)
		default:
			select {
			case c.news <- &arrival{m, sockets}:
			default: // nobody listens to so many
			}
		}
	}
}

func (c *counterpart) answered(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if done := c.purges[id]; done != nil {
		close(done)
		delete(c.purges, id)
	}
}

// purge has the other process purge as well, and waits for that.
func (c *counterpart) purge(r cache.PurgeRequest) {
	c.mu.Lock()
	c.asked++
	id, done := c.asked, make(chan struct{})
	c.purges[id] = done
	c.mu.Unlock()
	if c.send(&message{Step: stepPurge, ID: id, Purge: &r}) != nil {
		return
	}
	late := time.NewTimer(purgeWait)
	defer late.Stop()
	select {
	case <-done:
	case <-c.gone:
	case <-late.C:
	}
}

// await waits for a step of the other process.
func (c *counterpart) await(ctx context.Context, want step, limit time.Duration) (*arrival, error) {
	late := time.NewTimer(limit)
	defer late.Stop()
	for {
		select {
		case m := <-c.news:
			switch m.Step {
			case want:
				return m, nil
			case stepRefused:
				return nil, errors.New(m.Error)
			}
		case <-c.gone:
			if len(c.news) > 0 {
				continue // what it said last
			}
			return nil, errGone
		case <-late.C:
			return nil, fmt.Errorf("it isn't %s within %s", want, limit)
		case <-ctx.Done():
			return nil, errors.New("this process is stopping")
		}
	}
}

// errGone is another process that has ended, or closed its end.
var errGone = errors.New("it has ended without a word: see its log")

// Upgrade replaces this process by one of the installed binary and the configuration file as it is. It returns when the other
// one decides; the error says why it doesn't, and that this one goes on.
func (n *node) Upgrade(ctx context.Context, r admin.UpgradeRequest) (any, error) {
	drain := defaultDrain
	if r.Drain != "" {
		var err error
		if drain, err = time.ParseDuration(r.Drain); err != nil || drain <= 0 {
			return nil, fmt.Errorf("drain %q: how long? 10m or 1h, say", r.Drain)
		}
	}
	if err := n.mayUpgrade(); err != nil {
		n.log.Warn(err.Error())
		return nil, err
	}
	type outcome struct {
		result *Upgraded
		err    error
	}
	done := make(chan outcome, 1)
	n.workers.Go(func() { // each of its steps has a limit; it doesn't end with who has asked
		result, err := n.upgrade(drain, r.MoveSessions)
		done <- outcome{result, err}
		if err == nil {
			close(n.succeeded) // which ends the admin API of this process, and ctx with it
		}
	})
	select {
	case o := <-done:
		return o.result, o.err
	case <-ctx.Done():
	}
	select {
	case o := <-done:
		return o.result, o.err
	default:
		return nil, errors.New("upgrade: it goes on, and status tells how: " + ctx.Err().Error())
	}
}

// mayUpgrade says why there can be no upgrade now; nil: one has begun.
func (n *node) mayUpgrade() error {
	switch {
	case !steer.Supported:
		return errors.New("upgrade: this needs Linux: stop and start the node instead")
	case os.Getpid() == 1:
		return errors.New("upgrade: process 1 of a container can't be replaced, the container would end with it: start another container")
	case n.stopping.Load():
		return errors.New("upgrade: the node is stopping")
	}
	if f := n.former; f != nil && !f.drained() {
		return fmt.Errorf("upgrade: the last one isn't over: process %d still finishes %s; wait, or end it: kill %d", f.offer.PID,
			count(f.connections(), "connection"), f.offer.PID)
	}
	if !n.upgrading.CompareAndSwap(false, true) {
		return errors.New("upgrade: another one is under way: anyedge status")
	}
	return nil
}

// upgrade goes through the steps. n.upgrading is set; it stays so once the other process decides.
func (n *node) upgrade(drain time.Duration, move bool) (*Upgraded, error) {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	n.journal.Add(health.EventNode, n.config().Node.Name, "upgrade: another process starts")
	began := time.Now()
	s, err := n.launch()
	if err == nil {
		s.drain, s.move = drain, move
		err = n.hand(s)
	}
	if n.abandoned != nil {
		return nil, fmt.Errorf("upgrade: process %d stops: %w", os.Getpid(), n.abandoned)
	}
	if err != nil {
		err = fmt.Errorf("upgrade: nothing has changed, process %d goes on: the new process: %w", os.Getpid(), err)
		n.failure.Store(&UpgradeStatus{State: upgradeFailed, PID: os.Getpid(), Version: version(), Since: time.Now(), Failure: firstLine(err)})
		n.log.Error("upgrade", "error", err)
		n.journal.Add(health.EventNode, n.config().Node.Name, firstLine(err))
		n.upgrading.Store(false)
		return nil, err
	}
	result := &Upgraded{
		PID: s.ready.PID, Version: s.ready.Binary, Former: os.Getpid(), Connections: n.openConnections(), Drain: drain,
		Sessions: n.lent, Took: time.Since(began),
	}
	n.journal.Add(health.EventNode, n.config().Node.Name, fmt.Sprintf("upgrade: process %d decides now, this one finishes %s", s.ready.PID, count(result.Connections, "connection")))
	n.log.Info("upgrade: the new process decides", "pid", s.ready.PID, "version", s.ready.Binary)
	n.decided.Store(true)
	return result, nil
}

// launch starts the other process and offers it all that it needs to build itself.
func (n *node) launch() (*successor, error) {
	if n.binary == "" {
		return nil, errors.New("where this process's program is installed couldn't be told at its start: stop the node and start it")
	}
	here, there, err := unixPair(unix.SOCK_STREAM)
	if err != nil {
		return nil, err
	}
	end, err := there.File()
	if err := errors.Join(err, there.Close()); err != nil {
		return nil, err
	}
	defer end.Close()
	p := exec.Command(n.binary, os.Args[1:]...)
	p.Stdin, p.Stdout, p.Stderr, p.ExtraFiles = os.Stdin, os.Stdout, os.Stderr, []*os.File{end}
	p.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, upgradeVariable+"=") }), upgradeVariable+"=3")
	if err := p.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", n.binary, err), here.Close())
	}
	s := &successor{counterpart: newCounterpart(&wire{conn: here}), process: p, exited: make(chan struct{}), started: time.Now()}
	go func() { // ends with the other process, which outlives this one if all goes well
		defer close(s.exited)
		_ = p.Wait() // what it says, it says by the wire
	}()
	go s.listen(func(r cache.PurgeRequest) { _, _ = n.cache.Purge(r) }) // ends with the other process
	n.successor.Store(s)
	if err := n.offer(s); err != nil {
		n.takeBack(s)
		return nil, err
	}
	return s, nil
}

// installedBinary is where the program is installed, asked for at the start of the process: the kernel's name for it follows
// a file that is moved away for the new one's sake. Where a link led to it, it is the link, which leads to the new one by then.
func installedBinary() string {
	running, err := os.Executable()
	if err != nil {
		return ""
	}
	called, err := exec.LookPath(os.Args[0])
	if err == nil {
		called, err = filepath.Abs(called)
	}
	if err != nil {
		return running
	}
	a, errA := os.Stat(running)
	b, errB := os.Stat(called)
	if errors.Join(errA, errB) != nil || !os.SameFile(a, b) {
		return running // it wasn't called by its name
	}
	return called
}

// offer sends the sockets, and what connections rest on.
func (n *node) offer(s *successor) error {
	link, other, err := unixPair(unix.SOCK_SEQPACKET)
	if err != nil {
		return err
	}
	defer other.Close()
	s.link = link
	o := &offer{
		Version: wireVersion, Node: n.config().Node.Name, Generation: n.quic.Generation(), ID: n.quic.ID(), Tokens: n.tokens,
		Tickets: n.certs.RandomTickets(), Levels: n.report(n.config()).Levels, PID: os.Getpid(), Binary: version(),
	}
	if n.steering == nil {
		o.Local = &n.localKeys
	} else {
		o.Peers = n.steered(n.config())
	}
	m, sockets := &message{Step: stepOffer, Offer: o}, []syscall.Conn(nil)
	add := func(name string, socket syscall.Conn) {
		m.Sockets, sockets = append(m.Sockets, name), append(sockets, socket)
	}
	add(socketLink, other)
	for _, l := range n.live.Load().listeners {
		for _, b := range l.Bound() {
			add(b.Name, b.Socket)
		}
	}
	if c, ok := n.admin.Socket().(syscall.Conn); ok {
		add(socketAdmin+n.config().Admin.Listen, c)
	}
	if n.steering != nil {
		add(socketTunnel+n.steering.Addr().String(), n.steering.Tunnel())
	}
	return s.send(m, sockets...)
}

// What sockets are called that no listener has.
const (
	socketLink   = "link"
	socketAdmin  = "admin "
	socketTunnel = "tunnel "
	socketLoan   = "loan "
)

// hand goes from the other process's readiness to its deciding. With an error this process has all back.
func (n *node) hand(s *successor) error {
	ctx, cancel := context.WithCancel(n.work)
	defer cancel()
	stopAsked := context.AfterFunc(n.stopAsked, cancel)
	defer stopAsked()
	m, err := s.await(ctx, stepReady, readyLimit)
	if err == nil && m.Ready != nil {
		s.ready = *m.Ready
		err = n.take(ctx, s)
	}
	if err != nil {
		n.takeBack(s)
		return err
	}
	return n.leave(s)
}

// take lets the other process read and accept, and waits until it has proven that it serves.
func (n *node) take(ctx context.Context, s *successor) error {
	n.checks.Set(nil, nil) // they would find the other process
	for _, l := range n.live.Load().listeners {
		l.PauseAccept()
	}
	taken := func(vip netip.AddrPort) bool { return slices.Contains(s.ready.Taken, "udp "+vip.String()) }
	n.taken.Store(true)
	if err := n.quic.HandOver(s.link, taken); err != nil {
		return err
	}
	if err := s.send(&message{Step: stepTake}); err != nil {
		return err
	}
	_, err := s.await(ctx, stepProven, proveLimit)
	return err
}

// awaitUpgrade waits for the end of an upgrade that is under way: once the node shall stop it fails, or is past that.
func (n *node) awaitUpgrade() {
	n.reloading.Lock()
	defer n.reloading.Unlock()
}

// takeBack ends the other process and goes on as before.
func (n *node) takeBack(s *successor) {
	_ = s.process.Process.Kill() // it may have ended
	<-s.exited
	n.successor.Store(nil)
	n.taken.Store(false)
	_ = s.conn.Close()
	n.quic.TakeBack()
	if s.link != nil {
		_ = s.link.Close()
	}
	for _, l := range n.live.Load().listeners {
		l.ResumeAccept()
	}
	cfg := n.config()
	n.checks.Set(n.selfChecks(cfg), services(cfg))
}

// leave has this process decide no more, and the other one begin. There is no way back from here: with an error nobody
// decides, and the node stops, for its supervisor to start it anew.
func (n *node) leave(s *successor) error {
	if n.fleet != nil {
		n.fleet.Yield()
	}
	n.endRule()
	n.awaitRulers()
	if n.disk.store != nil {
		ctx, cancel := context.WithTimeout(context.Background(), diskLimit)
		if err := n.disk.store.Release(ctx); err != nil {
			n.log.Error("upgrade: the disk tier", "error", err)
		}
		cancel()
	}
	decisions, err := n.control.HandOver()
	if err != nil {
		return n.lost(err)
	}
	own, loans := n.speakers.LendOn()
	m, sockets := &message{Step: stepLead, Lead: &lead{Decisions: decisions, Loans: loans, Move: s.move}}, []syscall.Conn(nil)
	if own != nil {
		here, there, err := unixPair(unix.SOCK_STREAM)
		if err != nil {
			return n.lost(err)
		}
		defer there.Close()
		own.Conn = there
		m.Lead.Loans = append(m.Lead.Loans, *own)
		n.lending.Go(func() { n.lend(here) }) // until the other process is gone, or wants no more
	}
	for _, l := range m.Lead.Loans {
		n.lent = append(n.lent, l.Peers...)
		m.Sockets, sockets = append(m.Sockets, socketLoan+strings.Join(l.Peers, ",")), append(sockets, l.Conn)
	}
	n.cache.SetMemory(formerMemory, true) // two caches of full size may be more than there is
	n.admin.Yield()
	n.supervisor.follow(s.ready.PID)
	if err := s.send(m, sockets...); err != nil {
		return n.lost(err)
	}
	for _, l := range loans {
		_ = l.Conn.Close() // the other process has it
	}
	if _, err := s.await(context.Background(), stepLeads, leadLimit); err != nil {
		return n.lost(err)
	}
	return nil
}

// awaitRulers waits until nothing decides here any more. What hangs decides nothing either.
func (n *node) awaitRulers() {
	done := make(chan struct{})
	go func() { // ends with the last of them
		n.rulers.Wait()
		close(done)
	}()
	late := time.NewTimer(ruleLimit)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
		n.log.Warn("upgrade: a part of this process doesn't end; the new one decides all the same")
	}
}

// lost ends a process that has let go of everything, and that nobody follows.
func (n *node) lost(err error) error {
	n.log.Error("upgrade: the new process failed after it had taken over: stopping", "error", err)
	n.hurryOnce()
	n.abandoned = fmt.Errorf("the new process failed after it had taken over: %w", err)
	n.stop()
	return err
}

// lend announces what the other process decides.
func (n *node) lend(conn net.Conn) {
	defer conn.Close()
	if err := n.speakers.Own().Lend(n.voice, conn); err != nil {
		n.log.Error("upgrade: BGP sessions that this process holds for the next one", "error", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), sessionEnd)
	defer cancel()
	if err := n.speakers.Own().Stop(ctx, "the process that decides is gone"); err != nil {
		n.log.Error("upgrade: end the BGP sessions", "error", err)
	}
}

// finish finishes what this process serves after another one has taken over.
func (n *node) finish(ctx context.Context) error {
	s := n.successor.Load()
	n.endFront() // who has asked for the upgrade gets the answer
	draining, cancel := context.WithTimeout(context.Background(), s.drain)
	defer cancel()
	n.workers.Go(func() { // ends with the drain
		defer cancel()
		n.tellOf(draining, ctx, s)
	})
	var all sync.WaitGroup
	for _, l := range n.live.Load().listeners {
		all.Go(func() {
			settle, cancel := context.WithTimeout(draining, settleLimit)
			l.Settle(settle)
			cancel()
			if err := l.Shutdown(draining); err != nil {
				n.log.Warn("upgrade: connections of this process were cut off", "error", err)
			}
		})
	}
	all.Wait()
	cancel()
	cacheErr := n.bounded(sessionEnd, n.cache.Close)
	n.live.Load().close()
	n.endWork()
	n.workers.Wait()
	n.access.use(unclosed{io.Discard})
	_ = s.send(&message{Step: stepDrained}) // or it is gone
	n.log.Info("upgrade: this process has finished what it served", "sessions", n.lent)
	debug.FreeOSMemory() // what is left may live for long
	silent := make(chan struct{})
	go func() { // ends with lending, which is waited for below
		n.lending.Wait()
		close(silent)
	}()
	select {
	case <-silent:
	case <-n.hurry:
		n.endVoice()
		<-silent
	}
	return cacheErr
}

// tellOf tells the other process of what is still served, until draining ends; before its time when the other one is gone or
// stops, or somebody ends this one.
func (n *node) tellOf(draining, stopped context.Context, s *successor) {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	var finish <-chan time.Time
	for {
		_ = s.send(&message{Step: stepDraining, Connections: n.openConnections()}) // or it is gone
		select {
		case <-draining.Done():
			return
		case <-stopped.Done():
			return
		case <-s.gone:
			return
		case m := <-s.news:
			if m.Step == stepFinish && finish == nil {
				finish = time.After(requestsEnd)
			}
		case <-finish:
			return
		case <-tick.C:
		}
	}
}

// openConnections is how many clients' connections this process has.
func (n *node) openConnections() (total int) {
	for _, l := range n.live.Load().listeners {
		total += l.Connections()
	}
	return total
}

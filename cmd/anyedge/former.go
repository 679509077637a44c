package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/disk"
	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/proxy/listener"
	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp"
)

// The process that comes after another one: what it does, in the order of wire.go's steps.

const (
	offerLimit = 5 * time.Second // for what comes first
	takeLimit  = 5 * time.Second // for the old process to let go
	provePoll  = 20 * time.Millisecond
	// fleetTries are made to bind what the old process has let go of, each after fleetPause.
	fleetTries = 50
	fleetPause = 100 * time.Millisecond
	// moveLimit is how long a BGP session may take to come up before the next one is moved.
	moveLimit = time.Minute
)

// former is the process before this one, while it lives.
type former struct {
	*counterpart
	offer     offer
	inherited *listener.Inherited
	sockets   map[string]*os.File // that no listener has, by name
	took      time.Time           // when this process began to decide
	left      atomic.Int64        // connections that it still has; -1: it has finished
	leading   atomic.Bool         // this process decides
	move      bool                // begin its BGP sessions here, one after the other
}

// connections is how many it still has.
func (f *former) connections() int { return int(max(f.left.Load(), 0)) }

// drained says whether it serves nobody any more.
func (f *former) drained() bool { return f.left.Load() < 0 }

// formerProcess meets the process that has started this one for an upgrade; nil: none has.
func formerProcess() (*former, error) {
	text := os.Getenv(upgradeVariable)
	if text == "" {
		return nil, nil
	}
	_ = os.Unsetenv(upgradeVariable) // it isn't for those that this process starts
	fd, err := strconv.Atoi(text)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("%s=%q: it is set by a process that makes way for another one alone", upgradeVariable, text)
	}
	conn, err := unixConn(os.NewFile(uintptr(fd), "the former process"))
	if err != nil {
		return nil, fmt.Errorf("%s=%q: %w", upgradeVariable, text, err)
	}
	f := &former{counterpart: newCounterpart(&wire{conn: conn}), inherited: listener.NewInherited(), sockets: map[string]*os.File{}}
	if err := conn.SetReadDeadline(time.Now().Add(offerLimit)); err != nil {
		return nil, err
	}
	m, sockets, err := f.receive()
	if err := errors.Join(err, conn.SetReadDeadline(time.Time{})); err != nil {
		return nil, fmt.Errorf("what the former process offers: %w", err)
	}
	for i, s := range sockets {
		if name := m.Sockets[i]; strings.HasPrefix(name, "tcp ") || strings.HasPrefix(name, "udp ") {
			f.inherited.Add(name, s)
		} else {
			f.sockets[name] = s
		}
	}
	if m.Offer == nil || m.Offer.Version != wireVersion {
		return f, fmt.Errorf("the former process, anyedge %s, hands over in another way than this version: stop it and start this one", m.binary())
	}
	f.offer = *m.Offer
	return f, nil
}

func (m *message) binary() string {
	if m.Offer == nil {
		return "of an unknown version"
	}
	return m.Offer.Binary
}

// refuse tells the former process why this one can't take over. It may be called on nil.
func (f *former) refuse(err error) {
	if f != nil && !f.leading.Load() {
		_ = f.send(&message{Step: stepRefused, Error: err.Error()}) // it sees the end of this process, too
	}
}

// take takes a socket that no listener has; nil: there is none of that name.
func (f *former) take(name string) *os.File {
	if f == nil {
		return nil
	}
	s := f.sockets[name]
	delete(f.sockets, name)
	return s
}

// takeListener is take for a socket that listens.
func (f *former) takeListener(name string) (net.Listener, error) {
	s := f.take(name)
	if s == nil {
		return nil, nil
	}
	ln, err := net.FileListener(s)
	if err := errors.Join(err, s.Close()); err != nil {
		return nil, fmt.Errorf("take over the socket %s: %w", name, err)
	}
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(true)
	}
	return ln, nil
}

// takeUDP is take for a UDP socket.
func (f *former) takeUDP(name string) (*net.UDPConn, error) {
	s := f.take(name)
	if s == nil {
		return nil, nil
	}
	c, err := net.FilePacketConn(s)
	if err := errors.Join(err, s.Close()); err != nil {
		return nil, fmt.Errorf("take over the socket %s: %w", name, err)
	}
	return c.(*net.UDPConn), nil
}

// compatible says what of cfg only a restart can change; nil: nothing.
func (f *former) compatible(cfg *configs.Config) error {
	var mistakes configs.Mistakes
	if f.offer.Node != cfg.Node.Name {
		mistakes = append(mistakes, cfg.Mistake("node.name", "an upgrade can't change it: stop the node and start it"))
	}
	if (f.offer.Local == nil) != (cfg.Fleet.Steering != nil) {
		mistakes = append(mistakes, cfg.Mistake("fleet.steering", "an upgrade can't begin or end it, since the connections of the former process couldn't be told any more: stop the node and start it"))
	}
	return sorted(mistakes)
}

// takeOver goes from this process's readiness to its deciding. With an error the former process has all back.
func (n *node) takeOver(ctx context.Context) error {
	f := n.former
	var taken []string
	for _, l := range n.live.Load().listeners {
		for _, b := range l.Bound() {
			if f.inherited.Taken(b.Name) && !slices.Contains(taken, b.Name) {
				taken = append(taken, b.Name)
			}
		}
	}
	link, err := unixConn(f.take(socketLink))
	if err != nil {
		return err
	}
	n.quic.Follow(f.offer.Generation, link)
	f.inherited.Close() // what nobody has taken
	for name := range f.sockets {
		_ = f.take(name).Close()
	}
	go f.listen(func(r cache.PurgeRequest) { _, _ = n.cache.Purge(r) }) // ends with the former process
	if err := f.send(&message{Step: stepReady, Ready: &ready{PID: os.Getpid(), Binary: version(), Taken: taken}}); err != nil {
		return err
	}
	if _, err := f.await(ctx, stepTake, takeLimit+readyLimit); err != nil {
		return err
	}
	n.serve()
	if err := n.prove(ctx); err != nil {
		return err
	}
	if err := f.send(&message{Step: stepProven}); err != nil {
		return err
	}
	m, err := f.await(ctx, stepLead, ruleLimit+diskLimit+sessionEnd)
	if err != nil {
		return err
	}
	n.inherit(m)
	return nil
}

// prove waits until this process has served itself through every VIP that the former one announces.
func (n *node) prove(ctx context.Context) error {
	late := time.NewTimer(proveLimit - time.Second) // its own word tells more than the former's limit
	defer late.Stop()
	tick := time.NewTicker(provePoll)
	defer tick.Stop()
	for {
		missing := n.unproven()
		if len(missing) == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-late.C:
			return errors.New("it doesn't prove that it serves: " + strings.Join(missing, "; "))
		case <-ctx.Done():
			return errors.New("it was told to stop")
		}
	}
}

// unproven are the announced VIPs for which the self checks haven't succeeded yet, with what they found.
func (n *node) unproven() (missing []string) {
	cfg := n.config()
	signals := n.tracker.Signals(time.Now())
	for vip, v := range cfg.VIPs {
		if level, known := n.former.offer.Levels[vip]; !known || level == routing.Withdrawn {
			continue
		}
		want := map[health.SignalName]bool{health.SelfCheck: served(v), health.SelfQUIC: v.HTTPS != 0 && !n.awaitsFirst(cfg, vip), health.ServiceProbe: len(v.Probes) > 0}
		for _, s := range signals {
			if s.Subject == vip && want[s.Name] && s.Grade != health.OK {
				missing = append(missing, strings.TrimSpace(fmt.Sprintf("%s of %s is %s %s", s.Name, vip, s.Grade, s.Detail)))
			}
			if s.Subject == vip {
				delete(want, s.Name)
			}
		}
		for name, wanted := range want {
			if wanted {
				missing = append(missing, fmt.Sprintf("%s of %s hasn't been made", name, vip))
			}
		}
	}
	return missing
}

// inherit takes what the former process has decided, its disks, and its BGP sessions. There is no way back: what fails is
// told, and the node goes on without it.
func (n *node) inherit(m *arrival) {
	f, cfg := n.former, n.config()
	f.took = time.Now()
	fails := func(what string, err error) {
		if err != nil {
			n.log.Error("upgrade: "+what, "error", err)
			n.journal.Add(health.EventNode, cfg.Node.Name, "upgrade: "+what+": "+firstLine(err))
		}
	}
	if m.Lead == nil {
		fails("the former process", errors.New("has left nothing"))
		return
	}
	fails("decisions begin anew", n.control.TakeOver(m.Lead.Decisions, cfg.Routing.StateFile))
	loans := m.Lead.Loans
	f.move = m.Lead.Move
	for i, s := range m.sockets {
		conn, err := unixConn(s)
		if fails("a BGP speaker of the former process", err); err == nil && i < len(loans) {
			loans[i].Conn = conn
		}
	}
	fails("BGP sessions of the former process", n.speakers.Borrow(slices.DeleteFunc(loans, func(l bgp.Loan) bool { return l.Conn == nil })))
	if cfg.Cache.Disk != nil {
		n.attachDisk(*cfg.Cache.Disk)
	}
	if len(cfg.Fleet.Join) > 0 {
		fails("the fleet is left until the next start", n.joinFleet(cfg))
	}
}

// attachDisk opens the disks that the former process has let go of.
func (n *node) attachDisk(o disk.Options) {
	store, err := disk.Open(o, n.log)
	if err != nil {
		n.withoutDisk(o, err)
		return
	}
	n.disk.store = store
	store.RegisterMetrics(n.registry)
	n.cache.Attach(store)
}

// joinFleet takes this node's place in the fleet, which the former process has just left without a word.
func (n *node) joinFleet(cfg *configs.Config) (err error) {
	for range fleetTries {
		if n.fleet, err = n.openFleet(cfg); err == nil {
			return nil
		}
		time.Sleep(fleetPause)
	}
	return err
}

// followFormer takes note of what the former process still serves, until it is gone.
func (n *node) followFormer(ctx context.Context) error {
	f := n.former
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-f.news:
			switch m.Step {
			case stepDraining:
				f.left.Store(int64(m.Connections))
			case stepDrained:
				n.formerDrained("has finished what it served")
			}
		case <-f.gone:
			n.formerDrained("has ended")
			return nil
		}
	}
}

func (n *node) formerDrained(how string) {
	n.quic.Unfollow()
	if n.former.left.Swap(-1) >= 0 {
		text := fmt.Sprintf("upgrade: the former process, %d, %s", n.former.offer.PID, how)
		n.log.Info(text)
		n.journal.Add(health.EventNode, n.config().Node.Name, text)
	}
}

// purgeEverywhere purges here, and at the other process while there are two.
func (n *node) purgeEverywhere(r cache.PurgeRequest) (cache.PurgeResult, error) {
	result, err := n.cache.Purge(r)
	if err != nil {
		return result, err
	}
	if s := n.successor.Load(); s != nil {
		s.purge(r)
	}
	if f := n.former; f != nil && f.leading.Load() && !f.drained() {
		f.purge(r)
	}
	return result, nil
}

// upgradeStatus is how an upgrade stands; nil: there is none to tell of.
func (n *node) upgradeStatus() *UpgradeStatus {
	if s := n.successor.Load(); s != nil {
		u := &UpgradeStatus{State: upgradeStarting, PID: s.process.Process.Pid, Since: s.started}
		if n.taken.Load() {
			u.State = upgradeProving
		}
		return u
	}
	if f := n.former; f != nil {
		u := &UpgradeStatus{State: upgradeDraining, PID: f.offer.PID, Version: f.offer.Binary, Since: f.took, Connections: f.connections(), Sessions: n.speakers.Lent()}
		if !f.drained() {
			return u
		}
		if u.State = upgradeSessions; len(u.Sessions) > 0 {
			return u
		}
	}
	return n.failure.Load()
}

// generationOf is this process's in connection IDs, and the one's before.
func generationOf(f *former) uint8 {
	if f == nil {
		return uint8(time.Now().Unix()) // processes that follow each other within 256 s have different ones
	}
	return f.offer.Generation + 1
}

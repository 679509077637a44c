package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"github.com/anyedge/anyedge/proxy/listener"
)

// exitFrozen is the exit code of a process that the watchdog ended.
const exitFrozen = 3

// supervisor tells systemd how the node is, by the protocol of sd_notify(3). Where systemd doesn't listen it tells
// nobody, and so it does where that fails: a node serves without its supervisor.
type supervisor struct {
	said string // the last status
}

func (s *supervisor) notify(lines ...string) {
	_, _ = daemon.SdNotify(false, strings.Join(lines, "\n"))
}

func (s *supervisor) ready() { s.notify(daemon.SdNotifyReady) }

// follow has systemd watch another process in place of this one, which says nothing more.
func (s *supervisor) follow(pid int) { s.notify(fmt.Sprintf("MAINPID=%d", pid)) }

func (s *supervisor) stopping() { s.notify(daemon.SdNotifyStopping) }

// reloading begins what ready ends. systemd tells reloads apart by the monotonic clock.
func (s *supervisor) reloading() {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) == nil {
		s.notify(daemon.SdNotifyReloading, fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/int64(time.Microsecond)))
	}
}

// alive keeps systemd's watchdog from biting, and shows status in `systemctl status`.
func (s *supervisor) alive(status string) {
	if status == s.said {
		s.notify(daemon.SdNotifyWatchdog)
		return
	}
	s.said = status
	s.notify(daemon.SdNotifyWatchdog, "STATUS="+strings.ReplaceAll(status, "\n", " "))
}

// summary is the node in one line.
func (n *node) summary() string {
	all, _ := n.control.Explain("") // fails for a name that isn't there, and this is none
	var parts []string
	for _, e := range all {
		parts = append(parts, fmt.Sprintf("%s is %s", e.VIP, e.Level))
	}
	return strings.Join(parts, ", ")
}

// freeze ends the process with every goroutine's stack in the log: the frozen one's says why.
func (n *node) freeze(since time.Duration) {
	n.log.Error("the control loop is frozen: ending the process, so that the routers lead elsewhere", "since", since)
	_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
	os.Exit(exitFrozen)
}

// activated are the sockets that systemd has bound for this process, by sd_listen_fds(3); nil: none.
func activated() (*listener.Inherited, error) {
	files := activation.Files(true)
	if len(files) == 0 {
		return nil, nil
	}
	in := listener.NewInherited()
	var errs []error
	for _, f := range files {
		errs = append(errs, in.AddBound(f))
	}
	if err := errors.Join(errs...); err != nil {
		in.Close()
		return nil, fmt.Errorf("sockets of systemd: %w", err)
	}
	return in, nil
}

// closeActivated closes the sockets of systemd's that no VIP has. systemd itself has them still, so that what comes there is lost.
func (n *node) closeActivated() {
	if n.former != nil || n.inherited == nil {
		return
	}
	for _, name := range n.inherited.Left() {
		n.log.Warn("systemd has bound a socket that no VIP has: remove it from the socket unit", "socket", name)
	}
	n.inherited.Close()
}

//go:build lab

package lab

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// FIB watches a host's forwarding table: what the kernel does, not what a router means to do.
type FIB struct {
	host *Host
	conn *os.File
	done chan struct{} // closed when the reader has ended

	mu      sync.Mutex // guards the following fields
	table   map[netip.Prefix]RouteEvent
	events  []RouteEvent
	changed chan struct{} // closed by the next change
}

// WatchFIB follows a host's forwarding table, from the routes that are there, until the test ends.
func (h *Host) WatchFIB() *FIB {
	h.lab.Helper()
	f := &FIB{host: h, done: make(chan struct{}), table: map[netip.Prefix]RouteEvent{}, changed: make(chan struct{})}
	if err := h.inside(f.open); err != nil {
		h.lab.Fatalf("watch the routes of %s: %v", h.Name, err)
	}
	f.resync()
	go f.read()
	h.lab.Cleanup(func() {
		_ = f.conn.Close()
		<-f.done
	})
	return f
}

// open subscribes to changes of routes and links (rtnetlink(7)).
func (f *FIB) open() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	groups := uint32(unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE | unix.RTMGRP_LINK)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		_ = unix.Close(fd)
		return err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20) // a thousand routes may change at once
	f.conn = os.NewFile(uintptr(fd), "netlink")
	return nil
}

func (f *FIB) read() {
	defer close(f.done)
	b := make([]byte, 64<<10)
	for {
		n, err := f.conn.Read(b)
		now := time.Now()
		if errors.Is(err, unix.ENOBUFS) {
			f.resync() // the kernel has dropped some
			continue
		}
		if err != nil {
			return
		}
		messages, err := syscall.ParseNetlinkMessage(b[:n])
		if err != nil {
			continue
		}
		for i := range messages {
			f.message(now, &messages[i])
		}
	}
}

func (f *FIB) message(now time.Time, m *syscall.NetlinkMessage) {
	switch m.Header.Type {
	case syscall.RTM_NEWROUTE, syscall.RTM_DELROUTE:
		if e, ok := parseRoute(m); ok {
			e.At = now
			f.add(e)
		}
	case syscall.RTM_NEWLINK:
		f.resync() // the IPv4 routes over a link that goes down are dropped without a word
	}
}

// resync reads the whole table and adds what differs from what was heard.
func (f *FIB) resync() {
	routes, err := f.host.Routes()
	if err != nil {
		return // the host is gone: the test has ended
	}
	now, there := time.Now(), map[netip.Prefix]bool{}
	for _, r := range routes {
		there[r.Prefix] = true
		if !f.has(r) {
			f.add(RouteEvent{At: now, Route: r})
		}
	}
	for _, r := range f.Table() {
		if !there[r.Prefix] {
			f.add(RouteEvent{At: now, Gone: true, Route: r})
		}
	}
}

func (f *FIB) has(r Route) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	known, ok := f.table[r.Prefix]
	return ok && known.Route.String() == r.String()
}

func (f *FIB) add(e RouteEvent) {
	f.host.nameDevs(e.Hops)
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.Gone {
		delete(f.table, e.Prefix)
	} else {
		f.table[e.Prefix] = e
	}
	f.events = append(f.events, e)
	close(f.changed)
	f.changed = make(chan struct{})
}

// Table is the forwarding table as of the last change.
func (f *FIB) Table() []Route {
	f.mu.Lock()
	defer f.mu.Unlock()
	var routes []Route
	for _, p := range slices.SortedFunc(maps.Keys(f.table), netip.Prefix.Compare) {
		routes = append(routes, f.table[p].Route)
	}
	return routes
}

// History is every change of the route to p so far.
func (f *FIB) History(p netip.Prefix) []RouteEvent {
	f.mu.Lock()
	defer f.mu.Unlock()
	var of []RouteEvent
	for _, e := range f.events {
		if e.Prefix == p {
			of = append(of, e)
		}
	}
	return of
}

// WaitVia waits until p is routed over dev and returns since when.
func (f *FIB) WaitVia(p netip.Prefix, dev string, limit time.Duration) time.Time {
	f.host.lab.Helper()
	return f.wait(p, "via "+dev, limit, func(e RouteEvent) bool { return !e.Gone && e.over(dev) })
}

// WaitNotVia waits until p is routed elsewhere than over dev, or nowhere, and returns since when.
func (f *FIB) WaitNotVia(p netip.Prefix, dev string, limit time.Duration) time.Time {
	f.host.lab.Helper()
	return f.wait(p, "no longer via "+dev, limit, func(e RouteEvent) bool { return e.Gone || !e.over(dev) })
}

// WaitGone waits until there is no route to p and returns since when.
func (f *FIB) WaitGone(p netip.Prefix, limit time.Duration) time.Time {
	f.host.lab.Helper()
	return f.wait(p, "gone", limit, func(e RouteEvent) bool { return e.Gone })
}

// wait waits until the last that was heard of p is as wanted, and returns since when that is so.
func (f *FIB) wait(p netip.Prefix, what string, limit time.Duration, want func(RouteEvent) bool) time.Time {
	f.host.lab.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	for {
		since, ok, changed := f.since(p, want)
		if ok {
			return since
		}
		select {
		case <-changed:
		case <-deadline.C:
			f.host.lab.Fatalf("on %s, %s: not %s within %v; its history:\n%s", f.host.Name, p, what, limit, lines(f.History(p)))
		}
	}
}

// since says whether the last that was heard of p is as wanted, since when, and with what one waits for more.
// A prefix that was never heard of is gone since the beginning of time.
func (f *FIB) since(p netip.Prefix, want func(RouteEvent) bool) (time.Time, bool, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var since time.Time
	ok, heard := false, false
	for _, e := range slices.Backward(f.events) {
		if e.Prefix != p {
			continue
		}
		heard = true
		if !want(e) {
			break
		}
		since, ok = e.At, true
	}
	if !heard {
		ok = want(RouteEvent{Gone: true})
	}
	return since, ok, f.changed
}

// Routes is the host's forwarding table now.
func (h *Host) Routes() ([]Route, error) {
	var dump []byte
	err := h.inside(func() (err error) {
		dump, err = syscall.NetlinkRIB(syscall.RTM_GETROUTE, syscall.AF_UNSPEC)
		return err
	})
	if err != nil {
		return nil, err
	}
	messages, err := syscall.ParseNetlinkMessage(dump)
	if err != nil {
		return nil, err
	}
	var routes []Route
	for i := range messages {
		if e, ok := parseRoute(&messages[i]); ok {
			h.nameDevs(e.Hops)
			routes = append(routes, e.Route)
		}
	}
	return routes, nil
}

// nameDevs sets the names of the hops' interfaces; one that is gone keeps its number.
func (h *Host) nameDevs(hops []Hop) {
	_ = h.inside(func() error {
		for i := range hops {
			hops[i].Dev = fmt.Sprint(hops[i].index)
			if dev, err := net.InterfaceByIndex(int(hops[i].index)); err == nil {
				hops[i].Dev = dev.Name
			}
		}
		return nil
	})
}

func lines[T fmt.Stringer](list []T) string {
	var s strings.Builder
	for _, v := range list {
		s.WriteString(v.String() + "\n")
	}
	return s.String()
}

//go:build lab

package lab

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Host is one machine of the lab: a network namespace.
type Host struct {
	Name string

	lab    *Lab
	ns     string   // its name below /run/netns
	routes []static // a link that goes down takes them along
}

// static is a static route.
type static struct {
	to  netip.Prefix
	via netip.Addr
}

// settings make a namespace behave alike on every machine. Addresses are usable at once (no duplicate address
// detection) and survive a link that is down; packets may come back another way than they went.
var settings = map[string]string{
	"ipv4/conf/all/rp_filter":          "0",
	"ipv4/conf/default/rp_filter":      "0",
	"ipv4/conf/all/send_redirects":     "0",
	"ipv4/conf/default/send_redirects": "0",
	"ipv6/conf/all/disable_ipv6":       "0",
	"ipv6/conf/default/disable_ipv6":   "0",
	"ipv6/conf/default/accept_dad":     "0",
	"ipv6/conf/all/keep_addr_on_down":  "1",
}

// Host adds a host.
func (l *Lab) Host(name string) *Host {
	l.Helper()
	h := &Host{Name: name, lab: l, ns: l.name + "-" + name}
	h.must("ip", "netns", "add", h.ns)
	l.hosts = append(l.hosts, h)
	h.set(settings)
	h.ip("link", "set", "lo", "up")
	l.onFailure("routes of "+name, h.routesText)
	return h
}

// Router adds a host that forwards.
func (l *Lab) Router(name string) *Host {
	l.Helper()
	h := l.Host(name)
	h.set(map[string]string{"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1"})
	return h
}

// set writes settings below /proc/sys/net.
func (h *Host) set(values map[string]string) {
	h.lab.Helper()
	err := h.inside(func() error {
		for key, value := range values {
			if err := os.WriteFile(filepath.Join("/proc/sys/net", key), []byte(value), 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		h.lab.Fatalf("set up %s: %v", h.Name, err)
	}
}

// Address gives the host an address of its own: a VIP, or where a server listens.
func (h *Host) Address(addrs ...netip.Addr) {
	h.lab.Helper()
	for _, a := range addrs {
		h.ip("address", "add", host(a).String(), "dev", "lo")
	}
}

// Route adds a static route.
func (h *Host) Route(to netip.Prefix, via netip.Addr) {
	h.lab.Helper()
	h.routes = append(h.routes, static{to, via})
	h.setRoute(static{to, via})
}

func (h *Host) setRoute(r static) {
	h.lab.Helper()
	h.ip("route", "replace", r.to.String(), "via", r.via.String())
}

// Command is a program to be run inside the host. It dies with this process.
func (h *Host) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, "nsenter", append([]string{"--net=" + h.path(), "--", name}, args...)...)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c.WaitDelay = time.Second
	return c
}

// Exec runs a program inside the host to its end and returns what it printed, errors included.
func (h *Host) Exec(ctx context.Context, name string, args ...string) (string, error) {
	return output(h.Command(ctx, name, args...))
}

// Run is Exec for what has to succeed within ten seconds.
func (h *Host) Run(name string, args ...string) string {
	h.lab.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := h.Exec(ctx, name, args...)
	if err != nil {
		h.lab.Fatalf("on %s: %v", h.Name, err)
	}
	return out
}

func (h *Host) path() string { return filepath.Join("/run/netns", h.ns) }

// ip changes the host's network.
func (h *Host) ip(args ...string) {
	h.lab.Helper()
	h.must("ip", append([]string{"-n", h.ns}, args...)...)
}

// must runs a program outside the host for it.
func (h *Host) must(name string, args ...string) {
	h.lab.Helper()
	if _, err := output(exec.Command(name, args...)); err != nil {
		h.lab.Fatalf("set up %s: %v", h.Name, err)
	}
}

// routesText shows the routes but for those to the links.
func (h *Host) routesText() string {
	routes, err := h.Routes()
	if err != nil {
		return err.Error()
	}
	routes = slices.DeleteFunc(routes, func(r Route) bool { return isLink(r.Prefix.Addr()) })
	return lines(routes)
}

func output(c *exec.Cmd) (string, error) {
	out, err := c.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(c.Args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), err
}

// host is the route to one address.
func host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

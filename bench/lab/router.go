//go:build lab

package lab

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Router is a BGP router of some make.
type Router interface {
	// Paths lists what the router's neighbours told it of a prefix.
	Paths(p netip.Prefix) []Path
	// Sessions shows its BGP sessions, for people.
	Sessions() string
}

// Learned is what a router was told of a prefix by one neighbour; false where that is nothing.
func Learned(r Router, p netip.Prefix, from netip.Addr) (Path, bool) {
	for _, path := range r.Paths(p) {
		if path.From == from {
			return path, true
		}
	}
	return Path{}, false
}

// startLimit is how long a router may take to open its control socket.
const startLimit = 10 * time.Second

// BIRD is a running BIRD 2.
type BIRD struct {
	*Process

	host   *Host
	socket string
}

// BIRD starts BIRD 2 on the host.
func (h *Host) BIRD(config string) *BIRD {
	h.lab.Helper()
	file := h.lab.write(h.Name+".bird.conf", config)
	b := &BIRD{host: h, socket: h.lab.dir + "/" + h.Name + ".bird.ctl"}
	b.Process = h.Start("bird", "-f", "-c", file, "-s", b.socket)
	h.lab.onFailure("BIRD on "+h.Name, func() string { return b.Sessions() + b.services() })
	b.waitSocket(b.socket)
	return b
}

// Paths lists what BIRD's neighbours told it of a prefix.
func (b *BIRD) Paths(p netip.Prefix) []Path { return parseBIRD(b.show("route", p.String(), "all")) }

// services shows the routes but for those to the links.
func (b *BIRD) services() string {
	return b.show("route", "table", "master4", "where", "net !~ [10.99.0.0/16+]", "all") +
		b.show("route", "table", "master6", "where", "net !~ [2001:db8:99::/48+]", "all")
}

// Sessions shows BIRD's protocols.
func (b *BIRD) Sessions() string { return b.show("protocols") }

// Reconfigure makes BIRD go on with another configuration.
func (b *BIRD) Reconfigure(config string) {
	b.lab.Helper()
	file := b.lab.write(b.host.Name+".bird.conf", config)
	if out, err := output(exec.Command("birdc", "-s", b.socket, fmt.Sprintf("configure %q", file))); err != nil {
		b.lab.Fatalf("%v\n%s", err, out)
	}
}

func (b *BIRD) show(what ...string) string {
	out, _ := output(exec.Command("birdc", append([]string{"-s", b.socket, "show"}, what...)...)) // its error is in the text
	return out
}

// waitSocket waits until the process has made its control socket.
func (p *Process) waitSocket(path string) {
	p.lab.Helper()
	p.lab.Await(p.Name+" opens "+path, startLimit, func() bool {
		select {
		case <-p.done:
			p.lab.Fatalf("%s ended: %v\n%s", p.Name, p.err, p.log.tail())
		default:
		}
		_, err := os.Stat(path)
		return err == nil
	})
}

// FRR is a running FRR: zebra and bgpd.
type FRR struct {
	Zebra, BGP *Process

	dir string
}

// FRR starts FRR on the host with a configuration for bgpd, and with more daemons, which need none. They insist on their
// own user, so the sockets are in a directory of that user's.
func (h *Host) FRR(config string, more ...string) *FRR {
	h.lab.Helper()
	f := &FRR{dir: h.lab.dir + "/" + h.Name}
	h.must("install", "-d", "-o", "frr", "-g", "frr", f.dir)
	zebra := f.dir + "/zserv.api"
	start := func(daemon, config string) *Process {
		file := h.lab.write(h.Name+"."+daemon+".conf", config)
		args := []string{
			"-f", file, "--log", "stdout", "--vty_socket", f.dir, "-P", "0",
			"-z", zebra, "-i", filepath.Join(f.dir, daemon+".pid"),
		}
		if daemon == "bfdd" {
			args = append(args, "--bfdctl", f.dir+"/bfdd.sock")
		}
		return h.Start("/usr/lib/frr/"+daemon, args...)
	}
	f.Zebra = start("zebra", "! what bgpd tells it\n")
	f.Zebra.waitSocket(zebra)
	for _, daemon := range more {
		start(daemon, "! what bgpd tells it\n").waitSocket(f.dir + "/" + daemon + ".vty")
	}
	f.BGP = start("bgpd", config)
	h.lab.onFailure("FRR on "+h.Name, func() string { return f.Sessions() + f.Show("show bgp ipv4 unicast") + f.Show("show bgp ipv6 unicast") })
	f.BGP.waitSocket(f.dir + "/bgpd.vty")
	return f
}

// Paths lists what FRR's neighbours told it of a prefix.
func (f *FRR) Paths(p netip.Prefix) []Path {
	f.BGP.lab.Helper()
	family := "ipv4"
	if p.Addr().Is6() {
		family = "ipv6"
	}
	paths, err := parseFRR(f.Show(fmt.Sprintf("show bgp %s unicast %s json", family, p)))
	if err != nil {
		f.BGP.lab.Fatal(err)
	}
	return paths
}

// Sessions shows FRR's BGP sessions.
func (f *FRR) Sessions() string { return f.Show("show bgp summary") }

// Show is what one of vtysh's commands prints.
func (f *FRR) Show(command string) string {
	out, _ := output(exec.Command("vtysh", "--vty_socket", f.dir, "-c", command)) // its error is in the text
	return out
}

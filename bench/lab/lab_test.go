//go:build lab

package lab_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
)

func TestMain(m *testing.M) {
	lab.Main(m, lab.Program{Name: "listen", Run: listen}, lab.Program{Name: "leak", Run: leak}, lab.Program{Name: "pebble", Run: pebble},
		lab.Program{Name: "malformed", Run: sayMalformed})
}

// A link that is cut is seen by its hosts, one that swallows packets isn't; both come back whole.
func TestLink(t *testing.T) {
	l := lab.New(t)
	a, b := l.Host("a-host"), l.Host("b-host")
	link := l.Link(a, b)
	server := netip.MustParsePrefix("192.0.2.1/32")
	b.Address(server.Addr())
	a.Route(server, link.B.V4)
	ln, err := b.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	check := func(when string, want bool) {
		t.Helper()
		limit := 500 * time.Millisecond // nobody answers
		if want {
			limit = 10 * time.Second
		}
		for _, addr := range []netip.Addr{server.Addr(), link.B.V4, link.B.V6} {
			if err := connect(a, addr, 80, limit); (err == nil) != want {
				t.Errorf("%s: connect to %s: %v", when, addr, err)
			}
		}
	}

	fib := a.WatchFIB()
	check("at first", true)
	link.Cut()
	fib.WaitGone(server, moveLimit)
	check("cut", false)
	link.Restore()
	fib.WaitVia(server, "b-host", moveLimit)
	check("restored", true)
	link.Blackhole()
	check("swallowing", false)
	link.Restore()
	check("restored again", true)
	if h := fib.History(server); len(h) != 3 { // there, gone, there
		t.Errorf("history of the route: %v", h)
	}
}

// Real routers follow a speaker, and the kernels' tables, the routers' own and the wire tell one story.
func TestRouters(t *testing.T) {
	f := lab.NewFleet(t)
	core, ams, fra := f.Core.WatchFIB(), f.Ams.Edge.WatchFIB(), f.Fra.Edge.WatchFIB()
	wire := f.Ams.ToNode.A.Capture("tcp port 179")
	speaker := f.Ams.Host.BIRD(standIn(t, f.Ams, false))
	f.Fra.Host.BIRD(standIn(t, f.Fra, false))
	for _, p := range lab.Prefixes() {
		ams.WaitVia(p, "ams-1", moveLimit)
		fra.WaitVia(p, "fra-1", moveLimit)
		core.WaitVia(p, "edge-ams", moveLimit)
	}
	if p, ok := lab.Learned(f.Fra.Router, lab.Prefix4, f.Fra.ToNode.B.V4); !ok || !p.Best || len(p.ASPath) != 1 {
		t.Errorf("FRR, normal: %v", p)
	}

	begin := time.Now()
	f.Prefer(f.Fra)
	t.Logf("flipped: core moves after %v", ms(waitVia(core, "edge-fra", moveLimit).Sub(begin)))
	f.Prefer(f.Ams)
	waitVia(core, "edge-ams", moveLimit)

	begin = time.Now()
	speaker.Reconfigure(standIn(t, f.Ams, true))
	for _, p := range lab.Prefixes() {
		t.Logf("depreferred: %s moves in edge-ams after %v, in core after %v", p,
			ms(ams.WaitVia(p, "edge-fra", moveLimit).Sub(begin)), ms(core.WaitVia(p, "edge-fra", moveLimit).Sub(begin)))
	}
	if p, ok := lab.Learned(f.Ams.Router, lab.Prefix6, f.Ams.ToNode.B.V6); !ok || !depreferred(p) || p.LocalPref != 0 || p.Best {
		t.Errorf("BIRD, depreferred: %v", p)
	}

	speaker.Kill()
	f.Await("edge-ams forgets what the dead speaker said", holdTime/2, func() bool {
		_, ok := lab.Learned(f.Ams.Router, lab.Prefix4, f.Ams.ToNode.B.V4)
		return !ok
	})
	updates := wire.Stop()
	if err := asIntended(f.Ams, updates); err != nil {
		t.Errorf("on the wire: %v\n%v", err, updates)
	}
}

// depreferred says whether a path carries what the stand-in says when it wants to be left alone.
func depreferred(p lab.Path) bool {
	return p.GracefulShutdown() && p.MED == 65535 && len(p.ASPath) == 2
}

// asIntended checks that each prefix was announced by the metro's speaker, then depreferred without a withdrawal. The
// router's own updates don't count: it may tell the speaker of the other metro's route first, and take that back.
func asIntended(m *lab.Metro, updates []lab.Update) error {
	seen := map[netip.Prefix][]lab.Update{}
	for _, u := range updates {
		if !from(m, u) {
			continue
		}
		for _, p := range u.Withdrawn {
			return fmt.Errorf("%s was withdrawn", p)
		}
		for _, p := range u.Announced {
			seen[p] = append(seen[p], u)
		}
	}
	var errs []error
	for _, p := range lab.Prefixes() {
		if s := seen[p]; len(s) != 2 || s[0].GracefulShutdown() || !s[1].GracefulShutdown() || s[1].MED != 65535 {
			errs = append(errs, fmt.Errorf("%s: %v", p, s))
		}
	}
	return errors.Join(errs...)
}

// A program of the test runs inside its host and dies when it is killed.
func TestProgram(t *testing.T) {
	l := lab.New(t)
	a, b := l.Host("a-host"), l.Host("b-host")
	link := l.Link(a, b)
	p := b.Program("listen", ":80")
	p.WaitLog("listening", moveLimit)
	if err := connect(a, link.B.V4, 80, moveLimit); err != nil {
		t.Error(err)
	}
	p.Kill()
	if err := connect(a, link.B.V4, 80, moveLimit); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("connect after Kill: %v, want %v", err, syscall.ECONNREFUSED)
	}
}

// An origin counts what it is asked, waits when it is told to, dies and comes back.
func TestOrigin(t *testing.T) {
	l := lab.New(t)
	h := l.Host("origin")
	origin := h.Serve(l.Authority())
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return h.Dial(ctx, network, "127.0.0.1:8080")
		},
	}}
	get := func() error {
		resp, err := client.Get("http://" + lab.OriginName + "/page")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		content, err := io.ReadAll(resp.Body)
		if err == nil && string(content) != lab.Page {
			err = fmt.Errorf("content %q", content)
		}
		return err
	}
	for _, step := range []struct {
		name string
		do   func()
		well bool
	}{
		{"first", func() {}, true},
		{"paused", origin.Pause, false},
		{"resumed", origin.Resume, true},
		{"killed", origin.Kill, false},
		{"started again", origin.Start, true},
	} {
		step.do()
		client.Timeout = 10 * time.Second
		if !step.well {
			client.Timeout = 500 * time.Millisecond
		}
		if err := get(); (err == nil) != step.well {
			t.Errorf("%s: %v", step.name, err)
		}
		if step.name == "paused" {
			l.Await("the origin has the request that it doesn't answer", moveLimit, func() bool { return origin.Requests("/page") == 2 })
		}
	}
	if n := origin.Requests("/page"); n != 4 {
		t.Errorf("counted %d requests, want 4: all but the one to the dead", n)
	}
}

// A packet socket of the test's own process is on the host that it was opened on.
func TestListenPacket(t *testing.T) {
	l := lab.New(t)
	a, b := l.Host("a-host"), l.Host("b-host")
	link := l.Link(a, b)
	server, err := b.ListenPacket("udp", netip.AddrPortFrom(link.B.V6, 443).String())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	client, err := a.ListenPacket("udp", netip.AddrPortFrom(link.A.V6, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.WriteTo([]byte("hello"), server.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	_ = server.SetReadDeadline(time.Now().Add(moveLimit))
	buffer := make([]byte, 16)
	n, from, err := server.ReadFrom(buffer)
	if err != nil || string(buffer[:n]) != "hello" || from.String() != client.LocalAddr().String() {
		t.Errorf("received %q from %v, %v", buffer[:n], from, err)
	}
}

func listen(ctx context.Context, args []string) error {
	ln, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	fmt.Println("listening")
	<-ctx.Done()
	return ln.Close()
}

// What a run left that was killed is removed by the next one, with its processes; nothing else is.
func TestLeftovers(t *testing.T) {
	const dead, foreign = "aelab-1-0-1-host", "aelab-not-ours"
	first := lab.New(t)
	for _, ns := range []string{dead, foreign} {
		run(t, "ip", "netns", "add", ns)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", ns).Run() })
	}
	left := exec.Command("ip", "netns", "exec", dead, "sleep", "60")
	if err := left.Start(); err != nil {
		t.Fatal(err)
	}
	first.Await("the process is in the namespace", moveLimit, func() bool {
		return strings.TrimSpace(run(t, "ip", "netns", "pids", dead)) != ""
	})
	lab.New(t)
	var exit *exec.ExitError
	if err := left.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the process in the leftover namespace: %v", err)
	}
	names := run(t, "ip", "netns", "list")
	if strings.Contains(names, dead) || !strings.Contains(names, foreign) {
		t.Errorf("namespaces after a start: %s", names)
	}
}

func connect(from *lab.Host, to netip.Addr, port uint16, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c, err := from.Dial(ctx, "tcp", netip.AddrPortFrom(to, port).String())
	if err != nil {
		return err
	}
	return c.Close()
}

// standIn is the configuration of a BIRD that announces in a node's place.
func standIn(t *testing.T, m *lab.Metro, depreferred bool) string {
	t.Helper()
	return execute(t, "standin.bird.conf", map[string]any{
		"Metro": m, "Depreferred": depreferred,
		"Prefix4": lab.Prefix4, "Prefix6": lab.Prefix6, "NodeAS": lab.NodeAS,
	})
}

// execute fills in a template of testdata.
func execute(t *testing.T, file string, data any) string {
	t.Helper()
	parsed, err := template.ParseFiles("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var s strings.Builder
	if err := parsed.Execute(&s, data); err != nil {
		t.Fatal(err)
	}
	return s.String()
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
	return string(out)
}

package bgp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp"
	"github.com/anyedge/anyedge/routing/bgp/bgptest"
)

// pipe returns both ends of a Unix connection.
func pipe(t *testing.T) (a, b *net.UnixConn) {
	t.Helper()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if a, err = net.DialUnix("unix", nil, ln.Addr().(*net.UnixAddr)); err == nil {
		b, err = ln.AcceptUnix()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}

// process is one that speaks, and may have sessions of a former one.
type process struct {
	*bgp.Speakers
	t       *testing.T
	journal *health.Journal
	lent    chan struct{} // closed when Lend has returned
}

func newProcess(t *testing.T, o bgp.Options, loans []bgp.Loan, allowed ...netip.Prefix) *process {
	t.Helper()
	j := health.NewJournal(256)
	s, err := bgp.NewSpeakers(o, allowed, j, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if len(loans) > 0 {
		if err := s.Borrow(loans); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := &process{Speakers: s, t: t, journal: j}
	t.Cleanup(p.end)
	return p
}

func (p *process) end() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.Stop(ctx, "the test is over"); err != nil {
		p.t.Error(err)
	}
}

// handOn makes way for the next process, which gets what this returns.
func (p *process) handOn() []bgp.Loan {
	p.t.Helper()
	own, loans := p.LendOn()
	if own == nil {
		return loans
	}
	here, there := pipe(p.t)
	p.lent = make(chan struct{})
	go func() { // ends with the pipe
		defer close(p.lent)
		_ = p.Own().Lend(context.Background(), here)
		p.end()
	}()
	b, err := json.Marshal(own) // as it comes to another process
	var copied bgp.Loan
	if err == nil {
		err = json.Unmarshal(b, &copied)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	copied.Conn = there
	return append(loans, copied)
}

func (p *process) set(level routing.Level, prefixes ...netip.Prefix) {
	p.t.Helper()
	if err := p.Set(p.t.Context(), routes(level, prefixes...)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) established(names ...string) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		up := 0
		for _, peer := range p.Peers() {
			if peer.State == "established" && slices.Contains(names, peer.Name) {
				up++
			}
		}
		if up == len(names) {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%v aren't established: %+v", names, p.Peers())
		}
	}
}

// cease is a NOTIFICATION: Cease, Administrative Reset (RFC 4486).
var cease = append(bytes.Repeat([]byte{0xff}, 16), 0, 21, 3, 6, 4)

// Two upgrades one after the other leave the sessions and the routes as they are, and what is decided comes to the routers all
// the same. A session that ends begins at the newest process.
func TestSessionsStayOverUpgrades(t *testing.T) {
	t.Parallel()
	one, two := startRouter(t, bgptest.Options{}), startRouter(t, bgptest.Options{Address: loopback(2)})
	o := options(peer("one", one, routerAS), peer("two", two, routerAS))
	first := newProcess(t, o, nil, prefix4, other4)
	first.set(routing.Announced, prefix4, other4)
	first.established("one", "two")
	waitTable(t, one, 2)
	waitTable(t, two, 2)

	second := newProcess(t, o, first.handOn(), prefix4, other4)
	second.set(routing.Announced, prefix4, other4)
	third := newProcess(t, o, second.handOn(), prefix4, other4)
	third.set(routing.Announced, prefix4, other4)
	third.established("one", "two")
	if got := third.Lent(); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("lent: %v", got)
	}
	for _, r := range []*bgptest.Router{one, two} {
		if n := len(r.Updates()); n > 2 {
			t.Errorf("a router got %d UPDATEs, the upgrades are visible", n)
		}
	}
	third.set(routing.Depreferred, prefix4)
	waitRouter(t, two, "what the third process decides", func() bool { return len(two.Table()) == 1 })

	// A session that the router ends begins at the process that decides; the other one stays.
	updates := len(two.Updates())
	if err := one.Send(cease); err != nil {
		t.Fatal(err)
	}
	waitRouter(t, one, "the session at the third process", func() bool { return slices.Equal(third.Lent(), []string{"two"}) && len(one.Table()) == 1 })
	third.established("one", "two")
	if len(two.Updates()) != updates {
		t.Error("the other router was told something")
	}

	if err := third.MoveSessions(t.Context(), patience); err != nil {
		t.Fatal(err)
	}
	third.established("one", "two")
	waitTable(t, two, 1)
	if got := third.Lent(); len(got) > 0 {
		t.Errorf("lent after the move: %v", got)
	}
	<-first.lent // the first process has nothing left to do
}

// A process that is gone takes its sessions with it, whichever of both it is.
func TestFormerProcessDies(t *testing.T) {
	t.Parallel()
	r := startRouter(t, bgptest.Options{})
	o := options(peer("one", r, routerAS))
	first := newProcess(t, o, nil, prefix4)
	first.set(routing.Announced, prefix4)
	waitTable(t, r, 1)
	second := newProcess(t, o, first.handOn(), prefix4)
	second.set(routing.Announced, prefix4)
	first.end() // as the kernel would
	waitRouter(t, r, "the session at the second process", func() bool { return len(second.Lent()) == 0 && len(r.Table()) == 1 })
	second.established("one")

	loans := second.handOn()
	_ = loans[0].Conn.Close()
	waitTable(t, r, 0)
	<-second.lent
}

// Another configuration moves the sessions that it concerns, and no other.
func TestUpgradeWithAnotherConfiguration(t *testing.T) {
	t.Parallel()
	one, two := startRouter(t, bgptest.Options{}), startRouter(t, bgptest.Options{Address: loopback(2)})
	o := options(peer("one", one, routerAS), peer("two", two, routerAS))
	first := newProcess(t, o, nil, prefix4)
	first.set(routing.Announced, prefix4)
	first.established("one", "two")
	waitTable(t, one, 1)
	waitTable(t, two, 1)
	changed := options(o.Peers[0], o.Peers[1])
	changed.Peers[1].NextHop = netip.MustParseAddr("127.0.0.77")
	second := newProcess(t, changed, first.handOn(), prefix4, other4)
	if got := second.Lent(); !slices.Equal(got, []string{"one"}) {
		t.Errorf("lent: %v", got)
	}
	second.set(routing.Announced, prefix4, other4)
	waitTable(t, one, 2)
	waitTable(t, two, 2)

	changed.Peers = changed.Peers[1:]
	if err := second.Configure(t.Context(), changed, []netip.Prefix{prefix4, other4}); err != nil {
		t.Fatal(err)
	}
	<-first.lent
	waitTable(t, one, 0)
	second.established("two")
	if got := second.Lent(); len(got) > 0 {
		t.Errorf("lent: %v", got)
	}
}

// Who asks for what this version doesn't know is told so, and nothing is announced by its decisions any more.
func TestLendRefuses(t *testing.T) {
	t.Parallel()
	s := newSpeaker(t, options(), prefix4)
	for _, text := range []string{`{"do": "dance"}`, `{"do": "configure"}`, `{"do": "set", "mood": 1}`, "\x00\x01"} {
		here, there := pipe(t)
		done := make(chan error, 1)
		go func() { done <- s.Lend(t.Context(), here) }() // ends with the pipe
		if _, err := there.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		var a struct{ Error string }
		if err := json.NewDecoder(there).Decode(&a); err != nil || a.Error == "" {
			t.Errorf("%s: %+v, %v", text, a, err)
		}
		_ = there.Close()
		<-done
	}
}

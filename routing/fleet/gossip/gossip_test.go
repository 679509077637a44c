package gossip_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing/fleet/gossip"
)

var (
	keyA = bytes.Repeat([]byte{1}, 32)
	keyB = bytes.Repeat([]byte{2}, 32)
)

// node is a member under test.
type node struct {
	*gossip.Mesh
	t       *testing.T
	journal *health.Journal
	stop    context.CancelFunc
	ended   chan error

	mu       sync.Mutex // guards the following fields
	received []string
}

// start begins a node on loopback that joins those of seeds; it ends with the test.
func start(t *testing.T, name string, keys [][]byte, seeds ...string) *node {
	t.Helper()
	return startAt(t, netip.MustParseAddrPort("127.0.0.1:0"), name, keys, seeds...)
}

func startAt(t *testing.T, at netip.AddrPort, name string, keys [][]byte, seeds ...string) *node {
	t.Helper()
	return startAs(t, gossip.Config{Name: name, Listen: at, Join: seeds, Keys: keys})
}

// startBehind is a node that others reach by a road alone.
func startBehind(t *testing.T, r *road, name string, seeds ...string) *node {
	t.Helper()
	n := startAs(t, gossip.Config{Name: name, Listen: netip.MustParseAddrPort("127.0.0.1:0"), Advertise: r.at, Join: seeds, Keys: [][]byte{keyA}})
	bound := n.Bound()
	r.to.Store(&bound)
	return n
}

func startAs(t *testing.T, c gossip.Config) *node {
	t.Helper()
	n := &node{t: t, journal: health.NewJournal(256), ended: make(chan error, 1)}
	c.Interval, c.Receive, c.Journal, c.Log = 50*time.Millisecond, n.receive, n.journal, slog.New(slog.NewTextHandler(io.Discard, nil))
	var err error
	n.Mesh, err = gossip.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	go func() { n.ended <- n.Run(ctx) }()
	t.Cleanup(n.end)
	return n
}

func (n *node) receive(_ context.Context, from string, message []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.received = append(n.received, from+": "+string(message))
}

func (n *node) got() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.received, "\n")
}

// end stops the node; a second call does nothing.
func (n *node) end() {
	n.stop()
	if err, ok := <-n.ended; ok {
		close(n.ended)
		if err != nil {
			n.t.Error(err)
		}
	}
}

func (n *node) seed() string { return n.Address().String() }

func (n *node) member(name string) gossip.Member {
	for _, m := range n.Members() {
		if m.Name == name {
			return m
		}
	}
	return gossip.Member{}
}

func (n *node) events() string {
	var texts []string
	for _, e := range n.journal.Since(0) {
		texts = append(texts, e.Text)
	}
	return strings.Join(texts, "\n")
}

func await(t *testing.T, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 2m: " + what)
		}
	}
}

func TestStatesReachEveryNode(t *testing.T) {
	t.Parallel()
	a := start(t, "ams-1", [][]byte{keyA})
	b := start(t, "fra-1", [][]byte{keyA}, a.seed())
	c := start(t, "sin-1", [][]byte{keyA}, "localhost:"+port(a), a.seed())
	nodes := map[string]*node{"ams-1": a, "fra-1": b, "sin-1": c}
	for name, n := range nodes {
		if err := n.Publish([]byte("of " + name)); err != nil {
			t.Fatal(err)
		}
	}
	for at, n := range nodes {
		for of := range nodes {
			if of != at {
				await(t, of+"'s state at "+at, func() bool { return string(n.member(of).State) == "of "+of })
			}
		}
	}
	if m := a.member("fra-1"); m.Status != gossip.Alive || m.Address != b.Address() || m.Heard.IsZero() {
		t.Errorf("%+v", m)
	}
	await(t, "a round trip", func() bool { return a.member("fra-1").RTT > 0 })

	// A state that no packet has room for is asked for.
	large := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	if err := a.Publish(large); err != nil {
		t.Fatal(err)
	}
	await(t, "the large state", func() bool {
		return bytes.Equal(b.member("ams-1").State, large) && bytes.Equal(c.member("ams-1").State, large)
	})
	if err := a.Publish(make([]byte, 300<<10)); err == nil {
		t.Error("a state above the limit was taken")
	}
	was := b.member("ams-1").Heard
	await(t, "another beat", func() bool { return b.member("ams-1").Heard.After(was) })
}

func port(n *node) string {
	_, p, _ := strings.Cut(n.seed(), ":")
	return p
}

func TestMessages(t *testing.T) {
	t.Parallel()
	a := start(t, "ams-1", [][]byte{keyA})
	b := start(t, "fra-1", [][]byte{keyA}, a.seed())
	await(t, "each sees the other", func() bool { return len(a.Members()) == 1 && len(b.Members()) == 1 })
	long := strings.Repeat("x", 1<<20)
	for _, text := range []string{"one", long} {
		if err := a.Send("fra-1", []byte(text)); err != nil {
			t.Fatal(err)
		}
		await(t, "the message", func() bool { return strings.HasSuffix(b.got(), "ams-1: "+text) })
	}
	if err := a.Send("sin-1", nil); err == nil || !strings.Contains(err.Error(), "send to sin-1: it isn't there") {
		t.Errorf("%v", err)
	}
}

// TestLeftAndFailed: a node that stops says so, and one that vanishes is found out.
func TestLeftAndFailed(t *testing.T) {
	t.Parallel()
	a := start(t, "ams-1", [][]byte{keyA})
	b := start(t, "fra-1", [][]byte{keyA}, a.seed())
	c := start(t, "sin-1", [][]byte{keyA}, a.seed())
	await(t, "all see all", func() bool { return len(a.Members()) == 2 && len(b.Members()) == 2 && len(c.Members()) == 2 })
	b.end()
	await(t, "b has left", func() bool {
		return a.member("fra-1").Status == gossip.Left && c.member("fra-1").Status == gossip.Left
	})
	if err := c.Close(); err != nil { // without a goodbye
		t.Fatal(err)
	}
	await(t, "c has failed", func() bool { return a.member("sin-1").Status == gossip.Failed })

	// A new process of the same node, with other octets to tell, is the newer one.
	again := startAt(t, b.Address(), "fra-1", [][]byte{keyA}, a.seed())
	if err := again.Publish([]byte("again")); err != nil {
		t.Fatal(err)
	}
	await(t, "b is back", func() bool { m := a.member("fra-1"); return m.Status == gossip.Alive && string(m.State) == "again" })
}

// TestAnotherSecretIsNamed: on both sides, with the address.
func TestAnotherSecretIsNamed(t *testing.T) {
	t.Parallel()
	a := start(t, "ams-1", [][]byte{keyA})
	wrong := start(t, "fra-1", [][]byte{keyB}, a.seed())
	await(t, "the wrong one is told of", func() bool {
		list, total := a.Strangers()
		return len(list) == 1 && total > 0 && list[0].Address == netip.MustParseAddr("127.0.0.1") && list[0].Text == "has another secret"
	})
	if !strings.Contains(a.events(), "127.0.0.1 has another secret: it is not let in") {
		t.Errorf("events: %s", a.events())
	}
	await(t, "it is told to the wrong one", func() bool {
		return strings.Contains(wrong.Seeds()[0].Problem, "has another secret: is fleet.secret_file the same")
	})
	if len(a.Members())+len(wrong.Members()) != 0 {
		t.Error("a node with another secret was let in")
	}
}

// TestStrangers holds the library's words against ours: whatever comes without the secret is counted.
func TestStrangers(t *testing.T) {
	t.Parallel()
	a := start(t, "ams-1", [][]byte{keyA})
	for i, c := range []struct{ network, send string }{
		{"udp", "GET / HTTP/1.1\r\n\r\n"},
		{"udp", "\x00"},
		{"udp", "\xf4\x07anyedge"},
		{"udp", "\xf4\x07anyedge\x01" + strings.Repeat("x", 100)},
		{"udp", "\xf4\x07anyedge\x09" + strings.Repeat("x", 100)},
		{"tcp", "GET / HTTP/1.1\r\n\r\n"},
		{"tcp", "\xf4\x07anyedge\x06"},
		{"tcp", "\xf4\x07anyedge\x0a\x00\x00\x00\x30\x01" + strings.Repeat("x", 60)},
	} {
		_, before := a.Strangers()
		conn, err := net.Dial(c.network, a.seed())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, c.send); err != nil {
			t.Fatal(err)
		}
		await(t, fmt.Sprintf("%d: %s %q is counted", i, c.network, c.send), func() bool { _, now := a.Strangers(); return now > before })
		_ = conn.Close()
	}
	if n := strings.Count(a.events(), "not let in"); n != 1 {
		t.Errorf("%d events:\n%s", n, a.events())
	}
}

// TestKeysRotate: the new key is added everywhere, then used everywhere, then the old one goes; nobody is lost.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	a := start(t, "ams-1", [][]byte{keyA})
	b := start(t, "fra-1", [][]byte{keyA}, a.seed())
	await(t, "each sees the other", func() bool { return len(a.Members()) == 1 && len(b.Members()) == 1 })
	step := 0
	for _, keys := range [][][]byte{{keyA, keyB}, {keyB, keyA}, {keyB}} {
		for _, n := range []*node{a, b} {
			step++
			if err := n.SetKeys(keys); err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprint("step ", step)
			if err := n.Publish([]byte(text)); err != nil {
				t.Fatal(err)
			}
			other, of := b, "ams-1"
			if n == b {
				other, of = a, "fra-1"
			}
			await(t, text, func() bool { return string(other.member(of).State) == text })
		}
	}
	for _, n := range []*node{a, b} {
		if list, _ := n.Strangers(); len(list) != 0 {
			t.Errorf("one of our own was a stranger: %+v", list)
		}
	}
	late := start(t, "old-1", [][]byte{keyA}, a.seed())
	await(t, "the old key opens nothing", func() bool { return strings.Contains(late.Seeds()[0].Problem, "another secret") })
	if err := a.SetKeys(nil); err == nil {
		t.Error("no key was taken")
	}
	if err := a.SetKeys([][]byte{[]byte("short")}); err == nil || !strings.Contains(err.Error(), "key 1") {
		t.Errorf("%v", err)
	}
}

func TestTwoOfOneName(t *testing.T) {
	t.Parallel()
	a := start(t, "ams-1", [][]byte{keyA})
	b := start(t, "fra-1", [][]byte{keyA}, a.seed())
	await(t, "each sees the other", func() bool { return len(a.Members()) == 1 && len(b.Members()) == 1 })
	double := start(t, "fra-1", [][]byte{keyA}, a.seed())
	await(t, "the clash is told", func() bool {
		text := a.events()
		return strings.Contains(text, "two nodes are called fra-1, at "+b.seed()+" and at "+double.seed())
	})
	if m := a.member("fra-1"); m.Address != b.Address() {
		t.Errorf("the second has taken the first one's place: %+v", m)
	}
}

func TestNobodyAtTheSeed(t *testing.T) {
	t.Parallel()
	a := start(t, "ams-1", [][]byte{keyA}, "127.0.0.1:1", "no.such.host.invalid:1", "nonsense")
	await(t, "why", func() bool {
		s := a.Seeds()
		return strings.Contains(s[0].Problem, "refused") && s[1].Problem != "" && strings.Contains(s[2].Problem, "missing port")
	})
	a.SetJoin([]string{"127.0.0.1:1", "127.0.0.1:2"})
	if s := a.Seeds(); len(s) != 2 || s[0].Problem == "" || s[1].Problem != "" {
		t.Errorf("%+v", s)
	}
}

func TestOpenRefuses(t *testing.T) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	taken := start(t, "ams-1", [][]byte{keyA})
	for _, c := range []struct {
		what, want string
		config     gossip.Config
	}{
		{"no key", "no key", gossip.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")}},
		{"a short key", "key 2", gossip.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Keys: [][]byte{keyA, {1}}}},
		{"a port in use", "in use: choose another", gossip.Config{Listen: taken.Address(), Keys: [][]byte{keyA}}},
		{"no address for others", "no address that others could reach", gossip.Config{Listen: netip.MustParseAddrPort("0.0.0.0:0"), Keys: [][]byte{keyA}}},
	} {
		c.config.Name, c.config.Log, c.config.Interval = "x", log, time.Second
		if m, err := gossip.Open(c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.what, err)
			if m != nil {
				_ = m.Close()
			}
		}
	}
	m, err := gossip.Open(gossip.Config{
		Name: "x", Listen: netip.MustParseAddrPort("0.0.0.0:0"), Advertise: netip.MustParseAddrPort("127.0.0.1:0"),
		Keys: [][]byte{keyA}, Interval: time.Second, Log: log,
	})
	if err != nil || !m.Address().Addr().IsLoopback() || m.Address().Port() == 0 {
		t.Fatalf("%v", err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

//go:build linux

package steer

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"syscall"
	"testing"
	"time"
)

func TestBucket(t *testing.T) {
	b := newBucket(10, 500*time.Millisecond)
	now := b.start
	for i := range 5 {
		if !b.allow(now) {
			t.Fatalf("the burst ends after %d", i)
		}
	}
	passed := 0
	for range 1000 { // ten seconds
		now = now.Add(10 * time.Millisecond)
		if b.allow(now) {
			passed++
		}
	}
	if passed < 99 || passed > 101 {
		t.Errorf("%d pass in 10 s at 10 a second", passed)
	}
	now = now.Add(time.Hour)
	for i := range 6 {
		if b.allow(now) != (i < 5) {
			t.Errorf("after a rest, %d", i)
		}
	}
}

// Each network of clients has a bucket of its own, but for few that share one.
func TestSources(t *testing.T) {
	s := newSources(10, 500*time.Millisecond)
	pass := func(client string) (n int) {
		for range 100 {
			if s.allow(netip.MustParseAddr(client), s.start) {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		client string
		want   int
	}{{"192.0.2.1", 5}, {"192.0.2.200", 0}, {"2001:db8:1::1", 5}, {"2001:db8:1:ffff::1", 0}} {
		if n := pass(c.client); n != c.want {
			t.Errorf("%s: %d pass, want %d", c.client, n, c.want)
		}
	}
	fresh := 0
	for i := range 100 {
		if pass(fmt.Sprintf("198.51.%d.1", i)) == 5 {
			fresh++
		}
	}
	if fresh < 85 { // about one is expected to share another's
		t.Errorf("%d of 100 networks have a bucket of their own", fresh)
	}
}

// The search finds the largest size that fits, follows a path that gets narrower, and rests between its tries.
func TestPMTU(t *testing.T) {
	var p pmtu
	for _, c := range []struct{ path, want int }{{1500, 1500}, {9000, 9000}, {1399, 1380}, {1279, 0}, {1280, 1280}, {1500, 1500}} {
		for range 1200 {
			if p.next() <= c.path {
				p.answered()
			} else {
				p.lost()
			}
		}
		if p.size() != c.want {
			t.Errorf("a path of %d: %d, want %d", c.path, p.size(), c.want)
		}
	}
	larger := 0
	for range 630 {
		if p.next() > 1500 {
			larger++
			p.lost()
		} else {
			p.answered()
		}
	}
	if larger > 33 {
		t.Errorf("%d of 630 probes were too large for a path that is known", larger)
	}
}

func TestQueue(t *testing.T) {
	var q queue
	a, b := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("[2001:db8::1]:2")
	for i := range queueLen + 10 {
		from := a
		if i%2 == 1 {
			from = b
		}
		if ok := q.push(from, uint8(i%4), fmt.Append(nil, i)); ok != (i < queueLen) {
			t.Fatalf("%d: %v", i, ok)
		}
	}
	for i := range queueLen {
		if !q.pop(func(d queued) {
			want := []netip.AddrPort{a, b}[i%2]
			if d.addr.AddrPort() != want || d.ecn != uint8(i%4) || string(d.data) != fmt.Sprint(i) {
				t.Errorf("%d: %v %d %q", i, d.addr, d.ecn, d.data)
			}
		}) {
			t.Fatalf("%d is missing", i)
		}
	}
	if q.pop(func(queued) { t.Error("one too many") }) || q.len() != 0 {
		t.Error("not empty")
	}
}

func TestBody(t *testing.T) {
	many := make([]NodeID, 300)
	for i := range many {
		many[i] = NodeID{uint16(i), uint16(2 * i)}
	}
	for _, m := range []body{
		{challenge: 1<<63 | 5, size: 1500, leaving: true, generation: 200, silent: many[:250]},
		{challenge: 1, silent: many[7:8]},
		{},
	} {
		b := m.append(nil)
		if got, refused := parseBody(append(b, make([]byte, 100)...)); refused != Accepted || !reflect.DeepEqual(got, m) {
			t.Errorf("%+v: %v %+v", m, refused, got)
		}
		for n := range b {
			if _, refused := parseBody(b[:n]); refused != Truncated {
				t.Errorf("%d of %d octets: %v", n, len(b), refused)
			}
		}
	}
	if got, _ := parseBody(body{silent: many}.append(nil)); len(got.silent) != maxSilent {
		t.Errorf("%d silent nodes", len(got.silent))
	}
}

func FuzzBody(f *testing.F) {
	f.Add(body{challenge: 5, silent: []NodeID{{1, 2}}}.append(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, refused := parseBody(b)
		if refused != Accepted {
			return
		}
		if again, _ := parseBody(m.append(nil)); len(m.silent) <= maxSilent && !reflect.DeepEqual(again, m) {
			t.Fatalf("%x: %+v, %+v", b, m, again)
		}
	})
}

// sent is what an egress sent at a time.
type sent struct {
	sizes []int // of messages
	to    netip.AddrPort
}

// record returns an egress's send that keeps what it is given; err is for what is sent together.
func record(t *testing.T, list *[]sent, err error) func(b, oob []byte, to netip.AddrPort) error {
	return func(b, oob []byte, to netip.AddrPort) error {
		_, size := len(b), len(b)
		if len(oob) > 0 {
			if err != nil {
				return err
			}
			size = segmentOf(t, oob)
		}
		var s sent
		for ; len(b) > 0; b = b[min(len(b), size):] {
			s.sizes = append(s.sizes, min(len(b), size))
		}
		s.to = to
		*list = append(*list, s)
		return nil
	}
}

// Datagrams of one length to one peer go together, in order, and a shorter one ends them.
func TestEgress(t *testing.T) {
	k := testKeys(t, "the secret of the fleet", 1)
	peers := map[string]*peer{}
	for name, id := range map[string]NodeID{"b": there, "c": third} {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(id.Host + 10*id.Metro)}), 7844)
		peers[name] = &peer{Peer: Peer{Name: name, ID: id, Tunnel: at}, pair: testPair(t, k, here, id), state: newPeerState(stamps{epoch: 7}, 1000)}
		peers[name].state.mtu.Store(1500)
	}
	client := netip.MustParseAddrPort("192.0.2.200:4433")
	const over = headerLen + clientLen4 + tagLen
	for _, c := range []struct {
		name  string
		err   error
		sizes []int // of datagrams; below 0: to the other peer
		want  [][]int
	}{
		{"one", nil, []int{100}, [][]int{{100}}},
		{"alike", nil, []int{100, 100, 100}, [][]int{{100, 100, 100}}},
		{"a shorter one last", nil, []int{100, 100, 50}, [][]int{{100, 100, 50}}},
		{"a shorter one between", nil, []int{100, 50, 50}, [][]int{{100, 50}, {50}}},
		{"a longer one", nil, []int{100, 200}, [][]int{{100}, {200}}},
		{"two peers", nil, []int{100, -100, 100}, [][]int{{100}, {-100}, {100}}},
		{"too long for the path together", nil, []int{1500, 1500}, [][]int{{1500}, {1500}}},
		{"refused together", syscall.EIO, []int{100, 100, 50}, [][]int{{100}, {100}, {50}}},
		{"too large for the interface", syscall.EMSGSIZE, []int{100, 100}, [][]int{{100}, {100}}},
	} {
		var list []sent
		e := newEgress(record(t, &list, c.err))
		for _, size := range c.sizes {
			p := peers["b"]
			if size < 0 {
				p, size = peers["c"], -size
			}
			e.add(p, header{}, client, make([]byte, size))
		}
		e.flush()
		var got [][]int
		for _, s := range list {
			var sizes []int
			for _, size := range s.sizes {
				if size -= over; s.to == peers["c"].Tunnel {
					size = -size
				}
				sizes = append(sizes, size)
			}
			got = append(got, sizes)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if n := peers["b"].state.forwarded.Load() + peers["c"].state.forwarded.Load(); n != 22 {
		t.Errorf("%d forwarded", n)
	}
	failing := newEgress(func([]byte, []byte, netip.AddrPort) error { return errors.New("no") })
	failing.add(peers["b"], header{}, client, []byte("x"))
	failing.add(peers["b"], header{}, client, []byte("x"))
	failing.flush()
	if n := peers["b"].state.sendErrors.Load(); n != 2 {
		t.Errorf("%d errors", n)
	}
}

// Whatever an egress gets, every datagram comes out once, in order for each peer, and bursts stay within bounds.
func TestEgressLosesNothing(t *testing.T) {
	k := testKeys(t, "the secret of the fleet", 1)
	p := &peer{Peer: Peer{ID: there, Tunnel: netip.MustParseAddrPort("192.0.2.12:7844")}, pair: testPair(t, k, here, there), state: newPeerState(stamps{epoch: 7}, 1000)}
	p.state.mtu.Store(1500)
	in := testPair(t, k, there, here)
	var got []byte
	e := newEgress(func(b, oob []byte, _ netip.AddrPort) error {
		size := len(b)
		if len(oob) > 0 {
			size = segmentOf(t, oob)
		}
		if len(b) > maxBurst || (len(b)+size-1)/size > maxSegments {
			t.Errorf("%d octets of %d at a time", len(b), size)
		}
		for ; len(b) > 0; b = b[min(len(b), size):] {
			_, _, data, refused := receive(in, b[:min(len(b), size)])
			if refused != Accepted {
				t.Fatal(refused)
			}
			got = append(got, data...)
		}
		return nil
	})
	r := rand.New(rand.NewPCG(1, 2))
	var want []byte
	for i := range 5000 {
		data := bytes.Repeat([]byte{byte(i)}, []int{38, 700, 1350, 1400}[r.IntN(2)*r.IntN(4)])
		want = append(want, data...)
		client := netip.MustParseAddrPort("192.0.2.200:4433")
		if i%100 == 0 {
			client = netip.MustParseAddrPort("[2001:db8::1]:4433")
		}
		e.add(p, header{}, client, data)
	}
	e.flush()
	if !bytes.Equal(got, want) {
		t.Error("what comes out isn't what went in")
	}
}

// Only who said goodbye, was given up, or is heard by nobody counts as dead.
func TestJudge(t *testing.T) {
	now := time.Unix(1000, 0)
	node := func(host uint16, silent time.Duration, hearsNot ...NodeID) *peer {
		p := &peer{Peer: Peer{ID: NodeID{1, host}}, state: newPeerState(stamps{epoch: 1}, 1000)}
		p.state.since = now.Add(-time.Hour)
		p.state.heard.Store(int64(time.Hour - silent))
		p.state.beat.say(body{silent: hearsNot})
		return p
	}
	subject := NodeID{1, 2}
	for _, c := range []struct {
		name   string
		silent time.Duration
		change func(p *peer)
		others []*peer
		want   bool
	}{
		{"it answers", 100 * time.Millisecond, nil, nil, false},
		{"it answers, and the fleet has given it up", time.Second, func(p *peer) { p.Dead = true }, nil, false},
		{"the fleet has given it up, and others hear it", 4 * time.Second, func(p *peer) { p.Dead = true }, []*peer{node(3, 0)}, false},
		{"the fleet has given it up, and one doesn't hear it", 4 * time.Second, func(p *peer) { p.Dead = true }, []*peer{node(3, 0, subject), node(4, 0)}, true},
		{"the fleet seems gone from here", 20 * time.Second, func(p *peer) { p.Dead = true }, []*peer{node(3, 20*time.Second, subject)}, false},
		{"it said goodbye", 100 * time.Millisecond, func(p *peer) { p.state.beat.say(body{leaving: true}) }, []*peer{node(3, 0)}, true},
		{"another one hears it", time.Minute, nil, []*peer{node(3, 0)}, false},
		{"another one doesn't hear it", 4 * time.Second, nil, []*peer{node(3, 0, subject)}, true},
		{"one hears it, one doesn't", 4 * time.Second, nil, []*peer{node(3, 0, subject), node(4, 0)}, false},
		{"who is silent itself has no say", 4 * time.Second, nil, []*peer{node(3, 0, subject), node(4, time.Minute)}, true},
		{"too soon", 2 * time.Second, nil, []*peer{node(3, 0, subject)}, false},
		{"nobody else to ask", 29 * time.Second, nil, nil, false},
		{"nobody else to ask, for long", 31 * time.Second, nil, nil, true},
		{"this node is cut off", 20 * time.Second, nil, []*peer{node(3, 20*time.Second)}, false},
	} {
		p := node(2, c.silent)
		if c.change != nil {
			c.change(p)
		}
		tab := &table{list: append([]*peer{p}, c.others...)}
		if got := tab.isDead(p, now); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	never := &peer{state: newPeerState(stamps{epoch: 1}, 1000)}
	for after, want := range map[time.Duration]bool{time.Second: false, 29 * time.Second: false, 31 * time.Second: true} {
		if got := (&table{list: []*peer{never}}).isDead(never, never.state.since.Add(after)); got != want {
			t.Errorf("one that was never heard, known for %v: %v", after, got)
		}
	}
}

package bfd_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/routing/bfd"
)

const ms = time.Millisecond

func options() bfd.Options {
	var o bfd.Options
	o.SetDefaults()
	o.Enabled = true
	return o
}

// script drives a machine by hand, with the other system's packets as a router would send them.
type script struct {
	t   *testing.T
	m   *bfd.Machine
	now time.Time
}

func newScript(t *testing.T, o bfd.Options) *script {
	m := bfd.NewMachine(o, 7)
	bfd.NoJitter(m)
	return &script{t, m, time.Unix(1000, 0)}
}

// says is the other system's packet in state; it has heard us.
func says(state bfd.State) bfd.Packet {
	return bfd.Packet{State: state, Multiplier: 3, Mine: 9, Yours: 7, MinTx: 200 * ms, MinRx: 100 * ms}
}

// expect checks what a step brought about: "-" for nothing, else the change, then what is sent.
func (s *script) expect(out bfd.Output, want string) *bfd.Packet {
	s.t.Helper()
	var got []string
	if c := out.Change; c != nil {
		got = append(got, fmt.Sprintf("%s→%s (%s)", c.From, c.To, c.Diagnostic))
	}
	if p := out.Send; p != nil {
		text := "send " + p.State.String()
		if p.Poll {
			text += " P"
		}
		if p.Final {
			text += " F"
		}
		got = append(got, text)
	}
	if text := strings.Join(got, ", "); text != want && (text != "" || want != "-") {
		s.t.Errorf("got %q, want %q", text, want)
	}
	return out.Send
}

func (s *script) receive(p bfd.Packet, want string) *bfd.Packet {
	s.t.Helper()
	out, err := s.m.Receive(s.now, p)
	if err != nil {
		s.t.Errorf("discarded: %v", err)
	}
	return s.expect(out, want)
}

// pass lets time go by, with all that is due in it.
func (s *script) pass(d time.Duration, want string) {
	s.t.Helper()
	var got []string
	end := s.now.Add(d)
	for next := s.m.Next(); !next.IsZero() && !next.After(end); next = s.m.Next() {
		if next.After(s.now) {
			s.now = next
		}
		out := s.m.Tick(s.now)
		if out.Change != nil {
			got = append(got, fmt.Sprintf("%s→%s (%s)", out.Change.From, out.Change.To, out.Change.Diagnostic))
		}
		if out.Send != nil {
			got = append(got, out.Send.State.String())
		}
	}
	s.now = end
	if text := strings.Join(got, " "); text != want {
		s.t.Errorf("in %s: %q, want %q", d, text, want)
	}
}

// up takes the session up as §6.2 has it, over the other system's answer to our Poll.
func (s *script) up() {
	s.t.Helper()
	s.pass(0, "down")
	first := says(bfd.Down)
	first.Yours = 0
	s.receive(first, "down→init (no diagnostic), send init")
	s.receive(says(bfd.Up), "init→up (no diagnostic), send up P")
	answer := says(bfd.Up)
	answer.Final = true
	s.receive(answer, "-")
}

func TestUpAndDown(t *testing.T) {
	s := newScript(t, options())
	s.up()
	s.pass(500*ms, "up") // 300 ms is what we want, 600 ms what 200 ms × 3 at our 300 ms allows is 900
	s.pass(400*ms, "up up→down (control detection time expired) down")
	s.pass(3*time.Second, "down down down")
}

// Packets come once a second until the session is up, then as often as both can bear; a changed wish holds at once.
func TestIntervals(t *testing.T) {
	s := newScript(t, options())
	s.pass(3*time.Second, "down down down down")
	s = newScript(t, options())
	s.up()
	s.pass(300*ms, "up")
	slow := says(bfd.Up)
	slow.MinRx = 700 * ms
	s.receive(slow, "-")
	s.pass(699*ms, "")
	s.pass(1*ms, "up")
	s.receive(says(bfd.Up), "-")
	s.pass(299*ms, "")
	s.pass(1*ms, "up")
	silent := says(bfd.Up)
	silent.MinRx = 0 // §6.8.7: then nothing but answers and changes
	s.receive(silent, "-")
	s.pass(899*ms, "")
	s.pass(1*ms, "up→down (control detection time expired) down")
}

// The first packets in state up ask whether the other system has seen the new interval, until it says so.
func TestPoll(t *testing.T) {
	s := newScript(t, options())
	s.pass(0, "down")
	s.receive(says(bfd.Down), "down→init (no diagnostic), send init")
	p := s.receive(says(bfd.Init), "init→up (no diagnostic), send up P")
	if p.MinTx != 300*ms || p.MinRx != 300*ms || p.Mine != 7 || p.Yours != 9 || p.Multiplier != 3 || p.MinEchoRx != 0 || p.Demand || p.Independent {
		t.Errorf("the packet is %+v", p)
	}
	s.now = s.now.Add(300 * ms)
	s.expect(s.m.Tick(s.now), "send up P")
	final := says(bfd.Up)
	final.Final = true
	s.receive(final, "-")
	s.now = s.now.Add(300 * ms)
	s.expect(s.m.Tick(s.now), "send up")

	poll := says(bfd.Up) // its question is answered at once, by a packet that asks nothing
	poll.Poll = true
	s.receive(poll, "send up F")

	same := options()
	same.MinTx = time.Second // nothing changes when it comes up
	s = newScript(t, same)
	s.receive(says(bfd.Init), "down→up (no diagnostic), send up")
}

// Timers change without the session's end. What would surprise the other system waits until it has answered: a lower rate
// of ours, and a shorter patience.
func TestConfigure(t *testing.T) {
	s := newScript(t, options())
	changed := options()
	changed.MinTx, changed.MinRx, changed.Multiplier = 700*ms, 100*ms, 5
	s.expect(s.m.Configure(s.now, changed), "-") // it is told with the next packet
	p := s.expect(s.m.Tick(s.now), "send down")
	if p.MinTx != time.Second || p.MinRx != 100*ms || p.Multiplier != 5 {
		t.Errorf("not up: the packet is %+v", p)
	}

	s = newScript(t, options())
	s.up()
	p = s.expect(s.m.Configure(s.now, changed), "send up P")
	if p.MinTx != 700*ms || p.MinRx != 100*ms || p.Multiplier != 5 {
		t.Errorf("up: the packet is %+v", p)
	}
	s.pass(300*ms, "up")
	s.receive(says(bfd.Up), "-")
	if got := s.m.Expires().Sub(s.now); got != 900*ms {
		t.Errorf("before the answer silence is noticed after %s", got)
	}
	s.m.Configure(s.now, options()) // back, while the question is open
	s.m.Configure(s.now, changed)
	s.pass(300*ms, "up")
	answer := says(bfd.Up)
	answer.Final = true
	s.receive(answer, "-")
	if got := s.m.Expires().Sub(s.now); got != 600*ms {
		t.Errorf("after the answer silence is noticed after %s", got)
	}
	s.pass(599*ms, "")
}

// What the other system's state does in each of ours: the table of §6.8.6.
func TestTransitions(t *testing.T) {
	down := "(neighbor signaled session down), send down"
	for _, c := range []struct{ ours, other, want string }{
		{"down", "admin-down", "-"},
		{"down", "down", "down→init (no diagnostic), send init"},
		{"down", "init", "down→up (no diagnostic), send up P"},
		{"down", "up", "-"},
		{"init", "admin-down", "init→down " + down},
		{"init", "down", "-"},
		{"init", "init", "init→up (no diagnostic), send up P"},
		{"init", "up", "init→up (no diagnostic), send up P"},
		{"up", "admin-down", "up→down " + down},
		{"up", "down", "up→down " + down},
		{"up", "init", "-"},
		{"up", "up", "-"},
	} {
		t.Run(c.ours+" hears "+c.other, func(t *testing.T) {
			s := newScript(t, options())
			switch c.ours {
			case "init":
				s.receive(says(bfd.Down), "down→init (no diagnostic), send init")
			case "up":
				s.up()
			}
			for state := bfd.AdminDown; state <= bfd.Up; state++ {
				if state.String() == c.other {
					s.receive(says(state), c.want)
				}
			}
		})
	}
}

// Only a session that was up and that nobody has switched off is a failure.
func TestFailure(t *testing.T) {
	for _, c := range []struct {
		name   string
		what   func(s *script) bfd.Output
		fails  bool
		reason string
	}{
		{"silence", func(s *script) bfd.Output { s.now = s.m.Expires(); return s.m.Tick(s.now) }, true, "nothing heard for 900ms"},
		{"the other doesn't hear us", func(s *script) bfd.Output {
			p := says(bfd.Down)
			p.Diagnostic = bfd.TimeExpired
			return s.out(p)
		}, true, "the router says that it doesn't hear us"},
		{"the other began anew", func(s *script) bfd.Output { return s.out(says(bfd.Down)) }, true, "the router says that it is down: no diagnostic"},
		{"switched off there", func(s *script) bfd.Output { return s.out(says(bfd.AdminDown)) }, false, "the router's operator has switched it off"},
		{"switched off here", func(s *script) bfd.Output { return s.m.Shut(s.now) }, false, "administratively down"},
	} {
		s := newScript(t, options())
		s.up()
		out := c.what(s)
		if out.Change == nil || out.Change.Failure() != c.fails || out.Change.Reason() != c.reason {
			t.Errorf("%s: %+v", c.name, out.Change)
		}
	}
	s := newScript(t, options())
	s.receive(says(bfd.Down), "down→init (no diagnostic), send init")
	s.now = s.m.Expires()
	if out := s.m.Tick(s.now); out.Change == nil || out.Change.Failure() {
		t.Errorf("a session that was never up: %+v", out.Change)
	}
}

func (s *script) out(p bfd.Packet) bfd.Output {
	out, err := s.m.Receive(s.now, p)
	if err != nil {
		s.t.Error(err)
	}
	return out
}

// Packets for another session are discarded, and don't count as heard.
func TestOtherSession(t *testing.T) {
	s := newScript(t, options())
	s.up()
	before := s.m.Expires()
	s.now = s.now.Add(100 * ms)
	other := says(bfd.Down)
	other.Yours = 8
	if out, err := s.m.Receive(s.now, other); err == nil || out != (bfd.Output{}) || s.m.Expires() != before {
		t.Errorf("%+v, %v", out, err)
	}
}

// Once switched off, nothing brings it back; the goodbye is said at once.
func TestShut(t *testing.T) {
	s := newScript(t, options())
	s.up()
	s.expect(s.m.Shut(s.now), "up→admin-down (administratively down), send admin-down")
	s.expect(s.m.Shut(s.now), "-")
	if _, err := s.m.Receive(s.now, says(bfd.Down)); err == nil {
		t.Error("a packet is taken")
	}
	s.pass(2*time.Second, "admin-down admin-down")
}

// A router in demand mode wants to hear nothing while all is well; its questions are answered all the same.
func TestDemanded(t *testing.T) {
	s := newScript(t, options())
	s.up()
	demand := says(bfd.Up)
	demand.Demand = true
	s.receive(demand, "-")
	s.pass(800*ms, "")
	demand.Poll = true
	s.receive(demand, "send up F")
	s.pass(900*ms, "up→down (control detection time expired) down")
	s.pass(time.Second, "down") // not up: periodic packets again
}

// A silent system may come back as another one: its discriminator is forgotten.
func TestForgets(t *testing.T) {
	s := newScript(t, options())
	s.up()
	s.pass(900*ms, "up up up→down (control detection time expired) down")
	s.now = s.now.Add(time.Second)
	if p := s.expect(s.m.Tick(s.now), "send down"); p.Yours != 0 || p.Diagnostic != bfd.TimeExpired {
		t.Errorf("the packet is %+v", p)
	}
}

// Jitter takes up to a quarter of the interval; with a multiplier of 1 at least a tenth.
func TestJitter(t *testing.T) {
	for multiplier, most := range map[int]time.Duration{1: 270 * ms, 3: 300 * ms} {
		o := options()
		o.Multiplier = multiplier
		m := bfd.NewMachine(o, 7)
		now := time.Unix(1000, 0)
		for _, state := range []bfd.State{bfd.Down, bfd.Init} {
			if _, err := m.Receive(now, says(state)); err != nil {
				t.Fatal(err)
			}
		}
		lowest, highest := time.Hour, time.Duration(0)
		for range 1000 {
			if _, err := m.Receive(now, says(bfd.Up)); err != nil {
				t.Fatal(err)
			}
			next := m.Next()
			lowest, highest = min(lowest, next.Sub(now)), max(highest, next.Sub(now))
			now = next
			m.Tick(now)
		}
		if lowest < 225*ms || lowest > 230*ms || highest > most || highest < most-5*ms {
			t.Errorf("multiplier %d: between %s and %s", multiplier, lowest, highest)
		}
	}
}

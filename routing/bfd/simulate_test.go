package bfd_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/anyedge/anyedge/routing/bfd"
)

// net is two machines and a wire between them that loses, delays, doubles and reorders.
type net struct {
	rand    *rand.Rand
	now     time.Time
	ends    [2]*end
	loss    float64
	delay   time.Duration // at most
	flying  []flight
	history []string
}

type end struct {
	*bfd.Machine
	options  bfd.Options
	failures int
}

type flight struct {
	to     int
	arrive time.Time
	octets []byte
}

func newNet(seed uint64) *net {
	n := &net{rand: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1000, 0)}
	for i := range n.ends {
		n.ends[i] = &end{options: n.options()}
		n.restart(i)
	}
	return n
}

func (n *net) options() bfd.Options {
	o := options()
	o.MinTx = time.Duration(50+n.rand.IntN(1500)) * ms
	o.MinRx = time.Duration(50+n.rand.IntN(1500)) * ms
	o.Multiplier = 2 + n.rand.IntN(5)
	return o
}

// restart gives an end a machine that knows nothing.
func (n *net) restart(i int) {
	n.ends[i].Machine = bfd.NewMachine(n.ends[i].options, n.rand.Uint32()|1)
}

// run lets d pass.
func (n *net) run(d time.Duration) {
	stop := n.now.Add(d)
	for {
		i, at := n.next()
		if at.After(stop) {
			n.now = stop
			return
		}
		if at.After(n.now) {
			n.now = at
		}
		if i >= 0 {
			n.take(i, n.ends[i].Tick(n.now))
			continue
		}
		n.land()
	}
}

// next is which end is due first, or -1 for a packet on the wire, and when.
func (n *net) next() (int, time.Time) {
	which, first := 0, n.now.Add(time.Hour)
	for i, e := range n.ends {
		if at := e.Next(); !at.IsZero() && at.Before(first) {
			which, first = i, at
		}
	}
	for _, f := range n.flying {
		if f.arrive.Before(first) {
			which, first = -1, f.arrive
		}
	}
	return which, first
}

// land delivers what has arrived.
func (n *net) land() {
	var left []flight
	arrived := n.flying
	n.flying = nil
	for _, f := range arrived {
		if f.arrive.After(n.now) {
			left = append(left, f)
			continue
		}
		p, err := bfd.Parse(f.octets)
		if err != nil {
			panic(err) // what a machine sends is a packet
		}
		if out, err := n.ends[f.to].Receive(n.now, p); err == nil {
			n.take(f.to, out)
		}
	}
	n.flying = append(n.flying, left...)
}

// take sends what an end has to send.
func (n *net) take(i int, out bfd.Output) {
	if c := out.Change; c != nil {
		n.history = append(n.history, fmt.Sprintf("%s end %d: %s→%s %s", n.now.Sub(time.Unix(1000, 0)), i, c.From, c.To, c.Reason()))
		if c.Failure() {
			n.ends[i].failures++
		}
	}
	if out.Send == nil {
		return
	}
	for copies := 1 + n.rand.IntN(10)/9; copies > 0; copies-- {
		if n.rand.Float64() >= n.loss {
			late := time.Duration(n.rand.Int64N(int64(n.delay) + 1))
			n.flying = append(n.flying, flight{1 - i, n.now.Add(late), out.Send.Append(nil)})
		}
	}
}

func (n *net) up() bool { return n.ends[0].State() == bfd.Up && n.ends[1].State() == bfd.Up }

// Whatever has happened to two systems and to what is between them: when the way is good again, both come up within
// seconds and stay up.
func TestAlwaysComesUpAgain(t *testing.T) {
	rounds := 1000
	if testing.Short() {
		rounds = 50
	}
	for seed := range uint64(rounds) {
		n := newNet(seed)
		for range 1 + n.rand.IntN(8) {
			n.loss, n.delay = n.rand.Float64()*1.2, time.Duration(n.rand.IntN(400))*ms
			if n.rand.IntN(3) == 0 {
				n.restart(n.rand.IntN(2))
			}
			if i := n.rand.IntN(4); i < 2 {
				n.ends[i].options = n.options()
				n.take(i, n.ends[i].Configure(n.now, n.ends[i].options))
			}
			n.run(time.Duration(n.rand.IntN(20_000)) * ms)
		}
		n.loss, n.delay = 0, 20*ms
		n.flying = nil
		// The longest that an end may still believe in the other, then the three packets of the handshake.
		n.run(30 * time.Second)
		if !n.up() {
			t.Fatalf("seed %d: %s and %s after 30s of a good way\n%s", seed, n.ends[0].State(), n.ends[1].State(), last(n.history))
		}
		failures := n.ends[0].failures + n.ends[1].failures
		n.run(60 * time.Second)
		if !n.up() || n.ends[0].failures+n.ends[1].failures != failures {
			t.Fatalf("seed %d: a good way fails\n%s", seed, last(n.history))
		}
	}
}

// A way that goes dead is noticed by both within their detection times, whichever direction it is.
func TestSilenceIsNoticed(t *testing.T) {
	for seed := range uint64(100) {
		n := newNet(seed)
		n.delay = 5 * ms
		n.run(30 * time.Second)
		limit := time.Duration(0)
		for _, e := range n.ends {
			e.failures = 0 // packets that overtake each other may cost an attempt at the start
			limit = max(limit, e.Detection())
		}
		n.loss = 1
		n.run(limit + 5*ms)
		for i, e := range n.ends {
			if e.State() != bfd.Down || e.failures != 1 {
				t.Errorf("seed %d, end %d after %s of silence: %s, %d failures", seed, i, limit, e.State(), e.failures)
			}
		}
	}
}

// Over a way that loses a packet in ten sessions with a multiplier of 5 hardly ever fail.
func TestLossIsBorne(t *testing.T) {
	n := newNet(1)
	for i, e := range n.ends {
		e.options = options()
		e.options.Multiplier = 5
		n.restart(i)
	}
	n.loss, n.delay = 0.1, 10*ms
	n.run(time.Hour)
	if f := n.ends[0].failures + n.ends[1].failures; !n.up() || f > 5 {
		t.Errorf("%d failures in an hour\n%s", f, last(n.history))
	}
}

func last(history []string) string {
	text := ""
	for _, line := range history[max(0, len(history)-12):] {
		text += line + "\n"
	}
	return text
}

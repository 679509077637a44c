package acme_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/anyedge/anyedge/tls/acme"
	"github.com/anyedge/anyedge/tls/acme/acmetest"
)

// together are nodes that reach each other in memory.
type together struct {
	mu    sync.Mutex // guards the following fields
	teams map[string]*acme.Team
	deaf  map[string]bool // there, and what is sent to them is lost
	said  bytes.Buffer    // everything
	news  bool            // nobody knows yet who is there
	asked int             // how often somebody wanted to know
}

func newTogether() *together {
	return &together{teams: map[string]*acme.Team{}, deaf: map[string]bool{}}
}

// seat is one node's view.
type seat struct {
	*together
	name string
}

func (s seat) Others() (names []string, settled bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.teams {
		if name != s.name {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	s.asked++
	return names, !s.news
}

func (s seat) Send(node string, message []byte) error {
	s.mu.Lock()
	s.said.Write(message)
	to, deaf := s.teams[node], s.deaf[node]
	s.mu.Unlock()
	switch {
	case deaf:
		return nil
	case to == nil:
		return errors.New("it isn't there")
	}
	to.Receive(s.name, slices.Clone(message))
	return nil
}

var fleetKey = bytes.Repeat([]byte{7}, 32)

// join adds a node.
func (n *together) join(name string, keys ...[]byte) *acme.Team {
	if keys == nil {
		keys = [][]byte{fleetKey}
	}
	t := acme.NewTeam(name, seat{n, name}, func() [][]byte { return keys }, slog.New(slog.DiscardHandler))
	n.mu.Lock()
	defer n.mu.Unlock()
	n.teams[name] = t
	return t
}

// part takes a node away.
func (n *together) part(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.teams, name)
}

// place is one node of a fleet: what an authority reaches of it, and its part in the team.
type place struct {
	*front
	team *acme.Team
}

// startPlaces starts nodes with the same ports on different addresses of this host, as an anycast address has them. Every
// second query for a name's address leads to the second.
func startPlaces(t *testing.T, n *together) (a, b *place) {
	t.Helper()
	for range 20 {
		ta, tb := n.join("a"), n.join("b")
		fa := startFrontAt(t, "127.0.0.1:0", "127.0.0.1:0", ta)
		plain, secure := fmt.Sprintf("127.0.0.2:%d", fa.httpPort()), fmt.Sprintf("127.0.0.2:%d", fa.tlsPort())
		if !free(plain) || !free(secure) {
			continue
		}
		fb := startFrontAt(t, plain, secure, tb)
		fa.names = acmetest.StartDNS(t, "127.0.0.1", "127.0.0.2")
		return &place{fa, ta}, &place{fb, tb}
	}
	t.Fatal("no ports that are free on two addresses")
	return nil, nil
}

func free(addr string) bool {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

// manage runs the place's manager.
func (p *place) manage(t *testing.T, o acme.Options, hosts ...string) *manager {
	t.Helper()
	return startWith(t, p.front, o, func(c *acme.Config) { c.Team = p.team }, hosts...)
}

// same tells whether both serve one certificate for name.
func same(a, b *place, name string) bool {
	x, y := a.served(name), b.served(name)
	return x != nil && y != nil && x.SerialNumber.Cmp(y.SerialNumber) == 0
}

// TestChallengesLandAnywhere: an authority that reaches another node than the one that asked is answered all the same, by
// either challenge; one order is placed for all, and every node serves what came of it.
func TestChallengesLandAnywhere(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{acme.HTTP01, acme.TLSALPN01} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			n := newTogether()
			a, b := startPlaces(t, n)
			ca := startCA(t, a.front, acmetest.Options{})
			hosts := []string{"one.example.com", "two.example.com", "three.example.com", "four.example.com"}
			oa, ob := options(t, ca), options(t, ca)
			oa.Challenges, ob.Challenges = []string{kind}, []string{kind}
			ma, mb := a.manage(t, oa, hosts...), b.manage(t, ob, hosts...)
			for _, host := range hosts {
				await(t, host+" is served by both", func() bool { return same(a, b, host) })
				await(t, "status", func() bool { return ma.of(host).State == acme.Good && mb.of(host).State == acme.Good })
			}
			if strings.Contains(mb.log.String(), "obtaining certificate") {
				t.Error("both nodes order")
			}
			if refused := append(refusals(ma), refusals(mb)...); len(refused) > 0 {
				t.Errorf("a validation failed: %v", refused)
			}
			for _, secret := range append(secrets(t, oa), secrets(t, ob)...) {
				if strings.Contains(n.said.String(), secret) {
					t.Fatal("a private key was sent in the clear")
				}
			}
		})
	}
}

// refusals are what a manager says of orders in vain, but for those where somebody was too slow, as on a busy machine.
func refusals(m *manager) (list []string) {
	for line := range strings.Lines(m.log.String()) {
		if strings.Contains(line, `msg="certificate not obtained"`) && !tooSlow.MatchString(line) {
			list = append(list, line)
		}
	}
	return list
}

var tooSlow = regexp.MustCompile("timeout|deadline exceeded|connection reset|doesn't say within")

// TestNextNodeRenews: when the node that obtained is gone, the next one renews, and who comes later takes what there is,
// without the authority.
func TestNextNodeRenews(t *testing.T) {
	t.Parallel()
	const host = "shop.example.com"
	n := newTogether()
	a, b := startPlaces(t, n)
	ca := startCA(t, a.front, acmetest.Options{})
	oa, ob := options(t, ca), options(t, ca)
	ma := a.manage(t, oa, host)
	b.manage(t, ob, host)
	await(t, "both serve", func() bool { return same(a, b, host) })
	first := b.served(host)

	ma.end()
	n.part("a")
	a.names.Lead("127.0.0.2")
	ca.RenewNow(first.Raw)
	ageRenewalInfo(t, storedFile(t, ob, host, ".json"))
	await(t, "the next node renews", func() bool {
		c := b.served(host)
		return c != nil && c.SerialNumber.Cmp(first.SerialNumber) != 0
	})

	ca.Close()
	a.team = n.join("a")
	a.challenges = a.team
	a.manage(t, oa, host)
	await(t, "who comes back takes it", func() bool { return same(a, b, host) })
}

// TestOrderWaitsForEveryNode: an authority isn't asked to validate while a node that is there doesn't say that it answers.
func TestOrderWaitsForEveryNode(t *testing.T) {
	t.Parallel()
	const host = "shop.example.com"
	n := newTogether()
	a, b := startPlaces(t, n)
	ca := startCA(t, a.front, acmetest.Options{})
	n.join("c")
	n.mu.Lock()
	n.deaf["c"] = true
	n.mu.Unlock()
	ma := a.manage(t, options(t, ca), host)
	b.manage(t, options(t, ca), host)
	await(t, "the status says for whom it waits", func() bool {
		return strings.Contains(ma.of(host).Problem, "c doesn't say within 5s that it answers the challenge")
	})
	if strings.Contains(ma.of(host).Problem, "unauthorized") {
		t.Errorf("a validation failed: %s", ma.of(host).Problem)
	}
	n.part("c")
	await(t, "both serve", func() bool { return same(a, b, host) })
}

// TestNextNodeObtains: a node that has tried in vain leaves a name to the next one.
func TestNextNodeObtains(t *testing.T) {
	t.Parallel()
	const host = "shop.example.com"
	n := newTogether()
	a, b := startPlaces(t, n)
	ca, down := startCA(t, a.front, acmetest.Options{}), startCA(t, a.front, acmetest.Options{})
	down.Break(acmetest.Refuse(500, "serverInternal", "out of order"))
	a.manage(t, options(t, down), host)
	mb := b.manage(t, options(t, ca), host)
	await(t, "the next one serves", func() bool { return b.served(host) != nil })
	await(t, "all is well there", func() bool { return mb.of(host).State == acme.Good })
}

// TestNobodyObtainsAtOnce: a node that doesn't know yet who is there waits.
func TestNobodyObtainsAtOnce(t *testing.T) {
	t.Parallel()
	const host = "shop.example.com"
	n := newTogether()
	n.news = true
	a, _ := startPlaces(t, n)
	ca := startCA(t, a.front, acmetest.Options{})
	m := a.manage(t, options(t, ca), host)
	await(t, "the fleet is asked several times", func() bool { n.mu.Lock(); defer n.mu.Unlock(); return n.asked > 3 })
	if n := ca.Orders(); n != 0 || m.of(host).Problem != "" {
		t.Errorf("%d orders, %s", n, m.of(host).Problem)
	}
	n.mu.Lock()
	n.news = false
	n.mu.Unlock()
	await(t, "it is served", func() bool { return a.served(host) != nil })
}

// TestStrangersAreNotHeard: what another key has sealed, what was sealed for another node, and what isn't sealed.
func TestStrangersAreNotHeard(t *testing.T) {
	t.Parallel()
	n := newTogether()
	a := n.join("a")
	stranger := n.join("b", bytes.Repeat([]byte{8}, 32))
	c := acme.Challenge{Type: acme.HTTP01, Name: "shop.example.com", Token: "tok", KeyAuthorization: "tok.thumb"}
	answers := func(t *acme.Team) bool {
		_, ok := t.KeyAuthorization("shop.example.com", "tok")
		return ok
	}
	if err := stranger.Put(t.Context(), c); err == nil || answers(a) {
		t.Errorf("a stranger is heard: %v", err)
	}
	if answers(stranger) {
		t.Error("a challenge that isn't answered everywhere is answered at all")
	}

	n.part("b")
	n.said.Reset()
	b, d := n.join("b"), n.join("d")
	n.mu.Lock()
	n.deaf["a"] = true
	n.mu.Unlock()
	b.Delete(t.Context(), c) // a message for a, and one for d
	await(t, "both are sent", func() bool { n.mu.Lock(); defer n.mu.Unlock(); return n.said.Len() > 0 })
	b.Close()
	if err := d.Put(t.Context(), c); err == nil {
		t.Error("a, who is deaf, is said to answer")
	}
	d.Close() // which tells others that it no longer answers
	for _, sent := range [][]byte{n.said.Bytes(), nil, []byte("{}"), bytes.Repeat([]byte{1}, 12)} {
		a.Receive("b", sent) // which isn't what b has sealed for a
	}
	a.Close()
}

// TestKeysChange: nodes that have the old key and the new one understand those with either.
func TestKeysChange(t *testing.T) {
	t.Parallel()
	next := bytes.Repeat([]byte{9}, 32)
	c := acme.Challenge{Type: acme.HTTP01, Name: "shop.example.com", Token: "tok", KeyAuthorization: "tok.thumb"}
	n := newTogether()
	a, b := n.join("a", fleetKey, next), n.join("b", next, fleetKey)
	for _, team := range []*acme.Team{a, b} {
		if err := team.Put(t.Context(), c); err != nil {
			t.Error(err)
		}
	}
	for _, team := range []*acme.Team{a, b} {
		if _, ok := team.KeyAuthorization("shop.example.com", "tok"); !ok {
			t.Error("the challenge isn't answered")
		}
		team.Close()
	}
}

package edgetls_test

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	edgetls "github.com/anyedge/anyedge/tls"
)

// derive returns the keys of secrets, the first of which is the current one.
func derive(secrets ...string) edgetls.TicketKeys {
	return func(epoch int64) (keys [][]byte) {
		for _, s := range secrets {
			key := sha256.Sum256(fmt.Appendf(nil, "%s %d", s, epoch))
			keys = append(keys, key[:])
		}
		return keys
	}
}

func sharing(t *testing.T, keys edgetls.TicketKeys, f ...edgetls.CertificateFiles) *edgetls.Store {
	t.Helper()
	s := load(t, f...)
	s.ShareTickets(keys)
	return s
}

func TestSharedTicketsOpenAtAnotherNode(t *testing.T) {
	f := files(t, newKey(t), "x.example")
	a, b := sharing(t, derive("one"), f), sharing(t, derive("one"), f)
	stranger := sharing(t, derive("two"), f)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cache := tls.NewLRUClientSessionCache(8)
		if resumes(t, a.Config(), version, cache) {
			t.Fatal("resumed from nothing")
		}
		for name, config := range map[string]*tls.Config{"the other node": b.Config(), "its clone": b.Config().Clone(), "the same node": a.Config()} {
			if !resumes(t, config, version, cache) {
				t.Errorf("%s, %s: not resumed", tls.VersionName(version), name)
			}
		}
		if resumes(t, stranger.Config(), version, cache) {
			t.Errorf("%s: resumed at a node of another fleet", tls.VersionName(version))
		}
	}
}

// node seals and opens tickets as its clock says.
type node struct {
	t       *testing.T
	config  *tls.Config
	state   tls.ConnectionState
	session *tls.SessionState
}

func (n node) seal() []byte {
	n.t.Helper()
	ticket, err := n.config.WrapSession(n.state, n.session)
	must(n.t, err)
	return ticket
}

func (n node) opens(ticket []byte) bool {
	n.t.Helper()
	session, err := n.config.UnwrapSession(ticket, n.state)
	must(n.t, err)
	return session != nil
}

func TestSharedTicketsOpenForAWeek(t *testing.T) {
	state, session := anySession(t)
	synctest.Test(t, func(t *testing.T) {
		new := func() node { return node{t, sharing(t, derive("one")).Config(), state, session} }
		a, b := new(), new()
		first := a.seal()
		for day := range 10 {
			for name, n := range map[string]node{"the node": a, "another": b, "one that has just started": new()} {
				if want := day < 8; n.opens(first) != want { // RFC 8446, section 4.6.1: seven days
					t.Errorf("day %d: %s opens the first ticket: %t", day, name, !want)
				}
				if !n.opens(a.seal()) || !a.opens(n.seal()) {
					t.Errorf("day %d: %s: today's tickets don't open", day, name)
				}
			}
			time.Sleep(24 * time.Hour)
		}
	})
}

// A node whose clock is behind opens what one has sealed that lives in tomorrow, but not what comes from the day after.
func TestSharedTicketsAndClockSkew(t *testing.T) {
	state, session := anySession(t)
	synctest.Test(t, func(t *testing.T) {
		ahead := func(days int64) node {
			one := derive("one")
			keys := func(epoch int64) [][]byte { return one(epoch + days) }
			return node{t, sharing(t, keys).Config(), state, session}
		}
		behind := ahead(0)
		for days, want := range map[int64]bool{-1: true, 1: true, 2: false} {
			if got := behind.opens(ahead(days).seal()); got != want {
				t.Errorf("a ticket of a clock %d days ahead opens: %t", days, got)
			}
		}
	})
}

// Keys that come by a reload work at once, and each step of a rotation leaves tickets open at nodes before and after it.
func TestSharedTicketsRotate(t *testing.T) {
	state, session := anySession(t)
	synctest.Test(t, func(t *testing.T) {
		steps := [][]string{{"one"}, {"one", "two"}, {"two", "one"}, {"two"}}
		s := load(t)
		n := node{t, s.Config(), state, session}
		random := n.seal()
		var before node
		for i, secrets := range steps {
			s.ShareTickets(derive(secrets...))
			if i > 0 && (!before.opens(n.seal()) || !n.opens(before.seal())) {
				t.Errorf("step %d: nodes before and after don't open each other's tickets", i)
			}
			before = node{t, sharing(t, derive(secrets...)).Config(), state, session}
		}
		if n.opens(random) || n.opens(node{t, sharing(t, derive("one")).Config(), state, session}.seal()) {
			t.Error("a ticket opens whose key is gone")
		}
	})
}

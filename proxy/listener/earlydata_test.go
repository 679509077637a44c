package listener_test

import (
	"net/http"
	"testing"

	"github.com/quic-go/quic-go"

	"github.com/anyedge/anyedge/proxy/listener"
)

// takesEarlyData says whether e takes early data from a client with a session.
func (c *client) takesEarlyData(e *edge) bool {
	t := c.fleet.t
	t.Helper()
	config := c.tls()
	config.NextProtos = []string{"h3"}
	conn, err := quic.DialAddrEarly(t.Context(), e.https(), config, nil)
	must(t, err)
	wait(t, "the handshake is complete", conn.HandshakeComplete())
	defer func() { _ = conn.CloseWithError(0x100, "") }()
	if !conn.ConnectionState().TLS.DidResume {
		t.Error("the session doesn't resume")
	}
	return conn.ConnectionState().Used0RTT
}

// withHeader limits header sections.
func withHeader(octets int64) func(*listener.Config) {
	return func(c *listener.Config) { c.Limits.Header = octets }
}

// Early data is taken where it is allowed, from a session of any node whose limits aren't above ours (RFC 9114,
// section 7.2.4.2). A session resumes everywhere.
func TestEarlyDataIsTaken(t *testing.T) {
	f := newFleet(t)
	page := http.HandlerFunc(describe)
	a, same := f.node("one", page, withHeader(64<<10)), f.node("one", page, withHeader(64<<10))
	higher, lower := f.node("one", page, withHeader(128<<10)), f.node("one", page, withHeader(32<<10))
	for _, e := range []*edge{a, higher, lower} {
		e.SetEarlyData(true)
	}
	session := func() *client {
		c := f.client()
		c.get(listener.H3, a)
		c.awaitSession()
		return c
	}
	for name, c := range map[string]struct {
		node *edge
		want bool
	}{"the same node": {a, true}, "one that takes none": {same, false}, "one with a higher limit": {higher, true}, "one with a lower limit": {lower, false}} {
		if got := session().takesEarlyData(c.node); got != c.want {
			t.Errorf("%s: early data taken: %t", name, got)
		}
	}
	// A reload changes it for the handshakes that follow.
	same.SetEarlyData(true)
	a.SetEarlyData(false)
	c := session() // from when a took none, so that it told the client to send none
	if c.takesEarlyData(same) {
		t.Error("early data under a ticket that doesn't allow it")
	}
}

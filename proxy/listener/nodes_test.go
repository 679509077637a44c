package listener_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/anyedge/anyedge/proxy/listener"
	edgetls "github.com/anyedge/anyedge/tls"
)

// key derives what the nodes of a fleet share.
func key(fleet, what string) []byte {
	sum := sha256.Sum256([]byte(fleet + what))
	return sum[:]
}

// fleet makes nodes that serve the same name under the same certificate.
type fleet struct {
	t     *testing.T
	pair  tls.Certificate
	roots *x509.CertPool
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{t: t, roots: x509.NewCertPool()}
	pair, leaf, err := edgetls.SelfSigned(host)
	must(t, err)
	f.pair = pair
	f.roots.AddCert(leaf)
	return f
}

// node serves h with the keys of a secret.
func (f *fleet) node(secret string, h http.Handler, adjust ...func(*listener.Config)) *edge {
	f.t.Helper()
	store, err := edgetls.Load(edgetls.Options{MinVersion: "1.2"})
	must(f.t, err)
	must(f.t, store.Add(f.pair))
	store.ShareTickets(func(epoch int64) [][]byte { return [][]byte{key(secret, fmt.Sprint("ticket", epoch))} })
	config := func(c *listener.Config) { c.TLS = store.Config() }
	return serve(f.t, h, append([]func(*listener.Config){config}, adjust...)...)
}

// client is one that remembers what nodes gave it.
type client struct {
	fleet    *fleet
	sessions tls.ClientSessionCache
}

func (f *fleet) client() *client { return &client{f, tls.NewLRUClientSessionCache(4)} }

func (c *client) tls() *tls.Config {
	return &tls.Config{RootCAs: c.fleet.roots, ServerName: host, ClientSessionCache: c.sessions}
}

// get fetches a page of e and returns the state of the connection.
func (c *client) get(version listener.Protocol, e *edge) tls.ConnectionState {
	t := c.fleet.t
	t.Helper()
	var transport http.RoundTripper
	if version == listener.H3 {
		h3 := &http3.Transport{TLSClientConfig: c.tls(), QUICConfig: &quic.Config{}, Dial: dialFull}
		t.Cleanup(func() { _ = h3.Close() }) // the session may come later
		transport = h3
	} else {
		h2 := &http.Transport{TLSClientConfig: c.tls(), Protocols: new(http.Protocols)}
		h2.Protocols.SetHTTP2(true)
		t.Cleanup(h2.CloseIdleConnections)
		transport = h2
	}
	resp, err := (&http.Client{Transport: transport, Timeout: patience}).Get("https://" + e.https() + "/")
	must(t, err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	must(t, err)
	return *resp.TLS
}

// dialFull waits for the handshake's end, so that what is known of a connection is known.
func dialFull(ctx context.Context, addr string, t *tls.Config, q *quic.Config) (*quic.Conn, error) {
	return quic.DialAddr(ctx, addr, t, q)
}

// awaitSession waits until a session has come, with which the next handshake resumes.
func (c *client) awaitSession() {
	c.fleet.t.Helper()
	eventually(c.fleet.t, "a session ticket comes", func() bool {
		s, ok := c.sessions.Get(host)
		return ok && s != nil
	})
}

func TestSessionsResumeAtTheOtherNode(t *testing.T) {
	f := newFleet(t)
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, strings.NewReader("page")) })
	a, b, stranger := f.node("one", page), f.node("one", page), f.node("two", page)
	for _, version := range []listener.Protocol{listener.H2, listener.H3} {
		c := f.client()
		if c.get(version, a).DidResume {
			t.Fatal("resumed from nothing")
		}
		c.awaitSession()
		if !c.get(version, b).DidResume {
			t.Errorf("%s: a session of one node doesn't resume at the other", version)
		}
		c.awaitSession()
		if c.get(version, stranger).DidResume {
			t.Errorf("%s: a session resumes at a node of another fleet", version)
		}
	}
	for _, transport := range []string{"tcp", "quic"} {
		if got := b.metric("tls_sessions_total", "transport="+transport, "resumed=true"); got != 1 {
			t.Errorf("%s: %v resumed sessions counted at the other node, want 1", transport, got)
		}
	}
}

package clientauth_test

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	edgetls "github.com/anyedge/anyedge/tls"
	"github.com/anyedge/anyedge/tls/clientauth"
)

// base is the configuration of a server without a policy.
func base(t *testing.T) *tls.Config {
	t.Helper()
	store, err := edgetls.Load(edgetls.Options{MinVersion: "1.2"})
	must(t, err)
	pair, _, err := edgetls.SelfSigned("shop.example.com")
	must(t, err)
	must(t, store.Add(pair))
	return store.Config()
}

// handshake shakes hands over loopback; the error is the client's, of the handshake or of the first octet after it.
func handshake(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", server)
	must(t, err)
	defer ln.Close()
	var serving sync.WaitGroup
	defer serving.Wait()
	serving.Go(func() {
		if c, err := ln.Accept(); err == nil {
			_, _ = c.Write([]byte("x"))
			_ = c.Close()
		}
	})
	conn, err := net.Dial("tcp", ln.Addr().String())
	must(t, err)
	defer conn.Close()
	c := tls.Client(conn, client)
	_, err = io.ReadFull(c, make([]byte, 1))
	return c.ConnectionState(), err
}

// shower shows a certificate whatever it is asked for.
func shower(certs ...tls.Certificate) *tls.Config {
	c := &tls.Config{ServerName: "shop.example.com", InsecureSkipVerify: true}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if len(certs) == 0 {
			return &tls.Certificate{}, nil
		}
		return &certs[0], nil
	}
	return c
}

func TestHandshake(t *testing.T) {
	root := issue(t, "root", nil, authority)
	alice, stranger, own := issue(t, "alice", root), issue(t, "stranger", nil), issue(t, "this node", nil)
	server := base(t)
	for _, mode := range []string{clientauth.Required, clientauth.Optional} {
		o := options(bundle(t, root))
		o.Mode = mode
		p, err := clientauth.Load(o, own.cert)
		must(t, err)
		config := p.Config(server)
		if p.Config(server) != config {
			t.Error("each handshake makes a configuration")
		}
		for name, tt := range map[string]struct {
			client *tls.Config
			ok     bool
		}{
			"good":       {shower(alice.pair()), true},
			"none":       {shower(), mode == clientauth.Optional},
			"a bad one":  {shower(stranger.pair()), false},
			"the node's": {shower(own.pair()), true},
		} {
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				tt.client.MinVersion, tt.client.MaxVersion = version, version
				if _, err := handshake(t, config, tt.client); (err == nil) != tt.ok {
					t.Errorf("%s, %s, %s: %v", mode, tls.VersionName(version), name, err)
				}
			}
		}
		if _, err := p.Verify(own.state(), time.Now()); err == nil {
			t.Error("a request gets through with the node's own certificate")
		}
	}
}

// A session resumes under the policy that it began under, and under no other.
func TestSessionsKeepToTheirPolicy(t *testing.T) {
	root, other := issue(t, "root", nil, authority), issue(t, "other", nil, authority)
	alice := issue(t, "alice", root)
	server := base(t)
	required := options(bundle(t, root))
	optional := required
	optional.Mode = clientauth.Optional
	configs := map[string]*tls.Config{
		"none": server, "required": load(t, required).Config(server), "optional": load(t, optional).Config(server),
		"another's": load(t, options(bundle(t, root, other))).Config(server),
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for from, a := range configs {
			for to, b := range configs {
				client := shower(alice.pair())
				client.MinVersion, client.MaxVersion = version, version
				client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
				_, err := handshake(t, a, client)
				must(t, err)
				state, err := handshake(t, b, client)
				must(t, err)
				if state.DidResume != (from == to) {
					t.Errorf("%s: from %s to %s: resumed: %v", tls.VersionName(version), from, to, state.DidResume)
				}
			}
		}
	}
}

// A session whose certificate was revoked meanwhile ends in the handshake.
func TestRevokedSession(t *testing.T) {
	root := issue(t, "root", nil, authority)
	alice := issue(t, "alice", root)
	dir := t.TempDir()
	list := root.crl(t, dir+"/root.crl", time.Now().Add(time.Hour))
	p := load(t, options(bundle(t, root), list))
	server := base(t)
	client := shower(alice.pair())
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	_, err := handshake(t, p.Config(server), client)
	must(t, err)
	root.crl(t, list, time.Now().Add(time.Hour), alice)
	_, err = p.Reload()
	must(t, err)
	if _, err := handshake(t, p.Config(server), client); err == nil {
		t.Error("the session goes on")
	}
}

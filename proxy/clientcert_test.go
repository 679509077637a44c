package proxy_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/anyedge/anyedge/proxy"
	"github.com/anyedge/anyedge/proxy/listener"
	edgetls "github.com/anyedge/anyedge/tls"
	"github.com/anyedge/anyedge/tls/clientauth"
)

// ca is an authority of clients, with its list of what it has revoked.
type ca struct {
	t      *testing.T
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	file   string
	list   string
	serial int64
}

func newCA(t *testing.T) *ca {
	t.Helper()
	dir := t.TempDir()
	c := &ca{t: t, file: filepath.Join(dir, "ca.pem"), list: filepath.Join(dir, "ca.crl"), serial: 1}
	c.key = newECKey(t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "clients"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, &x509.Certificate{Subject: pkix.Name{CommonName: "clients"}}, c.key.Public(), c.key)
	must(t, err)
	c.cert, err = x509.ParseCertificate(der)
	must(t, err)
	must(t, os.WriteFile(c.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	c.revoke()
	return c
}

func newECKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key
}

func (c *ca) issue(name string) *tls.Certificate {
	c.t.Helper()
	key := newECKey(c.t)
	c.serial++
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(c.serial), Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, c.cert, key.Public(), c.key)
	must(c.t, err)
	leaf, err := x509.ParseCertificate(der)
	must(c.t, err)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// revoke writes a list of what is revoked.
func (c *ca) revoke(certs ...*tls.Certificate) {
	c.t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}
	for _, r := range certs {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: r.Leaf.SerialNumber, RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, c.cert, c.key)
	must(c.t, err)
	must(c.t, os.WriteFile(c.list, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), 0o600))
}

func (c *ca) policy(mode string) *clientauth.Policy {
	c.t.Helper()
	var o clientauth.Options
	o.SetDefaults()
	o.CAFile, o.CRLFiles, o.Mode = c.file, []string{c.list}, mode
	p, err := clientauth.Load(o, nil)
	must(c.t, err)
	return p
}

// club is a node with three sites: private.example.com requires a certificate, members.example.com asks for one, and
// open.example.com doesn't.
type club struct {
	t        *testing.T
	ca       *ca
	required *clientauth.Policy
	addr     string
	metrics  *prometheus.Registry
}

func newClub(t *testing.T) *club {
	t.Helper()
	c := &club{t: t, ca: newCA(t), metrics: prometheus.NewRegistry()}
	c.required = c.ca.policy(clientauth.Required)
	origin := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/shared":
			w.Header().Set("Cache-Control", "public, max-age=600")
		case "/own":
			w.Header().Set("Cache-Control", "public, max-age=600")
			w.Header().Set("Vary", "Client-Cert")
		default:
			w.Header().Set("Cache-Control", "max-age=600")
		}
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, r.Host+" "+r.Header.Get("Client-Cert")+r.Header.Get("Client-Cert-Chain"))
	})
	chain, err := proxy.NewChain(proxy.ChainOptions{
		Node: "ams-1", Cache: newCache(t, "ams-1"), Pools: map[string]proxy.Pool{"backend": newPool(t, origin.URL)}, Metrics: proxy.NewMetrics(c.metrics),
		Sites: map[string]*proxy.SiteOptions{
			"private": {Hosts: []string{"private.example.com"}, Origin: "backend", ClientCertificates: &clientauth.Options{}},
			"members": {Hosts: []string{"members.example.com"}, Origin: "backend", ClientCertificates: &clientauth.Options{}},
			"open":    {Hosts: []string{"open.example.com"}, Origin: "backend"},
		},
		ClientAuth: map[string]*clientauth.Policy{"private": c.required, "members": c.ca.policy(clientauth.Optional)},
	})
	must(t, err)
	server := proxy.NewServer()
	server.Swap(chain)
	c.addr = c.listen(server)
	return c
}

func (c *club) listen(server *proxy.Server) string {
	t := c.t
	t.Helper()
	store, err := edgetls.Load(edgetls.Options{MinVersion: "1.2"})
	must(t, err)
	pair, _, err := edgetls.SelfSigned("private.example.com", "members.example.com", "open.example.com")
	must(t, err)
	must(t, store.Add(pair))
	config := listener.Config{VIP: vip, Handler: server, Hits: server}
	config.TLS = store.ConfigBy(func(h *tls.ClientHelloInfo, base *tls.Config) *tls.Config {
		if p := server.ClientAuth(vip, h.ServerName); p != nil {
			return p.Config(base)
		}
		return nil
	})
	config.Limits.SetDefaults()
	config.Addresses = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	l := openSomewhere(t, config)
	l.SetEarlyData(true)
	served := make(chan error, 1)
	go func() { served <- l.Serve(context.Background()) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = l.Shutdown(ctx)
		<-served
	})
	return l.Addrs()[0].String()
}

// visitor is a client whose connections are made for one name.
type visitor struct {
	club   *club
	client *http.Client
}

// visitor returns a client whose connections ask for name, by one protocol, and show cert where they are asked for one.
func (c *club) visitor(protocol, name string, cert *tls.Certificate, sessions tls.ClientSessionCache) visitor {
	config := &tls.Config{ServerName: name, InsecureSkipVerify: true, ClientSessionCache: sessions}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if cert == nil {
			return &tls.Certificate{}, nil
		}
		return cert, nil
	}
	if protocol == "h3" {
		transport := &http3.Transport{TLSClientConfig: config, Dial: func(ctx context.Context, addr string, t *tls.Config, q *quic.Config) (*quic.Conn, error) {
			return quic.DialAddr(ctx, addr, t, q) // with early data it would try again and again
		}}
		c.t.Cleanup(func() { _ = transport.Close() })
		return visitor{c, &http.Client{Transport: transport, Timeout: patience}}
	}
	transport := &http.Transport{TLSClientConfig: config, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(protocol == "h1")
	transport.Protocols.SetHTTP2(protocol == "h2")
	c.t.Cleanup(transport.CloseIdleConnections)
	return visitor{c, &http.Client{Transport: transport, Timeout: patience}}
}

// ask asks for a path of a host; the status is 0 where the handshake fails.
func (v visitor) ask(host, path string, fields ...string) (status int, cacheStatus, content string) {
	t := v.club.t
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+v.club.addr+path, nil)
	must(t, err)
	r.Host = host
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	resp, err := v.client.Do(r)
	if err != nil {
		return 0, err.Error(), ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, resp.Header.Get("Cache-Status"), string(b)
}

// counted is how many requests had that outcome.
func (c *club) counted(outcome string) (n float64) {
	c.t.Helper()
	families, err := c.metrics.Gather()
	must(c.t, err)
	for _, f := range families {
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if f.GetName() == "anyedge_proxy_client_certificates_total" && l.GetName() == "outcome" && l.GetValue() == outcome {
					n += m.GetCounter().GetValue()
				}
			}
		}
	}
	return n
}

func fieldOf(cert *tls.Certificate) string {
	return ":" + base64.StdEncoding.EncodeToString(cert.Certificate[0]) + ":"
}

const private, members, public = "private.example.com", "members.example.com", "open.example.com"

// eachClub runs f over H1, H2 and H3, each with a node of its own.
func eachClub(t *testing.T, f func(t *testing.T, protocol string, c *club)) {
	for _, protocol := range []string{"h1", "h2", "h3"} {
		t.Run(protocol, func(t *testing.T) { f(t, protocol, newClub(t)) })
	}
}

func TestClientCertificateReachesTheOrigin(t *testing.T) {
	eachClub(t, func(t *testing.T, protocol string, c *club) {
		alice := c.ca.issue("alice")
		forged := []string{"Client-Cert", ":Zm9yZ2Vk:", "Client-Cert-Chain", ":Zm9yZ2Vk:", "Client_Cert", ":Zm9yZ2Vk:"}
		for _, tt := range []struct {
			sni, host string
			cert      *tls.Certificate
			want      string
		}{
			{private, private, alice, private + " " + fieldOf(alice)},
			{members, members, alice, members + " " + fieldOf(alice)},
			{members, members, nil, members + " "},
			{public, public, alice, public + " "},
			{private, public, alice, public + " "}, // the certificate was shown to another site
		} {
			v := c.visitor(protocol, tt.sni, tt.cert, nil)
			for _, fields := range [][]string{nil, forged} {
				if status, _, content := v.ask(tt.host, "/", fields...); status != 200 || content != tt.want {
					t.Errorf("connection for %s, request for %s: %d %q, want %q", tt.sni, tt.host, status, content, tt.want)
				}
			}
		}
	})
}

// A response that is stored, and may be shared, goes to those alone whom the site takes.
func TestHitsAskForClientCertificates(t *testing.T) {
	eachClub(t, func(t *testing.T, protocol string, c *club) {
		alice, bob := c.ca.issue("alice"), c.ca.issue("bob")
		stranger := newCA(t).issue("stranger")
		good := c.visitor(protocol, private, alice, nil)
		good.ask(private, "/shared")
		if status, from, _ := good.ask(private, "/shared"); status != 200 || !strings.HasPrefix(from, "ams-1; hit") {
			t.Fatalf("isn't stored: %d %s", status, from)
		}
		for name, v := range map[string]visitor{
			"of an open site":     c.visitor(protocol, public, alice, nil),
			"of a site that asks": c.visitor(protocol, members, alice, nil),
			"without a name":      c.visitor(protocol, "127.0.0.1", alice, nil),
			"of an unknown name":  c.visitor(protocol, "unknown.example.com", alice, nil),
		} {
			for range 2 {
				if status, from, content := v.ask(private, "/shared"); status != http.StatusMisdirectedRequest || strings.Contains(content, "private") {
					t.Errorf("a connection %s: %d %s %q", name, status, from, content)
				}
			}
		}
		if status, _, _ := c.visitor(protocol, public, alice, nil).ask(members, "/"); status != http.StatusMisdirectedRequest {
			t.Errorf("a site that asks, on a connection where nobody was asked: %d", status)
		}
		for name, cert := range map[string]*tls.Certificate{"none": nil, "another authority's": stranger} {
			if status, why, _ := c.visitor(protocol, private, cert, nil).ask(private, "/shared"); status != 0 || strings.Contains(why, "deadline") {
				t.Errorf("certificate %s: %d %s", name, status, why)
			}
		}
		if got := c.counted("other_site"); got != 9 {
			t.Errorf("%v requests by connections of other sites counted, want 9", got)
		}
		if status, from, _ := c.visitor(protocol, strings.ToUpper(private), bob, nil).ask(private, "/shared"); status != 200 || !strings.HasPrefix(from, "ams-1; hit") {
			t.Errorf("another client of the site: %d %s", status, from)
		}
	})
}

// What is said for one client isn't said to another, unless the origin lets it.
func TestCacheTellsClientsApart(t *testing.T) {
	eachClub(t, func(t *testing.T, protocol string, c *club) {
		alice, bob := c.ca.issue("alice"), c.ca.issue("bob")
		a, b := c.visitor(protocol, members, alice, nil), c.visitor(protocol, members, bob, nil)
		nobody := c.visitor(protocol, members, nil, nil)
		for range 2 {
			for _, path := range []string{"/", "/own"} {
				if _, _, content := a.ask(members, path); content != members+" "+fieldOf(alice) {
					t.Errorf("%s for alice: %q", path, content)
				}
				if _, _, content := b.ask(members, path); content != members+" "+fieldOf(bob) {
					t.Errorf("%s for bob: %q", path, content)
				}
				if _, _, content := nobody.ask(members, path); content != members+" " {
					t.Errorf("%s for nobody: %q", path, content)
				}
			}
		}
		if _, from, _ := b.ask(members, "/own"); !strings.HasPrefix(from, "ams-1; hit") {
			t.Errorf("a variant of its own: %s", from)
		}
		if _, from, _ := b.ask(members, "/"); strings.HasPrefix(from, "ams-1; hit") {
			t.Errorf("an answer that nobody has said is for all: %s", from)
		}
	})
}

// A certificate that is revoked while its connection is open opens nothing any more, neither there nor by its session.
func TestRevokedWhileConnected(t *testing.T) {
	eachClub(t, func(t *testing.T, protocol string, c *club) {
		alice, bob := c.ca.issue("alice"), c.ca.issue("bob")
		sessions := tls.NewLRUClientSessionCache(4)
		v, other := c.visitor(protocol, private, alice, sessions), c.visitor(protocol, private, bob, nil)
		v.ask(private, "/shared")
		if status, _, _ := v.ask(private, "/shared"); status != 200 {
			t.Fatal(status)
		}
		eventually(t, "a session comes", func() bool {
			s, ok := sessions.Get(private)
			return ok && s != nil
		})
		c.ca.revoke(alice)
		if changed, err := c.required.Reload(); !changed || err != nil {
			t.Fatal(changed, err)
		}
		if status, why, _ := v.ask(private, "/shared"); status != http.StatusMisdirectedRequest {
			t.Errorf("on the open connection: %d %s", status, why)
		}
		if status, why, _ := c.visitor(protocol, private, alice, sessions).ask(private, "/shared"); status != 0 || strings.Contains(why, "deadline") {
			t.Errorf("by a session: %d %s", status, why)
		}
		if status, _, _ := other.ask(private, "/shared"); status != 200 {
			t.Errorf("another client: %d", status)
		}
	})
}

// Without TLS nobody can show a certificate.
func TestClientCertificateWithoutTLS(t *testing.T) {
	o := onlyOrigin(t, mirror(t).URL)
	o.Sites["shop"].ClientCertificates = &clientauth.Options{}
	o.ClientAuth = map[string]*clientauth.Policy{"shop": newCA(t).policy(clientauth.Required)}
	o.Node, o.Cache = "ams-1", newCache(t, "ams-1")
	chain, err := proxy.NewChain(o)
	must(t, err)
	info := &listener.Info{VIP: vip, Plain: true}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := &http.Server{Handler: chain, BaseContext: func(net.Listener) context.Context { return listener.WithInfo(context.Background(), info) }}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ln) }()
	t.Cleanup(func() {
		_ = s.Close()
		<-ended
	})
	resp, err := http.Get("http://" + ln.Addr().String() + "/")
	must(t, err)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("status %d", resp.StatusCode)
	}
	o.ClientAuth = nil
	if _, err := proxy.NewChain(o); err == nil {
		t.Error("a site whose policy isn't loaded is served")
	}
}

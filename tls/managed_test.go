package edgetls_test

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"testing"
	"time"

	edgetls "github.com/anyedge/anyedge/tls"
)

func managed(t *testing.T, key *ecdsa.PrivateKey, hosts ...string) edgetls.Managed {
	t.Helper()
	return edgetls.Managed{Certificate: tls.Certificate{Certificate: [][]byte{issue(t, key, hosts)}, PrivateKey: key}, Authority: "ca.example.com"}
}

// TestManagedBesideFiles: a name from a file stays the file's; all others of a managed certificate are served.
func TestManagedBesideFiles(t *testing.T) {
	key := newKey(t)
	store, err := edgetls.Load(edgetls.Options{MinVersion: "1.2"})
	must(t, err)
	own := tls.Certificate{Certificate: [][]byte{issue(t, key, []string{"own.example.com", "*.own.example.com"})}, PrivateKey: key}
	must(t, store.Add(own))
	list := []edgetls.Managed{managed(t, key, "own.example.com", "shop.example.com"), managed(t, key, "*.own.example.com", "*.wild.example.com")}
	must(t, store.SetManaged(list))
	for name, want := range map[string][]byte{
		"own.example.com": own.Certificate[0], "a.own.example.com": own.Certificate[0],
		"shop.example.com": list[0].Certificate.Certificate[0], "a.wild.example.com": list[1].Certificate.Certificate[0],
		"other.example.com": own.Certificate[0], "": own.Certificate[0],
	} {
		c, err := store.Config().GetCertificate(&tls.ClientHelloInfo{ServerName: name})
		must(t, err)
		if string(c.Certificate[0]) != string(want) {
			t.Errorf("%q gets another certificate", name)
		}
	}
	if !store.HasOwn("own.example.com") || store.HasOwn("shop.example.com") || !store.HasOwn("x.own.example.com") {
		t.Error("HasOwn mistakes managed for own")
	}
	if _, ok := store.Until("shop.example.com", time.Now()); !ok {
		t.Error("no end of what is managed")
	}
	infos := store.Certificates()
	if len(infos) != 3 || infos[0].Authority != "" || infos[2].Authority != "ca.example.com" {
		t.Errorf("%+v", infos)
	}
	if err := store.SetManaged([]edgetls.Managed{{}}); err == nil || len(store.Certificates()) != 3 {
		t.Errorf("nothing as a certificate: %v", err)
	}
	must(t, store.SetManaged(nil))
	if _, ok := store.Until("shop.example.com", time.Now()); ok {
		t.Error("still served")
	}
}

// TestManyCertificates: with 10,000, choosing one allocates nothing.
func TestManyCertificates(t *testing.T) {
	store := manyCertificates(t, 10000)
	choose := store.Config().GetCertificate
	hello := &tls.ClientHelloInfo{ServerName: "host-7777.example.com"}
	if n := testing.AllocsPerRun(1000, func() {
		if c, err := choose(hello); err != nil || c.Leaf.DNSNames[0] != hello.ServerName {
			t.Fatal("another certificate")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkChooseOf10000(b *testing.B) {
	store := manyCertificates(b, 10000)
	choose := store.Config().GetCertificate
	hello := &tls.ClientHelloInfo{ServerName: "host-7777.example.com"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := choose(hello); err != nil {
			b.Fatal(err)
		}
	}
}

// manyCertificates are of one key, and not signed anew: what is chosen by is the names.
func manyCertificates(t testing.TB, n int) *edgetls.Store {
	t.Helper()
	store, err := edgetls.Load(edgetls.Options{MinVersion: "1.2"})
	if err != nil {
		t.Fatal(err)
	}
	list := make([]edgetls.Managed, n)
	for i := range list {
		leaf := &x509.Certificate{SerialNumber: big.NewInt(int64(i)), DNSNames: []string{fmt.Sprintf("host-%d.example.com", i)}}
		list[i].Certificate = tls.Certificate{Certificate: [][]byte{{1}}, PrivateKey: &ecdsa.PrivateKey{}, Leaf: leaf}
	}
	if err := store.SetManaged(list); err != nil {
		t.Fatal(err)
	}
	return store
}

// TestChallengeHandshake: ALPN acme-tls/1 alone gets the challenge's certificate, and only where one is under way.
func TestChallengeHandshake(t *testing.T) {
	key := newKey(t)
	store, err := edgetls.Load(edgetls.Options{MinVersion: "1.3"})
	must(t, err)
	must(t, store.SetManaged([]edgetls.Managed{managed(t, key, "shop.example.com")}))
	challenge := tls.Certificate{Certificate: [][]byte{issue(t, key, []string{"shop.example.com"})}, PrivateKey: key}
	shake := func(name string, protos ...string) (*tls.ConnectionState, error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		defer l.Close()
		go func() { // ends with the handshake
			if c, err := l.Accept(); err == nil {
				_ = tls.Server(c, store.Config()).Handshake()
				_ = c.Close()
			}
		}()
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{ServerName: name, NextProtos: protos, InsecureSkipVerify: true})
		if err != nil {
			return nil, err
		}
		defer c.Close()
		state := c.ConnectionState()
		return &state, nil
	}
	if _, err := shake("shop.example.com", edgetls.ChallengeProtocol); err == nil {
		t.Error("agreed on acme-tls/1 with nobody to answer challenges")
	}
	store.AnswerChallenges(func(name string) *tls.Certificate {
		if name == "shop.example.com" {
			return &challenge
		}
		return nil
	})
	state, err := shake("SHOP.example.com", edgetls.ChallengeProtocol)
	must(t, err)
	if state.NegotiatedProtocol != edgetls.ChallengeProtocol || string(state.PeerCertificates[0].Raw) != string(challenge.Certificate[0]) {
		t.Errorf("%q, another certificate", state.NegotiatedProtocol)
	}
	if _, err := shake("other.example.com", edgetls.ChallengeProtocol); err == nil {
		t.Error("agreed on acme-tls/1 without a challenge")
	}
	state, err = shake("shop.example.com", "h2", edgetls.ChallengeProtocol)
	must(t, err)
	if state.NegotiatedProtocol != "h2" || string(state.PeerCertificates[0].Raw) == string(challenge.Certificate[0]) {
		t.Error("a client got the challenge's certificate")
	}
}

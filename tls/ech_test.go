package edgetls_test

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	edgetls "github.com/anyedge/anyedge/tls"
)

// echFile makes a key and its file.
func echFile(t *testing.T, name string) (*edgetls.ECH, string) {
	t.Helper()
	k, err := edgetls.NewECH(name)
	must(t, err)
	file := filepath.Join(t.TempDir(), "ech.pem")
	must(t, k.Create(file))
	return k, file
}

// shakers shake hands with a server over TCP and QUIC.
var shakers = map[string]func(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error){"tcp": handshake, "quic": handshakeQUIC}

func handshakeQUIC(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	server, client = server.Clone(), client.Clone()
	server.NextProtos, client.NextProtos = []string{"h3"}, []string{"h3"}
	if choose := server.GetConfigForClient; choose != nil {
		server.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			c, err := choose(h)
			if c != nil {
				c = c.Clone()
				c.NextProtos = server.NextProtos
			}
			return c, err
		}
	}
	client.InsecureSkipVerify = client.RootCAs == nil
	ln, err := quic.ListenAddr("127.0.0.1:0", server, nil)
	must(t, err)
	defer ln.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := quic.DialAddr(ctx, ln.Addr().String(), client, nil)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer func() { _ = conn.CloseWithError(0, "") }()
	return conn.ConnectionState().TLS, nil
}

func TestECH(t *testing.T) {
	first, firstFile := echFile(t, "public.example")
	second, secondFile := echFile(t, "public.example")
	stale, _ := echFile(t, "public.example")
	o := options(files(t, newKey(t), "public.example"), files(t, newKey(t), "secret.example"))
	o.ECHKeys = []string{firstFile}
	s, err := edgetls.Load(o)
	must(t, err)
	config := s.Config()
	for transport, shake := range shakers {
		ask := func(k *edgetls.ECH) (tls.ConnectionState, error) {
			return shake(t, config, &tls.Config{ServerName: "secret.example", EncryptedClientHelloConfigList: k.List()})
		}
		accepted := func(what string, k *edgetls.ECH) {
			t.Helper()
			state, err := ask(k)
			if err != nil || !state.ECHAccepted || state.PeerCertificates[0].Subject.CommonName != "secret.example" {
				t.Errorf("%s, %s: %v, accepted %v", transport, what, err, state.ECHAccepted)
			}
		}
		accepted("the key", first)
		o.ECHKeys = []string{secondFile, firstFile}
		must(t, s.Replace(o))
		accepted("the key before", first)
		accepted("the new key", second)
		o.ECHKeys = []string{firstFile}
		must(t, s.Replace(o))
	}
	// A client whose key isn't known learns of the first one, by the public name's certificate.
	roots := x509.NewCertPool()
	o.ECHKeys = []string{secondFile, firstFile}
	must(t, s.Replace(o))
	public, err := handshake(t, config, &tls.Config{ServerName: "public.example"})
	must(t, err)
	roots.AddCert(public.PeerCertificates[0])
	for transport, shake := range shakers {
		_, err := shake(t, config, &tls.Config{ServerName: "secret.example", RootCAs: roots, EncryptedClientHelloConfigList: stale.List()})
		var rejected *tls.ECHRejectionError
		if !errors.As(err, &rejected) || !slices.Equal(rejected.RetryConfigList, second.List()) {
			t.Errorf("%s, a key that isn't known: %v", transport, err)
		}
	}
}

// Keys count for handshakes under another policy as well, and follow their files.
func TestECHUnderPolicyAndWatch(t *testing.T) {
	first, file := echFile(t, "public.example")
	o := options(files(t, newKey(t), "secret.example"))
	o.ECHKeys, o.MinVersion = []string{file}, "1.3"
	s, err := edgetls.Load(o)
	must(t, err)
	ask := func(k *edgetls.ECH) bool {
		state, err := handshake(t, s.Config(), &tls.Config{ServerName: "secret.example", EncryptedClientHelloConfigList: k.List()})
		return err == nil && state.ECHAccepted
	}
	if !ask(first) {
		t.Error("not accepted under min_version 1.3")
	}
	ctx, stop := context.WithCancel(t.Context())
	changed, ended := make(chan error, 10), make(chan error, 1)
	go func() { ended <- s.Watch(ctx, time.Millisecond, func(err error) { changed <- err }) }()
	defer func() {
		stop()
		must(t, <-ended)
	}()
	second, other := echFile(t, "public.example")
	data, err := os.ReadFile(other)
	must(t, err)
	write(t, file+".new", data)
	must(t, os.Rename(file+".new", file))
	select {
	case err := <-changed:
		must(t, err)
	case <-time.After(10 * time.Second):
		t.Fatal("the new file isn't seen")
	}
	if !ask(second) || ask(first) {
		t.Error("the file's new key doesn't count")
	}
}

func TestECHFiles(t *testing.T) {
	k, file := echFile(t, "public.example")
	info, err := os.Stat(file)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	read, err := edgetls.LoadECH(file)
	must(t, err)
	if !slices.Equal(read.List(), k.List()) || read.ID() != k.ID() || !slices.Equal(read.PublicNames(), []string{"public.example"}) {
		t.Errorf("read %x, wrote %x", read.List(), k.List())
	}
	if k.Create(file) == nil {
		t.Error("overwritten")
	}
	other, _ := echFile(t, "public.example")
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	block := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	private := block("PRIVATE KEY", der)
	for name, tt := range map[string]struct{ content, want string }{
		"nothing":         {"", "must hold"},
		"no list":         {private, "must hold"},
		"no key":          {block("ECHCONFIG", k.List()), "must hold"},
		"another's":       {private + block("ECHCONFIG", other.List()), "of another key"},
		"half a list":     {private + block("ECHCONFIG", k.List()[:20]), "well-formed"},
		"an empty list":   {private + block("ECHCONFIG", []byte{0, 0}), "no configuration"},
		"another version": {private + block("ECHCONFIG", []byte{0, 4, 0xfe, 0x0a, 0, 0}), "no configuration"},
		"RSA":             {string(pemKey(t, rsaKey())) + block("ECHCONFIG", k.List()), "no key for ECH"},
		"P-256":           {string(pemKey(t, newKey(t))) + block("ECHCONFIG", k.List()), "another kind of key"},
	} {
		path := filepath.Join(t.TempDir(), "x.pem")
		write(t, path, []byte(tt.content))
		if _, err := edgetls.LoadECH(path); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	for i := range k.List() {
		path := filepath.Join(t.TempDir(), "x.pem")
		write(t, path, []byte(private+block("ECHCONFIG", k.List()[:i])))
		if _, err := edgetls.LoadECH(path); err == nil {
			t.Errorf("a list of %d octets is taken", i)
		}
	}
	for _, name := range []string{"", "x", "PUBLIC.example", "a..b", "192.0.2.1", strings.Repeat("a.", 128) + "b"} {
		if _, err := edgetls.NewECH(name); err == nil {
			t.Errorf("public name %q is taken", name)
		}
	}
}

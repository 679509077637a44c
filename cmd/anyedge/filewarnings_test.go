package main

import (
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/tls/acme"
)

// Files that can be used, but by which clients would be turned away, are told of before the node runs.
func TestCheckWarnsOfFiles(t *testing.T) {
	dir := t.TempDir()
	ca := newClientsCA(t, dir)
	past := time.Now().Add(-time.Hour)
	list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: past, NextUpdate: past}, ca.cert, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	ca.write("old.crl", "X509 CRL", list)
	key, err := x509.MarshalPKCS8PrivateKey(ca.key)
	if err != nil {
		t.Fatal(err)
	}
	ca.write("key.pem", "PRIVATE KEY", key)
	for name, c := range map[string]struct {
		host  string
		until time.Time
	}{"old.pem": {"shop", past}, "good.pem": {"shop", past.Add(2 * time.Hour)}, "other.pem": {"other", past.Add(2 * time.Hour)}} {
		leaf := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{c.host + ".example.com"}, NotBefore: past.Add(-time.Hour), NotAfter: c.until}
		der, err := x509.CreateCertificate(rand.Reader, leaf, ca.cert, ca.key.Public(), ca.key)
		if err != nil {
			t.Fatal(err)
		}
		ca.write(name, "CERTIFICATE", der)
	}
	for _, name := range []string{"shop", "cover", "other"} {
		if code, out := command(t, "ech", "new", "--public-name", name+".example.com", filepath.Join(dir, name+".ech")); code != exitGood {
			t.Fatal(out)
		}
	}
	file := filepath.Join(dir, "node.yaml")
	for _, c := range []struct {
		cert, ech, crl, more string
		want                 string // none: there is no warning of these
	}{
		{"good", "shop", "clients", "", ""},
		{"other", "other", "clients", "", "warning: sites.shop.hosts[0]: no certificate covers shop.example.com"},
		{"other", "other", "clients", ", acme: {hosts: [shop.example.com]}", ""},
		{"old", "shop", "clients", "", "warning: tls.certificates[0]: " + dir + "/old.pem: expired "},
		{"good", "cover", "clients", "", "warning: tls.ech_keys[0]: no certificate covers its public name cover.example.com"},
		{"good", "cover", "clients", ", acme: {hosts: [cover.example.com]}", ""},
		{"good", "shop", "old", "", "warning: sites.shop.client_certificates: " + dir + "/old.crl is past its time"},
	} {
		text := fmt.Sprintf(`node: {name: a, address: 127.0.0.1}
vips: {www: {addresses: [127.0.0.1], https: 8443}}
tls: {certificates: [{cert: %[1]s/%[2]s.pem, key: %[1]s/key.pem}], ech_keys: [%[1]s/%[3]s.ech]%[5]s}
origins: {shop: {servers: ["http://127.0.0.1:1"]}}
sites: {shop: {hosts: [shop.example.com], origin: shop, client_certificates: {ca_file: %[1]s/clients.pem, crl_files: [%[1]s/%[4]s.crl]}}}
`, dir, c.cert, c.ech, c.crl, c.more)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		code, out := command(t, "check", "-c", file)
		warned := strings.Contains(out, "warning: tls.") || strings.Contains(out, "warning: sites.")
		if code != exitGood || !strings.Contains(out, c.want) || warned != (c.want != "") {
			t.Errorf("%+v: exit %d:\n%s", c, code, out)
		}
	}
}

func TestCertsTellsOfTheNextTryOnce(t *testing.T) {
	now := time.Now()
	var out strings.Builder
	all := Certificates{Missing: []acme.Status{{Name: "shop.example.com", NextTry: now.Add(time.Minute), Problem: "refused"}}}
	if err := all.write(&out, now); err != nil || !strings.Contains(out.String(), "none yet") || strings.Count(out.String(), "again") != 1 {
		t.Errorf("%v\n%s", err, out.String())
	}
}

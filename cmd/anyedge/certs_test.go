package main

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCerts(t *testing.T) {
	e := newEdge(t)
	dir := filepath.Dir(e.file)
	newClientsCA(t, dir)
	if code, out := command(t, "ech", "new", "--public-name", "ech.example.com", filepath.Join(dir, "ech.pem")); code != exitGood {
		t.Fatal(out)
	}
	e.replace = []string{
		"tls: {", fmt.Sprintf("tls: {ech_keys: [%s/ech.pem], ", dir),
		"\nsites:\n", fmt.Sprintf("\n  other: {servers: [\"https://127.0.0.1:1\"], tls: {cert: %s/cert.pem, key: %s/key.pem}}\nsites:\n"+
			"  partners: {hosts: [localhost], origin: other, client_certificates: {ca_file: %s/clients.pem, mode: optional, crl_files: [%s/clients.crl]}}\n", dir, dir, dir, dir),
		"hosts: [shop.example.com, localhost]", "hosts: [shop.example.com]",
	}
	e.write(e.configText())
	e.begin()
	e.awaitAnnounced()
	code, out := e.command("certs")
	for _, want := range []string{
		"shop.example.com localhost", "cert.pem", "ECDSA P-256", "ech", "site partners", "optional", "0 revoked certificates", "clients.crl", "origin   other",
	} {
		if code != exitGood || !strings.Contains(out, want) {
			t.Errorf("certs: exit %d, no %q in:\n%s", code, want, out)
		}
	}
	_, out = e.command("certs", "--json")
	var all Certificates
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all.Certificates) != 1 || all.Certificates[0].From != "file" || len(all.VIPs) != 1 {
		t.Errorf("certs --json: %v\n%s", err, out)
	}
	e.hasNoKey(out, "key.pem", "ech.pem")
	_, out = e.command("certs", "--test", "localhost", "--ca", filepath.Join(dir, "cert.pem"))
	for _, want := range []string{"over tcp", "over quic", "TLS 1.3", "X25519MLKEM768", "ALPN h2", "ALPN h3", "accepted", "asks for a client certificate", "not stapled"} {
		if !strings.Contains(out, want) || strings.Contains(out, "REFUSED") || strings.Contains(out, "FAILED") {
			t.Errorf("--test localhost: no %q, or a failure, in:\n%s", want, out)
		}
	}
	for host, ok := range map[string]bool{"shop.example.com": true, "unknown.example.com": false} {
		code, out := e.command("certs", "--test", host, "--ca", filepath.Join(dir, "cert.pem"), "--json")
		if (code == exitGood) != ok || strings.Contains(out, `"asks_for_certificate": true`) {
			t.Errorf("--test %s: exit %d\n%s", host, code, out)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "cert.pem"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	e.await("a broken file is told of", func() bool {
		_, out := e.command("certs")
		return strings.Contains(out, "NOT RELOADED")
	})
}

// hasNoKey looks for the keys of files in a text.
func (e *edge) hasNoKey(text string, files ...string) {
	e.t.Helper()
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(filepath.Dir(e.file), file))
		if err != nil {
			e.t.Fatal(err)
		}
		block, _ := pem.Decode(data)
		if lines := strings.Split(string(pem.EncodeToMemory(block)), "\n"); strings.Contains(text, lines[1]) || strings.Contains(text, "PRIVATE") {
			e.t.Errorf("the key of %s is in:\n%s", file, text)
		}
	}
}

// A node that can't be reached, or has another key, makes the test fail.
func TestCertsOfNobody(t *testing.T) {
	t.Parallel() // it mostly waits
	port := unusedPort(t)
	s := http.NewServeMux()
	s.HandleFunc("GET /v1/certs", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"vips": [{"vip": "www", "addresses": ["127.0.0.1:%d"]}]}`, port)
	})
	api := httptest.NewServer(s)
	defer api.Close()
	code, out := command(t, "certs", "--test", "shop.example.com", "--admin", api.URL)
	if code != exitBad || strings.Count(out, "FAILED") != 2 {
		t.Errorf("exit %d: %s", code, out)
	}
}

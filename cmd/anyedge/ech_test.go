package main

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// What ech new prints is what a client needs, and the access log tells of it, for misses and hits.
func TestECHAtANode(t *testing.T) {
	e := newEdge(t)
	dir := filepath.Dir(e.file)
	writePair(t, dir, "shop.example.com", "localhost", "ech.example.com")
	file := filepath.Join(dir, "ech.pem")
	code, out := command(t, "ech", "new", "--public-name", "ech.example.com", file)
	if code != exitGood {
		t.Fatal(code, out)
	}
	encoded := regexp.MustCompile(`ech=(\S+)`).FindStringSubmatch(out)
	if _, shown := command(t, "ech", "show", file); len(encoded) < 2 || !strings.Contains(shown, encoded[0]) || strings.Contains(shown, "PRIVATE") {
		t.Fatalf("new prints %q, show %q", out, shown)
	}
	list, err := base64.StdEncoding.DecodeString(encoded[1])
	if err != nil {
		t.Fatal(err)
	}
	e.replace = []string{"tls: {", fmt.Sprintf("tls: {ech_keys: [%s], ", file)}
	e.write(e.configText())
	e.begin()
	e.awaitAnnounced()
	config := &tls.Config{ServerName: "shop.example.com", RootCAs: e.client().roots, EncryptedClientHelloConfigList: list}
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	for range 2 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d/ech", e.https), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "shop.example.com"
		resp, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if !resp.TLS.ECHAccepted {
			t.Error("not accepted")
		}
	}
	e.await("two lines of the access log tell of it", func() bool {
		data, err := os.ReadFile(filepath.Join(dir, "access.log"))
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		for line := range strings.Lines(string(data)) {
			var l struct {
				Target, Curve string
				ECH           bool
			}
			if json.Unmarshal([]byte(line), &l) == nil && l.Target == "/ech" && l.ECH && l.Curve == "X25519MLKEM768" {
				told++
			}
		}
		return told == 2
	})
	e.replace[1] = "tls: {ech_keys: [/nonexistent/ech.pem], "
	e.write(e.configText())
	if err := e.node.Reload(); err == nil || !strings.Contains(err.Error(), "tls.ech_keys[0]") {
		t.Errorf("a reload without the file: %v", err)
	}
}

// A node that refuses names without a certificate still checks itself, also where its sites have no names.
func TestStrictSNIAtANode(t *testing.T) {
	e := newEdge(t)
	e.replace = []string{"tls: {", "tls: {strict_sni: true, ", "hosts: [shop.example.com, localhost]", `hosts: ["*"]`}
	e.write(e.configText())
	e.begin()
	e.awaitAnnounced()
	dial := func(name string) error {
		c, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", e.https), &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err == nil {
			_ = c.Close()
		}
		return err
	}
	if err := dial("shop.example.com"); err != nil {
		t.Error(err)
	}
	if err := dial("unknown.example.com"); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("a name without a certificate: %v", err)
	}
}

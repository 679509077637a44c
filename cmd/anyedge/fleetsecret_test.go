package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"
)

// withSecret is an edge whose configuration names a fleet secret, which is there.
func withSecret(t *testing.T) (e *edge, file string) {
	t.Helper()
	e = newEdge(t)
	file = filepath.Join(filepath.Dir(e.file), "fleet.secret")
	if code, out := command(t, "secret", "new", file); code != exitGood {
		t.Fatal(out)
	}
	e.replace = []string{"log:", "fleet: {secret_file: " + file + "}\nlog:"}
	e.write(e.configText())
	return e, file
}

// resumes says whether the node takes a session of cache, and fills cache.
func (e *edge) resumes(cache tls.ClientSessionCache) bool {
	e.t.Helper()
	config := e.client().clientTLS()
	config.ClientSessionCache = cache
	c, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", e.https), config)
	if err != nil {
		e.t.Fatal(err)
	}
	defer c.Close()
	req, err := http.NewRequestWithContext(e.t.Context(), "GET", "https://shop.example.com/", nil)
	if err != nil {
		e.t.Fatal(err)
	}
	resumed := c.ConnectionState().DidResume
	if err := req.Write(c); err != nil {
		e.t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != nil { // the tickets come before the response
		e.t.Fatal(err)
	}
	return resumed
}

// A reload brings in what a rotation has done, keeps the former keys where the file is no good, and loses no session.
func TestFleetSecretReload(t *testing.T) {
	e, file := withSecret(t)
	e.begin()
	cache := tls.NewLRUClientSessionCache(1)
	if e.resumes(cache) {
		t.Fatal("resumed from nothing")
	}
	listed := func(want ...string) {
		t.Helper()
		_, out := e.command("status")
		for _, w := range want {
			if !strings.Contains(strings.Join(strings.Fields(out), " "), w) {
				t.Errorf("status has no %q:\n%s", w, out)
			}
		}
		if !e.resumes(cache) {
			t.Error("a session was lost")
		}
	}
	listed("secret 1 current")
	for _, want := range []string{"secret 2 next", "secret 1 previous"} {
		if code, out := command(t, "secret", "rotate", file); code != exitGood {
			t.Fatal(out)
		}
		if err := e.node.Reload(); err != nil {
			t.Fatal(err)
		}
		listed(want)
	}

	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	err := e.node.Reload()
	if want := ": fleet.secret_file: read the fleet secret: " + file + ": has mode 0644"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v; want %q", err, want)
	}
	listed("secret 2 current", "secret 1 previous", "REFUSED at the last reload", "has mode 0644")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := e.node.Reload(); err == nil {
		t.Error("reloaded without the secret")
	}
	listed("secret 2 current", "no such file")
	e.replace = nil
	e.write(e.configText())
	if err := e.node.Reload(); err == nil || !strings.Contains(err.Error(), "fleet.secret_file: a reload can't change it") {
		t.Errorf("a reload took the secret away: %v", err)
	}
}

func TestFleetSecretIsChecked(t *testing.T) {
	e, file := withSecret(t)
	if code, out := command(t, "check", "-c", e.file); code != exitGood {
		t.Errorf("%d %s", code, out)
	}
	if err := os.WriteFile(file, []byte("anyedge-fleet-secret 1\nnonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := ": fleet.secret_file: read the fleet secret: " + file + ":2: must have three words"
	if code, out := command(t, "check", "-c", e.file); code != exitBad || !strings.Contains(out, want) {
		t.Errorf("%d %s; want %q", code, out, want)
	}
}

// takesEarlyData says whether the node takes early data over QUIC from a client with a session.
func (e *edge) takesEarlyData() bool {
	e.t.Helper()
	config := e.client().clientTLS()
	config.NextProtos, config.ClientSessionCache = []string{"h3"}, tls.NewLRUClientSessionCache(1)
	var conn *quic.Conn
	for range 2 {
		var err error
		if conn, err = quic.DialAddrEarly(e.t.Context(), fmt.Sprintf("127.0.0.1:%d", e.https), config, nil); err != nil {
			e.t.Fatal(err)
		}
		defer conn.CloseWithError(0x100, "")
		<-conn.HandshakeComplete()
		e.await("a session", func() bool {
			s, ok := config.ClientSessionCache.Get(demoHost)
			return ok && s != nil
		})
	}
	return conn.ConnectionState().Used0RTT
}

func TestEarlyDataFollowsTheConfiguration(t *testing.T) {
	e := startEdge(t)
	if e.takesEarlyData() {
		t.Error("early data is taken, and no site wants it")
	}
	for _, on := range []bool{true, false} {
		e.replace = []string{"origin: shop}", fmt.Sprintf("origin: shop, early_data: %t}", on)}
		e.write(e.configText())
		if err := e.node.Reload(); err != nil {
			t.Fatal(err)
		}
		if got := e.takesEarlyData(); got != on {
			t.Errorf("early_data: %t: taken: %t", on, got)
		}
	}
}

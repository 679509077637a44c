package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

// reload reloads with the pairs of old and new text replaced in the configuration.
func (e *edge) reload(replace ...string) {
	e.t.Helper()
	e.replace = replace
	e.write(e.configText())
	if err := e.node.Reload(); err != nil {
		e.t.Fatal(err)
	}
}

func TestReloadTurnsTheAccessLogOffAndOn(t *testing.T) {
	e := startEdge(t)
	e.awaitAnnounced()
	file := filepath.Join(filepath.Dir(e.file), "access.log")
	logged := func(path string) bool {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(b), `"target":"`+path+`"`)
	}
	e.reload(`"`+file+`"`, "off")
	e.get("HTTP/1.1", "shop.example.com", "/off")
	e.reload()
	e.get("HTTP/1.1", "shop.example.com", "/on")
	e.await("the line of the request", func() bool { return logged("/on") })
	if logged("/off") {
		t.Error("a request was logged while the access log was off")
	}
}

func TestReloadClosesWhatIsGone(t *testing.T) {
	e := startEdge(t)
	e.awaitAnnounced()
	if refused(e.plainHTTP) {
		t.Fatal("the plain port isn't open")
	}
	e.reload(fmt.Sprintf(", http: %d", e.plainHTTP), "")
	e.await("the plain port is closed", func() bool { return refused(e.plainHTTP) })
	if resp, _ := e.get("HTTP/3.0", "shop.example.com", "/"); resp.StatusCode != 200 {
		t.Errorf("over what stays: %d", resp.StatusCode)
	}
	e.reload()
	if refused(e.plainHTTP) {
		t.Error("the plain port isn't open again")
	}
}

// A refusal names the place of each change that needs a restart.
func TestReloadSaysWhatNeedsARestart(t *testing.T) {
	e := startEdge(t)
	e.replace = []string{"asn: 64512", "asn: 64513", "router_id: 127.0.0.1", "router_id: 127.0.0.9"}
	e.write(e.configText())
	err := e.node.Reload()
	if err == nil {
		t.Fatal("a reload that needs a restart succeeded")
	}
	for _, want := range []string{":12:8: bgp.asn: a reload can't", ":13:14: bgp.router_id: a reload can't"} {
		if !strings.Contains(err.Error(), e.file+want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}

// What probes found last must not hold a VIP down once nobody probes any more.
func TestReloadWithoutProbesForgetsThem(t *testing.T) {
	e := startEdge(t)
	e.awaitAnnounced()
	e.origin.Close()
	e.await("depreferred", func() bool { return e.level() == routing.Depreferred })
	e.reload(", probe: {path: /healthz, interval: 50ms, timeout: 1s, fall: 2, rise: 1}", "")
	e.await("announced again", func() bool { return e.level() == routing.Announced })
	all, err := e.node.control.Explain("www")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all[0].Signals {
		if s.Name == health.OriginProbe && s.Grade != health.Unknown {
			t.Errorf("%s, with nobody who probes", s)
		}
	}
}

// A renewal on disk is served without a reload, and connections that are open stay.
func TestRenewedCertificateIsServed(t *testing.T) {
	e := startEdge(t)
	e.awaitAnnounced()
	open, done := e.client().transport("HTTP/2.0")
	defer done()
	e.getBy(open, "shop.example.com", "/")
	before := e.served()
	writePair(t, filepath.Dir(e.file), "shop.example.com", "localhost")
	e.await("the new certificate", func() bool { return e.served() != before })
	if resp, _ := e.getBy(open, "shop.example.com", "/"); resp.StatusCode != 200 {
		t.Errorf("over the connection from before: %d", resp.StatusCode)
	}
}

// served is the serial number of the certificate that a client gets.
func (e *edge) served() string {
	e.t.Helper()
	c, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", e.https), &tls.Config{ServerName: "shop.example.com", InsecureSkipVerify: true})
	if err != nil {
		e.t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func TestReadyWhileSomebodyHears(t *testing.T) {
	e := startEdge(t)
	e.awaitAnnounced()
	if err := e.node.Ready(); err != nil {
		t.Errorf("announced: %v", err)
	}
	if code, out := e.command("drain"); code != exitGood {
		t.Fatalf("%d %s", code, out)
	}
	e.await("not ready when withdrawn", func() bool {
		err := e.node.Ready()
		return err != nil && strings.Contains(err.Error(), "no VIP is announced: www: drain")
	})
	e.router.Close()
	e.await("not ready without a session", func() bool {
		err := e.node.Ready()
		return err != nil && strings.Contains(err.Error(), "no BGP session is established: router: ")
	})
}

//go:build lab

package lab_test

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
)

// The VIP is in the routers' kernels, and a client on the other side of them gets the origin's content, octet by
// octet the same, over IPv4 and IPv6, H1, H2 and H3, from the cache the second time.
func TestServe(t *testing.T) {
	f := assemble(t)
	f.Start(lab.Quick(), f.Ams, f.Fra)
	f.waitNormal(upLimit)
	t.Logf("node started → in its router's forwarding table, IPv4 and IPv6: BIRD %v, FRR %v",
		ms(waitVia(f.ams, "ams-1", 0).Sub(f.Ams.Node.Started)), ms(waitVia(f.fra, "fra-1", 0).Sub(f.Fra.Node.Started)))

	const target = "/bytes/100000"
	want := lab.Content(100_000)
	for i, vip := range []netip.Addr{lab.VIP4, lab.VIP6} {
		for _, version := range []string{"--http1.1", "--http2"} {
			content, cacheStatus := f.curl(t, vip, version, target)
			if !bytes.Equal(content, want) {
				t.Errorf("%s %s: %d octets that are not the origin's", version, vip, len(content))
			}
			first := i == 0 && version == "--http1.1"
			if hit := strings.HasPrefix(cacheStatus, "ams-1; hit"); hit == first {
				t.Errorf("%s %s: Cache-Status: %s", version, vip, cacheStatus)
			}
		}
		content, headers := f.h3(t, vip, target)
		if !bytes.Equal(content, want) {
			t.Errorf("h3 %s: %d octets that are not the origin's", vip, len(content))
		}
		if !strings.Contains(headers, "ams-1; hit") {
			t.Errorf("h3 %s: no hit: %s", vip, headers)
		}
	}
	if n := f.Site.Requests(target); n != 1 {
		t.Errorf("the origin was asked %d times, want 1", n)
	}
	f.h2load(t)
}

// curl fetches target through a VIP.
func (f *fleet) curl(t *testing.T, vip netip.Addr, version, target string) (content []byte, cacheStatus string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "content")
	out, err := f.Client.Exec(within(t, 10*time.Second), "curl", "--silent", "--show-error", "--fail", version,
		"--cacert", f.CA.File, "--connect-to", "::"+connectTo(vip), "--output", file,
		"--write-out", "%header{cache-status}", "https://"+lab.SiteName+target)
	if err != nil {
		f.Fatalf("curl: %v", err)
	}
	return readFile(t, file), out
}

// connectTo is an address and port 443 as curl and h2load want them.
func connectTo(vip netip.Addr) string { return netip.AddrPortFrom(vip, 443).String() }

// h3 fetches target with ngtcp2's client.
func (f *fleet) h3(t *testing.T, vip netip.Addr, target string) (content []byte, headers string) {
	t.Helper()
	dir := t.TempDir()
	out, err := f.Client.Exec(within(t, 10*time.Second), "gtlsclient", "--download="+dir, "--exit-on-all-streams-close",
		"--no-quic-dump", "--no-http-dump", "--sni="+lab.SiteName, vip.String(), "443", "https://"+lab.SiteName+target)
	if err != nil {
		f.Fatalf("gtlsclient: %v", err)
	}
	return readFile(t, filepath.Join(dir, filepath.Base(target))), out
}

var succeeded = regexp.MustCompile(`(\d+) succeeded`)

// h2load asks for many at once over H2, from the cache.
func (f *fleet) h2load(t *testing.T) {
	t.Helper()
	out, err := f.Client.Exec(within(t, 20*time.Second), "h2load", "-n", "1000", "-c", "10", "-m", "10",
		"--connect-to="+vip4, "https://"+lab.SiteName+"/bytes/1000")
	if err != nil {
		f.Fatalf("h2load: %v", err)
	}
	if m := succeeded.FindStringSubmatch(out); m == nil || m[1] != "1000" {
		t.Errorf("h2load: %s", out)
	}
	if n := f.Site.Requests("/bytes/1000"); n != 1 {
		t.Errorf("the origin was asked %d times for 1000 requests, want 1", n)
	}
}

func readFile(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/disk"
	"github.com/anyedge/anyedge/proxy/origin"
	"github.com/anyedge/anyedge/routing"
	edgetls "github.com/anyedge/anyedge/tls"
	"github.com/anyedge/anyedge/tls/secret"
)

func TestStatusText(t *testing.T) {
	now := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	mistakeAt := ago(5 * time.Second)
	s := Status{
		Node: "ams-1", Version: "v1.0.0", Started: ago(time.Hour),
		Config:  ConfigStatus{File: "node.yaml", Loaded: ago(time.Minute), Mistake: "node.yaml:1:1: one\nnode.yaml:2:2: two", MistakeAt: &mistakeAt},
		VIPs:    []VIPStatus{{Name: "www", LevelName: "announced", Since: ago(time.Minute), Text: "well: all is well"}},
		Peers:   []routing.Peer{{Name: "edge-a", State: "active", ASN: 64496, Since: ago(time.Second), LastError: "connection refused"}},
		Origins: []origin.Status{{Name: "shop", Servers: []origin.ServerStatus{{URL: "http://192.0.2.80", State: origin.Up, Since: ago(time.Second), InFlight: 1}}}},
		Cache:   cache.Stats{Responses: 1, Bytes: 2048, SiteStats: cache.SiteStats{Requests: 4, Hits: 2, SentBytes: 10, HitBytes: 8}},
		Disks:   []disk.Stats{{Disk: "/cache", State: disk.Full, Reason: "no space left on device", Records: 1, Bytes: 1 << 30, Size: 2 << 30}},
		Certificates: []edgetls.CertificateInfo{
			{Names: []string{"shop.example.com"}, NotAfter: now, Key: "ECDSA P-256", File: "shop.pem", Warning: "expires today"},
		},
		FleetSecret: []secret.Description{{Role: secret.Current, Number: 3, Fingerprint: "0123456789abcdef"}},
	}
	const want = `node ams-1 in no metro, anyedge v1.0.0, up 1h0m0s
config node.yaml, loaded 1m0s ago
REFUSED at the last reload, 5s ago:
  node.yaml:1:1: one
  node.yaml:2:2: two
vip     www               announced         for 1m0s     well: all is well
peer    edge-a            active            for 1s       AS64496, 0 routes – connection refused
origin  shop              up                for 1s       http://192.0.2.80, 1 in flight
cache   1 response        2.0 KiB           2 hits       50% of requests, 80% of octets; forwarded: none
disk    /cache            full              1 record     1.0 GiB of 2.0 GiB – no space left on device
cert    shop.example.com  until 2026-11-23  ECDSA P-256  shop.pem – expires today
secret  3                 current           0123456789abcdef
`
	var got strings.Builder
	if err := s.write(&got, now); err != nil || got.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got.String(), want)
	}
}

func TestStatusOfSites(t *testing.T) {
	sites := map[string]cache.SiteStats{"shop": {Requests: 4, Hits: 1, SentBytes: 8}, "blog": {Requests: 5}}
	for i := range mostSites {
		sites[fmt.Sprintf("small-%02d", i)] = cache.SiteStats{}
	}
	var got strings.Builder
	writeSites(&got, sites)
	if lines := strings.Split(got.String(), "\n"); len(lines) != mostSites+2 || lines[0] != "site\tblog\t5 requests\t0 hits\t0% of requests, 0% of octets" ||
		lines[1] != "site\tshop\t4 requests\t1 hit\t25% of requests, 0% of octets" || lines[mostSites] != "\t2 more" {
		t.Error(got.String())
	}
}

func TestSizes(t *testing.T) {
	for n, want := range map[int64]string{0: "0.0 KiB", 1536: "1.5 KiB", 1<<20 - 1: "1024.0 KiB", 1 << 20: "1.0 MiB", 5 << 30: "5.0 GiB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

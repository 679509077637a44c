package routing_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

// TestExplain answers the question that the product is for: when a node is unhealthy but still reachable, what exact
// signal stops it from attracting traffic? The answers are in testdata/explain.
func TestExplain(t *testing.T) {
	local := time.Local
	time.Local = time.UTC // explain prints the node's own time
	t.Cleanup(func() { time.Local = local })
	for name, play := range map[string]func(b *bench){
		"not_proven": func(b *bench) {
			b.tracker.SelfCheck("www", health.SelfCheck, errors.New("dial tcp 198.51.100.10:443: connect: connection refused"))
			b.speaker.peers[0].AdjOut = nil
			b.pass(4 * time.Second)
		},
		"announced": func(b *bench) {
			b.announce()
			b.tracker.SelfCheck("www", health.SelfQUIC, nil)
			b.requests("shop", 100, 0)
			b.pass(time.Second)
		},
		"origin_down": func(b *bench) {
			b.announce()
			b.requests("shop", 100, 0)
			b.requests("shop", 0, 30) // it wakes nobody
			b.tracker.Servers("shop", 0, 2, "connection refused")
			b.pass(2 * time.Minute)
		},
		"origin_failing_in_part": func(b *bench) {
			b.announce()
			b.requests("shop", 70, 30)
			b.pass(time.Second)
		},
		"withdrawn": func(b *bench) {
			b.announce()
			b.fail("www", errors.New("tls: no certificate for shop.example.com"))
			b.speaker.peers[0] = routing.Peer{Name: "edge-a", ASN: 64496, State: "idle", Since: time.Now(), LastError: "hold timer expired"}
			b.tracker.SelfCheck("www", health.SelfCheck, nil)
			b.pass(time.Minute)
		},
		"last_door": func(b *bench) {
			b.Consult(&others{&routing.Fleet{Metro: "ams", Load: 2e9, Nodes: []routing.Node{
				{Name: "ams-2", Metro: "ams", Age: time.Second, Verified: time.Second, Level: routing.Withdrawn, Headroom: -1},
				{Name: "fra-1", Metro: "fra", Age: time.Second, Verified: 8 * time.Second, Headroom: 6e9},
				{Name: "sin-1", Metro: "sin", Age: time.Minute, Verified: -1, Headroom: 6e9, Problem: "VIP www: dial tcp 192.0.2.31:443: i/o timeout"},
				{Name: "syd-1", Metro: "syd", Age: -1, Verified: 0, Headroom: 6e9},
			}}})
			b.announce()
			b.fail("www", errors.New("tls: no certificate for shop.example.com"))
			b.pass(time.Minute)
		},
		"overloaded": func(b *bench) {
			b.announce()
			if err := b.Force("www", routing.LightlyDepref, time.Hour, "the carrier works on the line"); err != nil {
				b.t.Fatal(err)
			}
			b.tracker.Load([]health.Figure{{Name: health.CPU, Subject: health.WholeNode, Value: .9, Detail: "this process uses 90% of 2 processors"}})
			b.pass(time.Second)
		},
		"draining": func(b *bench) {
			b.announce()
			_ = b.Drain("", 0, "replace the switch")
			b.pass(4 * time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, www)
				b.speaker.peers = []routing.Peer{{
					Name: "edge-a", Address: "192.0.2.1", ASN: 64496, State: "established", Since: time.Now(), AdjOut: []string{v4.String(), "203.0.113.0/24"},
				}}
				b.run()
				defer b.stop()
				play(b)
				golden(t, "testdata/explain/"+name+".txt", b.text())
				checkJSON(t, b.explanation("www"))
			})
		})
	}
}

// requests has origin serve ok fills well within its limits, and failed ones not at all.
func (b *bench) requests(origin string, ok, failed int) {
	for range ok {
		b.tracker.Request(origin)
		b.tracker.Fill(origin, health.Fill{OK: true, FirstByte: 80 * time.Millisecond})
	}
	for range failed {
		b.tracker.Request(origin)
		b.tracker.Fill(origin, health.Fill{Server: "https://192.0.2.80:8443", Detail: "connection_refused"})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s says otherwise; got:\n%s", file, got)
	}
}

// checkJSON: what `anyedge explain` reads back from the admin API prints the same.
func checkJSON(t *testing.T, e routing.Explanation) {
	t.Helper()
	var back routing.Explanation
	if err := json.Unmarshal([]byte(asJSON(t, e)), &back); err != nil {
		t.Fatal(err)
	}
	if back.String() != e.String() {
		t.Errorf("read back it says\n%s", back)
	}
	if len(back.History) != len(e.History) || len(e.History) == 0 {
		t.Errorf("%d records of %d", len(back.History), len(e.History))
	}
	for _, r := range back.History {
		if got := routing.Decide(r.Input); asJSON(t, got) != asJSON(t, r.Decision) {
			t.Errorf("replayed: %s, recorded: %s", asJSON(t, got), asJSON(t, r.Decision))
		}
	}
}

func TestExplainGivesTheDateOfAnotherDay(t *testing.T) {
	e := routing.Explanation{VIP: "www", Since: noon, Now: noon.Add(25 * time.Hour)}
	if want := "since 2026-01-01 12:00:00 (25h)"; !strings.Contains(e.String(), want) {
		t.Errorf("want %q in\n%s", want, e)
	}
	e.Now = noon.Add(11 * time.Hour)
	if want := "since 12:00:00 (11h)"; !strings.Contains(e.String(), want) {
		t.Errorf("want %q in\n%s", want, e)
	}
}

func TestExplainIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, www)
		b.run()
		defer b.stop()
		b.announce()
		for range 50 {
			b.tracker.Servers("shop", 0, 2, "")
			b.pass(time.Second)
			b.tracker.Servers("shop", 2, 2, "")
			b.pass(time.Second)
		}
		e := b.explanation("www")
		if len(e.History) != 32 || !e.History[0].Input.Now.After(e.History[31].Input.Now) {
			t.Errorf("%d records", len(e.History))
		}
		if n := strings.Count(e.String(), "\n"); n > 40 {
			t.Errorf("%d lines for people", n)
		}
	})
}

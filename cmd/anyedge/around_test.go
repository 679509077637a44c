package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/proxy/origin"
)

func TestAftermath(t *testing.T) {
	at := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	before := tally{at: at, fills: origin.Totals{Sent: 100, Failed: 1}}
	began := tally{at: at.Add(10 * time.Second), lost: map[string]map[string]int{"www": {"h1 reset": 1}, "dns": {"h3 reset": 9}}, fills: origin.Totals{Sent: 120, Failed: 1}}
	after := tally{
		at:   at.Add(20 * time.Second),
		lost: map[string]map[string]int{"www": {"h1 reset": 3, "h3 timeout": 8}, "dns": {"h3 reset": 11}}, fills: origin.Totals{Sent: 121, Failed: 2, Retries: 1},
	}
	c := &change{vip: "www", text: "198.51.100.0/24 withdrawn", more: 2, before: before, began: began}
	const want = `in the 10s after "198.51.100.0/24 withdrawn" and 2 more: 10 connections lost (h1 reset 2, h3 timeout 8), 1 of 1 fill failed, 1 retried; ` +
		`in the 10s before: 1 connection lost (h1 reset 1), 0 of 20 fills failed, 0 retried`
	if got := c.aftermath(after); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	reloaded := tally{at: after.at}
	if got := harm("www", after, reloaded); got != "0 connections lost, 0 of 0 fills failed, 0 retried" {
		t.Error(got)
	}
	if past := (tallies{}); len(past.add(before)) != 1 {
		t.Error("the first tally isn't kept")
	}
	past := tallies{}
	for range 30 {
		past = past.add(before)
	}
	if len(past) != int(aroundSpan/aroundStep)+1 {
		t.Errorf("%d tallies are kept", len(past))
	}
}

// A connection that is reset after its VIP's routes have changed is told of beside that change.
func TestAroundAChange(t *testing.T) {
	e := startEdge(t)
	changes := map[string]*change{}
	past := tallies{e.node.tally()}
	for _, ev := range []health.Event{{Kind: health.EventRoute, Subject: "edge-a"}, {Kind: health.EventConn, Subject: "www"}} {
		e.node.routeChanged(changes, past, ev)
	}
	if len(changes) != 0 {
		t.Fatalf("a peer's session, or a connection, passes for a change of route: %v", changes)
	}
	for range 2 {
		e.node.routeChanged(changes, past, health.Event{Kind: health.EventRoute, Subject: "www", Text: "198.51.100.0/24 announced"})
	}
	c, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", e.https), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET /"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.NetConn().(*net.TCPConn).SetLinger(0), c.NetConn().Close()); err != nil {
		t.Fatal(err)
	}
	e.await("the reset is counted", func() bool { return len(e.node.connections.Lost("www")) > 0 })
	if text := changes["www"].aftermath(e.node.tally()); !strings.Contains(text, `after "198.51.100.0/24 announced" and 1 more: 1 connection lost (h1 reset 1), `) {
		t.Error(text)
	}
}

package main

import (
	"strings"
	"testing"
)

// A certificate that ends soon, and a name that none covers, are told by explain; the VIP stays announced.
func TestCertificatesAreWatched(t *testing.T) {
	e := newEdge(t)
	e.replace = []string{
		"hosts: [shop.example.com, localhost]", "hosts: [shop.example.com, localhost, other.example.com]",
		"health: {", "health: {certificate_expiry: 365d, ",
	}
	e.write(e.configText())
	e.begin()
	e.awaitAnnounced()
	e.await("the signal warns of three names", func() bool {
		_, text := e.command("explain", "www")
		return strings.Contains(text, "3 names >= warn 1 name") && strings.Contains(text, "no certificate covers other.example.com") &&
			strings.Contains(text, "that of localhost expires")
	})
	e.replace = nil
	e.write(e.configText())
	if err := e.node.Reload(); err != nil {
		t.Fatal(err)
	}
	e.await("the signal is ok", func() bool {
		_, text := e.command("explain", "www")
		return strings.Contains(text, "0 names < warn 1 name")
	})
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A prefix that its holder has given to another AS isn't announced; one that nobody has signed is, with a warning.
func TestCheckValidatesOrigins(t *testing.T) {
	dir := t.TempDir()
	vrps, file := filepath.Join(dir, "vrps.json"), filepath.Join(dir, "node.yaml")
	write := func(file, text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(file, `node: {name: a, address: 192.0.2.11}
vips: {www: {addresses: [198.51.100.10], announce: [198.51.100.0/24], http: 80, plain: true}}
bgp:
  asn: 64496
  router_id: 192.0.2.11
  rpki: {vrps_file: `+vrps+`}
  peers: [{name: edge-a, address: 192.0.2.1, asn: 64511}]
`)
	for _, c := range []struct {
		prefix    string
		maxLength int
		asn       uint32
		code      int
		want      string
	}{
		{"198.51.100.0/22", 24, 64496, exitGood, "good"},
		{"198.51.100.0/22", 22, 64496, exitBad, file + ":2:53: vips.www.announce[0]: 198.51.100.0/24 by AS64496 is invalid by RPKI"},
		{"198.51.100.0/24", 24, 64497, exitBad, "signed is [198.51.100.0/24 up to /24 by AS64497]"},
		{"203.0.113.0/24", 24, 64496, exitGood, "warning: vips.www.announce[0]: 198.51.100.0/24: nobody has signed"},
	} {
		write(vrps, fmt.Sprintf(`{"roas": [{"prefix": %q, "maxLength": %d, "asn": %d}]}`, c.prefix, c.maxLength, c.asn))
		if code, out := command(t, "check", "-c", file); code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%+v: %d %s", c, code, out)
		}
	}
	write(vrps, "torn")
	if code, out := command(t, "check", "-c", file); code != exitBad || !strings.Contains(out, file+":6:21: bgp.rpki.vrps_file: "+vrps) {
		t.Errorf("%d %s", code, out)
	}
}

//go:build lab

package lab_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/bench/lab"
)

// A reload changes what it changes and nothing else: one UPDATE with the new attribute, the sessions stay, a transfer
// that was under way ends whole. A mistake changes nothing, and status shows it.
func TestReload(t *testing.T) {
	f := start(t, lab.Quick())
	wire := f.Ams.ToNode.A.Capture("tcp port 179")
	const size = 20_000_000
	resp, err := f.HTTP(vip4).Get("https://" + lab.SiteName + "/fresh/20000000")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()

	changed := lab.Quick()
	changed.BGP = "levels: {0: {med: 50}}"
	f.Ams.Node.Reload(f.Config(f.Ams, changed))
	for _, p := range lab.Prefixes() {
		f.Await("edge-ams learns the new MED", moveLimit, func() bool {
			path, ok := learned(f.Ams, p)
			return ok && path.MED == 50
		})
	}
	f.Ams.Node.Reload(f.Config(f.Ams, changed) + "\nbogus: true\n")
	f.Await("status shows the mistake", moveLimit, func() bool {
		status, err := f.Ams.Node.CLI("status")
		return err == nil && strings.Contains(status, "bogus")
	})

	content, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Equal(content, lab.Content(size)) {
		t.Errorf("the transfer that was under way: %d octets, %v", len(content), err)
	}
	updates := 0
	for _, u := range wire.Stop() {
		if !from(f.Ams, u) {
			continue
		}
		updates++
		if len(u.Withdrawn) > 0 || u.MED != 50 {
			t.Errorf("sent: %v", u)
		}
	}
	if updates != len(lab.Prefixes()) { // a new session would have begun with more
		t.Errorf("%d UPDATEs, want one for each prefix", updates)
	}
}

//go:build lab

package lab_test

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
)

// The status page, in a browser: what it shows came by its scripts, and is what the node says elsewhere.
func TestStatusPage(t *testing.T) {
	f := assemble(t)
	f.Start(lab.Quick(), f.Ams)
	f.waitAnnounced(f.Ams, upLimit)
	f.Ams.ToOrigin.Cut()
	f.waitDepreferred(f.Ams, moveLimit)

	text := f.browse(t, "--dump-dom")
	for _, want := range []string{
		"ams-1", "depreferred (level 2)", "origin_path_critical: origin site", "<svg", "polyline", "edge4 AS64501",
		"established", lab.Prefix4.String(), "https://192.0.2.80:8443", "ECDSA P-256",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page doesn't show %q", want)
		}
	}
	if strings.Contains(text, `role="status">The node`) {
		t.Error("the page can't follow the node")
	}
	for name, args := range map[string][]string{
		"phone":   {"--window-size=390,1400"},
		"desktop": {"--window-size=1280,1400", "--blink-settings=preferredColorScheme=0"}, // in the dark
	} {
		shot := filepath.Join(cmp.Or(os.Getenv("ANYEDGE_LAB_PICTURES"), t.TempDir()), name+".png") // to be looked at
		f.browse(t, append(args, "--screenshot="+shot)...)
		if picture, err := os.Stat(shot); err != nil || picture.Size() < 20_000 {
			t.Errorf("the picture for a %s: %v, %v", name, picture, err)
		}
	}
}

// browse opens the status page of ams's node in a browser on its host, and returns what the browser prints.
func (f *fleet) browse(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args = append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--user-data-dir=" + t.TempDir(),
		"--timeout=5000", // in ms, in which the page shows what it gets
	}, args...)
	out, err := f.Ams.Host.Exec(ctx, "chromium", append(args, "http://127.0.0.1:9180/")...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return out
}

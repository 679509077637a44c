//go:build lab

package lab_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
)

// The origin answers one metro's node, but late: nothing fails, and yet clients are better off elsewhere.
func TestSlowOrigin(t *testing.T) {
	f := start(t, lab.Quick())
	load := f.Load(vip4, "/fresh/1000", 20*time.Millisecond)
	f.waitAnswersBy(load, "ams-1", time.Now(), 10)

	begin := time.Now()
	f.Site.Delay(f.Ams.ToNode.B.V4, 2500*time.Millisecond)
	inAms, inCore := waitMoved(f.ams, "ams-1", moveLimit), waitMoved(f.core, "edge-ams", moveLimit)
	t.Logf("origin answers after 2.5 s → BIRD's forwarding table in the metro: %v, beyond it: %v (90%% of fills in 2 s, 50 of them at least)",
		ms(inAms.Sub(begin)), ms(inCore.Sub(begin)))
	f.checkDepreferred(t, f.Ams)
	if text := f.Ams.Node.Explain(); !strings.Contains(text, "origin_path_critical") || !strings.Contains(text, "fill_latency") {
		t.Error("explain doesn't name the latency")
	}
	t.Logf("explain:\n%s", f.Ams.Node.Explain())
	f.waitAnswersBy(load, "fra-1", inCore, 25)

	restored := time.Now()
	f.Site.Delay(f.Ams.ToNode.B.V4, 0)
	back := f.waitNormal(upLimit)
	t.Logf("restored → back at ams: %v", ms(back.Sub(restored)))
	checkFailures(t, "not stored", load.Stop(), f.flips()...)
}

// One metro's way to the origin comes and goes each second: the route follows a few times, and then no more, before a
// router's own damping would notice.
func TestFlappingOrigin(t *testing.T) {
	const cycles = 12
	f := start(t, lab.Quick())
	wire := f.Ams.ToNode.A.Capture("tcp port 179")
	load := f.Load(vip6, "/fresh/1000", 20*time.Millisecond)
	f.waitAnswers(load, 10)
	began := time.Now()
	for range cycles {
		f.Ams.ToOrigin.Cut()
		f.waitAnswers(load, 40) // 0.8 s at least
		f.Ams.ToOrigin.Restore()
		f.waitAnswers(load, 40)
	}
	moves := 0
	for _, e := range f.core.History(lab.Prefix6) {
		if e.At.After(began) {
			moves++
		}
	}
	t.Logf("%d times in %v the origin's link went and came → %d changes of the world's route", cycles, time.Since(began).Round(time.Second), moves)
	if moves > 8 {
		t.Error("the route follows the link: at most 4 times away and back are allowed in an hour")
	}
	t.Logf("explain:\n%s", f.Ams.Node.Explain())
	all := load.Stop()
	t.Logf("clients, content not stored: %d of %d requests failed", len(all.Failed()), len(all))
	if err := neverWithdrawn(f.Ams, wire.Stop()); err != nil {
		t.Error(err)
	}
}

// A node that can open no more files accepts no connection: it finds that by asking itself, and leaves.
func TestOutOfDescriptors(t *testing.T) {
	f := start(t, lab.Quick())
	load := f.Load(vip4, "/page", 20*time.Millisecond)
	f.waitAnswersBy(load, "ams-1", time.Now(), 10)

	begin := time.Now()
	f.Ams.Node.Descriptors(8)
	inAms, inCore := waitMoved(f.ams, "ams-1", moveLimit), waitMoved(f.core, "edge-ams", moveLimit)
	t.Logf("out of descriptors → BIRD's forwarding table in the metro: %v, beyond it: %v", ms(inAms.Sub(begin)), ms(inCore.Sub(begin)))
	f.waitAnswersBy(load, "fra-1", inCore, 25)

	f.Ams.Node.Descriptors(1024)
	text := f.Ams.Node.Explain()
	t.Logf("explain:\n%s", text)
	if !strings.Contains(text, "self_check_failed") {
		t.Error("explain doesn't name the self check")
	}
	back := f.waitNormal(upLimit)
	t.Logf("descriptors again → back at ams: %v", ms(back.Sub(begin)))
	checkFailures(t, "stored", load.Stop(), f.failover(begin, inCore)...)
}

// Somebody fills the disks that the cache and the state file are on: the node goes on from memory, and says so. They are
// two, since the cache makes room on its own.
func TestDiskFull(t *testing.T) {
	dir, states := mountSmall(t), mountSmall(t)
	s := lab.Quick()
	s.More = strings.Replace(s.More, "routing: {", "routing: {state_file: "+states+"/state.json, ", 1) +
		"cache: {disk: {path: " + dir + "/cache, size: 40MiB, segment: 4MiB}, max_object: 1MiB}\n"
	f := assemble(t)
	f.Start(s, f.Ams)
	f.waitAnnounced(f.Ams, upLimit)
	stored := f.Load(vip4, "/page", 20*time.Millisecond)
	f.waitAnswersBy(stored, "ams-1", time.Now(), 10)

	ballast(t, filepath.Join(dir, "ballast"))
	ballast(t, filepath.Join(states, "ballast"))
	sizes := 0
	f.Await("the disk tier is full", upLimit, func() bool {
		sizes++
		resp, err := f.HTTP(vip4).Get(fmt.Sprintf("https://%s/bytes/%d", lab.SiteName, 200_000+sizes))
		if err != nil {
			t.Errorf("a page that isn't stored: %v", err)
			return true
		}
		_, _ = io.Copy(io.Discard, resp.Body) // to its end, so that it is stored
		resp.Body.Close()
		text, err := f.Ams.Node.CLI("status")
		return err == nil && strings.Contains(text, "disk    "+dir) && strings.Contains(text, " full ")
	})
	f.cli(t, "force", "www", "1", "--for", "1m", "--reason", "the state file can't be written")
	f.Ams.Node.WaitLog("a restart would forget the damping", moveLimit)
	f.cli(t, "unforce", "www")

	if err := os.Remove(filepath.Join(dir, "ballast")); err != nil {
		t.Fatal(err)
	}
	f.Await("the disk tier works again", upLimit, func() bool {
		text, err := f.Ams.Node.CLI("events")
		return err == nil && strings.Contains(text, "works again")
	})
	f.waitAnnounced(f.Ams, upLimit)
	checkFailures(t, "stored", stored.Stop())
}

// mountSmall mounts a file system of 64 MiB for the time of the test, and returns where.
func mountSmall(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64m", "lab", dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
		}
	})
	return dir
}

// ballast fills a file system with one file.
func ballast(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	block := make([]byte, 1<<20)
	for err == nil {
		_, err = file.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

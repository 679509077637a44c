package target

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func get(t *testing.T, o *Origin, path string, fields ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+o.Address()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, content
}

func TestOrigin(t *testing.T) {
	o, err := NewOrigin("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	resp, whole := get(t, o, Path(200_000, time.Hour, 7))
	if resp.StatusCode != 200 || len(whole) != 200_000 || resp.Header.Get("Cache-Control") != "public, max-age=3600" {
		t.Errorf("%v %v, %d octets", resp.Status, resp.Header, len(whole))
	}
	resp, part := get(t, o, Path(200_000, time.Hour, 7), "Range", "bytes=70000-169999")
	if resp.StatusCode != 206 || string(part) != string(whole[70000:170000]) || resp.Header.Get("Content-Range") != "bytes 70000-169999/200000" {
		t.Errorf("%v %v, %d octets", resp.Status, resp.Header, len(part))
	}
	if resp, part := get(t, o, Path(200_000, time.Hour, 7), "Range", "bytes=199990-"); resp.StatusCode != 206 || len(part) != 10 {
		t.Errorf("the end: %v, %d octets", resp.Status, len(part))
	}
	if resp, _ := get(t, o, Path(200_000, time.Hour, 7), "If-None-Match", resp.Header.Get("Etag")); resp.StatusCode != 304 {
		t.Errorf("validated: %v", resp.Status)
	}
	if resp, _ := get(t, o, Path(1, 0, 0)); resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("what may not be stored: %v", resp.Header)
	}
	if resp, _ := get(t, o, "/else"); resp.StatusCode != 404 {
		t.Errorf("nothing there: %v", resp.Status)
	}
	if o.Requests() != 6 || o.Octets() != 200_000+100_000+10+1 {
		t.Errorf("it counts %d requests, %d octets", o.Requests(), o.Octets())
	}
}

func TestOriginGoesAndComes(t *testing.T) {
	o, err := NewOrigin("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	at := o.Address()
	get(t, o, Path(10, 0, 0))
	o.Down()
	if _, err := http.Get("http://" + at + Path(10, 0, 0)); err == nil {
		t.Error("it answers while it is down")
	}
	if err := o.Up(); err != nil {
		t.Fatal(err)
	}
	if get(t, o, Path(10, 0, 0)); o.Address() != at || o.Requests() != 2 {
		t.Errorf("at %s after %d requests", o.Address(), o.Requests())
	}
}

func TestFilesAreWhatTheOriginHas(t *testing.T) {
	o, err := NewOrigin("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	s, err := NewSite(t.TempDir(), o.Address())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddFile(100_000, time.Hour, 0); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(s.files(), Path(100_000, time.Hour, 0)))
	if err != nil {
		t.Fatal(err)
	}
	if _, content := get(t, o, Path(100_000, time.Hour, 0)); string(content) != string(file) {
		t.Error("they differ")
	}
}

func TestParseStat(t *testing.T) {
	s, err := parseStat("42 (a) b (c)) S 7 42 42 0 -1 4194560 100 0 0 0 150 50 20 30 20 0 1 0 1000 1 1\n")
	if err != nil || s.parent != 7 || s.own+s.waited != 2500*time.Millisecond {
		t.Errorf("%+v, %v", s, err)
	}
	for _, bad := range []string{"", "42 (a", "42 (a) S 7", "42 (a) S x 42 42 0 -1 4194560 100 0 0 0 150 50 20 30 20 0 1", "42 (a) S 7 42 42 0 -1 4194560 100 0 0 0 x 50 20 30 20 0 1"} {
		if _, err := parseStat(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// A process's use is that of all its descendants, those that have ended and those that are there.
// The clock of a process, ours or another's, says what its stat says, only finer.
func TestOwnClock(t *testing.T) {
	for _, pid := range []int{os.Getpid(), os.Getppid()} {
		before, err := readStat(pid)
		if err != nil {
			t.Fatal(err)
		}
		got := own(pid, -1)
		after, err := readStat(pid)
		if err != nil {
			t.Fatal(err)
		}
		if got < before.own-2*tick || got > after.own+2*tick {
			t.Errorf("process %d: %v, and its stat says %v to %v", pid, got, before.own, after.own)
		}
	}
}

func TestUsage(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("there is no /proc")
	}
	const spin = `i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done`
	log := filepath.Join(t.TempDir(), "log")
	p, err := startProcess(-1, log, []string{"WORD=said"}, "sh", "-c",
		fmt.Sprintf(`(%[1]s); sh -c '%[1]s; echo $WORD; exec sleep 1000' & wait`, spin))
	if err != nil {
		t.Fatal(err)
	}
	root := p.cmd.Process.Pid
	var most Usage
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		u, err := usage(root)
		if err != nil {
			t.Fatal(err)
		}
		if u.CPU < most.CPU {
			t.Errorf("the time went from %v back to %v", most.CPU, u.CPU)
		}
		most = u
		pids, err := tree(root)
		if err != nil {
			t.Fatal(err)
		}
		if said, _ := os.ReadFile(log); len(pids) >= 2 && u.CPU >= 30*time.Millisecond && u.Memory > 1<<18 && strings.Contains(string(said), "said") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v, %+v", pids, u)
		}
	}
	pids, _ := tree(root)
	p.stop()
	for _, pid := range pids {
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			if err != nil || strings.Contains(string(text), ") Z ") { // whoever took it over hasn't waited for it yet
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d is still there", pid)
			}
		}
	}
}

func TestPin(t *testing.T) {
	c := Pin()
	called := 0
	if err := OnCore(c.Server, func() error { called++; return nil }); err != nil || called != 1 {
		t.Errorf("%v, called %d times", err, called)
	}
	if again := Pin(); again != c {
		t.Errorf("%+v, and afterwards %+v", c, again)
	}
}

func TestPeersSayWhatIsMissing(t *testing.T) {
	p := &Peer{Needs: []string{"no-such-program"}, Packages: []string{"such"}}
	if why := p.Missing(); !strings.Contains(why, "no-such-program") || !strings.Contains(why, "apt-get install such") {
		t.Error(why)
	}
}

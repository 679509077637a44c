package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// upgradable is a node whose processes follow each other.
type upgradable struct {
	*program
	logFile string
	binary  string
}

// startUpgradable starts a node with more configuration.
func startUpgradable(t *testing.T, more string, replace ...string) *upgradable {
	t.Helper()
	u := newUpgradable(t, more, replace...)
	u.launch()
	return u
}

func newUpgradable(t *testing.T, more string, replace ...string) *upgradable {
	t.Helper()
	u := &upgradable{program: newProgram(t, replace...), logFile: filepath.Join(t.TempDir(), "log")}
	u.write(u.configText() + more)
	var err error
	if u.binary, err = os.Executable(); err != nil {
		t.Fatal(err)
	}
	return u
}

func (u *upgradable) launch() {
	t := u.t
	t.Helper()
	log, err := os.Create(u.logFile) // not through this process, which the first process's end would close it for
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	c, ended := exec.Command(u.binary, "run", "-c", u.file), make(chan struct{})
	c.Env, c.Stdout, c.Stderr = append(append(os.Environ(), asProgram+"=1"), u.env...), log, log
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // all its processes end with the test
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	u.process, u.exited = c, ended
	go func() { // ends with the process, which Cleanup sees to
		defer close(ended)
		_ = c.Wait() // its exit code is asked for where it matters
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		<-ended
		if t.Failed() {
			t.Log(u.logText())
		}
	})
	u.await("announced", func() bool {
		_, out := u.command("status")
		return len(u.router.Table()) == 1 && strings.Contains(out, "announced")
	})
}

func (u *upgradable) logText() string {
	b, _ := os.ReadFile(u.logFile)
	return string(b)
}

// upgrade replaces the process.
func (u *upgradable) upgrade(flags ...string) Upgraded {
	u.t.Helper()
	code, out := u.command(append([]string{"upgrade", "--json"}, flags...)...)
	var result Upgraded
	if err := json.Unmarshal([]byte(out), &result); code != exitGood || err != nil {
		u.t.Fatalf("upgrade: exit code %d: %s", code, out)
	}
	return result
}

func (u *upgradable) status() (s Status) {
	u.t.Helper()
	_, out := u.command("status", "--json")
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		u.t.Fatalf("status: %v: %s", err, out)
	}
	return s
}

// gone waits until a process is, though it may be another process's child.
func (u *upgradable) gone(pid int) {
	u.t.Helper()
	u.await(fmt.Sprintf("process %d ends", pid), func() bool { return !alive(pid) })
}

// alive says whether a process is there and no zombie.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// request begins a request at the VIP.
func (u *upgradable) request(transport http.RoundTripper, method, path string, content io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(u.t.Context(), method, fmt.Sprintf("https://127.0.0.1:%d%s", u.https, path), content)
	if err != nil {
		return nil, err
	}
	r.Host = "shop.example.com"
	return transport.RoundTrip(r)
}

var protocols = []string{"HTTP/1.1", "HTTP/2.0", "HTTP/3.0"}

// visitors ask again and again over connections of their own, until they are stopped.
type visitors struct {
	stop   chan struct{}
	all    sync.WaitGroup
	mu     sync.Mutex // guards the following fields
	served map[string]int
	failed []error
}

func (u *upgradable) visit() *visitors {
	v := &visitors{stop: make(chan struct{}), served: map[string]int{}}
	for _, proto := range protocols {
		v.all.Go(func() {
			for {
				select {
				case <-v.stop:
					return
				default:
				}
				err := u.visitOnce(proto)
				v.mu.Lock()
				v.served[proto]++
				if err != nil {
					v.failed = append(v.failed, fmt.Errorf("%s: %w", proto, err))
				}
				v.mu.Unlock()
			}
		})
	}
	return v
}

func (u *upgradable) visitOnce(proto string) error {
	transport, done := u.client().transport(proto)
	defer done()
	r, err := u.request(transport, "GET", "/page", nil)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err == nil && (r.StatusCode != http.StatusOK || !strings.HasPrefix(string(b), "page ")) {
		err = fmt.Errorf("%d %q", r.StatusCode, b)
	}
	return err
}

func (v *visitors) count(proto string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.served[proto]
}

// more waits until each protocol has served some more.
func (v *visitors) more(u *upgradable, n int) {
	u.t.Helper()
	for _, proto := range protocols {
		want := v.count(proto) + n
		u.await(fmt.Sprintf("%d more over %s", n, proto), func() bool { return v.count(proto) >= want })
	}
}

func (v *visitors) end(t *testing.T) {
	t.Helper()
	close(v.stop)
	v.all.Wait()
	t.Logf("visits: %v, failed: %d", v.served, len(v.failed))
	if err := errors.Join(v.failed...); err != nil {
		t.Error(err)
	}
}

// exchange is a download and an upload that are under way.
type exchange struct {
	proto      string
	downloaded chan error
	upload     *io.PipeWriter
	uploaded   chan error
}

// exchanges begins a download and an upload over each protocol.
func (u *upgradable) exchanges() (list []*exchange) {
	u.t.Helper()
	for _, proto := range protocols {
		x := &exchange{proto: proto, downloaded: make(chan error, 1), uploaded: make(chan error, 1)}
		transport, done := u.client().transport(proto)
		u.t.Cleanup(done)
		download, err := u.request(transport, "GET", "/held", nil)
		if err != nil {
			u.t.Fatal(proto, err)
		}
		u.t.Cleanup(func() { _ = download.Body.Close() })
		go func() { // ends with the download; read below
			b, err := io.ReadAll(download.Body)
			if err == nil && string(b) != "first half\nsecond half\n" {
				err = fmt.Errorf("%q", b)
			}
			x.downloaded <- err
		}()
		r, w := io.Pipe()
		x.upload = w
		up, done := u.client().transport(proto)
		u.t.Cleanup(done)
		u.t.Cleanup(func() { _ = w.CloseWithError(io.ErrUnexpectedEOF) })
		go func() { // ends with the upload; read below
			answer, err := u.request(up, "POST", "/upload", r)
			if err != nil {
				x.uploaded <- err
				return
			}
			defer answer.Body.Close()
			b, err := io.ReadAll(answer.Body)
			if string(b) != fmt.Sprint(2*uploadPart) {
				err = errors.Join(err, fmt.Errorf("%d: %q arrived", answer.StatusCode, b))
			}
			x.uploaded <- err
		}()
		if _, err := w.Write(make([]byte, uploadPart)); err != nil {
			u.t.Fatal(proto, err)
		}
		list = append(list, x)
	}
	return list
}

const uploadPart = 1 << 20

// finish ends what exchanges has begun.
func (u *upgradable) finish(list []*exchange) {
	u.t.Helper()
	close(u.release)
	for _, x := range list {
		if err := <-x.downloaded; err != nil {
			u.t.Errorf("%s: download: %v", x.proto, err)
		}
		_, err := x.upload.Write(make([]byte, uploadPart))
		if err = errors.Join(err, x.upload.Close(), <-x.uploaded); err != nil {
			u.t.Errorf("%s: upload: %v", x.proto, err)
		}
	}
}

// Downloads and uploads go on over an upgrade, new connections are taken all the time, and no router is told anything. What
// was decided and stored goes on.
func TestUpgrade(t *testing.T) {
	u := startUpgradable(t, "cache: {memory: 8MiB, disk: {path: "+filepath.Join(t.TempDir(), "cache")+", size: 32MiB, segment: 1MiB, min_free: 0%}}\n",
		"drain_lead: 200ms", "drain_lead: 200ms, state_file: "+filepath.Join(t.TempDir(), "state.json"))
	before := u.status()
	u.get("HTTP/2.0", "shop.example.com", "/stored")
	list, v := u.exchanges(), u.visit()
	v.more(u, 5)
	updates := len(u.router.Updates())

	result := u.upgrade()
	if result.Former != u.process.Process.Pid || result.PID == result.Former || !slices.Equal(result.Sessions, []string{"router"}) {
		t.Errorf("%+v", result)
	}
	v.more(u, 20)
	s := u.status()
	if s.Upgrade == nil || s.Upgrade.State != upgradeDraining || s.Upgrade.PID != result.Former || !s.Started.After(before.Started) {
		t.Errorf("status after the upgrade: %+v, started %s", s.Upgrade, s.Started)
	}
	if s.VIPs[0].Level != before.VIPs[0].Level || !s.VIPs[0].Since.Equal(before.VIPs[0].Since) {
		t.Errorf("the VIP: %+v, was %+v", s.VIPs[0], before.VIPs[0])
	}
	u.await("what the former process still serves shows", func() bool { return u.status().Upgrade.Connections > 0 })
	if code, out := u.command("upgrade"); code != exitBad || !strings.Contains(out, "the last one isn't over") {
		t.Errorf("a second upgrade: %d %s", code, out)
	}
	if r, _ := u.get("HTTP/1.1", "shop.example.com", "/stored"); !strings.Contains(r.Header.Get("Cache-Status"), "hit") {
		t.Errorf("what is on disk isn't found: %v", r.Header)
	}
	u.finish(list)
	v.more(u, 5)
	u.await("the former process has finished", func() bool { return u.status().Upgrade.State == upgradeSessions })
	if !alive(result.Former) {
		t.Error("the process that holds the BGP session is gone")
	}
	if n := len(u.router.Updates()); n != updates || len(u.router.Table()) != 1 {
		t.Errorf("the router got %d UPDATEs of the upgrade", n-updates)
	}

	// The next one takes the sessions with it, and moves them.
	next := u.upgrade("--move-sessions")
	u.await("the session has moved", func() bool {
		s := u.status()
		return len(s.Peers) == 1 && s.Peers[0].State == "established" && (s.Upgrade == nil || len(s.Upgrade.Sessions) == 0) && len(u.router.Table()) == 1
	})
	u.gone(result.Former)
	v.end(t)
	u.gone(next.Former)
	_, events := u.command("events")
	for _, want := range []string{"upgrade: took over from process", "the session of the former process begins anew at this one"} {
		if !strings.Contains(events, want) {
			t.Errorf("events lack %q:\n%s", want, events)
		}
	}
	if err := syscall.Kill(next.PID, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	u.await("the route is gone", func() bool { return len(u.router.Table()) == 0 })
	u.gone(next.PID)
}

// Where the new process fails, the old one goes on as if nothing had been.
func TestUpgradeThatFails(t *testing.T) {
	u := startUpgradable(t, "")
	good, err := os.ReadFile(u.file)
	if err != nil {
		t.Fatal(err)
	}
	list, v := u.exchanges(), u.visit()
	for name, c := range map[string]struct{ old, new, want string }{
		"a mistake":       {"metro: lab", "metre: lab", u.file + ":1:"},
		"another node":    {"name: test-1", "name: test-2", "an upgrade can't change it"},
		"no certificates": {"cert.pem", "none.pem", "none.pem"},
		"a port in use":   {"addresses: [127.0.0.1]", "addresses: [127.0.0.1, 0.0.0.1]", "0.0.0.1"},
	} {
		u.write(strings.Replace(string(good), c.old, c.new, 1))
		code, out := u.command("upgrade")
		if code != exitBad || !strings.Contains(out, "nothing has changed") || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit code %d: %s", name, code, out)
		}
		v.more(u, 3)
	}
	s := u.status()
	if s.Upgrade == nil || s.Upgrade.State != upgradeFailed || s.Upgrade.Failure == "" {
		t.Errorf("status: %+v", s.Upgrade)
	}
	u.write(string(good))
	u.finish(list)
	v.end(t)
	if n := len(u.router.Table()); n != 1 {
		t.Errorf("%d routes", n)
	}
	u.upgrade() // and later one succeeds
}

// Whoever of both dies on the way, the other one goes on.
func TestUpgradeIsSurvived(t *testing.T) {
	t.Run("the new process dies before it has proven itself", func(t *testing.T) {
		u := startUpgradable(t, "")
		good, err := os.ReadFile(u.file)
		if err != nil {
			t.Fatal(err)
		}
		list, v := u.exchanges(), u.visit()
		u.write(strings.Replace(string(good), "{interval: 50ms, rise: 1}", "{interval: 1s, rise: 100}", 1))
		failed := make(chan string, 1)
		go func() { // ends with the upgrade; read below
			_, out := u.command("upgrade")
			failed <- out
		}()
		u.await("the new process serves", func() bool {
			s := u.status().Upgrade
			return s != nil && s.State == upgradeProving
		})
		u.write(string(good))
		if code, out := u.command("upgrade"); code != exitBad || !strings.Contains(out, "another one is under way") {
			t.Errorf("a second upgrade: %d %s", code, out)
		}
		close(v.stop) // those that the new process serves can't be saved
		v.all.Wait()
		pid := u.status().Upgrade.PID
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if out := <-failed; !strings.Contains(out, "nothing has changed") {
			t.Errorf("%s", out)
		}
		u.gone(pid)
		after := u.visit()
		after.more(u, 5)
		after.end(t)
		u.finish(list)
		u.await("the route stays", func() bool { return len(u.router.Table()) == 1 })
	})
	t.Run("the old process dies while it finishes", func(t *testing.T) {
		u := startUpgradable(t, "")
		_ = u.exchanges()
		result := u.upgrade()
		v := u.visit()
		v.more(u, 3)
		if err := syscall.Kill(result.Former, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		v.more(u, 10)
		u.await("the session at the new process", func() bool {
			s := u.status()
			return s.Upgrade == nil && len(u.router.Table()) == 1 && s.Peers[0].State == "established"
		})
		v.end(t)
	})
	t.Run("the new process dies while the old one finishes", func(t *testing.T) {
		u := startUpgradable(t, "")
		result := u.upgrade()
		if err := syscall.Kill(result.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		u.await("nobody is led here any more", func() bool { return len(u.router.Table()) == 0 })
		u.gone(result.Former)
	})
}

// What is installed need not be a program that works.
func TestUpgradeToABadBinary(t *testing.T) {
	u := newUpgradable(t, "")
	self := u.binary
	u.binary = filepath.Join(t.TempDir(), "anyedge")
	install := func(text string) {
		t.Helper()
		next := u.binary + ".next"
		err := os.Link(self, next)
		if text != "" || errors.Is(err, syscall.EXDEV) {
			_ = os.Remove(next)
			content := []byte(text)
			if text == "" {
				if content, err = os.ReadFile(self); err != nil {
					t.Fatal(err)
				}
			}
			err = os.WriteFile(next, content, 0o755)
		}
		if err := errors.Join(err, os.Rename(next, u.binary)); err != nil {
			t.Fatal(err)
		}
	}
	install("")
	u.launch()
	v := u.visit()
	for text, want := range map[string]string{
		"not a program":         "exec format error",
		"#!/bin/sh\nexit 7\n":   "it has ended without a word",
		"#!/bin/sh\nkill -9 $$": "it has ended without a word",
	} {
		install(text)
		if code, out := u.command("upgrade"); code != exitBad || !strings.Contains(out, want) {
			t.Errorf("%q: exit code %d: %s", text, code, out)
		}
	}
	v.more(u, 5)
	install("")
	u.upgrade()
	v.more(u, 5)
	v.end(t)
}

// What starts is what is installed where the program was called: not where the running one was moved to since, nor where a link
// led to at its start.
func TestUpgradeToWhatIsInstalled(t *testing.T) {
	for name, install := range map[string]func(called, next string) error{
		"the running binary is moved away": func(called, next string) error {
			return errors.Join(os.Rename(called, called+".before"), os.Rename(next, called))
		},
		"a link leads elsewhere": func(called, next string) error {
			return errors.Join(os.Remove(called), os.Symlink(next, called))
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUpgradable(t, "")
			dir, self := t.TempDir(), u.binary
			u.binary = filepath.Join(dir, "anyedge")
			if strings.Contains(name, "link") {
				if err := os.Symlink(self, u.binary); err != nil {
					t.Fatal(err)
				}
			} else {
				copyFile(t, self, u.binary)
			}
			u.launch()
			next := filepath.Join(dir, "next")
			copyFile(t, self, next)
			if err := install(u.binary, next); err != nil {
				t.Fatal(err)
			}
			want, err := os.Stat(u.binary)
			if err != nil {
				t.Fatal(err)
			}
			result := u.upgrade()
			if got, err := os.Stat(fmt.Sprintf("/proc/%d/exe", result.PID)); err != nil || !os.SameFile(got, want) {
				exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", result.PID))
				t.Errorf("process %d runs %s: %v", result.PID, exe, err)
			}
		})
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err := errors.Join(err, os.WriteFile(to, content, 0o755)); err != nil {
		t.Fatal(err)
	}
}

// A process that hangs before it reads what it is offered doesn't have the other one wait for ever, however much that is.
func TestSendToWhatHangs(t *testing.T) {
	here, there, err := unixPair(unix.SOCK_STREAM)
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	w := &wire{conn: here}
	for range 1000 { // messages fill the socket's buffer
		if err = w.sendWithin(100*time.Millisecond, &message{Step: stepRefused, Error: strings.Repeat("x", 4096)}); err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "it doesn't read within 100ms") {
		t.Errorf("%v", err)
	}
	if err := w.send(&message{Step: stepLeads}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after half a message: %v", err)
	}
}

// systemd follows the new process, and a signal asks for an upgrade too.
func TestUpgradeBySignal(t *testing.T) {
	socket, said := notified(t)
	u := newUpgradable(t, "")
	u.env = []string{"NOTIFY_SOCKET=" + socket}
	u.launch()
	u.signal(syscall.SIGUSR2)
	pid := 0
	u.await("MAINPID", func() bool {
		_, rest, found := strings.Cut(said(), "MAINPID=")
		_, _ = fmt.Sscan(rest, &pid)
		return found && pid > 0
	})
	u.await("it took over", func() bool {
		s := u.status().Upgrade
		return s != nil && s.PID == u.process.Process.Pid
	})
	after := strings.LastIndex(said(), "MAINPID=")
	u.await("ready and alive", func() bool {
		return strings.Contains(said()[after:], "READY=1") && strings.Contains(said()[after:], "WATCHDOG=1")
	})
	if !alive(pid) {
		t.Errorf("systemd was told of process %d, which isn't there", pid)
	}
}

// What is purged while two processes serve is gone in both.
func TestPurgeDuringUpgrade(t *testing.T) {
	u := startUpgradable(t, "")
	old, done := u.client().transport("HTTP/2.0")
	defer done()
	held, err := u.request(old, "GET", "/held", nil) // keeps the connection at the old process
	if err != nil {
		t.Fatal(err)
	}
	defer held.Body.Close()
	_, first := u.getBy(old, "shop.example.com", "/purged")
	u.upgrade()
	if _, out := u.command("purge", "--all"); !strings.Contains(out, "purged") {
		t.Errorf("%s", out)
	}
	if _, second := u.get("HTTP/2.0", "shop.example.com", "/purged"); second == first {
		t.Errorf("from the new process: %q", second)
	}
	r, err := u.request(old, "GET", "/purged", nil)
	if err == nil { // the client may have heeded GOAWAY
		defer r.Body.Close()
		if b, _ := io.ReadAll(r.Body); string(b) == first {
			t.Errorf("from the old process: %q", b)
		}
	}
	close(u.release)
}

// With a fleet's steering and gossip the same holds, with the node's numbers as they were.
func TestUpgradeInAFleet(t *testing.T) {
	u := newUpgradable(t, "")
	u.write(u.configText() + u.steeringText())
	u.launch()
	list, v := u.exchanges(), u.visit()
	v.more(u, 3)
	u.upgrade()
	v.more(u, 10)
	u.finish(list)
	v.end(t)
	if s := u.status(); s.Steering == nil || s.Steering.Datagrams["former"] == 0 {
		t.Errorf("steering: %+v", s.Steering)
	}
}

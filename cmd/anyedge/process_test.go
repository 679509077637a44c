package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// asProgram in the environment makes the test binary the program.
const asProgram = "ANYEDGE_TEST_AS_PROGRAM"

// TestMain lets the test binary be the program, for what only a process of its own shows: signals and the exit code.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// program is a node that runs as a process.
type program struct {
	*edge
	env     []string   // more of it
	sockets []*os.File // that systemd has bound for it
	process *exec.Cmd
	exited  chan struct{} // closed when it has
	log     lines
}

// startProgram starts `anyedge run` with the edge's configuration, changed by replacing pairs of old and new text.
func startProgram(t *testing.T, replace ...string) *program {
	t.Helper()
	p := newProgram(t, replace...)
	p.launch()
	return p
}

// newProgram is startProgram without the start.
func newProgram(t *testing.T, replace ...string) *program {
	t.Helper()
	p := &program{edge: newEdge(t)}
	admin := fmt.Sprintf("127.0.0.1:%d", unusedPort(t))
	p.admin = "http://" + admin
	p.replace = append(replace, "127.0.0.1:0", admin)
	p.write(p.configText())
	return p
}

// launch begins the process and waits for its route.
func (p *program) launch() {
	p.t.Helper()
	p.begin()
	p.await("the route", func() bool { return len(p.router.Table()) == 1 })
}

// begin starts the process, and ends it with the test.
func (p *program) begin() {
	p.t.Helper()
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	c, ended := exec.Command(self, "run", "-c", p.file), make(chan struct{})
	c.Env, c.Stderr = append(append(os.Environ(), asProgram+"=1"), p.env...), &p.log
	if p.sockets != nil { // as systemd does, which says whom they are for
		c.Path, c.Args = "/bin/sh", append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, self}, c.Args[1:]...)
		c.Env, c.ExtraFiles = append(c.Env, fmt.Sprint("LISTEN_FDS=", len(p.sockets))), p.sockets
	}
	if err := c.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.process, p.exited = c, ended
	go func() { // ends with the process, which Cleanup sees to
		defer close(ended)
		_ = c.Wait() // its exit code is asked for where it matters
	}()
	p.t.Cleanup(func() {
		_ = c.Process.Kill()
		<-ended
		if p.t.Failed() {
			p.t.Log(p.log.String())
		}
	})
}

func (p *program) signal(s os.Signal) {
	p.t.Helper()
	if err := p.process.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// awaitEnd waits for the process's end.
func (p *program) awaitEnd() {
	p.t.Helper()
	p.await("the process ends", func() bool {
		select {
		case <-p.exited:
			return true
		default:
			return false
		}
	})
}

// awaitExit waits for the process's end, which must be a good one.
func (p *program) awaitExit() {
	p.t.Helper()
	p.awaitEnd()
	if code := p.process.ProcessState.ExitCode(); code != exitGood {
		p.t.Errorf("exit code %d", code)
	}
}

// lines is a log that is read while it is written.
type lines struct {
	mu   sync.Mutex // guards the following field
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) has(s string) func() bool {
	return func() bool { return strings.Contains(l.String(), s) }
}

// A request that came before the listeners close gets its whole answer, long after nobody else gets in.
func TestTermLetsRequestsEnd(t *testing.T) {
	p := startProgram(t)
	transport, done := p.client().transport("HTTP/2.0")
	defer done()
	req, err := http.NewRequestWithContext(t.Context(), "GET", fmt.Sprintf("https://127.0.0.1:%d/held", p.https), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "shop.example.com"
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()

	p.signal(syscall.SIGTERM)
	p.await("the route is gone", func() bool { return len(p.router.Table()) == 0 })
	p.await("the listener is closed", func() bool { return refused(p.https) })
	select {
	case <-p.exited:
		t.Fatal("the process ended with a request in flight")
	default:
	}
	close(p.release)
	content, err := io.ReadAll(resp.Body)
	if err != nil || string(content) != "first half\nsecond half\n" {
		t.Errorf("%q, %v", content, err)
	}
	p.awaitExit()
}

func refused(port uint16) bool {
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return true
	}
	_ = c.Close()
	return false
}

func TestSecondTermStopsAtOnce(t *testing.T) {
	p := startProgram(t, "drain_lead: 200ms", "drain_lead: 10m")
	p.signal(syscall.SIGTERM)
	p.await("draining", p.log.has("draining, then stopping"))
	p.signal(syscall.SIGHUP)
	p.await("the reload is refused", p.log.has("not reloaded: the node is stopping"))
	if len(p.router.Table()) != 1 {
		t.Error("withdrawn before drain_lead")
	}
	p.signal(syscall.SIGTERM)
	p.await("the route is gone", func() bool { return len(p.router.Table()) == 0 })
	p.awaitExit()
}

func TestHangupReloads(t *testing.T) {
	p := startProgram(t)
	p.write("node: {}\n")
	p.signal(syscall.SIGHUP)
	p.await("the mistake shows in status", func() bool {
		_, out := p.command("status")
		return strings.Contains(out, "REFUSED") && strings.Contains(out, p.file+":1:")
	})

	// A log that is rotated goes on in the new file.
	access := filepath.Join(filepath.Dir(p.file), "access.log")
	if err := os.Rename(access, access+".1"); err != nil {
		t.Fatal(err)
	}
	p.write(p.configText())
	p.signal(syscall.SIGHUP)
	p.await("reloaded", p.log.has("msg=reloaded"))
	p.get("HTTP/1.1", "shop.example.com", "/after")
	p.await("the line of the request", func() bool {
		b, _ := os.ReadFile(access) // it is made by the reload
		return bytes.Contains(b, []byte(`"target":"/after"`))
	})
	if _, out := p.command("status"); strings.Contains(out, "REFUSED") {
		t.Errorf("the mistake outlives the good reload:\n%s", out)
	}
}

// A process that is killed says nothing: the router notices by its connection, and the next one comes up at once
// at the same address.
func TestKillAndRestart(t *testing.T) {
	p := startProgram(t)
	killed := time.Now()
	p.signal(syscall.SIGKILL)
	p.await("the route is gone", func() bool { return len(p.router.Table()) == 0 })
	if took := time.Since(killed); took > time.Second {
		t.Errorf("the route went %s after the kill", took)
	}
	<-p.exited
	p.launch()
	if resp, _ := p.get("HTTP/3.0", "shop.example.com", "/"); resp.StatusCode != http.StatusOK {
		t.Errorf("after the restart: %d", resp.StatusCode)
	}
}

// A process that dies again and again is kept apart, and says so. One that is stopped in order isn't.
func TestCrashLoop(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state.json")
	p := startProgram(t, "drain_lead: 200ms", "drain_lead: 200ms, state_file: "+state)
	p.signal(syscall.SIGTERM)
	p.awaitExit()
	for range 2 {
		p.launch()
		p.signal(syscall.SIGKILL)
		<-p.exited
		p.await("the route is gone", func() bool { return len(p.router.Table()) == 0 })
	}
	p.begin()
	p.await("the quarantine", func() bool {
		_, out := p.command("explain")
		return strings.Contains(out, "quarantined: process 3 within") && strings.Contains(out, "able to serve for")
	})
	if len(p.router.Table()) != 0 {
		t.Error("announced in quarantine")
	}
	if code, out := p.command("force", "www", "0", "--for", "10m", "--reason", "the cause is found"); code != exitGood {
		t.Errorf("%d %s", code, out)
	}
	p.await("the route", func() bool { return len(p.router.Table()) == 1 })
}

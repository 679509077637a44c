package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// notified collects what a process tells its supervisor.
func notified(t *testing.T) (socket string, said func() string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	var text lines
	ended := make(chan struct{})
	go func() { // ends when c is closed
		defer close(ended)
		buf := make([]byte, 4096)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			_, _ = text.Write(append(buf[:n:n], '\n'))
		}
	}()
	t.Cleanup(func() {
		_ = c.Close()
		<-ended
	})
	return socket, text.String
}

func TestSystemdIsTold(t *testing.T) {
	socket, said := notified(t)
	p := newProgram(t)
	p.env = []string{"NOTIFY_SOCKET=" + socket}
	p.launch()
	has := func(s string) func() bool { return func() bool { return strings.Contains(said(), s) } }
	p.await("ready", has("READY=1"))
	p.await("the status", has("WATCHDOG=1\nSTATUS=www is announced"))

	p.signal(syscall.SIGHUP)
	p.await("reloading", has("RELOADING=1\nMONOTONIC_USEC="))
	p.await("reloaded", func() bool { return strings.LastIndex(said(), "READY=1") > strings.Index(said(), "RELOADING=1") })

	// A process that is stopped and goes on isn't ended by its own watchdog, which was stopped as well.
	p.signal(syscall.SIGSTOP)
	stopped := strings.Count(said(), "WATCHDOG=1")
	time.Sleep(100 * time.Millisecond) // nothing can be waited for: that there is silence
	p.signal(syscall.SIGCONT)
	p.await("alive again", func() bool { return strings.Count(said(), "WATCHDOG=1") > stopped+2 })

	p.signal(syscall.SIGTERM)
	p.await("stopping", has("STOPPING=1"))
	p.awaitExit()
}

// Sockets that systemd has bound are served, and who connects while nobody serves them waits.
func TestSocketsOfSystemd(t *testing.T) {
	p := newProgram(t)
	var bound []interface{ File() (*os.File, error) }
	for _, port := range []uint16{p.https, p.plainHTTP, 0} {
		ln, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(port)})
		if err != nil {
			t.Fatal(err)
		}
		bound = append(bound, ln)
	}
	quic, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(p.https)})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range append(bound, quic) {
		f, err := b.File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		_ = b.(io.Closer).Close() // the file is another descriptor of it
		p.sockets = append(p.sockets, f)
	}
	early, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", p.plainHTTP))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = early.Close() }()
	if _, err := io.WriteString(early, "GET / HTTP/1.1\r\nHost: shop.example.com\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	p.launch()
	if answer, err := io.ReadAll(early); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 308 ") {
		t.Errorf("%q %v", answer, err)
	}
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0", "HTTP/3.0"} {
		if r, _ := p.get(proto, "shop.example.com", "/"); r.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", proto, r.Status)
		}
	}
	if n := strings.Count(p.log.String(), "systemd has bound a socket that no VIP has"); n != 1 {
		t.Errorf("warned of %d sockets: %s", n, p.log.String())
	}
	p.signal(syscall.SIGTERM)
	p.awaitExit()
	if _, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", p.https)); err != nil {
		t.Errorf("between two processes: %v", err)
	}
}

// A socket that can't be a VIP's ends the start, with a word.
func TestBadSocketOfSystemd(t *testing.T) {
	p := newProgram(t)
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	p.sockets = []*os.File{f}
	p.begin()
	p.awaitEnd()
	if code := p.process.ProcessState.ExitCode(); code != exitBad || !strings.Contains(p.log.String(), "sockets of systemd: take over socket LISTEN_FD_3: it neither listens") {
		t.Errorf("exit code %d: %s", code, p.log.String())
	}
}

// The unit that we ship is one that systemd takes, and names no key twice.
func TestUnit(t *testing.T) {
	b, err := os.ReadFile("../../configs/systemd/anyedge.service")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		key, _, ok := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#' || line[0] == '[':
		case !ok || seen[key]:
			t.Errorf("%q", line)
		}
		seen[key] = true
	}
	for _, key := range []string{"Type", "ExecStart", "ExecReload", "WatchdogSec", "AmbientCapabilities", "LimitNOFILE"} {
		if !seen[key] {
			t.Errorf("%s is missing", key)
		}
	}
}

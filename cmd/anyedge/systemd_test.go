package main

import (
	"net"
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

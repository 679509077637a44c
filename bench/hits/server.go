package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// server is a process that is measured.
type server struct {
	name string
	addr string
	h3   bool
	cmd  *exec.Cmd
}

// startServers starts what o names. Those that it returns are to be stopped, also with an error.
func startServers(o *options, s *site) (list []*server, err error) {
	for i, e := range o.edges {
		name, binary, ok := strings.Cut(e, "=")
		if !ok {
			return list, fmt.Errorf("-edge %s: it must be NAME=BINARY", e)
		}
		file := filepath.Join(s.dir, fmt.Sprintf("edge%d.yaml", i))
		one := &server{name: name, addr: freeAddr(), h3: true}
		if err := os.WriteFile(file, []byte(s.edgeConfig(one.addr)), 0o600); err != nil {
			return list, err
		}
		if err := one.start(binary, "run", "-c", file); err != nil {
			return list, err
		}
		list = append(list, one)
	}
	if o.nginx {
		file := filepath.Join(s.dir, "nginx.conf")
		one := &server{name: "nginx", addr: freeAddr()}
		if err := os.WriteFile(file, []byte(s.nginxConfig(one.addr)), 0o600); err != nil {
			return list, err
		}
		if err := one.start("nginx", "-c", file); err != nil {
			return list, err
		}
		list = append(list, one)
	}
	return list, nil
}

// start runs the server on core 0 and waits until it answers.
func (s *server) start(command ...string) error {
	s.cmd = exec.Command("taskset", append([]string{"-c", "0"}, command...)...)
	s.cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return err
	}
	for range 200 {
		c, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true})
		if err == nil {
			return c.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.stop()
	return fmt.Errorf("%s doesn't answer at %s", s.name, s.addr)
}

func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// processorTime is what a process has used, in user mode and in the kernel (proc(5)).
func processorTime(pid int) (time.Duration, error) {
	const tick = time.Second / 100 // USER_HZ
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return time.Duration(user+system) * tick, err
}

// freeAddr is an address of loopback that nothing listens on. Where there is none, starting a server says why.
func freeAddr() string {
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return "127.0.0.1:0"
	}
	defer ln.Close()
	return ln.Addr().String()
}

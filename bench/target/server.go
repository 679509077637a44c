package target

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/anyedge/anyedge/bench/load"
)

// Server is one that runs.
type Server struct {
	Name      string
	Address   string
	Protocols []load.Protocol
	processes []*process
}

// Usage is what it has used since its start, and its memory since ResetPeak.
func (s *Server) Usage() (all Usage, err error) {
	for _, p := range s.processes {
		u, err := usage(p.cmd.Process.Pid)
		if err != nil {
			return all, fmt.Errorf("account for %s: %w", s.Name, err)
		}
		all.CPU += u.CPU
		all.Memory += u.Memory
	}
	return all, nil
}

// Accounted says whether its use is known: it is one that was started here.
func (s *Server) Accounted() bool { return len(s.processes) > 0 }

// ResetPeak lets the memory in Usage begin anew.
func (s *Server) ResetPeak() {
	for _, p := range s.processes {
		resetPeak(p.cmd.Process.Pid)
	}
}

// Stop ends its processes.
func (s *Server) Stop() {
	for _, p := range s.processes {
		p.stop()
	}
}

// start runs a command as a part of the server, on the core for servers.
func (s *Server) start(site *Site, cores Cores, env []string, command ...string) error {
	log := filepath.Join(site.Dir, fmt.Sprintf("%s-%d.log", filepath.Base(s.Name), len(s.processes)))
	p, err := startProcess(cores.Server, log, env, command...)
	if err != nil {
		return err
	}
	s.processes = append(s.processes, p)
	return nil
}

// ready waits until it answers over TLS.
func (s *Server) ready(ctx context.Context) error {
	return s.wait(ctx, func() error {
		d := tls.Dialer{NetDialer: &net.Dialer{Timeout: time.Second}, Config: &tls.Config{InsecureSkipVerify: true, ServerName: Host}}
		c, err := d.DialContext(ctx, "tcp", s.Address)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

// wait calls f until there is no error. Where that takes too long, or one of its processes ends, the server is stopped, and
// its words are in the error.
func (s *Server) wait(ctx context.Context, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := f()
		if err == nil {
			return nil
		}
		ended := s.ended()
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
			if !ended {
				continue
			}
		}
		s.Stop()
		return fmt.Errorf("%s doesn't answer at %s: %w\n%s", s.Name, s.Address, err, s.words())
	}
}

// ended says whether one of its processes has.
func (s *Server) ended() bool {
	for _, p := range s.processes {
		if p.ended() {
			return true
		}
	}
	return false
}

// words is the end of what its processes said.
func (s *Server) words() string {
	var all string
	for _, p := range s.processes {
		text, _ := os.ReadFile(p.log.Name())
		all += string(text[max(len(text)-2000, 0):])
	}
	return all
}

func split(address string) (host, port string) {
	host, port, _ = net.SplitHostPort(address) // it is one of ours
	return host, port
}

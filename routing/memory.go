package routing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// A process that dies three times within ten minutes will die a fourth time, and routers would see it come and go.
const (
	quarantineStarts = 3
	quarantineWithin = 10 * time.Minute
	// quarantineTime is how long a process that is kept apart must be able to serve before it announces anything.
	quarantineTime = 5 * time.Minute
)

// memoryVersion is what this version writes and reads; another one's file isn't guessed at.
const memoryVersion = 1

// Memory is what a restart must not forget, in a small JSON file: damping, the starts of late, what operators have
// drained, force and have dropped.
// A nil Memory takes everything and keeps nothing. Its methods may be called concurrently.
//
// A file that is missing is a first start. One that can't be read is no knowledge, and the conservative guess: the
// process is kept apart as after a crash loop, with as much penalty as lets one rise begin.
type Memory struct {
	path  string
	apart string // why the process is in quarantine
	old   saved  // what the last process left
	guess bool   // it left nothing that can be read

	mu      sync.Mutex // guards the following fields
	pending *saved     // not written yet
	wake    chan struct{}
	failure string // of the last write
}

// saved is the file.
type saved struct {
	Version int                 `json:"version"`
	Saved   time.Time           `json:"saved"`
	Running bool                `json:"running"` // the process has not said goodbye
	Starts  []time.Time         `json:"starts"`  // since the last goodbye
	VIPs    map[string]savedVIP `json:"vips"`
	Forces  map[string]*Force   `json:"forces,omitempty"`
	Drains  map[string]*Drain   `json:"drains,omitempty"` // by VIP; that of all has no name

	Blackholes map[string]*Blackhole `json:"blackholes,omitempty"`

	step time.Duration // of the wall clock when it was kept
}

type savedVIP struct {
	Level   Level  `json:"level"`
	Damper  Damper `json:"damper"`
	Excused bool   `json:"excused,omitempty"`
}

// OpenMemory reads the file at path, notes in it that a process starts, and returns what is to be remembered. The error
// says that the file can't be written. A file that can't be read shows in the quarantine's reason.
func OpenMemory(path string, now time.Time) (*Memory, error) {
	m := &Memory{path: path, wake: make(chan struct{}, 1)}
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		m.doubt(err)
	default:
		if err := m.old.read(b, now); err != nil {
			m.doubt(err)
		}
	}
	if !m.old.Running {
		m.old.Starts = nil
	}
	starts := recent(m.old.Starts, now)
	starts = append(starts, now)
	if len(starts) >= quarantineStarts {
		m.apart = fmt.Sprintf("process %d within %s", len(starts), setting(now.Sub(starts[0]).Round(time.Second)))
	}
	next := m.old
	next.Version, next.Saved, next.Running, next.Starts = memoryVersion, now, true, starts
	m.old.Starts = starts
	if err := m.write(&next); err != nil {
		return nil, fmt.Errorf("routing.state_file: %w: its directory must exist and be writable", err)
	}
	return m, nil
}

func (m *Memory) doubt(err error) {
	m.old, m.guess = saved{}, true
	m.apart = fmt.Sprintf("%s can't be read, so how often routes changed isn't known: %v", m.path, err)
}

// read parses a file, strictly in what counts: what it can't mean is an error. Where the clock has been set back since it
// was written, it is as if no time had passed: nothing has decayed, and what an operator asked for has as long to go.
func (s *saved) read(b []byte, now time.Time) error {
	if err := json.Unmarshal(b, s); err != nil {
		return err
	}
	if s.Version != memoryVersion {
		return fmt.Errorf("version %d, this is %d", s.Version, memoryVersion)
	}
	if back := s.Saved.Sub(now); back > 0 {
		*s = *s.shifted(-back)
	}
	for name, v := range s.VIPs {
		if v.Level > Withdrawn || v.Damper.Penalty < 0 || v.Damper.Penalty > penaltyCap {
			return fmt.Errorf("VIP %s: level %d, penalty %g", name, v.Level, v.Damper.Penalty)
		}
		v.Damper.At = earlier(v.Damper.At, now) // a clock that was set back must not stop the decay
		s.VIPs[name] = v
	}
	for i, at := range s.Starts {
		s.Starts[i] = earlier(at, now)
	}
	for name, f := range s.Forces {
		if f == nil || f.Level > Withdrawn || f.Until.Sub(now) > longestForce {
			return fmt.Errorf("the force of VIP %s", name)
		}
	}
	for name, h := range s.Blackholes {
		if h == nil || h.Until.Sub(now) > longestForce {
			return fmt.Errorf("the blackhole of VIP %s", name)
		}
	}
	for name, d := range s.Drains {
		if d == nil || d.Until.Sub(now) > longestForce {
			return fmt.Errorf("the drain of VIP %q", name)
		}
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// recent are the last few of starts that count for a quarantine.
func recent(starts []time.Time, now time.Time) []time.Time {
	starts = slices.DeleteFunc(slices.Clone(starts), func(at time.Time) bool { return now.Sub(at) >= quarantineWithin })
	return starts[max(0, len(starts)-10):]
}

// quarantine is why the process is kept apart; empty if it isn't.
func (m *Memory) quarantine() string {
	if m == nil {
		return ""
	}
	return m.apart
}

// state is the one with which a VIP begins.
func (m *Memory) state(vip string, now time.Time) State {
	s := State{Level: Withdrawn, Since: now}
	if m == nil {
		return s
	}
	v, known := m.old.VIPs[vip]
	switch {
	case m.guess:
		s.Damper = Damper{Penalty: reuseLimit, At: now}
	case known:
		s.Damper, s.Excused = v.Damper, v.Excused
	}
	if known && m.old.Running && v.Level < Withdrawn {
		s.Damper, s.Excused = s.Damper.add(withdrawPenalty, now), false // its end withdrew the routes
	}
	return s
}

// forces are those that still hold.
func (m *Memory) forces(now time.Time) map[string]*Force {
	held := map[string]*Force{}
	if m != nil {
		for vip, f := range m.old.Forces {
			if f.holds(now) {
				held[vip] = f
			}
		}
	}
	return held
}

// blackholes are those that still hold.
func (m *Memory) blackholes(now time.Time) map[string]*Blackhole {
	held := map[string]*Blackhole{}
	if m != nil {
		for vip, h := range m.old.Blackholes {
			if now.Before(h.Until) {
				held[vip] = h
			}
		}
	}
	return held
}

// drains are those that operators haven't taken back.
func (m *Memory) drains() map[string]*Drain {
	if m == nil {
		return nil
	}
	return m.old.Drains
}

// put has s written by keep, soon.
func (m *Memory) put(s *saved) {
	s.Version, s.Starts = memoryVersion, shift(m.old.Starts, s.step)
	if !s.Running {
		s.Starts = nil
	}
	m.mu.Lock()
	m.pending = s
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// keep writes what is put until ctx ends, and what was put before that. Nobody waits for the disk.
func (m *Memory) keep(ctx context.Context, log *slog.Logger) {
	if m == nil {
		return
	}
	for {
		select {
		case <-m.wake:
			m.flush(log)
		case <-ctx.Done():
			m.flush(log)
			return
		}
	}
}

// flush writes what is pending. A failure is logged once, and the next change tries again.
func (m *Memory) flush(log *slog.Logger) {
	m.mu.Lock()
	s := m.pending
	m.pending = nil
	m.mu.Unlock()
	if s == nil {
		return
	}
	text := ""
	if err := m.write(s); err != nil {
		text = err.Error()
	}
	if text != "" && text != m.failure {
		log.Error("a restart would forget the damping", "error", text)
	}
	m.failure = text
}

// write replaces the file as a whole: after a crash there is the old one or the new one.
func (m *Memory) write(s *saved) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	next := m.path + ".next"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, m.path); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(m.path))
}

// syncDirectory makes the new name durable.
func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

package fleet

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	stateVersion = 1
	// rewriteAfter is how many octets are appended before the file is written anew, with what still counts.
	rewriteAfter = 2 * maxPurgeBytes
)

// line is one line of the state file: what is there of it is noted, and a later line outdoes an earlier one.
type line struct {
	Version int       `json:"version,omitempty"` // in the first
	Node    string    `json:"node,omitempty"`    // in the first
	Claim   *Claim    `json:"claim,omitempty"`
	Heard   time.Time `json:"heard,omitzero"` // when somebody was last heard
	Purge   *Purge    `json:"purge,omitempty"`
	// Mark is a stream whose purges before its Kept no longer matter here.
	Mark *PurgeMark `json:"mark,omitempty"`
}

// memory is what a restart must not forget: this node's numbers and which purges it has carried out. It is a file of
// lines, appended to and synced, so that a crash loses at most a purge that nobody was told is done. Without a path
// nothing outlives the process. It is not safe for concurrent use.
type memory struct {
	path  string
	node  string
	file  *os.File
	size  int
	claim Claim
	epoch uint64 // of this process's stream
	heard time.Time
	log   *purgeLog
	// blank says that what was purged before isn't known: everything that is stored must go.
	blank bool
}

// openMemory reads the file at path. What can't be read counts for nothing, so that nothing is trusted; the error says
// that the file can't be written.
func openMemory(path, node string, now time.Time) (*memory, error) {
	m := &memory{path: path, node: node, epoch: uint64(now.UnixNano()), log: newPurgeLog(), blank: true}
	if path == "" {
		return m, nil
	}
	b, err := os.ReadFile(path)
	if err == nil {
		err = m.read(b)
	}
	if err != nil { // it isn't there, or is another node's, or of another version
		*m = memory{path: path, node: node, epoch: uint64(now.UnixNano()), log: newPurgeLog(), blank: true}
		if !errors.Is(err, fs.ErrNotExist) {
			_ = os.Rename(path, path+".unread") // for whoever looks into it
		}
	}
	if !m.heard.IsZero() && now.Sub(m.heard) > trustWithin {
		m.blank = true
	}
	m.log.forget(now)
	if err := m.rewrite(); err != nil {
		return nil, fmt.Errorf("fleet.state_file: %w: its directory must exist and be writable", err)
	}
	return m, nil
}

// read takes the lines. A last one that was cut off by a crash is left out: nobody was told that it is done.
func (m *memory) read(b []byte) error {
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, maxPurgeBytes)
	first := true
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			if !lines.Scan() && !first {
				break
			}
			return err
		}
		if first && (l.Version != stateVersion || l.Node != m.node) {
			return fmt.Errorf("version %d of node %q", l.Version, l.Node)
		}
		first = false
		m.take(&l)
	}
	if first {
		return errors.New("it is empty")
	}
	m.blank = false
	return lines.Err()
}

// next is this node's next purge. Each process begins a stream, so that one that the file lacks after a crash can't share
// its number with another. One that was quiet for long ends too: the others may have forgotten it.
func (m *memory) next(request json.RawMessage, now time.Time) Purge {
	if s := m.log.streams[Stream{m.node, m.epoch}]; s != nil && now.Sub(s.at) > trustWithin {
		m.epoch = max(m.epoch+1, uint64(now.UnixNano()))
	}
	own := Stream{m.node, m.epoch}
	return Purge{Stream: own, Number: m.log.last(own) + 1, At: now.Round(0).UTC(), Request: request}
}

func (m *memory) take(l *line) {
	if l.Claim != nil {
		m.claim = *l.Claim
	}
	if !l.Heard.IsZero() {
		m.heard = l.Heard
	}
	if l.Mark != nil {
		m.log.skip(*l.Mark, l.Mark.Kept)
	}
	if l.Purge != nil {
		m.log.add(*l.Purge)
	}
}

// note appends a line and makes it durable.
func (m *memory) note(l line) error {
	m.take(&l)
	if m.path == "" {
		return nil
	}
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if m.size > rewriteAfter || m.file == nil {
		return m.rewrite()
	}
	n, err := m.file.Write(append(b, '\n'))
	m.size += n
	if err = errors.Join(err, m.file.Sync()); err != nil {
		err = errors.Join(err, m.file.Close()) // what is in it now is unclear: the next note writes it anew
		m.file = nil
	}
	return err
}

// rewrite replaces the file by one with what counts: after a crash there is the old one or the new one.
func (m *memory) rewrite() error {
	next := m.path + ".next"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for _, l := range m.lines() {
		if err := e.Encode(l); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	_, err = f.Write(b.Bytes())
	if err = errors.Join(err, f.Sync()); err == nil {
		err = os.Rename(next, m.path)
	}
	if err == nil {
		err = syncDirectory(filepath.Dir(m.path))
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if m.file != nil {
		_ = m.file.Close() // it has been replaced
	}
	m.file, m.size = f, 0
	return nil
}

func (m *memory) lines() []line {
	list := []line{{Version: stateVersion, Node: m.node, Claim: &m.claim, Heard: m.heard}}
	for _, mark := range m.log.marks() {
		list = append(list, line{Mark: &mark})
	}
	for _, p := range m.log.all() {
		list = append(list, line{Purge: &p})
	}
	return list
}

func (m *memory) close() error {
	if m.file == nil {
		return nil
	}
	f := m.file
	m.file = nil
	return f.Close()
}

// syncDirectory makes a new name durable.
func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

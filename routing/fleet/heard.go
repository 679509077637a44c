package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/anyedge/anyedge/routing/fleet/gossip"
)

// heard is what the members of the fleet have told by gossip.
type heard struct {
	mu    sync.Mutex // guards the following fields
	known map[string]*voice
}

// voice is one member with the record that its state is.
type voice struct {
	gossip.Member
	record  *Record // nil before it has told anything that can be read
	problem string  // why it can't be read
	source  *source
}

func newHeard() *heard { return &heard{known: map[string]*voice{}} }

// change is a member that came or went.
type change struct {
	node   string
	status gossip.Status
}

// update takes what the mesh knows now. It says whether who they are or where they are has changed, and who came and went.
func (h *heard) update(members []gossip.Member) (changed bool, turns []change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := map[string]*voice{}
	for _, m := range members {
		v, old := h.voice(m), h.known[m.Name]
		known[m.Name] = v
		changed = changed || old == nil || old.source != v.source || old.counts() != v.counts()
		if old == nil || old.Status != v.Status {
			turns = append(turns, change{m.Name, m.Status})
		}
	}
	changed = changed || len(known) != len(h.known)
	h.known = known
	return changed, turns
}

// voice reads a member's state where that is another one than before; the lock is held.
func (h *heard) voice(m gossip.Member) *voice {
	old := h.known[m.Name]
	v := &voice{Member: m}
	switch {
	case old != nil && sameState(old.State, m.State):
		v.record, v.problem = old.record, old.problem
	case len(m.State) == 0:
	default:
		v.take(old)
	}
	node := Node{Name: m.Name}
	if v.record != nil {
		node.Address = v.record.Address
	}
	if old != nil && old.source.node == node {
		v.source = old.source
	} else {
		v.source = &source{node: node, ask: h.ask(m.Name), close: func() {}}
	}
	return v
}

// take reads the state; where it can't be read, what was told before still shows, and gets old.
func (v *voice) take(old *voice) {
	r, err := ParseRecord(v.State)
	if err == nil {
		v.record = r
		return
	}
	v.problem = "its record: " + err.Error() + ": is it another version?"
	if old != nil {
		v.record = old.record
	}
}

// sameState says whether two states are the same octets in memory: the mesh never changes one.
func sameState(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// ask is how a member's word is had: it was told already, and the age says when.
func (h *heard) ask(name string) func(context.Context) (*answer, error) {
	return func(context.Context) (*answer, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		v := h.known[name]
		switch {
		case v == nil || v.Status == gossip.Left:
			return nil, errors.New("it has left")
		case v.Status == gossip.Failed:
			return nil, fmt.Errorf("it failed at %s: no node reaches it", v.Since.Format(time.TimeOnly))
		case v.problem != "":
			return nil, errors.New(v.problem)
		}
		return &answer{Node: name, Metro: v.record.Metro, Report: &v.record.Report, at: v.Heard}, nil
	}
}

// voices are all, by name.
func (h *heard) voices() []*voice {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]*voice, 0, len(h.known))
	for _, name := range slices.Sorted(maps.Keys(h.known)) {
		list = append(list, h.known[name])
	}
	return list
}

// counts says whether v is one of the others: it has told where it is, and hasn't left.
func (v *voice) counts() bool { return v.record != nil && v.Status != gossip.Left }

// sources are those that count.
func (h *heard) sources() []*source {
	var list []*source
	for _, v := range h.voices() {
		if v.counts() {
			list = append(list, v.source)
		}
	}
	return list
}

package gossip

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// maxStrangers bounds the addresses that are told apart: a packet's sender is easily forged.
	maxStrangers = 64
	// tellAgain is how long a stranger's silence lasts before it is told of again.
	tellAgain = 10 * time.Minute
)

// Stranger is an address that speaks to this node, and not with the fleet's secret.
type Stranger struct {
	Address netip.Addr `json:"address"`
	Count   uint64     `json:"count"` // of packets and connections
	First   time.Time  `json:"first"`
	Last    time.Time  `json:"last"`
	Text    string     `json:"text"` // what is wrong with them
}

// strangers counts those who can't be understood, by address.
type strangers struct {
	tell func(Stranger) // once for each, and again after a silence

	mu    sync.Mutex // guards the following fields
	known map[netip.Addr]*Stranger
	total uint64
}

func newStrangers(tell func(Stranger)) *strangers {
	return &strangers{tell: tell, known: map[netip.Addr]*Stranger{}}
}

// add counts one thing from address that wasn't understood. Beyond maxStrangers only the total is counted, so that
// forged senders can't flood the log either.
func (s *strangers) add(address netip.Addr, text string, now time.Time) {
	told := s.count(address.Unmap(), text, now)
	if told != nil {
		s.tell(*told)
	}
}

func (s *strangers) count(address netip.Addr, text string, now time.Time) *Stranger {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total++
	known := s.known[address]
	if known == nil && !s.room(now) {
		return nil
	}
	tell := known == nil || now.Sub(known.Last) >= tellAgain
	if known == nil {
		known = &Stranger{Address: address, First: now}
		s.known[address] = known
	}
	known.Count++
	known.Last, known.Text = now, text
	if !tell {
		return nil
	}
	copied := *known
	return &copied
}

// room forgets who has been silent where all places are taken, and says whether there is one.
func (s *strangers) room(now time.Time) bool {
	if len(s.known) < maxStrangers {
		return true
	}
	for address, known := range s.known {
		if now.Sub(known.Last) >= tellAgain {
			delete(s.known, address)
		}
	}
	return len(s.known) < maxStrangers
}

// list is who they are, the latest first, and how much came from all.
func (s *strangers) list() ([]Stranger, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Stranger
	for _, known := range s.known {
		list = append(list, *known)
	}
	slices.SortFunc(list, func(a, b Stranger) int { return cmp.Or(b.Last.Compare(a.Last), a.Address.Compare(b.Address)) })
	return list, s.total
}

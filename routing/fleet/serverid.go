package fleet

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"time"
)

// ServerID is what a node's connection IDs say of it.
type ServerID struct {
	Metro, Host uint16 // 0: none yet
	Generation  uint8  // of the process, counted on at each start
}

// Claim is a node's wish for its numbers. The stronger of two keeps a number that both want.
type Claim struct {
	ServerID
	Fixed bool      // by the configuration: it can't give way
	Since time.Time // when it was first made
}

// Claimant is a node that claims.
type Claimant struct {
	Node, Place string // Place is the metro's name
	Claim
}

// Clash is two nodes that want what only one can have.
type Clash struct {
	Node, Other string
	What        string // of both
	Advice      string
}

// Error names both nodes.
func (c *Clash) Error() string {
	return fmt.Sprintf("nodes %s and %s both %s: %s", c.Node, c.Other, c.What, c.Advice)
}

// stronger says whether a keeps what b wants too: the one that can't give way, then the older claim, then the name.
func (a *Claimant) stronger(b *Claimant) bool {
	if a.Fixed != b.Fixed {
		return a.Fixed
	}
	return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Node, b.Node)) < 0
}

// Allocate gives self its numbers beside those of others: what it has where nobody has a stronger claim on it, else the
// first that is free after the hash of its name. So nodes need no common store, and keep their numbers. A metro's nodes
// have its number alone, and a host's number is its own within the metro. The error is a Clash that giving way can't end:
// self wants by its configuration what another node has by its own. It is pure.
func Allocate(self Claimant, others []Claimant, now time.Time) (Claim, error) {
	metro, err := allocateMetro(&self, others)
	if err != nil {
		return self.Claim, err
	}
	host, err := allocateHost(&self, others, metro)
	if err != nil {
		return self.Claim, err
	}
	if metro != self.Metro || host != self.Host || self.Since.IsZero() {
		self.Since = now
	}
	self.Metro, self.Host = metro, host
	return self.Claim, nil
}

// allocateMetro is the number of self's metro: that of the strongest node there, unless another metro's node is stronger.
func allocateMetro(self *Claimant, others []Claimant) (uint16, error) {
	best := self
	taken := map[uint16]*Claimant{} // by other metros
	for i := range others {
		o := &others[i]
		switch {
		case o.Metro == 0:
		case o.Place == self.Place && (best.Metro == 0 || o.stronger(best)):
			best = o
		case o.Place != self.Place && (taken[o.Metro] == nil || o.stronger(taken[o.Metro])):
			taken[o.Metro] = o
		}
	}
	number := best.Metro
	holder := taken[number]
	switch {
	case self.Fixed && number != self.Metro:
		return 0, &Clash{self.Node, best.Node, fmt.Sprintf("are in metro %s, which is number %d here and %d there", self.Place, self.Metro, number), "give both the same fleet.steering.metro"}
	case self.Fixed && holder != nil && holder.Fixed && holder.stronger(self):
		return 0, &Clash{self.Node, holder.Node, fmt.Sprintf("claim metro number %d, for %s and for %s", number, self.Place, holder.Place), "give one of the metros another fleet.steering.metro"}
	case number != 0 && (holder == nil || best.stronger(holder)):
		return number, nil
	}
	return probe("metro "+self.Place, func(n uint16) bool { return taken[n] != nil })
}

func allocateHost(self *Claimant, others []Claimant, metro uint16) (uint16, error) {
	taken := map[uint16]bool{}
	for i := range others {
		o := &others[i]
		if o.Metro != metro || o.Host == 0 {
			continue
		}
		if self.Fixed && o.Fixed && o.Host == self.Host && o.stronger(self) {
			return 0, &Clash{self.Node, o.Node, fmt.Sprintf("claim server ID %d/%d", o.Metro, o.Host), "give one of them another fleet.steering.host"}
		}
		if self.Metro != metro || o.Host != self.Host || o.stronger(self) {
			taken[o.Host] = true
		}
	}
	if self.Host != 0 && (self.Fixed || !taken[self.Host]) {
		return self.Host, nil
	}
	return probe("node "+self.Node, func(n uint16) bool { return taken[n] })
}

// probe is the first free number from the hash of what it is for; 0 stays free.
func probe(what string, taken func(uint16) bool) (uint16, error) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(what))
	start := h.Sum32()
	for i := range uint32(1 << 16) {
		if n := uint16(start ^ start>>16 + i); n != 0 && !taken(n) {
			return n, nil
		}
	}
	return 0, errors.New("no number is free for " + what)
}

func (c *Claim) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, c.Metro)
	b = binary.BigEndian.AppendUint16(b, c.Host)
	fixed := byte(0)
	if c.Fixed {
		fixed = 1
	}
	b = append(b, c.Generation, fixed)
	since := uint64(0)
	if !c.Since.IsZero() {
		since = uint64(c.Since.UnixNano())
	}
	return binary.BigEndian.AppendUint64(b, since)
}

// parseClaim reads a claim; octets behind it are of a later version.
func parseClaim(b []byte) (c Claim, err error) {
	if len(b) < 14 {
		return c, errShort
	}
	c.Metro, c.Host = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	c.Generation, c.Fixed = b[4], b[5] == 1
	if since := binary.BigEndian.Uint64(b[6:]); since != 0 {
		c.Since = time.Unix(0, int64(since))
	}
	return c, nil
}

package encoding

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// maxRemembered bounds the values of Accept-Encoding that a Chooser remembers, and maxLine their length in octets. A
	// few values make up nearly all of what clients send.
	maxRemembered = 64
	maxLine       = 64
)

// Chooser chooses among certain codings. What it chose for a value it remembers, since all requests of one kind of
// client say the same. It may be used concurrently.
type Chooser struct {
	offer []Coding
	set   Set
	known atomic.Pointer[map[string]Choice] // a map never changes, a new one replaces it
	mu    sync.Mutex                        // of who replaces it
}

// Choice is what a value of Accept-Encoding comes to.
type Choice struct {
	Coding   Coding // what the client gets, Identity where that is preferred
	Accepted Set    // of what is on offer
	Must     bool   // it refuses Identity
}

// NewChooser returns one for these codings, which stand in the order of preference.
func NewChooser(offer []Coding) *Chooser {
	c := &Chooser{offer: offer, set: SetOf(offer...)}
	c.known.Store(new(map[string]Choice))
	return c
}

// Offer is the set that it chooses from.
func (c *Chooser) Offer() Set { return c.set }

// Choose chooses for a request whose Accept-Encoding has that one line.
func (c *Chooser) Choose(line string) Choice {
	known := *c.known.Load()
	if choice, ok := known[line]; ok {
		return choice
	}
	var a Accept
	a.Add(line)
	choice := c.ChooseFor(&a)
	if len(known) < maxRemembered && len(line) <= maxLine {
		c.remember(line, choice)
	}
	return choice
}

// ChooseFor chooses for a request that says so.
func (c *Chooser) ChooseFor(a *Accept) Choice {
	return Choice{Coding: a.Choose(c.offer), Accepted: a.Among(c.set), Must: a.Refuses(Identity)}
}

func (c *Chooser) remember(line string, choice Choice) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := *c.known.Load()
	if len(known) >= maxRemembered {
		return
	}
	more := make(map[string]Choice, len(known)+1)
	maps.Copy(more, known)
	more[strings.Clone(line)] = choice
	c.known.Store(&more)
}

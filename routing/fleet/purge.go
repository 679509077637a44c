package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing/fleet/gossip"
)

const (
	// purgeLimit is how long the nodes' answers to a purge are waited for.
	purgeLimit = 5 * time.Second
	// pullPause is how long a stream isn't asked for again.
	pullPause = 2 * time.Second
	// pullOctets bounds the requests in one answer; there is at least one.
	pullOctets = 256 << 10
	// sendAtOnce bounds the connections for messages at a time.
	sendAtOnce = 16
)

// Cache is what purges reach on this node. The requests and results are JSON that the importer understands.
type Cache interface {
	// Purge carries out a request: it returns when no client can get what it concerns. A warning says that a restart may
	// bring it back; the error that the request makes no sense.
	Purge(ctx context.Context, request json.RawMessage) (result json.RawMessage, warning string, err error)
	// Clear purges everything.
	Clear(ctx context.Context, why string) error
}

// Purged is what came of a purge at one node.
type Purged struct {
	Node  string `json:"node"`
	State string `json:"state"` // purged; or failed, silent, away: it will be, once it is back or answers
	// Result is the node's cache's, where State is purged.
	Result json.RawMessage `json:"result,omitempty"`
	Text   string          `json:"text,omitempty"` // what is wrong
}

// The states of Purged.
const (
	StatePurged = "purged"
	StateFailed = "failed"
	StateSilent = "silent"
	StateAway   = "away"
)

// talk is a message between nodes: one of its fields is there.
type talk struct {
	Purge  *order   `json:"purge,omitempty"`
	Purged *outcome `json:"purged,omitempty"`
	Pull   *pull    `json:"pull,omitempty"`
	Missed *missed  `json:"missed,omitempty"`
	Word   *word    `json:"word,omitempty"` // isn't the purger's
}

// order asks a node to carry out a purge, and to answer under ID.
type order struct {
	ID uint64 `json:"id"`
	Purge
}

// outcome answers an order.
type outcome struct {
	ID     uint64          `json:"id"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// pull asks for the purges of a stream from a number on.
type pull struct {
	Stream `json:"stream"`
	From   uint64 `json:"from"`
}

// missed answers a pull. Gone says that those before Mark.Kept can't be had any more.
type missed struct {
	Mark   PurgeMark `json:"mark"`
	Gone   bool      `json:"gone,omitempty"`
	Purges []Purge   `json:"purges,omitempty"`
}

// purger sees to it that every node carries out every purge, once or more. Its goroutines end with stop.
type purger struct {
	self    string
	mesh    mesh
	cache   Cache
	journal *health.Journal
	ctx     context.Context // of what it sends
	sending sync.WaitGroup
	places  chan struct{}

	mu      sync.Mutex // guards the following fields
	memory  *memory
	orders  map[uint64]chan<- reply
	lastID  uint64
	pulled  map[Stream]time.Time
	problem string // why a restart would forget what was carried out
	ended   bool
}

// mesh is what of gossip is needed here.
type mesh interface {
	Send(node string, message []byte) error
	Members() []gossip.Member
}

type reply struct {
	from string
	outcome
}

func newPurger(ctx context.Context, self string, m *memory, mesh mesh, c Cache, j *health.Journal) *purger {
	return &purger{
		self: self, mesh: mesh, cache: c, journal: j, ctx: ctx, places: make(chan struct{}, sendAtOnce),
		memory: m, orders: map[uint64]chan<- reply{}, pulled: map[Stream]time.Time{},
	}
}

// begin clears the cache where it isn't known what was purged while this node was away.
func (p *purger) begin(ctx context.Context) error {
	p.mu.Lock()
	blank := p.memory.blank
	p.memory.blank = false
	p.mu.Unlock()
	if !blank {
		return nil
	}
	return p.cache.Clear(ctx, "it isn't known what was purged before this start")
}

// Purge carries request out here, then on every other node, and reports each. The error says what is wrong with it, and
// that nothing was done.
func (p *purger) Purge(ctx context.Context, request json.RawMessage) ([]Purged, error) {
	p.mu.Lock()
	ended := p.ended
	p.mu.Unlock()
	if ended {
		return nil, errors.New("purge the fleet: this node is stopping: ask another one")
	}
	result, warning, err := p.cache.Purge(ctx, request)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	next := p.memory.next(request, time.Now())
	if err := p.memory.note(line{Purge: &next}); err != nil && warning == "" {
		warning = "fleet.state_file: " + err.Error()
	}
	p.lastID++
	id := p.lastID
	members := p.mesh.Members()
	replies := make(chan reply, len(members))
	p.orders[id] = replies
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.orders, id)
		p.mu.Unlock()
	}()
	list := []Purged{{Node: p.self, State: StatePurged, Result: result, Text: warning}}
	ctx, cancel := context.WithTimeout(ctx, purgeLimit)
	defer cancel()
	return append(list, p.order(ctx, order{id, next}, members, replies)...), nil
}

// order sends o to everybody who is there and waits for their answers.
func (p *purger) order(ctx context.Context, o order, members []gossip.Member, replies <-chan reply) []Purged {
	var list []Purged
	waiting := map[string]int{}
	for _, m := range members {
		switch m.Status {
		case gossip.Alive:
			waiting[m.Name] = len(list)
			list = append(list, Purged{Node: m.Name, State: StateSilent, Text: "no answer: it will carry it out once it is heard again"})
			p.send(m.Name, &talk{Purge: &o})
		case gossip.Failed:
			list = append(list, Purged{Node: m.Name, State: StateAway, Text: "it isn't there: it will carry it out when it is back"})
		}
	}
	for len(waiting) > 0 {
		select {
		case r := <-replies:
			if i, waits := waiting[r.from]; waits {
				list[i] = r.purged()
				delete(waiting, r.from)
			}
		case <-ctx.Done():
			return list
		}
	}
	return list
}

func (r *reply) purged() Purged {
	if r.Error != "" {
		return Purged{Node: r.from, State: StateFailed, Text: r.Error}
	}
	return Purged{Node: r.from, State: StatePurged, Result: r.Result}
}

// receive takes a message of another node. What can't be read is of another version: its sender gets no answer.
func (p *purger) receive(ctx context.Context, from string, t *talk) {
	switch {
	case t.Purge != nil:
		p.obey(ctx, from, t.Purge)
	case t.Purged != nil:
		p.mu.Lock()
		waits := p.orders[t.Purged.ID]
		p.mu.Unlock()
		select {
		case waits <- reply{from, *t.Purged}:
		default: // nobody waits any more
		}
	case t.Pull != nil:
		p.give(from, t.Pull)
	case t.Missed != nil:
		p.catchUp(ctx, from, t.Missed)
	}
}

// obey carries out what another node orders, and answers. One with a gap before it is carried out all the same: it will
// come again, behind what is missing.
func (p *purger) obey(ctx context.Context, from string, o *order) {
	done := outcome{ID: o.ID}
	result, warning, err := p.cache.Purge(ctx, o.Request)
	switch {
	case err != nil:
		done.Error = err.Error()
	default:
		done.Result = result
		p.carriedOut(o.Purge, warning)
	}
	p.send(from, &talk{Purged: &done})
}

// carriedOut notes a purge. One of which a restart may bring something back isn't noted in the file, so that it is carried
// out once more then.
func (p *purger) carriedOut(done Purge, warning string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if done.Number != p.memory.log.last(done.Stream)+1 {
		return
	}
	if warning != "" {
		p.memory.log.add(done)
		return
	}
	p.noted(p.memory.note(line{Purge: &done}))
}

// noted tells of the first failure to write; the lock is held.
func (p *purger) noted(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != p.problem {
		p.journal.Add(health.EventNode, p.self, "fleet.state_file: "+text+": after a restart everything that is stored may have to go")
	}
	p.problem = text
}

// give sends the purges that another node missed.
func (p *purger) give(to string, want *pull) {
	p.mu.Lock()
	list, gone := p.memory.log.since(want.Stream, want.From, pullOctets)
	m := missed{Mark: PurgeMark{Stream: want.Stream}, Gone: gone, Purges: list}
	for _, mark := range p.memory.log.marks() {
		if mark.Stream == want.Stream {
			m.Mark = mark
		}
	}
	p.mu.Unlock()
	p.send(to, &talk{Missed: &m})
}

// catchUp carries out what this node missed, in order. Where some can no longer be had, everything that is stored goes:
// whatever they were, nothing of it may be used.
func (p *purger) catchUp(ctx context.Context, from string, m *missed) {
	if m.Gone {
		p.clear(ctx, from, m.Mark)
		return
	}
	for _, missing := range m.Purges {
		p.mu.Lock()
		next := p.memory.log.last(m.Mark.Stream) + 1
		p.mu.Unlock()
		if missing.Stream != m.Mark.Stream || missing.Number != next {
			continue
		}
		_, warning, err := p.cache.Purge(ctx, missing.Request)
		if err != nil {
			p.journal.Add(health.EventNode, p.self, fmt.Sprintf("purge %d of %s, which was missed: %v", missing.Number, missing.Node, err))
		}
		p.carriedOut(missing, warning)
	}
	p.goOn(from, m)
}

// goOn asks for more at once where something came and more is there.
func (p *purger) goOn(to string, m *missed) {
	p.mu.Lock()
	last := p.memory.log.last(m.Mark.Stream)
	more := len(m.Purges) > 0 && m.Purges[len(m.Purges)-1].Number == last && last < m.Mark.Last
	if more {
		p.pulled[m.Mark.Stream] = time.Now()
	} else {
		delete(p.pulled, m.Mark.Stream)
	}
	p.mu.Unlock()
	if more {
		p.send(to, &talk{Pull: &pull{m.Mark.Stream, last + 1}})
	}
}

func (p *purger) clear(ctx context.Context, from string, m PurgeMark) {
	p.mu.Lock()
	missing := p.memory.log.last(m.Stream)+1 < m.Kept
	p.mu.Unlock()
	if !missing {
		return
	}
	why := fmt.Sprintf("%s no longer has all purges of %s that were missed here", from, m.Node)
	if err := p.cache.Clear(ctx, why); err != nil {
		p.journal.Add(health.EventNode, p.self, "clear the cache: "+err.Error())
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pulled, m.Stream)
	p.noted(p.memory.note(line{Mark: &m}))
}

// compare asks for what others have carried out and this node hasn't: the node that began it, if it is there, or else the
// one that knows of it.
//
// A node that had heard nobody for longer than purges are kept clears everything first: heard is when somebody was last.
func (p *purger) compare(ctx context.Context, now, heard time.Time, marks map[string][]PurgeMark) {
	p.keep(ctx, now, heard)
	type question struct {
		to string
		pull
	}
	var ask []question
	p.mu.Lock()
	for _, node := range sortedKeys(marks) {
		for _, m := range p.memory.log.behind(marks[node], now) {
			to := node
			if has(marks[m.Node], m) {
				to = m.Node
			}
			if now.Sub(p.pulled[m.Stream]) < pullPause {
				continue
			}
			p.pulled[m.Stream] = now
			ask = append(ask, question{to, pull{m.Stream, p.memory.log.last(m.Stream) + 1}})
		}
	}
	p.mu.Unlock()
	for _, q := range ask {
		p.send(q.to, &talk{Pull: &q.pull})
	}
}

// has says whether a node whose marks these are has carried out what m tells of.
func has(marks []PurgeMark, m PurgeMark) bool {
	return slices.ContainsFunc(marks, func(o PurgeMark) bool { return o.Stream == m.Stream && o.Last >= m.Last })
}

// keep forgets what is old, and notes now and then that others are heard.
func (p *purger) keep(ctx context.Context, now, heard time.Time) {
	const pause = 10 * time.Minute
	p.mu.Lock()
	before := p.memory.heard
	if heard.Sub(before) < pause {
		p.mu.Unlock()
		return
	}
	p.memory.log.forget(now)
	p.noted(p.memory.note(line{Heard: heard.Round(0).UTC()}))
	p.mu.Unlock()
	if before.IsZero() || heard.Sub(before) < trustWithin {
		return
	}
	if err := p.cache.Clear(ctx, "no other node was heard for "+heard.Sub(before).Round(time.Hour).String()); err != nil {
		p.journal.Add(health.EventNode, p.self, "clear the cache: "+err.Error())
	}
}

// claimed notes this node's numbers.
func (p *purger) claimed(c Claim) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.noted(p.memory.note(line{Claim: &c}))
}

func (p *purger) marks() []PurgeMark {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.memory.log.marks()
}

// missing is how many purges another node has yet to carry out that this one has.
func (p *purger) missing(marks []PurgeMark) (n uint64) {
	for _, own := range p.marks() {
		i := slices.IndexFunc(marks, func(m PurgeMark) bool { return m.Stream == own.Stream })
		last := uint64(0)
		if i >= 0 {
			last = marks[i].Last
		}
		n += own.Last - min(last, own.Last)
	}
	return n
}

// send sends a message in the background; who doesn't get it asks for what it misses.
func (p *purger) send(to string, t *talk) {
	b, err := json.Marshal(t)
	if err != nil {
		return // its requests are JSON that was read before
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.sending.Go(func() {
		select {
		case p.places <- struct{}{}:
			defer func() { <-p.places }()
		case <-p.ctx.Done():
			return
		}
		_ = p.mesh.Send(to, b)
	})
}

// end waits for what is being sent, and closes the file.
func (p *purger) end() error {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.sending.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.memory.close()
}

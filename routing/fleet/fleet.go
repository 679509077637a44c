package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/fleet/gossip"
)

const (
	// settleRounds is for how many intervals a node waits for others' claims before it takes numbers of its own.
	settleRounds = 3
	// roundPause lies between two looks at what has changed: in a large fleet something always has.
	roundPause = 20 * time.Millisecond
	// tellPause is how often a record goes out in which only figures have changed.
	tellPause = 2 * time.Second
)

// Config is what a Fleet is built from.
type Config struct {
	Name, Metro, Version string
	Address              netip.Addr // this node's own unicast address
	Options              Options
	// Fixed are its numbers by the configuration; the zero value: nodes settle them by themselves.
	Fixed ServerID
	Keys  [][]byte // of gossip; the first encrypts, each decrypts
	// Report is what this node says of itself now.
	Report func() *routing.Report
	// Cache is what purges reach.
	Cache Cache
	// Hear is told what other nodes Say, one word at a time; it doesn't wait. nil: nobody listens.
	Hear func(from, topic string, text []byte)
	// Others is told who the other nodes are, and what they say.
	Others  *Others
	Journal *health.Journal
	Log     *slog.Logger
}

// Fleet is this node among those that it gossips with. Its methods may be called concurrently.
type Fleet struct {
	config  Config
	started time.Time
	mesh    *gossip.Mesh
	heard   *heard
	purger  *purger
	stop    context.CancelFunc // of what the purger sends

	mu     sync.Mutex // guards the following fields
	claim  Claim
	clash  string
	tunnel netip.AddrPort
	told   []byte // the record that is published
	toldAt time.Time
}

// Open reads the state file and binds the sockets; Run must follow, or Close. Where it isn't known what was purged before,
// the cache is cleared when it returns.
func Open(c Config) (*Fleet, error) {
	now := time.Now()
	m, err := openMemory(c.Options.StateFile, c.Name, now)
	if err != nil {
		return nil, err
	}
	f := &Fleet{config: c, started: now, heard: newHeard()}
	f.claim = f.firstClaim(m.claim, now)
	if err := m.note(line{Claim: &f.claim}); err != nil {
		return nil, errors.Join(fmt.Errorf("fleet.state_file: %w", err), m.close())
	}
	f.mesh, err = gossip.Open(gossip.Config{
		Name: c.Name, Listen: c.Options.listen(c.Address), Advertise: c.Options.advertise(), Join: c.Options.Join, Keys: c.Keys,
		Interval: c.Options.Interval, Receive: f.receive, Journal: c.Journal, Log: c.Log,
	})
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	sending, stop := context.WithCancel(context.Background())
	f.stop = stop
	f.purger = newPurger(sending, c.Name, m, f.mesh, c.Cache, c.Journal)
	if err := f.purger.begin(sending); err != nil {
		c.Journal.Add(health.EventNode, c.Name, "clear the cache: "+err.Error())
	}
	return f, nil
}

// firstClaim is what the configuration says, or else what this node had before, and the next generation in either case.
func (f *Fleet) firstClaim(old Claim, now time.Time) Claim {
	c := old
	if fixed := f.config.Fixed; fixed.Metro != 0 && fixed.Host != 0 {
		if !old.Fixed || old.Metro != fixed.Metro || old.Host != fixed.Host {
			c.Since = now
		}
		c.ServerID, c.Fixed = fixed, true
	} else if old.Fixed {
		c = Claim{}
	}
	c.Generation = old.Generation + 1
	if f.config.Options.StateFile == "" { // not the one of the process before, most likely
		c.Generation = uint8(now.Unix())
	}
	return c
}

// Run gossips until ctx ends; then it says goodbye, and returns when everything has stopped.
func (f *Fleet) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	loops.Go(func() { f.follow(ctx) })
	err := f.mesh.Run(ctx)
	loops.Wait()
	f.stop()
	return errors.Join(err, f.purger.end())
}

// Yield lets Run end without a goodbye: the next process of this node goes on in its place at once.
func (f *Fleet) Yield() { f.mesh.Yield() }

// Close ends what Open began where Run wasn't called.
func (f *Fleet) Close() error {
	f.stop()
	return errors.Join(f.mesh.Close(), f.purger.end())
}

func (f *Fleet) receive(ctx context.Context, from string, message []byte) {
	var t talk
	if json.Unmarshal(message, &t) != nil {
		return
	}
	if t.Word == nil {
		f.purger.receive(ctx, from, &t)
	} else if f.config.Hear != nil {
		f.config.Hear(from, t.Word.Topic, t.Word.Text)
	}
}

// follow takes what the others tell, and tells them of this node.
func (f *Fleet) follow(ctx context.Context) {
	tick := time.NewTicker(f.config.Options.Interval)
	defer tick.Stop()
	for {
		changed := f.mesh.Changed()
		f.round(ctx, time.Now())
		if !wait(ctx, roundPause) {
			return
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// wait says whether ctx still holds after d.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func (f *Fleet) round(ctx context.Context, now time.Time) {
	changed, turns := f.heard.update(f.mesh.Members())
	if changed {
		f.config.Others.gossiped(f.heard.sources())
	}
	for _, t := range turns {
		f.config.Log.Info("fleet: member", "node", t.node, "state", string(t.status))
		f.config.Journal.Add(health.EventNode, t.node, "fleet: "+string(t.status))
	}
	voices := f.heard.voices()
	f.allocate(voices, now)
	f.compare(ctx, voices, now)
	f.tell(now)
}

// compare looks for purges that the others have carried out and this node hasn't.
func (f *Fleet) compare(ctx context.Context, voices []*voice, now time.Time) {
	marks, last := map[string][]PurgeMark{}, time.Time{}
	for _, v := range voices {
		if v.record != nil && v.Status == gossip.Alive {
			marks[v.Name] = v.record.Purges
			last = later(last, v.Heard)
		}
	}
	f.purger.compare(ctx, now, last, marks)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// allocate takes this node's numbers, once it has heard those of the others or nobody for a while.
func (f *Fleet) allocate(voices []*voice, now time.Time) {
	var others []Claimant
	for _, v := range voices {
		if v.record != nil {
			others = append(others, Claimant{v.Name, v.record.Metro, v.record.Claim})
		}
	}
	if len(others) == 0 && now.Sub(f.started) < settleRounds*f.config.Options.Interval {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	next, err := Allocate(Claimant{f.config.Name, f.config.Metro, f.claim}, others, now.Round(0))
	clash := ""
	if err != nil {
		clash = err.Error()
	}
	if clash != "" && clash != f.clash {
		f.config.Log.Error("fleet: " + clash)
		f.config.Journal.Add(health.EventNode, f.config.Name, "fleet: "+clash)
	}
	f.clash = clash
	if next != f.claim {
		f.claim = next
		f.purger.claimed(next)
	}
}

// tell publishes this node's record where it has changed: at once what others decide by, figures now and then.
func (f *Fleet) tell(now time.Time) {
	r := f.record()
	f.mu.Lock()
	defer f.mu.Unlock()
	b := r.appendTo(nil)
	if bytes.Equal(b, f.told) {
		return
	}
	if now.Sub(f.toldAt) < tellPause && f.told != nil && sameButFigures(f.told, r) {
		return
	}
	if err := f.mesh.Publish(b); err != nil {
		f.config.Log.Error("fleet: this node's record", "error", err)
		return
	}
	f.told, f.toldAt = b, now
}

// sameButFigures says whether r differs from what was told only in what it serves and has room for.
func sameButFigures(told []byte, r *Record) bool {
	old, err := ParseRecord(told)
	if err != nil {
		return false
	}
	old.Report.Load, old.Report.Headroom = r.Report.Load, r.Report.Headroom
	return bytes.Equal(old.appendTo(nil), r.appendTo(nil))
}

func (f *Fleet) record() *Record {
	f.mu.Lock()
	claim, tunnel, clash := f.claim, f.tunnel, f.clash
	f.mu.Unlock()
	if clash != "" {
		tunnel = netip.AddrPort{} // what would come to it is the other node's
	}
	r := &Record{
		Version: f.config.Version, Metro: f.config.Metro, Started: f.started, Address: f.config.Address, Tunnel: tunnel,
		Claim: claim, Report: *f.config.Report(), Verified: f.config.Others.Verified(), Purges: f.purger.marks(),
	}
	r.Report.Load, r.Report.Headroom = coarse(r.Report.Load), coarse(r.Report.Headroom)
	return r
}

// ServerID is this node's. The error says why it has none: it waits for the others, or another node has what the
// configuration gives to this one.
func (f *Fleet) ServerID() (ServerID, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.clash != "":
		return ServerID{}, errors.New(f.clash)
	case f.claim.Metro == 0 || f.claim.Host == 0:
		return ServerID{}, errors.New("this node has no server ID yet: it waits for the others")
	}
	return f.claim.ServerID, nil
}

// SetTunnel tells the others where this node takes packets of its connections.
func (f *Fleet) SetTunnel(at netip.AddrPort) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tunnel = at
}

// SetKeys replaces the keys of gossip: see gossip.Mesh.
func (f *Fleet) SetKeys(keys [][]byte) error { return f.mesh.SetKeys(keys) }

// SetJoin replaces the addresses at which others are looked for.
func (f *Fleet) SetJoin(addresses []string) { f.mesh.SetJoin(addresses) }

// Address is where this node gossips.
func (f *Fleet) Address() netip.AddrPort { return f.mesh.Address() }

// Purge carries request out here and on every other node, and says what came of it at each, this one first. It waits for
// answers for at most 5 s; who is away carries it out when it is back. The error says what is wrong with the request, of
// which nothing is carried out then.
func (f *Fleet) Purge(ctx context.Context, request json.RawMessage) ([]Purged, error) {
	return f.purger.Purge(ctx, request)
}

package fleet_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/fleet"
	"github.com/anyedge/anyedge/routing/fleet/gossip"
)

// member is a node of a fleet under test, with a cache that only remembers what was asked of it.
type member struct {
	*fleet.Fleet
	t       *testing.T
	name    string
	others  *fleet.Others
	journal *health.Journal
	options fleet.Options
	fixed   fleet.ServerID
	cache   *purgedCache
	stop    context.CancelFunc
	ended   sync.WaitGroup
	report  func(routing.Report)
}

type purgedCache struct {
	mu      sync.Mutex // guards the following fields
	purged  []string
	cleared []string
	refuse  string
	warning string
}

func (c *purgedCache) Purge(_ context.Context, request json.RawMessage) (json.RawMessage, string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != "" {
		return nil, "", errors.New(c.refuse)
	}
	c.purged = append(c.purged, strings.Trim(string(request), `"`))
	return json.RawMessage(fmt.Sprint(len(c.purged))), c.warning, nil
}

func (c *purgedCache) Clear(_ context.Context, why string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cleared = append(c.cleared, why)
	return nil
}

// list is what was purged, each once, in the order of its first time.
func (c *purgedCache) list() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []string
	for _, p := range c.purged {
		if !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return strings.Join(list, " ")
}

// has says whether all of what was purged.
func (c *purgedCache) has(what ...string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !slices.ContainsFunc(what, func(w string) bool { return !slices.Contains(c.purged, w) })
}

func (c *purgedCache) clears() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.cleared, "; ")
}

// newMember is a node in a metro that isn't started yet.
func newMember(t *testing.T, name, metro string, seeds ...*member) *member {
	t.Helper()
	m := &member{t: t, name: name, journal: health.NewJournal(256), cache: &purgedCache{}}
	m.options.SetDefaults()
	m.options.Interval = 100 * time.Millisecond
	m.options.Listen = "127.0.0.1:0"
	m.options.StateFile = filepath.Join(t.TempDir(), "fleet.state")
	m.options.Join = []string{"127.0.0.1:9"}
	for _, s := range seeds {
		m.options.Join = append(m.options.Join, s.Address().String())
	}
	m.others = fleet.NewOthers(metro, func() float64 { return 1e9 }, m.journal)
	m.configure()
	return m
}

func (m *member) configure(vips ...fleet.VIP) {
	m.t.Helper()
	members, err := fleet.Read(m.options)
	if err != nil {
		m.t.Fatal(err)
	}
	m.others.Configure(members, vips)
}

// start begins the node; it ends with the test, or by end.
func (m *member) start(metro string) *member {
	m.t.Helper()
	var mu sync.Mutex
	report := routing.Report{Levels: map[string]routing.Level{"www": 0}, Origins: []string{"shop"}, Load: 1e9, Headroom: 5e9}
	m.report = func(r routing.Report) {
		mu.Lock()
		defer mu.Unlock()
		report = r
	}
	m.Fleet = m.open(fleet.Config{
		Name: m.name, Metro: metro, Version: "v1", Address: netip.MustParseAddr("127.0.0.1"), Options: m.options, Fixed: m.fixed,
		Keys: [][]byte{bytes.Repeat([]byte{7}, 32)}, Cache: m.cache, Others: m.others, Journal: m.journal,
		Report: func() *routing.Report { mu.Lock(); defer mu.Unlock(); r := report; return &r },
		Log:    slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	m.options.Listen = m.Address().String() // for another start
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	for _, run := range []func(context.Context) error{m.Run, m.others.Run} {
		m.ended.Go(func() {
			if err := run(ctx); err != nil {
				m.t.Error(err)
			}
		})
	}
	m.t.Cleanup(m.end)
	return m
}

// open waits for the port of a former start, which a connection of somebody else may have for a while.
func (m *member) open(c fleet.Config) *fleet.Fleet {
	m.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		f, err := fleet.Open(c)
		if err == nil {
			return f
		}
		if !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(deadline) {
			m.t.Fatal(err)
		}
	}
}

func startMember(t *testing.T, name, metro string, seeds ...*member) *member {
	t.Helper()
	return newMember(t, name, metro, seeds...).start(metro)
}

// end says goodbye; a second call does nothing.
func (m *member) end() {
	m.stop()
	m.ended.Wait()
}

// sees is what the node knows of another one for www; nil where there is none.
func (m *member) sees(name string) *routing.Node {
	f := m.others.View("www")
	i := slices.IndexFunc(f.Nodes, func(n routing.Node) bool { return n.Name == name })
	if i < 0 {
		return nil
	}
	return &f.Nodes[i]
}

func (m *member) alive() int {
	n := 0
	for _, s := range m.Status().Members {
		if s.State == gossip.Alive && s.ServerID != "" {
			n++
		}
	}
	return n
}

func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 2m: " + what)
		}
	}
}

// together waits until all see all.
func together(t *testing.T, all ...*member) {
	t.Helper()
	for _, m := range all {
		until(t, m.name+" sees all", func() bool { return m.alive() == len(all)-1 })
	}
}

func TestWhatMembersTell(t *testing.T) {
	t.Parallel()
	a := startMember(t, "ams-1", "ams")
	b := startMember(t, "fra-1", "fra", a)
	c := startMember(t, "sin-1", "sin", a)
	together(t, a, b, c)
	b.report(routing.Report{Levels: map[string]routing.Level{"www": 1}, Origins: []string{"img", "shop"}, Critical: []string{"shop"}, Load: 3e9, Headroom: -1})
	until(t, "the new report", func() bool { n := c.sees("fra-1"); return n != nil && n.Level == routing.LightlyDepref })
	n := c.sees("fra-1")
	if n.Metro != "fra" || n.Headroom >= 0 || n.Age < 0 || n.Verified >= 0 || n.Origins["shop"] < 0 || n.Origins["img"] >= 0 {
		t.Errorf("%+v", n)
	}
	f := c.others.View("www")
	if f.Metro != "sin" || f.Load != 1e9 || len(f.Nodes) != 2 || f.Nodes[0].Name != "ams-1" {
		t.Errorf("%+v", f)
	}
	if h := a.sees("sin-1").Headroom; h > 5e9 || h < 4.6e9 {
		t.Errorf("room for %g", h)
	}

	// One that says goodbye is no longer there, one that is silent stays and can't take over.
	b.end()
	until(t, "b has left", func() bool { return a.sees("fra-1") == nil && c.sees("fra-1") == nil })
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, "c has failed", func() bool {
		n := a.sees("sin-1")
		return n != nil && strings.Contains(n.Problem, "no node reaches it")
	})
	if got := a.purge("one"); got != "ams-1 purged, sin-1 away" {
		t.Error(got)
	}
	until(t, "what it said doesn't count", func() bool { return !routing.Fresh(a.sees("sin-1").Age) })
}

// TestAlone: a node that finds nobody knows that there should be somebody.
func TestAlone(t *testing.T) {
	t.Parallel()
	a := startMember(t, "ams-1", "ams")
	if f := a.others.View("www"); f == nil || len(f.Nodes) != 0 {
		t.Errorf("%+v", f)
	}
	until(t, "its own numbers", func() bool { _, err := a.ServerID(); return err == nil })
	until(t, "why it is alone", func() bool {
		s := a.Status()
		return len(s.Seeds) == 1 && strings.Contains(s.Seeds[0].Problem, "refused")
	})
	a.options.Join = nil
	a.configure()
	if f := a.others.View("www"); f != nil {
		t.Errorf("it isn't to seek anybody: %+v", f)
	}
}

// TestTheDataPlaneIsTheJudge: what is gossiped says who is there; whether they serve is asked of them.
func TestTheDataPlaneIsTheJudge(t *testing.T) {
	t.Parallel()
	o := newOther(t) // answers as fra-1
	a := startMember(t, "ams-1", "ams")
	b := startMember(t, "fra-1", "fra", a)
	together(t, a, b)
	a.configure(o.www())
	until(t, "verified", func() bool { n := a.sees("fra-1"); return n.Verified >= 0 && n.Problem == "" })
	until(t, "who says so is told", func() bool {
		m := b.Status().Members
		return slices.Equal(a.Status().Members[0].VerifiedBy, []string{"ams-1"}) && len(m) == 1 && len(m[0].VerifiedBy) == 0
	})
	if p := a.Peers(); len(p) != 1 || p[0].Verified != 1 || p[0].ID.Host == 0 || p[0].Status != gossip.Alive {
		t.Errorf("%+v", p)
	}
	o.answerAs("another")
	until(t, "no longer", func() bool { return strings.Contains(a.sees("fra-1").Problem, "without the node's name") })
}

func TestServerIDs(t *testing.T) {
	t.Parallel()
	a := startMember(t, "ams-1", "ams")
	until(t, "a's numbers", func() bool { _, err := a.ServerID(); return err == nil })
	b := startMember(t, "ams-2", "ams", a)
	c := startMember(t, "fra-1", "fra", a)
	together(t, a, b, c)
	ids := map[string]fleet.ServerID{}
	for _, m := range []*member{a, b, c} {
		id, err := m.ServerID()
		if err != nil {
			t.Fatal(err)
		}
		ids[m.name] = id
	}
	if ids["ams-1"].Metro != ids["ams-2"].Metro || ids["ams-1"].Host == ids["ams-2"].Host || ids["fra-1"].Metro == ids["ams-1"].Metro {
		t.Errorf("%v", ids)
	}
	// A new process has the numbers of the one before and another generation.
	b.end()
	b.start("ams")
	until(t, "b's numbers", func() bool { _, err := b.ServerID(); return err == nil })
	again, _ := b.ServerID()
	if was := ids["ams-2"]; again.Metro != was.Metro || again.Host != was.Host || again.Generation != was.Generation+1 {
		t.Errorf("%s became %s", was, again)
	}
}

// TestServerIDsOfTheConfiguration that two nodes have: the second has none, and says whose they are.
func TestServerIDsOfTheConfiguration(t *testing.T) {
	t.Parallel()
	a := newMember(t, "ams-1", "ams")
	a.fixed = fleet.ServerID{Metro: 7, Host: 9}
	a.start("ams")
	until(t, "a's numbers", func() bool { id, err := a.ServerID(); return err == nil && id.Metro == 7 && id.Host == 9 })
	b := newMember(t, "ams-2", "ams", a)
	b.fixed = a.fixed
	b.start("ams")
	const want = "nodes ams-2 and ams-1 both claim server ID 7/9"
	until(t, "b is refused", func() bool { _, err := b.ServerID(); return err != nil && strings.HasPrefix(err.Error(), want) })
	if !strings.HasPrefix(b.Status().Problem, want) {
		t.Errorf("%+v", b.Status())
	}
	if id, err := a.ServerID(); err != nil || id.Host != 9 {
		t.Errorf("the first one lost its number: %v", err)
	}
	var told bool
	for _, e := range b.journal.Since(0) {
		told = told || strings.Contains(e.Text, want)
	}
	if !told {
		t.Error("no event tells of it")
	}
}

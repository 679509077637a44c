// Package scenarios has what bench can do to an edge: one YAML file for each, and how they are read.
package scenarios

import (
	"embed"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/anyedge/anyedge/bench/load"
	"github.com/anyedge/anyedge/bench/target"
	"github.com/anyedge/anyedge/configs"
)

//go:embed *.yaml
var files embed.FS

// Scenario is a file of this directory, or one like it.
type Scenario struct {
	Name  string `yaml:"-"`
	About string `yaml:"about"`

	H1 *Clients `yaml:"h1"` // nil: not over H1
	H2 *Clients `yaml:"h2"`
	H3 *Clients `yaml:"h3"`

	Kept     load.Kept     `yaml:"kept"` // what becomes of a connection after a request
	Content  Content       `yaml:"content"`
	Rate     float64       `yaml:"rate"`     // requests a second, in an open loop; 0: as fast as answers come
	Duration time.Duration `yaml:"duration"` // over each protocol
	Timeout  time.Duration `yaml:"timeout"`  // of a request
	Events   []Event       `yaml:"events"`   // in their order
	ByHand   string        `yaml:"by_hand"`  // what the operator does meanwhile, to an edge that runs already
}

// Clients are those of one protocol.
type Clients struct {
	Connections int `yaml:"connections"`
	Streams     int `yaml:"streams"` // at a time on each; H1 has one
}

// Content is what is asked for.
type Content struct {
	Octets int64         `yaml:"octets" unit:"size"`
	Number int           `yaml:"number"` // how many there are
	Order  Order         `yaml:"order"`
	Skew   float64       `yaml:"skew"` // of zipf, above 1
	Fresh  time.Duration `yaml:"fresh"`
	Range  int64         `yaml:"range" unit:"size"` // 0: the whole
}

// Order is which of the contents comes next.
type Order string

// The orders.
const (
	Uniform Order = "uniform" // any
	Zipf    Order = "zipf"    // the n-th as often as n to the power of minus the skew
	Once    Order = "once"    // each once
)

// Event is something that happens meanwhile.
type Event struct {
	At time.Duration `yaml:"at"`
	Do Action        `yaml:"do"`
}

// Action is what happens.
type Action string

// The actions.
const (
	OriginDown Action = "origin_down"
	OriginUp   Action = "origin_up"
)

// SetDefaults makes a scenario of one content, with connections that are kept.
func (s *Scenario) SetDefaults() {
	s.Kept, s.Duration, s.Timeout = load.Keep, 3*time.Second, 5*time.Second
	s.Content.SetDefaults()
}

// SetDefaults makes it one that is stored.
func (c *Content) SetDefaults() {
	c.Number, c.Order, c.Skew, c.Fresh = 1, Uniform, 1.1, 24*time.Hour
}

// SetDefaults makes it one connection.
func (c *Clients) SetDefaults() { c.Connections, c.Streams = 1, 1 }

// Check reports mistakes.
func (s *Scenario) Check(report func(key, problem string)) {
	if s.About == "" {
		report("about", "is required: what the scenario is, in a few words")
	}
	if s.H1 == nil && s.H2 == nil && s.H3 == nil {
		report("", "has no clients: give it h1, h2 or h3")
	}
	switch s.Kept {
	case load.Keep:
	case load.New, load.Resume:
		if s.H2 != nil {
			report("h2", "handshakes of H2 are those of H1: leave it out where connections aren't kept")
		}
	default:
		report("kept", fmt.Sprintf("%q is not kept, new or resumed", s.Kept))
	}
	if s.Content.Octets <= 0 {
		report("content.octets", "is required: the size of each content")
	}
	if s.Rate < 0 {
		report("rate", "must not be below 0")
	}
	s.checkTimes(report)
}

func (s *Scenario) checkTimes(report func(key, problem string)) {
	if s.Duration <= 0 || s.Duration > time.Hour {
		report("duration", "must be above 0 and at most 1h")
	}
	if s.Timeout <= 0 {
		report("timeout", "must be above 0")
	}
	if len(s.Events) > 0 && s.Rate == 0 {
		report("rate", "is required with events: a closed loop asks more while failures are fast, and hides who waited")
	}
	last := time.Duration(0)
	for i, e := range s.Events {
		key := fmt.Sprintf("events[%d]", i)
		if e.At <= last || e.At >= s.Duration {
			report(key+".at", "must be within the duration and after the event before it")
		}
		if last = e.At; e.Do != OriginDown && e.Do != OriginUp {
			report(key+".do", fmt.Sprintf("%q is not origin_down or origin_up", e.Do))
		}
	}
}

// Check reports mistakes.
func (c *Content) Check(report func(key, problem string)) {
	switch c.Order {
	case Uniform, Once:
	case Zipf:
		if c.Skew <= 1 {
			report("skew", "must be above 1")
		}
	default:
		report("order", fmt.Sprintf("%q is not uniform, zipf or once", c.Order))
	}
	if c.Number < 1 {
		report("number", "must be at least 1")
	}
	if c.Range < 0 || c.Octets > 0 && c.Range > c.Octets {
		report("range", "must not be longer than the content")
	}
}

// Check reports mistakes.
func (c *Clients) Check(report func(key, problem string)) {
	const most = 100 // streams that servers allow at least
	if c.Connections < 1 || c.Connections > 10000 {
		report("connections", "must be from 1 to 10000")
	}
	if c.Streams < 1 || c.Streams > most {
		report("streams", fmt.Sprintf("must be from 1 to %d", most))
	}
}

// Names lists the scenarios that come with bench.
func Names() []string {
	names, _ := fs.Glob(files, "*.yaml") // the pattern is good
	for i, n := range names {
		names[i] = strings.TrimSuffix(n, ".yaml")
	}
	return names
}

// Load reads a scenario: one that comes with bench by its name, another by its file's. Mistakes in it are configs.Mistakes.
func Load(name string) (*Scenario, error) {
	data, err := files.ReadFile(name + ".yaml")
	if err != nil && !strings.HasSuffix(name, ".yaml") {
		return nil, fmt.Errorf("there is no scenario %s: there are %s, and any file that ends in .yaml", name, strings.Join(Names(), ", "))
	}
	if err != nil {
		if data, err = os.ReadFile(name); err != nil {
			return nil, fmt.Errorf("read the scenario: %w", err)
		}
		return Parse(name, data)
	}
	s, err := Parse(name+".yaml", data)
	if err == nil {
		s.Name = name
	}
	return s, err
}

// Parse reads data, which came from file.
func Parse(file string, data []byte) (*Scenario, error) {
	s := &Scenario{}
	if err := configs.Decode(file, data, s); err != nil {
		return nil, err
	}
	s.Name = strings.TrimSuffix(file[strings.LastIndexByte(file, '/')+1:], ".yaml")
	return s, nil
}

// Clients are those of a protocol; nil: the scenario isn't for it.
func (s *Scenario) Clients(p load.Protocol) *Clients {
	switch p {
	case load.H1, load.Plain:
		return s.H1
	case load.H2:
		return s.H2
	case load.H3:
		return s.H3
	default:
		return nil
	}
}

// Plan is the load of a scenario over a protocol, upon a server there. It asks for the same things in the same order
// whenever seed and protocol are the same. Where there are several contents, those of another seed or protocol are others,
// so that each run finds the cache as cold as the one before it.
func (s *Scenario) Plan(p load.Protocol, address string, seed int) load.Plan {
	clients := s.Clients(p)
	plan := load.Plan{
		Protocol: p, Address: address, Host: target.Host, Connections: clients.Connections, Streams: clients.Streams,
		Kept: s.Kept, Rate: s.Rate, Duration: s.Duration, Timeout: s.Timeout, Patient: len(s.Events) > 0 || s.ByHand != "",
		Request: s.requests(seed, p),
	}
	for _, e := range s.Events {
		plan.Marks = append(plan.Marks, e.At)
	}
	return plan
}

// requests are drawn before the load, so that drawing costs it nothing.
func (s *Scenario) requests(seed int, p load.Protocol) func(int) *load.Request {
	c := &s.Content
	const apart = 100_000_000 // the numbers of one run's contents from another's
	first := (4*seed + slices.Index([]load.Protocol{load.Plain, load.H1, load.H2, load.H3}, p)) * apart
	if c.Order == Once {
		return func(i int) *load.Request { return s.request(first+i, 0) }
	}
	if c.Number == 1 && c.Range == 0 {
		one := s.request(0, 0)
		return func(int) *load.Request { return one }
	}
	const drawn = 1 << 16
	r := rand.New(rand.NewPCG(uint64(seed), 1))
	zipf := rand.NewZipf(r, c.Skew, 1, uint64(c.Number-1))
	list := make([]*load.Request, drawn)
	for i := range list {
		number := r.IntN(c.Number)
		if c.Order == Zipf {
			number = int(zipf.Uint64())
		}
		from := int64(0)
		if c.Range > 0 {
			from = r.Int64N(c.Octets - c.Range + 1)
		}
		if c.Number > 1 {
			number += first
		}
		list[i] = s.request(number, from)
	}
	return func(i int) *load.Request { return list[i%drawn] }
}

// Whole asks for the first of the contents, from its beginning to its end.
func (s *Scenario) Whole() *load.Request {
	return &load.Request{Path: target.Path(s.Content.Octets, s.Content.Fresh, 0), Octets: s.Content.Octets}
}

func (s *Scenario) request(number int, from int64) *load.Request {
	c := &s.Content
	r := &load.Request{Path: target.Path(c.Octets, c.Fresh, number), Octets: c.Octets}
	if c.Range > 0 {
		r.Range, r.Status, r.Octets = fmt.Sprintf("bytes=%d-%d", from, from+c.Range-1), 206, c.Range
	}
	return r
}

// Stored says whether every content can be had from a cache that has been asked for each once.
func (s *Scenario) Stored() bool {
	return s.Content.Fresh > s.Duration+time.Minute && s.Content.Order != Once && s.Content.Number == 1 && len(s.Events) == 0
}

// Missed says that each request has to go to the origin.
func (s *Scenario) Missed() bool { return s.Content.Fresh == 0 || s.Content.Order == Once }

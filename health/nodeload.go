package health

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// LoadOptions sets when a load signal changes its grade. A grade is left below nine tenths of the threshold that it was
// entered by. Shares are of what this node has.
type LoadOptions struct {
	Interval    time.Duration        `yaml:"interval"`     // how often load is measured
	CPU         ShareThreshold       `yaml:"cpu"`          // time that work waits for a processor
	Memory      ShareThreshold       `yaml:"memory"`       // memory used, of the cgroup's limit or the machine's
	Descriptors ShareThreshold       `yaml:"descriptors"`  // file descriptors used, of the process's limit
	Connections ShareThreshold       `yaml:"connections"`  // client connections, of limits.connections
	Bandwidth   BandwidthThreshold   `yaml:"bandwidth"`    // bits sent, of a capacity
	AcceptDrops AcceptDropsThreshold `yaml:"accept_drops"` // connections that the kernel dropped
	Disk        WarnThreshold        `yaml:"disk"`         // filesystem used
	BGPSessions WarnThreshold        `yaml:"bgp_sessions"` // configured sessions that aren't established
	// Off are the signals that aren't measured, by name.
	Off []SignalName `yaml:"off"`
}

// BandwidthThreshold grades what is sent against a capacity.
type BandwidthThreshold struct {
	// Capacity is what the node's links carry, or its share of them, in Mbit/s. 0: not known, so nothing is graded, and
	// other nodes can't tell how much room there is.
	Capacity int     `yaml:"capacity"`
	Warn     float64 `yaml:"warn" unit:"ratio"`
	Crit     float64 `yaml:"crit" unit:"ratio"`
}

// AcceptDropsThreshold grades connections that the kernel dropped since an accept queue was full, a second.
type AcceptDropsThreshold struct {
	Warn float64 `yaml:"warn"`
	Crit float64 `yaml:"crit"`
}

// WarnThreshold grades what is never critical: how full a filesystem is, since memory still serves, and how many BGP sessions
// are down, since a route that can't be told can't be taken back either.
type WarnThreshold struct {
	Warn float64 `yaml:"warn" unit:"ratio"`
}

// SetDefaults sets the values that serve when the configuration is silent.
func (o *LoadOptions) SetDefaults() {
	*o = LoadOptions{
		Interval: time.Second,
		CPU:      ShareThreshold{Warn: 0.80, Crit: 0.95}, Memory: ShareThreshold{Warn: 0.90, Crit: 0.97},
		Descriptors: ShareThreshold{Warn: 0.80, Crit: 0.95}, Connections: ShareThreshold{Warn: 0.80, Crit: 0.95},
		Bandwidth: BandwidthThreshold{Warn: 0.85, Crit: 0.95}, AcceptDrops: AcceptDropsThreshold{Warn: 1, Crit: 50},
		Disk: WarnThreshold{Warn: 0.95}, BGPSessions: WarnThreshold{Warn: 0.01},
	}
}

// loadSignals are the names that Off may have.
var loadSignals = [...]SignalName{CPU, Memory, Descriptors, Connections, Bandwidth, AcceptDrops, Disk, BGPSessions}

// Check reports every value that can't be right.
func (o *LoadOptions) Check(report func(key, problem string)) {
	if o.Interval < 100*time.Millisecond || o.Interval > time.Minute {
		report("interval", "must lie between 100ms and 1m")
	}
	for key, t := range map[string]ShareThreshold{
		"cpu": o.CPU, "memory": o.Memory, "descriptors": o.Descriptors, "connections": o.Connections, "bandwidth": {o.Bandwidth.Warn, o.Bandwidth.Crit},
	} {
		if t.Warn <= 0 || t.Crit > 1 || t.Warn >= t.Crit {
			report(key, "needs 0% < warn < crit <= 100%")
		}
	}
	if o.Bandwidth.Capacity < 0 {
		report("bandwidth.capacity", "must not be negative: Mbit/s, 0 for not known")
	}
	if d := o.AcceptDrops; d.Warn <= 0 || d.Warn >= d.Crit {
		report("accept_drops", "needs 0 < warn < crit, a second")
	}
	for key, t := range map[string]WarnThreshold{"disk": o.Disk, "bgp_sessions": o.BGPSessions} {
		if t.Warn <= 0 || t.Warn > 1 {
			report(key+".warn", "must lie above 0% and at most at 100%")
		}
	}
	for i, name := range o.Off {
		if !slices.Contains(loadSignals[:], name) {
			report(fmt.Sprintf("off[%d]", i), fmt.Sprintf("%q is none of cpu, memory, descriptors, connections, bandwidth, accept_drops, disk and bgp_sessions", name))
		}
	}
}

// loadExit is the part of a threshold below which its grade is left.
const loadExit = 0.9

// bounds are those of a load signal.
func (o *LoadOptions) bounds(name SignalName) bounds {
	t := ShareThreshold{Warn: o.Disk.Warn}
	switch name {
	case CPU:
		t = o.CPU
	case Memory:
		t = o.Memory
	case Descriptors:
		t = o.Descriptors
	case Connections:
		t = o.Connections
	case Bandwidth:
		t = ShareThreshold{o.Bandwidth.Warn, o.Bandwidth.Crit}
	case BGPSessions:
		t = ShareThreshold{Warn: o.BGPSessions.Warn}
	case AcceptDrops:
		t = ShareThreshold{o.AcceptDrops.Warn, o.AcceptDrops.Crit}
	}
	return bounds{t.Warn, t.Crit, t.Warn * loadExit, t.Crit * loadExit}
}

// Figure is one measurement of a load signal.
type Figure struct {
	Name    SignalName
	Subject string // "node", or the filesystem
	Value   float64
	Detail  string
}

// nodeLoad is what was measured last of each load signal.
type nodeLoad struct {
	mu      sync.Mutex // guards the following fields
	figures []Figure
	at      time.Time
	marks   map[Figure]*mark // by name and subject
}

// staleAfter is how many intervals may pass without a result before that is a warning. It is never critical, and never
// better than what was known: a check that hangs proves nothing.
const staleAfter = 3

// Load takes what was measured of the node's load, all signals together.
func (t *Tracker) Load(figures []Figure) {
	l := &t.load
	l.mu.Lock()
	defer l.mu.Unlock()
	l.figures, l.at = figures, time.Now()
}

func (l *nodeLoad) signals(r *report, o *LoadOptions) {
	l.mu.Lock()
	defer l.mu.Unlock()
	age := r.now.Sub(l.at)
	for _, f := range l.figures {
		key := Figure{Name: f.Name, Subject: f.Subject}
		m := l.marks[key]
		if m == nil {
			m = &mark{}
			l.marks[key] = m
		}
		b := o.bounds(f.Name)
		s := Signal{Name: f.Name, Subject: f.Subject, Cause: Load, Value: f.Value, Unit: Ratio, Samples: 1, Detail: f.Detail}
		if f.Name == AcceptDrops {
			s.Unit = PerSecond
		}
		if f.Name == Disk || f.Name == BGPSessions {
			s.Cause = Local
		}
		s.Warn, s.Crit, s.WarnExit, s.CritExit = b.warn, b.crit, b.warnExit, b.critExit
		g := b.grade(m.grade, f.Value)
		if age > staleAfter*o.Interval {
			g = max(g, Warn)
			s.Detail = silence(age)
		}
		r.enter(s, g, m)
	}
}

// silence says that nothing came for age.
func silence(age time.Duration) string {
	return fmt.Sprintf("no result for %s", age.Round(time.Second))
}

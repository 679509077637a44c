package load

import (
	"io/fs"
	"math"
	"slices"
	"time"

	"github.com/anyedge/anyedge/health"
)

// smoothing is how fast a smoothed rate follows: what happened that long ago counts a third.
const smoothing = 5 * time.Second

// Sources are where the figures come from. A nil function isn't asked.
type Sources struct {
	FS   fs.FS // the root: proc and sys are below it
	CPUs int   // processors that this process may use
	// Connections returns the open client connections, and how many there may be.
	Connections func() (open, limit int)
	// Disks are the filesystems to look at, by any path in them; Used returns how much of one is used, 0 to 1.
	Disks []string
	Used  func(path string) (float64, error)
}

// Sampler measures. It is not safe for concurrent use.
type Sampler struct {
	sources Sources
	last    time.Time
	process rate // processor time of this process, in seconds a second
	sent    rate // octets a second
	drops   rate // a second
}

// NewSampler returns a Sampler that reads src.
func NewSampler(src Sources) *Sampler { return &Sampler{sources: src} }

// Sample measures every signal that is known at now and isn't switched off. The first one has no rates.
func (s *Sampler) Sample(now time.Time, o *health.LoadOptions) []health.Figure {
	elapsed := time.Duration(0)
	if !s.last.IsZero() {
		elapsed = now.Sub(s.last)
	}
	s.last = now
	var figures []health.Figure
	for _, m := range []func(time.Duration, *health.LoadOptions) (health.Figure, bool){
		s.cpu, s.memory, s.descriptors, s.connections, s.bandwidth, s.acceptDrops,
	} {
		if f, known := m(elapsed, o); known && !slices.Contains(o.Off, f.Name) {
			f.Subject = health.WholeNode
			figures = append(figures, f)
		}
	}
	if !slices.Contains(o.Off, health.Disk) {
		figures = append(figures, s.disks()...)
	}
	return figures
}

// Sent is what this node sends now, in bits per second; negative while that isn't known.
func (s *Sampler) Sent() float64 {
	if !s.sent.known {
		return -1
	}
	return 8 * s.sent.value
}

func (s *Sampler) connections(time.Duration, *health.LoadOptions) (health.Figure, bool) {
	if s.sources.Connections == nil {
		return health.Figure{}, false
	}
	open, limit := s.sources.Connections()
	return share(health.Connections, float64(open), float64(limit))
}

// share is a figure that is a part of a whole, if there is one.
func share(name health.SignalName, part, whole float64) (health.Figure, bool) {
	if whole <= 0 {
		return health.Figure{}, false
	}
	return health.Figure{Name: name, Value: part / whole}, true
}

// rate is a counter's smoothed increase a second.
type rate struct {
	count float64
	value float64
	begun bool // count is known
	known bool // value is
}

// add takes the counter elapsed after the last time. A counter that fell has begun anew.
func (r *rate) add(count float64, elapsed time.Duration) {
	if r.begun && elapsed > 0 && count >= r.count {
		now := (count - r.count) / elapsed.Seconds()
		weight := 1 - math.Exp(-float64(elapsed)/float64(smoothing))
		if !r.known {
			weight = 1
		}
		r.value += weight * (now - r.value)
		r.known = true
	}
	r.count, r.begun = count, true
}

package load

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anyedge/anyedge/health"
)

// bandwidth is the share of the configured capacity that is sent, on all interfaces but loopback.
func (s *Sampler) bandwidth(elapsed time.Duration, o *health.LoadOptions) (health.Figure, bool) {
	octets, ok := s.octetsSent()
	if !ok {
		return health.Figure{}, false
	}
	s.sent.add(octets, elapsed)
	if !s.sent.known {
		return health.Figure{}, false
	}
	capacity := 1e6 * float64(o.Bandwidth.Capacity)
	f, known := share(health.Bandwidth, s.Sent(), capacity)
	f.Detail = fmt.Sprintf("%s of %s", health.BitsPerSecond.Format(s.Sent()), health.BitsPerSecond.Format(capacity))
	return f, known
}

// octetsSent adds up the ninth figure after each interface's name in /proc/net/dev.
func (s *Sampler) octetsSent() (sum float64, ok bool) {
	for line := range s.lines("proc/net/dev") {
		name, figures, found := strings.Cut(line, ":")
		fields := strings.Fields(figures)
		if !found || len(fields) < 9 || strings.TrimSpace(name) == "lo" {
			continue
		}
		n, err := strconv.ParseFloat(fields[8], 64)
		if err != nil {
			return 0, false
		}
		sum, ok = sum+n, true
	}
	return sum, ok
}

// acceptDrops is how many connections a second the kernel dropped since a listener's queue was full.
func (s *Sampler) acceptDrops(elapsed time.Duration, _ *health.LoadOptions) (health.Figure, bool) {
	n, ok := s.netstat("TcpExt", "ListenOverflows")
	if !ok {
		return health.Figure{}, false
	}
	s.drops.add(n, elapsed)
	return health.Figure{Name: health.AcceptDrops, Value: s.drops.value}, s.drops.known
}

// netstat reads one counter of /proc/net/netstat, where a line of names stands above the line of their figures.
func (s *Sampler) netstat(group, name string) (float64, bool) {
	var names []string
	for line := range s.lines("proc/net/netstat") {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != group+":" {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		i := slices.Index(names, name)
		if i < 0 || i >= len(fields) {
			return 0, false
		}
		n, err := strconv.ParseFloat(fields[i], 64)
		return n, err == nil
	}
	return 0, false
}

package listener

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anyedge/anyedge/health"
)

// loss says how a connection ended that nobody closed.
type loss string

const (
	lostReset   loss = "reset"
	lostTimeout loss = "timeout"
	lostError   loss = "error" // a breach of the protocol, by either side
)

// lossesEvery is how often lost connections become an event: one line for a wave of resets, near enough to a route
// change to be read beside it.
const lossesEvery = time.Second

// losses counts lost connections and writes them to the journal, together.
type losses struct {
	vip     string
	metrics *vipMetrics
	journal *health.Journal

	mu     sync.Mutex // guards the following fields
	counts map[string]int
	timer  *time.Timer // set while counts wait to be written
}

func newLosses(vip string, m *vipMetrics, j *health.Journal) *losses {
	return &losses{vip: vip, metrics: m, journal: j, counts: map[string]int{}}
}

func (l *losses) note(p Protocol, reason loss) {
	defer l.metrics.lost(p, reason) // last: what the metrics count, flush finds
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[fmt.Sprintf("%s %s", p, reason)]++
	if l.timer == nil {
		l.timer = time.AfterFunc(lossesEvery, l.flush)
	}
}

// flush writes what was counted. It is called once more when the listener has closed.
func (l *losses) flush() {
	l.mu.Lock()
	counts := l.counts
	l.counts = map[string]int{}
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	l.mu.Unlock()
	if len(counts) > 0 {
		l.journal.Add(health.EventConn, l.vip, lossText(counts))
	}
}

// lossText reads "12 connections lost: h1 reset 4, h3 timeout 8".
func lossText(counts map[string]int) string {
	total := 0
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		total += counts[what]
		parts = append(parts, fmt.Sprintf("%s %d", what, counts[what]))
	}
	noun := "connections"
	if total == 1 {
		noun = "connection"
	}
	return fmt.Sprintf("%d %s lost: %s", total, noun, strings.Join(parts, ", "))
}

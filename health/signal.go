package health

import (
	"fmt"
	"time"
)

// Cause says whose fault a bad signal is; it decides how far a signal may drive an announcement.
type Cause string

// The cause classes.
const (
	Local    Cause = "local"    // this node's own fault
	Path     Cause = "path"     // the way to an origin, or the origin
	Load     Cause = "load"     // too much to do
	Operator Cause = "operator" // somebody asked for it
)

// Grade is how bad a signal's value is by its own thresholds.
type Grade uint8

// The grades, from no knowledge to bad. Unknown is never critical: too few samples prove nothing.
const (
	Unknown Grade = iota
	OK
	Warn
	Crit
)

var gradeNames = [...]string{"unknown", "ok", "warn", "crit"}

func (g Grade) String() string {
	if int(g) < len(gradeNames) {
		return gradeNames[g]
	}
	return fmt.Sprintf("grade(%d)", uint8(g))
}

// MarshalText writes the grade as its name.
func (g Grade) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (g *Grade) UnmarshalText(b []byte) error {
	for i, n := range gradeNames {
		if n == string(b) {
			*g = Grade(i)
			return nil
		}
	}
	return fmt.Errorf("unknown grade %q", b)
}

// SignalName names what is measured.
type SignalName string

// The signals.
const (
	OriginProbe SignalName = "origin_probe" // per origin: share of servers that probes find down
	FillErrors  SignalName = "fill_errors"  // per origin: share of fills that failed
	// ConnectErrors is per origin: share of fills that got no connection. They are failed fills too; alone they say that it is
	// the way, or the server, and not what it answers.
	ConnectErrors SignalName = "connect_errors"
	FillQueue     SignalName = "fill_queue"   // per origin: share of fills that found no place at a server at once
	FillLatency   SignalName = "fill_latency" // per origin: quantile of the time to first byte, in seconds
	// Unanswered is per origin, while its path isn't ok: share of the requests for its content, hits included, that got an
	// error of this node's own. At most warn, and it drives nothing: it says what the cache can still do.
	Unanswered SignalName = "unanswered"
	SelfCheck  SignalName = "self_check" // per VIP: failures in a row of a request to ourselves through the VIP
	SelfQUIC   SignalName = "self_quic"  // per VIP: the same over QUIC; at most warn, since TCP still serves
	// ServiceProbe is per VIP: rounds in a row in which a probe of its co-located service failed.
	ServiceProbe SignalName = "service_probe"
	// Certificate is per VIP: names of its sites that no certificate covers, or not for long any more; at most warn, since
	// another node would hardly have a better one, and the other names still serve.
	Certificate SignalName = "certificate"
	// The rest are of the whole node; see the package load.
	CPU         SignalName = "cpu"          // share of the time in which work waits for a processor
	Memory      SignalName = "memory"       // share of the memory that is used
	Descriptors SignalName = "descriptors"  // share of the file descriptors that are used
	Connections SignalName = "connections"  // share of limits.connections that are open
	Bandwidth   SignalName = "bandwidth"    // share of the configured capacity that is sent
	AcceptDrops SignalName = "accept_drops" // connections that the kernel dropped for want of a place in the queue, a second
	// BGPSessions is the share of the configured BGP sessions that aren't established; at most warn, since what they would
	// carry stays as it is.
	BGPSessions SignalName = "bgp_sessions"
	Disk        SignalName = "disk" // share of a filesystem that is used; at most warn, since memory still serves
)

// WholeNode is the subject of the signals that are of no VIP or origin.
const WholeNode = "node"

// Unit says how to print a signal's value and thresholds.
type Unit string

// The units.
const (
	Ratio    Unit = "ratio"    // 0..1, printed as a percentage
	Seconds  Unit = "seconds"  // printed as a duration
	Failures Unit = "failures" // failures in a row
	Names    Unit = "names"    // host names
	// PerSecond counts events, BitsPerSecond what is sent.
	PerSecond     Unit = "per_second"
	BitsPerSecond Unit = "bits_per_second"
)

// Signal is one measured figure with its grade: a value, ready to be kept in a decision record.
type Signal struct {
	Name    SignalName `json:"name"`
	Subject string     `json:"subject"` // the origin's name if the cause is Path, the node's or a filesystem's if it is Load, else the VIP's
	Cause   Cause      `json:"cause"`
	Value   float64    `json:"value"`
	Unit    Unit       `json:"unit"`
	// Samples is how many measurements the value rests on, MinSamples how many it takes to leave Unknown.
	// For a self check both count successes in a row.
	Samples    int       `json:"samples"`
	MinSamples int       `json:"min_samples,omitempty"`
	Grade      Grade     `json:"grade"`
	Since      time.Time `json:"since"` // when the grade was entered
	// A grade is entered at Warn or Crit and left below WarnExit or CritExit. A Crit of 0 is none: it never gets there.
	Warn     float64 `json:"warn"`
	Crit     float64 `json:"crit"`
	WarnExit float64 `json:"warn_exit"`
	CritExit float64 `json:"crit_exit"`
	Detail   string  `json:"detail,omitempty"` // the last failure in words
}

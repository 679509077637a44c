package routing

import "time"

// Fleet is what a node knows of the others, for one VIP. Times are ages, so that a record of it replays.
type Fleet struct {
	Metro string `json:"metro,omitempty"` // this node's
	// Load is what this node serves now, in bits per second: what would move if it left.
	Load  float64 `json:"load"`
	Nodes []Node  `json:"nodes"` // the others, by name
}

// Node is one other node, as it says itself and as its data plane answers.
type Node struct {
	Name  string        `json:"name"`
	Metro string        `json:"metro,omitempty"`
	Age   time.Duration `json:"age"` // since it told; negative: it never has
	// Verified is how long ago its data plane last answered for this VIP; negative: it never has.
	Verified time.Duration `json:"verified"`
	Level    Level         `json:"level"` // of this VIP there
	// Failing: its own check of this VIP fails. It counts before that has changed the level, so that nodes with one common
	// fault don't each take the other for well and all leave.
	Failing bool `json:"failing,omitempty"`
	// Headroom is how much more it can serve, in bits per second; negative: it doesn't know.
	Headroom float64 `json:"headroom"`
	// Origins has for each origin that the node fills from how long ago it last found its path critical; negative: not
	// since it began to tell.
	Origins map[string]time.Duration `json:"origins,omitempty"`
	Problem string                   `json:"problem,omitempty"` // why it doesn't tell or answer
}

// View is where a controller learns of the other nodes. The fleet fulfils it.
type View interface {
	// View is what is known of the others for vip, or nil where there are none to ask.
	View(vip string) *Fleet
}

// Report is what a node tells the others, in /v1/status.
type Report struct {
	Levels map[string]Level `json:"levels"` // by VIP
	// Failing are the VIPs whose own check fails, if only once so far.
	Failing []string `json:"failing,omitempty"`
	// Critical are the origins whose path is critical; Origins are all that it fills from.
	Critical []string `json:"critical"`
	Origins  []string `json:"origins"`
	Load     float64  `json:"load"`     // bits per second served now; negative: not known
	Headroom float64  `json:"headroom"` // bits per second more that it can serve; negative: not known
}

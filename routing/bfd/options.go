package bfd

import (
	"fmt"
	"time"
)

// Options is a session's configuration: `bgp.peers[].bfd`.
type Options struct {
	Enabled bool `yaml:"enabled"`
	// MinTx is how often packets are sent at most, MinRx how often they may come: the slower wish of the two systems holds
	// for each direction. While the session isn't up a packet a second is sent (RFC 5880 §6.8.3).
	MinTx time.Duration `yaml:"min_tx"`
	MinRx time.Duration `yaml:"min_rx"`
	// Multiplier is how many packets of ours in a row may be missing before the other system takes us for dead.
	Multiplier int `yaml:"multiplier"`
	// Strict keeps the BGP session down as long as BFD isn't up.
	Strict bool `yaml:"strict"`
}

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() {
	*o = Options{MinTx: 300 * time.Millisecond, MinRx: 300 * time.Millisecond, Multiplier: 3}
}

const (
	// minInterval keeps the promise that an ordinary process on a busy host can hold.
	minInterval = 50 * time.Millisecond
	maxInterval = 10 * time.Second
	maxMultiply = 255 // an octet of the packet
)

// Check reports every value that can't be right.
func (o *Options) Check(report func(key, problem string)) {
	interval := func(key string, d time.Duration) {
		if d < minInterval || d > maxInterval || d%time.Microsecond != 0 {
			report(key, fmt.Sprintf("must be between %s and %s, in whole microseconds", minInterval, maxInterval))
		}
	}
	if !o.Enabled {
		if o.Strict {
			report("strict", "needs enabled: true")
		}
		return
	}
	interval("min_tx", o.MinTx)
	interval("min_rx", o.MinRx)
	if o.Multiplier < 1 || o.Multiplier > maxMultiply {
		report("multiplier", fmt.Sprintf("must be between 1 and %d", maxMultiply))
	}
}

package fleet

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/anyedge/anyedge/routing/fleet/gossip"
)

// word is a message that isn't the fleet's own.
type word struct {
	Topic string `json:"topic"`
	Text  []byte `json:"text"`
}

// Say brings text, which must be sealed where it is secret, to those of another node who hear the topic. That it arrived
// isn't known. It takes as long as a connection to the node does.
func (f *Fleet) Say(node, topic string, text []byte) error {
	b, err := json.Marshal(talk{Word: &word{topic, text}})
	if err != nil {
		return err
	}
	return f.mesh.Send(node, b)
}

// Alive are the names of the other nodes that are there, in order. Not settled: this node has just begun, and may not have
// heard of all.
func (f *Fleet) Alive() (names []string, settled bool) {
	for _, m := range f.mesh.Members() {
		if m.Status == gossip.Alive {
			names = append(names, m.Name)
		}
	}
	slices.Sort(names)
	return names, time.Since(f.started) >= settleRounds*f.config.Options.Interval
}

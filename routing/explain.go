package routing

import (
	"net/netip"
	"slices"
	"time"

	"github.com/anyedge/anyedge/health"
)

// Explanation says why a VIP is at its level, from the very record of the decision. It is what /v1/explain answers.
type Explanation struct {
	Now time.Time `json:"now"` // when it was asked
	// ClockStep is how far the wall clock has been set since the node's start. All times here go by the clock as it was.
	ClockStep time.Duration      `json:"clock_step,omitempty"`
	VIP       string             `json:"vip"`
	Level     Level              `json:"level"`
	LevelName string             `json:"level_name"`
	Since     time.Time          `json:"since"` // when the level was entered
	Reason    Reason             `json:"reason"`
	Text      string             `json:"text"`              // the reason and its figures in one sentence
	Because   []health.Signal    `json:"because,omitempty"` // the signals that decided
	Next      []Next             `json:"next"`              // what would change the level, the likeliest first
	Signals   []health.Signal    `json:"signals"`           // all that count for the VIP
	Shares    map[string]float64 `json:"shares,omitempty"`  // each origin's share of its requests
	Drain     *Drain             `json:"drain,omitempty"`
	Force     *Force             `json:"force,omitempty"`
	// Blackhole is there while peers are asked to drop what is sent to its addresses.
	Blackhole *Blackhole `json:"blackhole,omitempty"`
	// Damping is what its changes have cost so far, as of Now; see Damper.
	Damping  float64         `json:"damping"`
	Withheld []string        `json:"withheld,omitempty"` // classes of peers that don't get the routes
	Shed     bool            `json:"shed,omitempty"`
	Refuse   bool            `json:"refuse,omitempty"` // what only an origin could answer is refused
	Guard    *Guard          `json:"guard,omitempty"`
	Shared   []health.Signal `json:"shared,omitempty"` // bad signals that other nodes have too
	Fleet    *Fleet          `json:"fleet,omitempty"`  // what is known of the other nodes
	Prefixes []PrefixLevel   `json:"prefixes"`
	Peers    []Peer          `json:"peers"`
	// SpeakerError is why the peers' tables may not be what was decided. It is tried again.
	SpeakerError string   `json:"speaker_error,omitempty"`
	History      []Record `json:"history"` // changes of level or reason with all their inputs, newest first
}

// PrefixLevel is one prefix of a VIP. Another VIP that has the same prefix and a worse level holds it there.
type PrefixLevel struct {
	Prefix netip.Prefix `json:"prefix"`
	Level  Level        `json:"level"`
	HeldBy string       `json:"held_by,omitempty"` // that other VIP
}

// Explain says why vip, or every VIP if it is empty, is at its level. The error names the VIPs that there are.
func (c *Controller) Explain(vip string) ([]Explanation, error) {
	views := *c.view.Load()
	names := make([]string, len(views))
	for i, v := range views {
		names[i] = v.vip.Name
	}
	if err := known(vip, names); err != nil {
		return nil, err
	}
	held, peers, failure, now, step := holders(views), c.peers(), c.announcer.failure.Load(), c.clock.now(), c.clock.step()
	list := make([]Explanation, 0, len(views))
	for i := range views {
		if vip != "" && vip != names[i] {
			continue
		}
		e := views[i].explain(now, held)
		e.Peers, e.ClockStep = peers, step
		if failure != nil {
			e.SpeakerError = *failure
		}
		list = append(list, e)
	}
	return list, nil
}

// peers are the speaker's, with their times by c.clock.
func (c *Controller) peers() []Peer {
	list := slices.Clone(c.announcer.speaker.Peers())
	for i := range list {
		list[i].Since = c.clock.of(list[i].Since)
		if b := list[i].BFD; b != nil {
			own := *b
			own.Since = c.clock.of(own.Since)
			list[i].BFD = &own
		}
	}
	return list
}

func (v *view) explain(now time.Time, held map[netip.Prefix]*view) Explanation {
	in, d := v.record.Input, v.record.Decision
	e := Explanation{
		Now: now, VIP: v.vip.Name, Level: d.To, LevelName: d.To.String(), Since: d.State.Since, Reason: d.Reason, Text: d.Text,
		Because: d.Because, Next: d.Next, Signals: in.Signals, Shares: in.Shares, Drain: in.Drain, Force: in.Force, Blackhole: v.hole,
		Withheld: d.Withheld, Shed: d.Shed, Refuse: d.Refuse, Guard: d.Guard, Shared: d.Shared, Fleet: in.Fleet,
		Damping: d.State.Damper.Value(now), History: slices.Clone(v.history),
	}
	slices.Reverse(e.History)
	for _, p := range v.vip.Prefixes {
		h := held[p.Masked()]
		l := PrefixLevel{Prefix: p, Level: h.level()}
		if h.vip.Name != v.vip.Name {
			l.HeldBy = h.vip.Name
		}
		e.Prefixes = append(e.Prefixes, l)
	}
	return e
}

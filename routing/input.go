package routing

import (
	"time"

	"github.com/anyedge/anyedge/health"
)

// Input is everything that a decision rests on: the same input always gives the same decision, so that a record of
// one can be replayed. Decide changes nothing in it.
type Input struct {
	Now        time.Time          `json:"now"`
	VIP        string             `json:"vip"`
	SelfChecks bool               `json:"self_checks"`          // see VIP.SelfChecks
	Signals    []health.Signal    `json:"signals"`              // those that count for this VIP: its own, and its origins'
	Shares     map[string]float64 `json:"shares,omitempty"`     // each of its origins' share of the recent requests; sum 1
	Drain      *Drain             `json:"drain,omitempty"`      // nil unless an operator asked for it
	Force      *Force             `json:"force,omitempty"`      // likewise
	Quarantine string             `json:"quarantine,omitempty"` // why a new process is kept apart; empty unless it is
	Stop       string             `json:"stop,omitempty"`       // why the node is stopping; empty unless it is
	// Fleet is what is known of the other nodes; nil: there is nobody to ask.
	Fleet   *Fleet  `json:"fleet,omitempty"`
	State   State   `json:"state"`
	Options Options `json:"options"`
}

// Drain is an operator's wish to take a VIP out of service.
type Drain struct {
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"` // zero: until it is undrained
	Reason string    `json:"reason,omitempty"`
}

// Force is an operator's word that a VIP is at a level, whatever the signals say.
type Force struct {
	Level  Level     `json:"level"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
}

// Blackhole is an operator's word that peers shall drop what is sent to a VIP's addresses, RFC 7999: it is attacked, and
// the line to here would be full of that. It decides over no level.
type Blackhole struct {
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
}

// holds says whether d is there and hasn't expired.
func (d *Drain) holds(now time.Time) bool {
	return d != nil && (d.Until.IsZero() || now.Before(d.Until))
}

// holds says whether f is there and hasn't expired.
func (f *Force) holds(now time.Time) bool { return f != nil && now.Before(f.Until) }

// State is what one decision hands to the next. A zero time says that it isn't so.
type State struct {
	Level Level     `json:"level"`
	Since time.Time `json:"since"` // when Level was entered
	// Proven: the node has served itself through the VIP at least once.
	Proven bool `json:"proven"`
	// Warm: it has been at level 0, so the cache isn't cold.
	Warm bool `json:"warm"`
	// Released: it has left the quarantine.
	Released bool `json:"released,omitempty"`
	// Damper is what the changes so far have cost.
	Damper Damper `json:"damper"`
	// Rising: the rise under way has been let pass by the damper, with all its steps. A fall ends it.
	Rising bool `json:"rising"`
	// Excused: an operator has set the level. The rise afterwards neither asks the damper nor costs anything.
	Excused bool `json:"excused,omitempty"`
	// LastDoor: it was announced against the damper, since nobody else could serve.
	LastDoor bool `json:"last_door,omitempty"`
	// FailSince: the proof that the VIP is served fails, if only once so far.
	FailSince time.Time `json:"fail_since,omitzero"`
	// AbleSince: proven, no local cause, no operator against it. It may be announced at some level.
	AbleSince time.Time `json:"able_since,omitzero"`
	// BadSince: origins with at least half of the requests are critical. GoodSince: able, and they aren't.
	BadSince  time.Time `json:"bad_since,omitzero"`
	GoodSince time.Time `json:"good_since,omitzero"`
	// WarnSince: they warn, at least. WellSince: able, and they don't.
	WarnSince time.Time `json:"warn_since,omitzero"`
	WellSince time.Time `json:"well_since,omitzero"`
	// LoadSince: a load signal warns, at least. LoadCritSince: one is critical. EaseSince: with what has moved away it
	// would be well below that.
	LoadSince     time.Time `json:"load_since,omitzero"`
	LoadCritSince time.Time `json:"load_crit_since,omitzero"`
	EaseSince     time.Time `json:"ease_since,omitzero"`
	// Steps are those that overload has brought about and that aren't taken back.
	Steps []LoadStep `json:"steps,omitempty"`
	// Withheld are the classes of peers that have lost the routes.
	Withheld []string `json:"withheld,omitempty"`
	// Shares are what the origins' shares were when the path turned bad, until the VIP is announced again. A path is
	// weighed by these as well: once the VIP is depreferred, demand leaves it and would weigh nothing.
	Shares map[string]float64 `json:"shares,omitempty"`
}

// Decision is the level that a VIP gets, and why.
type Decision struct {
	From    Level           `json:"from"`
	To      Level           `json:"to"`
	Reason  Reason          `json:"reason"`
	Text    string          `json:"text"`              // the reason and its figures in one sentence
	Because []health.Signal `json:"because,omitempty"` // the signals that decided
	Next    []Next          `json:"next,omitempty"`    // what would change the level, the likeliest first
	// Withheld are the classes of peers that don't get the routes, at PartlyWithdrawn.
	Withheld []string `json:"withheld,omitempty"`
	// Shed asks the node to do without what it can, before any route changes and while they do.
	Shed bool `json:"shed,omitempty"`
	// Refuse asks it to refuse what only an origin could answer, besides.
	Refuse bool `json:"refuse,omitempty"`
	// Guard is whether the other nodes could take over, where that was asked.
	Guard *Guard `json:"guard,omitempty"`
	// Shared are bad signals that don't count, since other nodes have the same: it is the origin's fault.
	Shared []health.Signal `json:"shared,omitempty"`
	State  State           `json:"state"` // for the next decision
}

// Next is a change that would come.
type Next struct {
	Level     Level     `json:"level"`
	At        time.Time `json:"at,omitzero"` // when it's due; zero if nobody can know
	Condition string    `json:"condition"`   // "if all stays well", "30s after origin shop has recovered"
}

// Record is one decision with all that it rests on.
type Record struct {
	Input    Input    `json:"input"`
	Decision Decision `json:"decision"`
}

package routing

import (
	"cmp"
	"maps"
	"slices"
)

// Reason is why a VIP is at its level: one closed set for explain, events, logs and metrics alike.
type Reason string

// The reasons, by the order in which they outrank each other.
const (
	Stopped            Reason = "stopped"              // the node is stopping; nothing is announced any more
	NotProven          Reason = "not_proven"           // the node hasn't served itself through the VIP yet
	Forced             Reason = "forced"               // an operator says so, for a time
	Quarantined        Reason = "quarantined"          // processes died one after the other; this one must first be well for a while
	SelfCheckFailed    Reason = "self_check_failed"    // it no longer does
	Draining           Reason = "drain"                // an operator takes the VIP out of service; it is still announced
	Drained            Reason = "drained"              // an operator took the VIP out of service
	Guarded            Reason = "guarded"              // it would leave, but the others couldn't take over
	OriginPathCritical Reason = "origin_path_critical" // origins with at least half of its requests can't be filled from
	OriginPathWarning  Reason = "origin_path_warning"  // they can, though badly
	SelfCheckWarning   Reason = "self_check_warning"   // nothing says any more that the node serves itself through the VIP
	Overloaded         Reason = "overloaded"           // too much comes; some of it is sent elsewhere
	Easing             Reason = "easing"               // not too much any more, but what went elsewhere might not fit yet
	Holding            Reason = "holding"              // one or the other, but not for long enough yet to act
	Damped             Reason = "damped"               // it would change, but its routes have changed too often
	OriginFault        Reason = "origin_fault"         // origins fail for other nodes too, so leaving would help nobody
	WarmingUp          Reason = "warming_up"           // proven for the first time; the cache fills before all traffic comes
	Rising             Reason = "rising"               // all is well again, but not for long enough yet
	Well               Reason = "well"                 // nothing speaks against announcing it
	Removed            Reason = "removed"              // the configuration no longer has it
)

var reasonTexts = map[Reason]string{
	Stopped:            "the node is stopping: nothing is announced any more",
	NotProven:          "nothing is announced before what the node asks through the VIP has succeeded",
	Forced:             "an operator has set the level, whatever the signals say, until it expires or anyedge unforce",
	Quarantined:        "processes died one after the other, and routers shall not see every one come and go",
	SelfCheckFailed:    "what the node asks through the VIP fails, so nobody else can be served either",
	Draining:           "an operator takes it out of service by degrees",
	Drained:            "an operator took it out of service",
	OriginPathCritical: "origins with at least half of its requests are critical; it is used only where nobody else is",
	OriginPathWarning:  "origins with at least half of its requests warn; where another node is as good, that one is used",
	SelfCheckWarning:   "nothing says any more that the VIP serves; where another node does, that one is used",
	Guarded:            "it would go further, but the last good door never closes by itself",
	Overloaded:         "more comes than the node can serve well; after shedding locally, it sends some of it to other nodes",
	Easing:             "the load is lower, but what has moved away would have to fit for a while before it is called back",
	Holding:            "what speaks against it hasn't lasted long enough yet to act",
	OriginFault:        "other nodes find the same origins failing: it is the origin's fault, nobody leaves, and what is stored is served",
	Damped:             "its routes have changed so often that routers would soon ignore them; it waits until that is forgotten",
	WarmingUp:          "it has proven itself; the cache fills before all traffic comes",
	Rising:             "all is well again, but not for long enough yet for the next step up",
	Well:               "nothing speaks against announcing it",
	Removed:            "the configuration no longer has it",
}

// reasonCodes never change, since others' filters and collectors read them: new reasons get new numbers.
var reasonCodes = map[Reason]uint32{
	Well: 0, NotProven: 1, WarmingUp: 2, Rising: 3, Holding: 4, OriginPathWarning: 10, OriginPathCritical: 11, OriginFault: 12,
	SelfCheckWarning: 20, SelfCheckFailed: 21, Overloaded: 30, Easing: 31, Damped: 40, Quarantined: 41, Guarded: 42,
	Forced: 50, Draining: 51, Drained: 52, Stopped: 53, Removed: 54,
}

// Reasons are all that there are, by their codes.
func Reasons() []Reason {
	return slices.SortedFunc(maps.Keys(reasonTexts), func(a, b Reason) int { return cmp.Compare(a.Code(), b.Code()) })
}

// Code is the reason's number in informational communities.
func (r Reason) Code() uint32 { return reasonCodes[r] }

// Text says what the reason means, in a clause.
func (r Reason) Text() string { return reasonTexts[r] }

// operators says whether somebody has decided that, and not the signals.
func (r Reason) operators() bool {
	return r == Stopped || r == Draining || r == Drained || r == Forced
}

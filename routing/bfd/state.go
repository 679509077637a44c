package bfd

import (
	"fmt"
	"time"
)

// State is the state of a session, as a packet carries it (RFC 5880 §4.1).
type State uint8

// The states, and how each is left (RFC 5880 §6.2).
const (
	AdminDown State = iota // switched off by an operator; nothing that comes changes it
	Down                   // the other system isn't heard, or doesn't hear us; Init or Up when it says Down or Init
	Init                   // it is heard; Up when it says that it hears us
	Up                     // both hear each other; Down when it falls silent or says Down
)

var stateNames = [...]string{"admin-down", "down", "init", "up"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// Diagnostic says why a session was last left (RFC 5880 §4.1).
type Diagnostic uint8

// The diagnostics that this package gives itself; others may come from routers.
const (
	NoDiagnostic   Diagnostic = 0
	TimeExpired    Diagnostic = 1 // nothing came for the detection time
	NeighborDown   Diagnostic = 3 // the other system said that the session is down
	Administrative Diagnostic = 7
)

var diagnosticNames = [...]string{
	"no diagnostic", "control detection time expired", "echo function failed", "neighbor signaled session down",
	"forwarding plane reset", "path down", "concatenated path down", "administratively down", "reverse concatenated path down",
}

func (d Diagnostic) String() string {
	if int(d) < len(diagnosticNames) {
		return diagnosticNames[d]
	}
	return fmt.Sprintf("diagnostic %d", uint8(d))
}

// Change is a change of a session's state.
type Change struct {
	From, To   State
	Diagnostic Diagnostic    // why
	Remote     State         // what the other system said last
	RemoteWhy  Diagnostic    // and its own reason for that
	Detection  time.Duration // how long the other system was, or may be, silent
}

// Failure says whether the path or the other system is to be taken for dead: a session that was up went down, and nobody
// wanted that. A router whose operator has switched BFD off alone says AdminDown (RFC 5882 §3.2).
func (c Change) Failure() bool { return c.From == Up && c.To == Down && c.Remote != AdminDown }

// Reason says in words why the session is in its new state.
func (c Change) Reason() string {
	switch {
	case c.To == Up:
		return "both systems hear each other"
	case c.To == Init:
		return "the router is heard"
	case c.Diagnostic == TimeExpired:
		return fmt.Sprintf("nothing heard for %s", c.Detection)
	case c.Diagnostic == NeighborDown && c.Remote == AdminDown:
		return "the router's operator has switched it off"
	case c.Diagnostic == NeighborDown && c.RemoteWhy == TimeExpired:
		return "the router says that it doesn't hear us"
	case c.Diagnostic == NeighborDown:
		return "the router says that it is down: " + c.RemoteWhy.String()
	}
	return c.Diagnostic.String()
}

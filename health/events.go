package health

import "time"

// EventKind groups events so that a reader can filter them.
type EventKind string

// The kinds of events.
const (
	EventDecision EventKind = "decision" // a VIP's level changed
	EventRoute    EventKind = "route"    // a route was announced, changed or withdrawn, or a BGP session changed
	EventSignal   EventKind = "signal"   // a signal changed its grade
	EventOrigin   EventKind = "origin"   // a server went up or down, was ejected or readmitted
	EventFill     EventKind = "fill"     // a fill failed or was retried
	EventConn     EventKind = "conn"     // a client's connection was reset
	EventNode     EventKind = "node"     // start, reload, drain, stop
)

// Event is one thing that happened on this node.
type Event struct {
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
	Kind    EventKind `json:"kind"`
	Subject string    `json:"subject,omitempty"` // VIP, origin, peer
	Text    string    `json:"text"`
	Count   int       `json:"count,omitempty"` // how often it happened within a second of Time
}

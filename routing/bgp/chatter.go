package bgp

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
)

// heard is something that GoBGP says in its log and nowhere else.
type heard struct {
	what         hearing
	notification notification
	detail       string
}

type hearing uint8

const (
	dialFailed           hearing = iota // the TCP connection was not made: detail says why
	closedEarly                         // the connection ended before the router's OPEN
	notificationSent                    // notification says why we ended it
	notificationReceived                // notification says why the router ended it
)

// hearings are GoBGP's messages that tell what becomes of a connection. In v4 an attempt to connect runs beside the state
// machine up to OpenConfirm, and its failures cause no event. session_test.go holds these texts to the version in go.mod.
var hearings = map[string]hearing{
	"failed to connect":            dialFailed,
	"outgoing connection IO error": closedEarly,
	"sent notification":            notificationSent,
	"received notification":        notificationReceived,
}

// unsent is GoBGP's message about an UPDATE that it drops, though it is in the Adj-RIB-Out: a mistake of its own or of ours.
const unsent = "failed to serialize"

// chatter is the slog.Handler that GoBGP logs to. But for what is unsent, whatever GoBGP finds worth a line is debug for us,
// since what an operator needs to know is in the journal; what it says of a session is passed to hear on the way.
type chatter struct {
	next slog.Handler
	peer netip.Addr // of the logger's session; zero for the server's
	hear func(netip.Addr, heard)
}

// Enabled is always true: the records that matter are GoBGP's debug records.
func (c *chatter) Enabled(context.Context, slog.Level) bool { return true }

func (c *chatter) Handle(ctx context.Context, r slog.Record) error {
	if what, ok := hearings[r.Message]; ok && c.peer.IsValid() {
		c.hear(c.peer, listen(what, r))
	}
	level := slog.LevelDebug
	if r.Message == unsent {
		level = slog.LevelError
	}
	if !c.next.Enabled(ctx, level) {
		return nil
	}
	r.Level = level
	return c.next.Handle(ctx, r)
}

// WithAttrs notes whose logger this becomes.
func (c *chatter) WithAttrs(attrs []slog.Attr) slog.Handler {
	sub := &chatter{next: c.next.WithAttrs(attrs), peer: c.peer, hear: c.hear}
	if i := slices.IndexFunc(attrs, func(a slog.Attr) bool { return a.Key == "Key" }); i >= 0 {
		if addr, err := netip.ParseAddr(attrs[i].Value.String()); err == nil {
			sub.peer = addr
		}
	}
	return sub
}

func (c *chatter) WithGroup(name string) slog.Handler {
	return &chatter{next: c.next.WithGroup(name), peer: c.peer, hear: c.hear}
}

func listen(what hearing, r slog.Record) heard {
	h := heard{what: what}
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "Code":
			h.notification.code = uint8(a.Value.Int64())
		case "Subcode":
			h.notification.subcode = uint8(a.Value.Int64())
		case "Communicated-Reason":
			h.notification.communication = a.Value.String()
		case "Error":
			h.detail = a.Value.String()
		}
		return true
	})
	return h
}

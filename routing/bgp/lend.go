package bgp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

// A BGP session can't be handed to another process: it is a TCP connection with what both sides have said on it. And a
// router refuses a second session from the same address while the first is up. So when a process makes way for another on
// the same node, its sessions stay with it, and it announces by them what the other one decides, until each ends by itself:
// then the other begins it anew. Meanwhile no route moves.
//
//	new process: Controller ─► Speakers ─┬─► its own Speaker: sessions that it has begun
//	                                     └─► loan ─► Unix socket ─► Lend ─► the old process's Speaker: those that were up
//
// The loan's two ends are often of different versions. What the old process doesn't understand it refuses, and then the
// sessions move at once, which routers see as a flap.

// question is what the process that decides asks for.
type question struct {
	Do      string          `json:"do"` // set, configure, tell, stop
	Routes  []routing.Route `json:"routes,omitempty"`
	Options *Options        `json:"options,omitempty"`
	Allowed []netip.Prefix  `json:"allowed,omitempty"`
	Message string          `json:"message,omitempty"`
	Since   uint64          `json:"since,omitempty"` // the last event that is known
}

// answer is what came of it.
type answer struct {
	Error  string         `json:"error,omitempty"`
	Peers  []routing.Peer `json:"peers,omitempty"`
	Events []health.Event `json:"events,omitempty"`
	Last   uint64         `json:"last,omitempty"` // the sequence of the last event
}

// Lend announces what the process at the other end of conn decides, until it says stop or is gone, or ctx ends. In every
// case nobody decides any more when it returns: Stop must follow. The error is what else was wrong.
func (s *Speaker) Lend(ctx context.Context, conn net.Conn) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	in, out := json.NewDecoder(conn), json.NewEncoder(conn)
	in.DisallowUnknownFields()
	for {
		var q question
		switch err := in.Decode(&q); {
		case errors.Is(err, io.EOF) || ctx.Err() != nil:
			return nil
		case err != nil: // another version: what follows can't be understood either
			_ = out.Encode(answer{Error: err.Error()})
			return fmt.Errorf("speak for the next process: %w", err)
		}
		if err := out.Encode(s.carryOut(ctx, &q)); err != nil {
			return nil // the other process is gone
		}
		if q.Do == "stop" {
			return nil
		}
	}
}

func (s *Speaker) carryOut(ctx context.Context, q *question) (a answer) {
	var err error
	switch q.Do {
	case "set":
		err = s.Set(ctx, q.Routes)
	case "configure":
		if q.Options == nil {
			err = errors.New("configure: there are no options")
			break
		}
		err = s.Configure(ctx, *q.Options, q.Allowed)
	case "tell":
		a.Peers, a.Last = s.Peers(), q.Since
		for _, e := range s.journal.Since(q.Since) {
			a.Last = e.Seq
			if e.Kind == health.EventRoute {
				a.Events = append(a.Events, e)
			}
		}
	case "stop":
		err = s.Stop(ctx, q.Message)
	default:
		err = fmt.Errorf("%q: this version doesn't know that", q.Do)
	}
	if err != nil {
		a.Error = err.Error()
	}
	return a
}

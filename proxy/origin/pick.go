package origin

import (
	"math/rand/v2"
	"time"
)

// candidates are the servers to choose from: the usable ones, or all where too few are; without failed, where another
// is left; and of those the ones with a free place. The pool's mutex is held.
func (p *Pool) candidates(room *choices, now time.Time, failed *server) []*server {
	usable := filter(room.usable[:0], p.servers, func(s *server) bool { return s.usable(now) })
	if float64(len(usable)) < p.options.Ejection.Panic*float64(len(p.servers)) || len(usable) == 0 {
		usable = p.servers
	}
	if others := filter(room.others[:0], usable, func(s *server) bool { return s != failed }); len(others) > 0 {
		usable = others
	}
	return filter(room.free[:0], usable, func(s *server) bool { return s.inFlight < p.options.Concurrency.Max })
}

// choices have room for the servers of most origins, so that choosing allocates nothing.
type choices struct{ usable, others, free [8]*server }

// pick returns the less loaded of two random candidates, or nil where none has a place: two choices spread load almost
// as well as looking at all, without everybody running to the same server. The pool's mutex is held.
func (p *Pool) pick(now time.Time, failed *server) *server {
	if len(p.servers) == 1 { // then it is used whatever is known of it
		if s := p.servers[0]; s.inFlight < p.options.Concurrency.Max {
			return s
		}
		return nil
	}
	var room choices
	c := p.candidates(&room, now, failed)
	switch len(c) {
	case 0:
		return nil
	case 1:
		return c[0]
	}
	i := rand.IntN(len(c))
	j := rand.IntN(len(c) - 1)
	if j >= i {
		j++
	}
	if c[j].load(now) < c[i].load(now) {
		return c[j]
	}
	return c[i]
}

func filter(kept, list []*server, keep func(*server) bool) []*server {
	for _, s := range list {
		if keep(s) {
			kept = append(kept, s)
		}
	}
	return kept
}

package origin

import "time"

// Status is a pool at one moment.
type Status struct {
	Name    string         `json:"name"`
	Servers []ServerStatus `json:"servers"`
	Waiting int            `json:"waiting"` // requests that wait for a place
}

// ServerStatus is one server at one moment.
type ServerStatus struct {
	URL       string    `json:"url"`
	State     State     `json:"state"`
	Since     time.Time `json:"since"` // when it came to be in State
	InFlight  int       `json:"in_flight"`
	LastError string    `json:"last_error,omitempty"`
}

// Totals count a pool's requests since it was made.
type Totals struct {
	Sent    int64 // to some server, and over: answered, failed, or given up since the client had left
	Failed  int64 // of these: an error or a response that counts as one
	Retries int64 // that were sent again
}

// Totals returns the pool's counts as they are now. It costs three atomic loads.
func (p *Pool) Totals() Totals {
	return Totals{Sent: p.counts.sent.Load(), Failed: p.counts.failed.Load(), Retries: p.counts.retries.Load()}
}

// Status returns how the pool does now.
func (p *Pool) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	st := Status{Name: p.name, Waiting: len(p.waiting)}
	for _, s := range p.servers {
		st.Servers = append(st.Servers, ServerStatus{URL: s.url.String(), State: s.state(), Since: s.changed(), InFlight: s.inFlight, LastError: s.lastError})
	}
	return st
}

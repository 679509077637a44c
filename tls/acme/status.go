package acme

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// State is how it stands with a name.
type State string

// The states.
const (
	Good    State = "good"    // its certificate is valid, and its renewal isn't overdue
	Missing State = "missing" // it has none yet
	Failing State = "failing" // it has one, and a better one couldn't be obtained
	Expired State = "expired" // it has one that no longer serves
)

// Status is what is known of one name.
type Status struct {
	Name      string    `json:"name"`
	State     State     `json:"state"`
	Authority string    `json:"authority,omitempty"` // who has issued what is served
	Until     time.Time `json:"until,omitzero"`      // its end
	Renewal   time.Time `json:"renewal,omitzero"`    // when it is to be renewed
	NextTry   time.Time `json:"next_try,omitzero"`   // after a failure
	Problem   string    `json:"problem,omitempty"`   // of the last try, in the authorities' words
	FailedAt  time.Time `json:"failed_at,omitzero"`
	Failures  int       `json:"failures,omitempty"` // in a row
}

// Status lists the names in order.
func (m *Manager) Status() []Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	list := make([]Status, 0, len(m.names))
	for _, t := range m.names {
		list = append(list, t.status(now))
	}
	slices.SortFunc(list, func(a, b Status) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Missing tells whether name is to be obtained and has no certificate yet.
func (m *Manager) Missing(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.names[strings.ToLower(name)]
	return t != nil && t.held == nil
}

func (t *task) status(now time.Time) Status {
	s := Status{Name: t.name, State: t.state(now), Failures: t.failures}
	if t.held != nil {
		s.Authority, s.Until, s.Renewal = t.held.authority, t.held.certificate.Leaf.NotAfter, t.held.renewal
	}
	if t.problem != nil {
		s.Problem, s.FailedAt, s.NextTry = t.problem.Error(), t.failed, t.next
	}
	return s
}

func (t *task) state(now time.Time) State {
	switch {
	case t.held == nil:
		return Missing
	case now.After(t.held.certificate.Leaf.NotAfter):
		return Expired
	case t.problem != nil:
		return Failing
	}
	return Good
}

package acme

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fleet is how the other nodes are reached.
type Fleet interface {
	// Others are the names of the nodes that are there; not settled while it isn't known yet who is.
	Others() (names []string, settled bool)
	// Send brings a message to one of them. That it arrived isn't known.
	Send(node string, message []byte) error
}

const (
	// answerLimit is how long other nodes are waited for: a challenge that one of them can't answer yet isn't begun.
	answerLimit = 5 * time.Second
	// settlePause lies between two questions whether it is known who is there.
	settlePause = 50 * time.Millisecond
	// workAtOnce bounds messages that are sent or answered at a time.
	workAtOnce = 32
)

// Team is this node among the others: each answers the challenges of all, one obtains a name's certificate, and all
// get it. It fulfils Challenges. What nodes say to each other is sealed under a key of the fleet secret.
type Team struct {
	name  string
	fleet Fleet
	keys  func() [][]byte
	local *Local
	log   *slog.Logger

	places  chan struct{}
	working sync.WaitGroup

	mu      sync.Mutex // guards the following fields
	manager *Manager
	waits   map[string]chan<- answered // by the question's ID
	ended   bool
}

// answered is another node's answer.
type answered struct {
	node  string
	reply reply
}

// NewTeam returns a Team of the node called name. Keys returns the fleet's keys for this, of 32 octets: all open, the
// first seals.
func NewTeam(name string, f Fleet, keys func() [][]byte, log *slog.Logger) *Team {
	return &Team{
		name: name, fleet: f, keys: keys, local: NewLocal(), log: log,
		places: make(chan struct{}, workAtOnce), waits: map[string]chan<- answered{},
	}
}

// Put has every node answer c. It fails, and none does, where one that is there doesn't agree within 5 s: the authority
// might reach that one.
func (t *Team) Put(ctx context.Context, c Challenge) error {
	if err := t.local.Put(ctx, c); err != nil {
		return err
	}
	others, _ := t.fleet.Others()
	replies := t.question(ctx, others, message{Put: &c})
	var errs []error
	for _, node := range others {
		switch r, ok := replies[node]; {
		case !ok:
			errs = append(errs, fmt.Errorf("%s doesn't say within %s that it answers the challenge", node, answerLimit))
		case r.Problem != "":
			errs = append(errs, fmt.Errorf("%s doesn't answer the challenge: %s", node, r.Problem))
		}
	}
	if err := errors.Join(errs...); err != nil {
		t.Delete(ctx, c)
		return err
	}
	return nil
}

// Delete ends what Put began, everywhere. Who doesn't hear of it forgets the challenge by itself.
func (t *Team) Delete(ctx context.Context, c Challenge) {
	t.local.Delete(ctx, c)
	others, _ := t.fleet.Others()
	for _, node := range others {
		t.send(node, message{Delete: &c})
	}
}

// KeyAuthorization is the answer to an http-01 challenge, whichever node has put it.
func (t *Team) KeyAuthorization(host, token string) (string, bool) {
	return t.local.KeyAuthorization(host, token)
}

// Certificate is the answer to a tls-alpn-01 challenge, whichever node has put it.
func (t *Team) Certificate(name string) *tls.Certificate { return t.local.Certificate(name) }

// Answered is how often this node has answered, by type.
func (t *Team) Answered() map[string]int64 { return t.local.Answered() }

// lower are those of the others that come before this node: they obtain, unless they decline.
func (t *Team) lower(others []string) []string {
	list := slices.DeleteFunc(slices.Clone(others), func(node string) bool { return node >= t.name })
	slices.Sort(list)
	return list
}

// settles waits until it is known who is there; false: ctx has ended before. Without a team nobody is.
func (t *Team) settles(ctx context.Context) bool {
	if t == nil {
		return ctx.Err() == nil
	}
	for {
		if _, settled := t.fleet.Others(); settled {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(settlePause):
		}
	}
}

// question sends m to nodes and returns the answers that come in time, by node.
func (t *Team) question(ctx context.Context, nodes []string, m message) map[string]reply {
	replies := map[string]reply{}
	if len(nodes) == 0 {
		return replies
	}
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	m.ID = rand.Text()
	answers := make(chan answered, len(nodes))
	t.mu.Lock()
	t.waits[m.ID] = answers
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.waits, m.ID)
	}()
	for _, node := range nodes {
		t.send(node, m)
	}
	for len(replies) < len(nodes) {
		select {
		case a := <-answers:
			if slices.Contains(nodes, a.node) {
				replies[a.node] = a.reply
			}
		case <-ctx.Done():
			return replies
		}
	}
	return replies
}

// answer hands an answer to whoever waits for it.
func (t *Team) answer(from string, m *message) {
	t.mu.Lock()
	waits := t.waits[m.ID]
	t.mu.Unlock()
	select {
	case waits <- answered{from, *m.Reply}:
	default: // nobody waits any more
	}
}

// send seals m and sends it in the background.
func (t *Team) send(node string, m message) {
	t.work(func() {
		plain, err := json.Marshal(m)
		if err != nil {
			return // it has nothing that can't be marshalled
		}
		sealed, err := seal(t.keys(), parties(t.name, node), plain)
		if err == nil {
			err = t.fleet.Send(node, sealed)
		}
		if err != nil {
			t.log.Warn("acme: tell another node", "node", node, "error", err)
		}
	})
}

// work does f in the background, unless the end has come; Close waits for it.
func (t *Team) work(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return
	}
	t.working.Go(func() {
		t.places <- struct{}{}
		defer func() { <-t.places }()
		f()
	})
}

// Close ends what is sent and answered, and waits for what has begun.
func (t *Team) Close() {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	t.working.Wait()
}

// Receive takes a message that another node has sent. It doesn't wait.
func (t *Team) Receive(from string, sealed []byte) {
	plain, err := open(t.keys(), parties(from, t.name), sealed)
	if err != nil {
		t.log.Warn("acme: a message of another node", "node", from, "error", err)
		return
	}
	var m message
	if json.Unmarshal(plain, &m) != nil {
		return // of a later version: its sender gets no answer
	}
	switch {
	case m.Reply != nil:
		t.answer(from, &m)
	case m.Put != nil:
		t.work(func() { t.obey(from, &m) })
	case m.Delete != nil:
		t.local.Delete(context.Background(), *m.Delete)
	case m.Want != "":
		t.work(func() { t.give(from, &m) })
	case m.Have != "":
		if manager := t.managed(); manager != nil {
			manager.look(strings.ToLower(m.Have))
		}
	}
}

// obey answers a challenge of another node from now on, and says so.
func (t *Team) obey(from string, m *message) {
	var r reply
	if err := t.local.Put(context.Background(), *m.Put); err != nil {
		r.Problem = err.Error()
	}
	t.send(from, message{ID: m.ID, Reply: &r})
}

// give answers with what this node has of a name.
func (t *Team) give(from string, m *message) {
	r := reply{Declines: true}
	if manager := t.managed(); manager != nil {
		r = manager.offer(strings.ToLower(m.Want))
	}
	t.send(from, message{ID: m.ID, Reply: &r})
}

func (t *Team) managed() *Manager {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.manager
}

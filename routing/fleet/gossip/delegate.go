package gossip

import (
	"slices"
	"time"

	"github.com/hashicorp/memberlist"
)

// delegate is what memberlist asks and tells. Nothing here waits.
type delegate struct{ *Mesh }

// NodeMeta is nothing: states have no limit of 512 octets.
func (d *delegate) NodeMeta(int) []byte { return nil }

// GetBroadcasts are what a packet has room for.
func (d *delegate) GetBroadcasts(overhead, limit int) [][]byte {
	return d.queue.GetBroadcasts(overhead, limit)
}

// LocalState is all that is known, for somebody who wants to compare.
func (d *delegate) LocalState(bool) []byte { return appendAll(d.states.all(time.Now())) }

// MergeRemoteState takes what is newer there.
func (d *delegate) MergeRemoteState(b []byte, _ bool) {
	list, err := cutAll(b)
	if err != nil {
		d.config.Log.Warn("gossip: what another node knows can't be read to its end", "error", err)
	}
	now, news := time.Now(), false
	for _, t := range list {
		_, changed := d.states.take(t.header, t.state, now.Add(-t.age))
		news = news || changed
	}
	if news {
		d.change()
	}
}

// NotifyMsg takes a broadcast or a message. What can't be read is left alone: it is of a later version.
func (d *delegate) NotifyMsg(b []byte) {
	if len(b) == 0 {
		return
	}
	switch kind, rest := b[0], b[1:]; kind {
	case kindBeat:
		d.heard(rest)
	case kindState:
		d.told(b)
	case kindGoodbye:
		if node, _, err := cutName(rest); err == nil {
			d.members.goodbye(node)
		}
	case kindWant:
		if from, _, err := cutName(rest); err == nil {
			put(d.Mesh, d.wants, from)
		}
	case kindMessage:
		if from, text, err := cutName(rest); err == nil {
			put(d.Mesh, d.inbox, message{from, slices.Clone(text)})
		}
	}
}

func (d *delegate) heard(b []byte) {
	h, _, err := cutHeader(b)
	if err != nil {
		return
	}
	news, missing := d.states.hear(h, time.Now())
	if news && h.node != d.config.Name {
		d.broadcast(h.node, appendBeat(&h))
	}
	if missing {
		select {
		case d.wake <- struct{}{}:
		default: // it is awake
		}
	}
}

// told takes a state, and sends it on where it came in a packet.
func (d *delegate) told(b []byte) {
	h, state, err := cutHeader(b[1:])
	if err != nil {
		return
	}
	news, changed := d.states.take(h, state, time.Now())
	if (news || changed) && h.node != d.config.Name && len(b) <= packetRoom {
		d.broadcast(h.node, slices.Clone(b))
	}
	if changed {
		d.change()
	}
}

// put queues what is worked on elsewhere.
func put[T any](m *Mesh, queue chan<- T, v T) {
	select {
	case queue <- v:
	default:
		m.config.Log.Warn("gossip: too much waits for its turn: a message is dropped")
	}
}

// news is a broadcast; a later one of the same node takes its place.
type news struct {
	node string
	text []byte
}

var _ memberlist.NamedBroadcast = (*news)(nil)

// Name is whose news it is.
func (n *news) Name() string { return n.node }

// Invalidates is asked of broadcasts without a name.
func (n *news) Invalidates(memberlist.Broadcast) bool { return false }

// Message is what is sent.
func (n *news) Message() []byte { return n.text }

// Finished is told when it has been sent often enough.
func (n *news) Finished() {}

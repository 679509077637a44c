package gossip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// The kinds of messages between nodes. Their numbers never change their meaning.
const (
	kindBeat    = 1 // a header: the node lives, and has this version
	kindState   = 2 // a header and the state
	kindWant    = 3 // the asking node's name: send me your state
	kindMessage = 4 // the sender's name and the importer's octets
	kindGoodbye = 5 // the name of a node that leaves
)

const (
	maxName = 255
	// maxState bounds a state. Thousands of VIPs and origins are well below.
	maxState = 256 << 10
	// maxNodes bounds the nodes that are known, and so the memory that they take.
	maxNodes = 4096
)

var errShort = errors.New("it ends too early")

// header says which version of whose state is meant, and when its node said so.
type header struct {
	node string
	version
	beat uint64 // counted up by the node with each beat of an epoch
}

// version orders a node's states. A process begins an epoch of its own, above all earlier ones.
type version struct{ epoch, number uint64 }

func (v version) newer(than version) bool {
	return v.epoch > than.epoch || v.epoch == than.epoch && v.number > than.number
}

// later says whether h was said after other, by the same node.
func (h *header) later(than *header) bool {
	return h.epoch > than.epoch || h.epoch == than.epoch && h.beat > than.beat
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendHeader(b []byte, h *header) []byte {
	b = appendText(b, h.node)
	b = binary.AppendUvarint(b, h.epoch)
	b = binary.AppendUvarint(b, h.number)
	return binary.AppendUvarint(b, h.beat)
}

func appendBeat(h *header) []byte { return appendHeader([]byte{kindBeat}, h) }

func appendState(h *header, state []byte) []byte {
	return append(appendHeader([]byte{kindState}, h), state...)
}

// appendNamed is a message that begins with a node's name.
func appendNamed(kind byte, node string, rest []byte) []byte {
	return append(appendText([]byte{kind}, node), rest...)
}

// cut takes a text of at most limit octets off b.
func cut(b []byte, limit int) (text, rest []byte, err error) {
	n, size := binary.Uvarint(b)
	switch {
	case size <= 0:
		return nil, nil, errShort
	case n > uint64(limit):
		return nil, nil, fmt.Errorf("%d octets, above %d", n, limit)
	case uint64(len(b)-size) < n:
		return nil, nil, errShort
	}
	return b[size : size+int(n)], b[size+int(n):], nil
}

func cutNumber(b []byte) (n uint64, rest []byte, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 {
		return 0, nil, errShort
	}
	return n, b[size:], nil
}

func cutName(b []byte) (name string, rest []byte, err error) {
	text, rest, err := cut(b, maxName)
	if err == nil && len(text) == 0 {
		err = errors.New("a node without a name")
	}
	return string(text), rest, err
}

func cutHeader(b []byte) (h header, rest []byte, err error) {
	if h.node, b, err = cutName(b); err != nil {
		return h, nil, err
	}
	for _, field := range []*uint64{&h.epoch, &h.number, &h.beat} {
		if *field, b, err = cutNumber(b); err != nil {
			return h, nil, err
		}
	}
	if h.epoch > 1<<63 { // a time in nanoseconds, after which there must be others
		return h, nil, fmt.Errorf("epoch %d", h.epoch)
	}
	return h, b, nil
}

// told is one node's state as another one hands it on.
type told struct {
	header
	age   time.Duration // since the node was last heard
	state []byte
}

// appendAll is what two nodes exchange: every state that they know.
func appendAll(list []told) []byte {
	var b []byte
	for i := range list {
		t := &list[i]
		b = appendHeader(b, &t.header)
		b = binary.AppendUvarint(b, uint64(max(t.age, 0).Milliseconds()))
		b = append(binary.AppendUvarint(b, uint64(len(t.state))), t.state...)
	}
	return b
}

// cutAll reads appendAll's octets; the states are parts of b. With an error there is what came before it.
func cutAll(b []byte) (list []told, err error) {
	for len(b) > 0 && len(list) < maxNodes {
		var t told
		var age uint64
		if t.header, b, err = cutHeader(b); err != nil {
			return list, err
		}
		if age, b, err = cutNumber(b); err != nil {
			return list, err
		}
		if t.state, b, err = cut(b, maxState); err != nil {
			return list, err
		}
		t.age = time.Duration(min(age, uint64(forgetAfter.Milliseconds()))) * time.Millisecond
		list = append(list, t)
	}
	return list, nil
}

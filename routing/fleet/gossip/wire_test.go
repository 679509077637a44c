package gossip

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
)

func some() []told {
	return []told{
		{header{"ams-1", version{1700000000000000000, 3}, 17}, 1500 * time.Millisecond, []byte("state")},
		{header{"fra-1", version{1, 1}, 0}, 0, []byte{}},
	}
}

func TestAllThereAndBack(t *testing.T) {
	b := appendAll(some())
	list, err := cutAll(b)
	if err != nil || !reflect.DeepEqual(list, some()) {
		t.Errorf("%v: %+v", err, list)
	}
	for n := range b {
		list, err := cutAll(b[:n])
		if whole := len(list) == 1 && err == nil; n > 0 && err == nil && !whole {
			t.Errorf("the first %d octets are read as %+v", n, list)
		}
	}
}

func TestHeaderRefuses(t *testing.T) {
	whole := appendHeader(nil, &some()[0].header)
	for n := range whole {
		if _, _, err := cutHeader(whole[:n]); err == nil {
			t.Errorf("the first %d octets are read", n)
		}
	}
	for what, b := range map[string][]byte{
		"no name": appendHeader(nil, &header{}), "a long name": appendHeader(nil, &header{node: strings.Repeat("x", 256)}),
		"an endless number": bytes.Repeat([]byte{0xff}, 20),
	} {
		if _, _, err := cutHeader(b); err == nil {
			t.Errorf("%s: read", what)
		}
	}
}

func TestTooLargeAState(t *testing.T) {
	list := []told{{header: header{node: "ams-1"}, state: make([]byte, maxState+1)}}
	if got, err := cutAll(appendAll(list)); err == nil || len(got) != 0 {
		t.Errorf("%d, %v", len(got), err)
	}
}

func FuzzCutAll(f *testing.F) {
	f.Add(appendAll(some()))
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := cutAll(b)
		again, errAgain := cutAll(appendAll(list))
		if errAgain != nil || len(again) != len(list) {
			t.Errorf("%v: %d of %d come back: %v", err, len(again), len(list), errAgain)
		}
	})
}

// FuzzNotifyMsg: no message of a member brings this node down, or makes it forget its own state.
func FuzzNotifyMsg(f *testing.F) {
	h := some()[0].header
	f.Add(appendBeat(&h))
	f.Add(appendState(&h, []byte("state")))
	f.Add(appendNamed(kindWant, "ams-1", nil))
	f.Add(appendNamed(kindMessage, "ams-1", []byte("text")))
	f.Add(appendNamed(kindGoodbye, "ams-1", nil))
	f.Add([]byte{kindBeat, 1, 'x'})
	m := bare()
	m.states.publish([]byte("own"), time.Now())
	d := &delegate{m}
	f.Fuzz(func(t *testing.T, b []byte) {
		d.NotifyMsg(b)
		d.MergeRemoteState(b, false)
		if _, state := m.states.own(); string(state) != "own" {
			t.Errorf("our state became %q", state)
		}
		for len(m.inbox) > 0 {
			<-m.inbox
		}
		for len(m.wants) > 0 {
			<-m.wants
		}
	})
}

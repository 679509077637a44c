package acme

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/caddyserver/certmagic"
)

// sealedMark is ahead of values that are sealed. No PEM and no JSON begins so.
const sealedMark = "anyedge sealed 1\n"

// errPlain is met by what anybody could have written.
var errPlain = errors.New("is not sealed under a key of the fleet secret")

// unopened tells whether err is about what only another secret would open.
func unopened(err error) bool { return errors.Is(err, errSealed) || errors.Is(err, errNoKey) }

// sealed is a storage whose values are encrypted under the fleet's keys, each for its own place. What it reads and finds
// in another form than it would write, in plain or under a former key, it writes anew.
type sealed struct {
	certmagic.Storage
	keys  func() [][]byte // of 32 octets: all open, the first seals
	seals bool            // false: what is stored is plain
	opens bool            // values that aren't sealed are read as well
}

// place is what a value is bound to.
func place(key string) []byte { return []byte("anyedge acme storage 1\x00" + key) }

// Store puts value at key.
func (s *sealed) Store(ctx context.Context, key string, value []byte) error {
	if !s.seals {
		return s.Storage.Store(ctx, key, value)
	}
	box, err := seal(s.keys(), place(key), value)
	if err != nil {
		return fmt.Errorf("store %s: %w", key, err)
	}
	return s.Storage.Store(ctx, key, append([]byte(sealedMark), box...))
}

// Load returns the value at key.
func (s *sealed) Load(ctx context.Context, key string) ([]byte, error) {
	text, err := s.Storage.Load(ctx, key)
	if err != nil {
		return nil, err
	}
	value, current, err := s.open(key, text)
	if unopened(err) {
		return nil, fmt.Errorf("load %s: %w: bring the former fleet secret back, or delete it to begin anew", key, err)
	}
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", key, err)
	}
	if !current {
		_ = s.Store(ctx, key, value) // it is as good as it is, and read again within minutes
	}
	return value, nil
}

// open is what text holds, and whether s would write it so.
func (s *sealed) open(key string, text []byte) (value []byte, current bool, err error) {
	box, isSealed := bytes.CutPrefix(text, []byte(sealedMark))
	if !isSealed {
		if !s.opens {
			return nil, false, errPlain
		}
		return text, !s.seals, nil
	}
	if s.keys == nil {
		return nil, false, errNoKey
	}
	value, which, err := openBy(s.keys(), place(key), box)
	return value, s.seals && which == 0, err
}

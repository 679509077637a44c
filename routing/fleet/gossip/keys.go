package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/memberlist"
)

// checkKeys says what is wrong with a ring of keys.
func checkKeys(keys [][]byte) error {
	if len(keys) == 0 {
		return errors.New("gossip: no key: nodes would believe everybody")
	}
	for i, k := range keys {
		if err := memberlist.ValidateKey(k); err != nil {
			return fmt.Errorf("gossip: key %d: %w", i+1, err)
		}
	}
	return nil
}

// install makes keys the ring's, the first to encrypt by. The library removes a key by moving those behind it while
// others may read them, so only the last is ever removed: what stays is brought before what goes.
func install(ring *memberlist.Keyring, keys [][]byte) error {
	wanted := func(k []byte) bool {
		return slices.ContainsFunc(keys, func(w []byte) bool { return bytes.Equal(w, k) })
	}
	for _, k := range keys {
		if err := ring.AddKey(k); err != nil {
			return err
		}
	}
	if err := ring.UseKey(keys[0]); err != nil {
		return err
	}
	for {
		have := ring.GetKeys()
		gone := slices.IndexFunc(have, func(k []byte) bool { return !wanted(k) })
		if gone < 0 {
			return ring.UseKey(keys[0])
		}
		last := have[len(have)-1]
		if wanted(last) {
			if err := ring.UseKey(last); err != nil { // to the front, for a moment
				return err
			}
			continue
		}
		if err := ring.RemoveKey(last); err != nil {
			return err
		}
	}
}

package cache

import (
	"strings"
	"sync"
)

// maxVaryLists bounds the lists that are shared at a time.
const maxVaryLists = 4096

// varyLists lets stored responses share what Vary and requests said: most of them have one of a few lists, which then
// cost nothing and stay in the processor's cache. Where a field like Cookie makes each list another, sharing begins
// anew once in a while.
type varyLists struct {
	mu    sync.Mutex // guards lists
	lists map[string][]varyField
}

// share returns a list that says the same, and the same one for all that do.
func (v *varyLists) share(list []varyField) []varyField {
	if len(list) == 0 {
		return nil
	}
	var buf [256]byte
	key := appendVaryKey(buf[:0], list)
	v.mu.Lock()
	defer v.mu.Unlock()
	if shared, ok := v.lists[string(key)]; ok {
		return shared
	}
	if v.lists == nil || len(v.lists) >= maxVaryLists {
		v.lists = make(map[string][]varyField)
	}
	own := make([]varyField, len(list))
	for i, f := range list {
		own[i] = varyField{strings.Clone(f.name), strings.Clone(f.value), strings.Clone(f.first), f.present}
	}
	v.lists[string(key)] = own
	return own
}

// appendVaryKey appends what is the same for lists that say the same. No field's name or value holds a NUL.
func appendVaryKey(dst []byte, list []varyField) []byte {
	for i := range list {
		f := &list[i]
		dst = append(append(dst, f.name...), 0)
		if f.present {
			dst = append(append(dst, f.value...), 0)
		}
		dst = append(dst, 0)
	}
	return dst
}

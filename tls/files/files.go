// Package files tells when files have changed, for what is read anew while the process runs: certificates, keys,
// revocation lists. It is a leaf.
package files

import "os"

// Stamps are how files looked: another size, time or inode of one means another content.
type Stamps []os.FileInfo // nil: there was no such file

// Look returns how the files at paths look now.
func Look(paths ...string) Stamps {
	s := make(Stamps, len(paths))
	for i, path := range paths {
		s[i], _ = os.Stat(path) // what can't be looked at is as good as missing
	}
	return s
}

// Equal tells whether t shows the same contents of the same files.
func (s Stamps) Equal(t Stamps) bool {
	if len(s) != len(t) {
		return false
	}
	for i := range s {
		if !same(s[i], t[i]) {
			return false
		}
	}
	return true
}

func same(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == b
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// Watcher tells of what comes of looking at files again and again. Its zero value is ready; it isn't safe for concurrent
// use.
type Watcher struct {
	mistake  string // of the last look; empty: none
	reported bool
}

// Look calls reload, which reads files that have changed, and then tell: with nil after a reload, with an error after a
// mistake, once for each distinct one, and only when it is still there at the next look. Who renews a certificate writes
// it and its key one after the other.
func (w *Watcher) Look(reload func() (changed bool, err error), tell func(error)) {
	changed, err := reload()
	if err != nil {
		w.repeat(err, tell)
		return
	}
	w.mistake, w.reported = "", false
	if changed {
		tell(nil)
	}
}

// repeat tells of a mistake at its second look.
func (w *Watcher) repeat(err error, tell func(error)) {
	if err.Error() != w.mistake {
		w.mistake, w.reported = err.Error(), false
		return
	}
	if !w.reported {
		w.reported = true
		tell(err)
	}
}

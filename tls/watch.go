package edgetls

import (
	"context"
	"os"
	"time"
)

// stamp is how a file looked: another size, time or inode means another content.
type stamp struct{ info os.FileInfo } // nil: there was none

func stampAll(o Options) []stamp {
	stamps := make([]stamp, 0, 2*len(o.Certificates))
	for _, files := range o.Certificates {
		stamps = append(stamps, stampOf(files.Cert), stampOf(files.Key))
	}
	return stamps
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{info}
}

func (s stamp) equal(t stamp) bool {
	if s.info == nil || t.info == nil {
		return s.info == t.info
	}
	return os.SameFile(s.info, t.info) && s.info.Size() == t.info.Size() && s.info.ModTime().Equal(t.info.ModTime())
}

// Watch looks at the files every interval until ctx ends, and then returns nil. When one has changed it reads all of
// them: all or nothing, as Replace does. onChange gets nil after a reload and an error after a mistake, with which the
// old certificates stay: once for each distinct mistake, and only when it is still there at the next look, since a
// renewal writes the certificate and its key one after the other.
func (s *Store) Watch(ctx context.Context, interval time.Duration, onChange func(error)) error {
	w := watcher{store: s, onChange: onChange}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			w.look()
		}
	}
}

// watcher is what Watch knows from one look to the next.
type watcher struct {
	store    *Store
	onChange func(error)
	mistake  string // of the last look; empty: none
	reported bool
}

func (w *watcher) look() {
	changed, err := w.store.reloadChanged()
	switch {
	case err != nil:
		w.repeat(err)
	case changed:
		w.mistake, w.reported = "", false
		w.onChange(nil)
	default:
		w.mistake, w.reported = "", false
	}
}

// repeat tells of a mistake at its second look.
func (w *watcher) repeat(err error) {
	if err.Error() != w.mistake {
		w.mistake, w.reported = err.Error(), false
		return
	}
	if !w.reported {
		w.reported = true
		w.onChange(err)
	}
}

// reloadChanged reads the files again if one has changed since they were last read without a mistake.
func (s *Store) reloadChanged() (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := stampAll(s.loaded.options)
	changed := false
	for i := range now {
		changed = changed || !now[i].equal(s.loaded.stamps[i])
	}
	if !changed {
		return false, nil
	}
	return true, s.replace(s.loaded.options)
}

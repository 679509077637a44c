package edgetls

import (
	"context"
	"time"

	"github.com/anyedge/anyedge/tls/files"
)

// paths are the files that o names.
func (o *Options) paths() []string {
	list := make([]string, 0, 2*len(o.Certificates))
	for _, c := range o.Certificates {
		list = append(list, c.Cert, c.Key)
	}
	return append(list, o.ECHKeys...)
}

// lookShare is how many times as long as a look takes passes until the next.
const lookShare = 100

// Watch looks at the files every interval until ctx ends, and then returns nil. When one has changed it reads all of
// them: all or nothing, as Replace does. onChange gets nil after a reload and an error after a mistake, with which the
// old certificates stay: once for each distinct mistake, and only when it is still there at the next look, since a
// renewal writes the certificate and its key one after the other. Where there are so many files that looking at them takes
// long, it is done less often: looks take a hundredth of a processor's time at most.
func (s *Store) Watch(ctx context.Context, interval time.Duration, onChange func(error)) error {
	var w files.Watcher
	next := time.NewTimer(interval)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case began := <-next.C:
			w.Look(s.reloadChanged, onChange)
			next.Reset(max(interval, lookShare*time.Since(began)))
		}
	}
}

// reloadChanged reads the files again if one has changed since they were last read without a mistake.
func (s *Store) reloadChanged() (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if files.Look(s.loaded.options.paths()...).Equal(s.loaded.stamps) {
		return false, nil
	}
	return true, s.replace(s.loaded.options)
}

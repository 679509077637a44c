package load

import (
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/anyedge/anyedge/health"
)

// descriptors is the share of the file descriptors that this process may have and has.
func (s *Sampler) descriptors(time.Duration, *health.LoadOptions) (health.Figure, bool) {
	for line := range s.lines("proc/self/limits") {
		rest, found := strings.CutPrefix(line, "Max open files")
		fields := strings.Fields(rest)
		if !found || len(fields) == 0 {
			continue
		}
		limit, err := strconv.ParseFloat(fields[0], 64)
		if err != nil { // unlimited
			return health.Figure{}, false
		}
		return share(health.Descriptors, float64(s.open()), limit)
	}
	return health.Figure{}, false
}

// open counts the open descriptors. Since Linux 6.2 the directory's size is their number; before, they are listed.
func (s *Sampler) open() int {
	if info, err := fs.Stat(s.sources.FS, "proc/self/fd"); err == nil && info.Size() > 0 {
		return int(info.Size())
	}
	entries, _ := fs.ReadDir(s.sources.FS, "proc/self/fd") // what was read so far counts
	return len(entries)
}

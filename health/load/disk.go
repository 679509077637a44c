package load

import (
	"fmt"

	"github.com/anyedge/anyedge/health"
)

// disks are the filesystems that can be asked.
func (s *Sampler) disks() (figures []health.Figure) {
	for _, path := range s.sources.Disks {
		used, err := s.sources.Used(path)
		if err != nil {
			continue // whoever uses the disk says so
		}
		figures = append(figures, health.Figure{Name: health.Disk, Subject: path, Value: used, Detail: fmt.Sprintf("the filesystem of %s", path)})
	}
	return figures
}

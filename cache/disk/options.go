package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Options configures the disk tier. It is the `cache.disk` key of the configuration.
type Options struct {
	// Path is the directory of the only disk. It is made where it is missing, and belongs to one process at a time.
	Path string `yaml:"path"`
	// Paths are the directories of several disks, in place of Path. Each response lives on one of them.
	Paths []string `yaml:"paths"`
	// Size bounds what the tier takes of each disk, in bytes.
	Size int64 `yaml:"size" unit:"size"`
	// Segment is the size of the files that it consists of, in bytes, and more than the largest response; 0 derives it
	// from Size.
	Segment int64 `yaml:"segment" unit:"size"`
	// MinFree is the part of the file system that stays free for others: below it the oldest records make room, and
	// until that has helped nothing is written.
	MinFree float64 `yaml:"min_free" unit:"ratio"`
	// Admission is which responses are written: SecondHit or All.
	Admission Admission `yaml:"admission"`
	// Queue bounds what waits to be written to each disk, in bytes of memory; what doesn't fit isn't written.
	Queue int64 `yaml:"queue" unit:"size"`
	// IO is how many reads of each disk may be under way at once.
	IO int `yaml:"io"`
	// Slow is how long a read or a write may take. A read that takes longer fails, and a disk where it happens again and
	// again rests.
	Slow time.Duration `yaml:"slow"`
	// Rest is how long a disk that failed is left alone, doubled each time up to 32-fold.
	Rest time.Duration `yaml:"rest"`
}

// Admission is which responses are written.
type Admission string

// The kinds of admission.
const (
	// SecondHit writes everything while there is room; once the disk is full, only what is offered twice within some
	// hundred thousand offers, so that what is asked for once neither wears the flash nor pushes out what is read.
	SecondHit Admission = "second_hit"
	// All writes everything.
	All Admission = "all"
)

const (
	// minSegments is how many segments a disk has at least: one is the reserve for eviction, one is written.
	minSegments = 4
	// minSegment and maxSegment bound the files, in bytes: offsets are kept as 32 bits, in units of align.
	minSegment = 64 << 10
	maxSegment = 32 << 30
)

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() {
	*o = Options{
		Size: 10 << 30, MinFree: 0.05, Admission: SecondHit,
		Queue: 32 << 20, IO: 32, Slow: 2 * time.Second, Rest: 10 * time.Second,
	}
}

// Enabled tells whether there is a disk.
func (o *Options) Enabled() bool { return o.Path != "" || len(o.Paths) > 0 }

// Check reports every value that can't be right.
func (o *Options) Check(report func(key, problem string)) {
	if o.Path != "" && len(o.Paths) > 0 {
		report("paths", "stands beside path: name the disks in one of them")
	}
	for i, path := range o.Paths {
		if path == "" || slices.Contains(o.Paths[:i], path) {
			report("paths", fmt.Sprintf("%q is empty or there twice", path))
		}
	}
	o.checkSizes(report)
	if o.MinFree < 0 || o.MinFree >= 1 {
		report("min_free", "must be from 0% to below 100%")
	}
	if o.Admission != SecondHit && o.Admission != All {
		report("admission", fmt.Sprintf("%q is neither %q nor %q", o.Admission, SecondHit, All))
	}
	if o.IO < 1 || o.IO > 4096 {
		report("io", "must be from 1 to 4096")
	}
	if o.Slow <= 0 {
		report("slow", "must be above 0")
	}
	if o.Rest <= 0 {
		report("rest", "must be above 0")
	}
}

// CheckFiles reports every directory that can't be one, without making any.
func (o *Options) CheckFiles(report func(key, problem string)) {
	for i, path := range o.disks() {
		key := "path"
		if o.Path == "" {
			key = fmt.Sprintf("paths[%d]", i)
		}
		if err := checkDirectory(path); err != nil {
			report(key, err.Error())
		}
	}
}

// checkDirectory tells why a path can't be a directory, or be made one.
func checkDirectory(path string) error {
	for at := filepath.Clean(path); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		switch {
		case isAbsent(err) && at != filepath.Dir(at):
			continue
		case err != nil:
			return err
		case !info.IsDir():
			return fmt.Errorf("%s is not a directory", at)
		}
		return nil
	}
}

// isAbsent tells of a path that isn't there, also because what is above it is no directory.
func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

func (o *Options) checkSizes(report func(key, problem string)) {
	if o.Size < minSegments*minSegment {
		report("size", "must be at least 256KiB")
	}
	if o.Segment != 0 && (o.Segment < minSegment || o.Segment > maxSegment) {
		report("segment", "must be from 64KiB to 32GiB, or 0")
	}
	if o.Segment > o.Size/minSegments {
		report("segment", "must be at most a quarter of size")
	}
	if o.Queue < 1<<16 {
		report("queue", "must be at least 64KiB")
	}
}

// disks are the directories.
func (o *Options) disks() []string {
	if o.Path != "" {
		return []string{o.Path}
	}
	return o.Paths
}

// segment is the size of a segment: a thousandth, so that one is little beside the whole, within bounds that keep the
// number of files and the cost of each small.
func (o *Options) segment() int64 {
	if o.Segment > 0 {
		return o.Segment
	}
	size := min(max(o.Size/1024, 64<<20), 1<<30)
	return max(min(size, o.Size/16), minSegment)
}

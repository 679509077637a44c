package disk

import (
	"io"
	"io/fs"
	"os"
)

// fileSystem is what the store needs of one. The tests put faults into it.
type fileSystem interface {
	// Open opens a file for reading and writing, and makes it where it is missing.
	Open(name string) (file, error)
	Remove(name string) error
	Rename(from, to string) error
	ReadDir(name string) ([]fs.DirEntry, error)
	// SyncDir makes what was made, renamed and removed in a directory survive the loss of power.
	SyncDir(name string) error
	// Free tells how many bytes a file system has in all, and how many are free for us.
	Free(name string) (total, free uint64, err error)
}

type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
	Size() (int64, error)
	// ReadCached reads what is in memory already, all of p or nothing, and never waits for the disk.
	ReadCached(p []byte, at int64) bool
	// Prefetch has the kernel read what will be needed soon.
	Prefetch(at, n int64)
	// Allocate reserves room up to a size, without changing the file's.
	Allocate(size int64) error
}

// osFS is the real one.
type osFS struct{}

func (osFS) Open(name string) (file, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) Remove(name string) error                   { return os.Remove(name) }
func (osFS) Rename(from, to string) error               { return os.Rename(from, to) }
func (osFS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }

func (osFS) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (osFS) Free(name string) (total, free uint64, err error) { return statfs(name) }

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f osFile) ReadCached(p []byte, at int64) bool { return readCached(f.File, p, at) }

func (f osFile) Prefetch(at, n int64) { prefetch(f.File, at, n) }

func (f osFile) Allocate(size int64) error { return allocate(f.File, size) }

package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// others are the permissions that a secret file must not give.
const others fs.FileMode = 0o077

// Load reads a secret file, which must be its owner's alone. The error names the file and, where it has one, the line.
func Load(path string) (*Set, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe without a writer must not hold us up
	if err != nil {
		return nil, fmt.Errorf("read the fleet secret: %w", err)
	}
	defer f.Close()
	if err := guarded(f); err != nil {
		return nil, fmt.Errorf("read the fleet secret: %s: %w", path, err)
	}
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the fleet secret: %w", err)
	}
	s, err := Parse(path, content)
	if err != nil {
		return nil, fmt.Errorf("read the fleet secret: %w", err)
	}
	return s, nil
}

func guarded(f *os.File) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("is not a regular file")
	case info.Mode().Perm()&others != 0:
		return fmt.Errorf("has mode %04o, open to others than its owner: chmod 600 %s", info.Mode().Perm(), f.Name())
	}
	return nil
}

// Create writes s to a new file of mode 0600. One that is there already is an error.
func Create(path string, s *Set) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("write a new fleet secret: %s is there already: anyedge secret rotate changes it without losing connections", path)
	}
	if err != nil {
		return fmt.Errorf("write a new fleet secret: %w", err)
	}
	if err := fill(f, s); err != nil {
		_ = os.Remove(path)
		return fmt.Errorf("write a new fleet secret: %w", err)
	}
	return nil
}

// Replace writes s in place of the file at path, all or nothing: whoever reads it meanwhile gets the old or the new. The
// owner stays, for the node may not run as who rotates.
func Replace(path string, s *Set) error {
	if err := replace(path, s); err != nil {
		return fmt.Errorf("write the fleet secret: the old one stays: %w", err)
	}
	return nil
}

func replace(path string, s *Set) error {
	path, err := filepath.EvalSymlinks(path) // renaming must not turn a link into a file
	if err != nil {
		return err
	}
	old, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	if err := errors.Join(chown(f, old), fill(f, s)); err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return syncDirectory(filepath.Dir(path))
}

// chown gives f to the owner of old.
func chown(f *os.File, old os.FileInfo) error {
	stat, ok := old.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) == os.Geteuid() {
		return nil
	}
	return f.Chown(int(stat.Uid), int(stat.Gid))
}

// fill writes s to f, onto the disk, and closes it.
func fill(f *os.File, s *Set) error {
	_, err := f.Write(s.Append(nil))
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

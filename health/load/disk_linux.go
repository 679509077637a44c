package load

import "syscall"

// Used is how much of the filesystem of path is used by those who aren't root, 0 to 1.
func Used(path string) (float64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, err
	}
	if s.Blocks == 0 {
		return 0, nil
	}
	used := float64(s.Blocks - s.Bfree)
	return used / (used + float64(s.Bavail)), nil
}

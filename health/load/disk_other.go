//go:build !linux

package load

import "errors"

// Used isn't known but on Linux.
func Used(string) (float64, error) { return 0, errors.ErrUnsupported }

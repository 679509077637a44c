//go:build !linux

package bfd

// waiting is left to read.
func (s *socket) waiting(func(received)) {}

//go:build !linux

package bgptest

import (
	"errors"
	"syscall"
)

// control refuses what needs Linux.
func (o *Options) control(syscall.RawConn) error {
	if o.Password != "" || o.GTSM {
		return errors.New("TCP MD5 and GTSM are for Linux only")
	}
	return nil
}

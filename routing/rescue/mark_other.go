//go:build !linux

package rescue

import "net"

func mark(*net.TCPConn, code) error { return Missing() }

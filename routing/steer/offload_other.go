//go:build !linux

package steer

import "net"

// supported says whether this system has what steering needs.
const supported = false

const dontWait = 0

func receiveTogether(*net.UDPConn, bool) error { return nil }

func setFragments(*net.UDPConn, bool, bool) error { return nil }

func parseControl([]byte) (ecn uint8, segment int) { return 0, 0 }

func putMarks([]byte, bool, uint8) int { return 0 }

func appendSegment(oob []byte, _ int) []byte { return oob }

func writeNow(*net.UnixConn, []byte) error { return net.ErrClosed }

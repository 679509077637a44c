package steer

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// segmentOf is the length that a control message has the kernel cut at.
func segmentOf(t *testing.T, oob []byte) int {
	t.Helper()
	h, body, rest, err := unix.ParseOneSocketControlMessage(oob)
	if err != nil || h.Level != unix.IPPROTO_UDP || h.Type != unix.UDP_SEGMENT || len(rest) != 0 {
		t.Fatalf("%x: %v", oob, err)
	}
	return int(binary.NativeEndian.Uint16(body))
}

// What is written for quic-go reads as what the kernel says.
func TestMarks(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		for ecn := range uint8(4) {
			oob := make([]byte, controlLen)
			n := putMarks(oob, v6, ecn)
			if got, segment := parseControl(oob[:n]); got != ecn || segment != 0 {
				t.Errorf("v6 %v: %d, %d", v6, got, segment)
			}
		}
	}
	parseControl([]byte("not a control message"))
}

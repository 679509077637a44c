package message

import "runtime"

// stack is what a stack is made for, in octets: with it one has 8 KiB. 16 were no better.
const stack = 5 << 10

// GrowStack makes the stack as large as the chain needs it, before there is anything on it: else it grows with the chain,
// again and again, and each time all that is on it is copied. It is called with false.
//
//go:noinline
func GrowStack(never bool) {
	if never { // or it would be cleared
		var room [stack]byte
		runtime.KeepAlive(&room)
	}
}

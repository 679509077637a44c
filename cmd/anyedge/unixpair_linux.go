package main

import "golang.org/x/sys/unix"

// pairKind is what a pair of sockets is made with: no other program inherits it, and the runtime waits for it.
const pairKind = unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK

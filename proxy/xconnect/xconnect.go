// Package xconnect lets net/http's HTTP/2 client ask for extended CONNECT (RFC 8441), with which tests speak WebSocket over
// H2. The node itself doesn't need it: package h2 is its server.
//
// The client knows extended CONNECT only with http2xconnect=1 in the environment variable GODEBUG, which an init function of
// net/http reads. No field, //go:debug line or call afterwards can turn it on. So this package adds to the variable while it
// is initialised itself, and that comes first: of the packages that are ready, the one with the lowest import path is
// initialised (Go specification, "Program initialization"), and this one, which needs nothing but os and strings, sorts as
// github.com/… before golang.org/… and net/….
//
// It is imported by tests, for that effect alone. An http2xconnect=0 in the environment wins.
package xconnect

import (
	"os"
	"strings"
)

const (
	variable = "GODEBUG"
	setting  = "http2xconnect"
)

// The error is nil unless the variable's name or value is malformed, which they aren't.
var _ = os.Setenv(variable, with(os.Getenv(variable)))

// with returns the value of GODEBUG with the setting, unless it says something about it already.
func with(value string) string {
	switch {
	case strings.Contains(value, setting+"="):
		return value
	case value == "":
		return setting + "=1"
	}
	return value + "," + setting + "=1"
}

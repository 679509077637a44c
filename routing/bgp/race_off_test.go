//go:build !race

package bgp_test

// tests is how many tests run at once, however few cores there are: nearly all their time is GoBGP's timers.
const tests = "32"

// races is whether GoBGP's own races, which no test of ours can avoid otherwise, fail a test.
const races = false

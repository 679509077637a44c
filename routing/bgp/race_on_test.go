//go:build race

package bgp_test

// tests is how many tests run at once. GoBGP v4.8.0 keeps table.SelectionOptions and table.UseMultiplePaths in package
// variables, which every StartBgp writes and every running server reads: a race, if harmless, between two speakers in one
// process. So under the race detector there is one at a time.
const tests = "1"

// races is whether GoBGP's own races, which no test of ours can avoid otherwise, fail a test.
const races = true

//go:build race

package main

// raceDetector: GoBGP v4.8.0 keeps options in package variables, which each start writes and each server reads. It is
// harmless, and the detector minds, so that under it there is one node at a time.
const raceDetector = true

//go:build !race

package hitpath

const raceEnabled = false

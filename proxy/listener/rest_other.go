//go:build !unix

package listener

import "time"

// restAfter is for Unix; elsewhere connections keep their goroutines.
const restAfter time.Duration = 0

// await is for Unix.
func (*conn) await() {}

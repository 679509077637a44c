package routing

import "fmt"

// Level is how much a VIP attracts traffic: the lower, the more.
type Level uint8

// The ladder.
const (
	Announced       Level = 0 // announced
	LightlyDepref   Level = 1 // lightly depreferred: one prepend
	Depreferred     Level = 2 // GRACEFUL_SHUTDOWN (RFC 8326), prepends and MED: used only where nobody else is
	PartlyWithdrawn Level = 3 // withdrawn from some peers
	Withdrawn       Level = 4 // withdrawn
)

var levelNames = [...]string{"announced", "lightly depreferred", "depreferred", "partly withdrawn", "withdrawn"}

func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return fmt.Sprintf("level(%d)", uint8(l))
}

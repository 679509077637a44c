package bgp

import (
	"fmt"
	"strings"
)

// String says in words what is added.
func (a Attributes) String() string {
	var parts []string
	add := func(format string, v any) { parts = append(parts, fmt.Sprintf(format, v)) }
	if a.Prepend > 0 {
		add("prepend %d", a.Prepend)
	}
	if a.MED > 0 {
		add("MED %d", a.MED)
	}
	if a.LocalPref != nil {
		add("LOCAL_PREF %d", *a.LocalPref)
	}
	if a.GracefulShutdown {
		add("%s", "GRACEFUL_SHUTDOWN")
	}
	for _, c := range a.Communities {
		add("community %s", c)
	}
	if len(parts) == 0 {
		return "plain"
	}
	return strings.Join(parts, ", ")
}

package fleet

import (
	"maps"
	"slices"
	"strings"
)

// oneLine is an error for a table's cell: joined ones come on lines.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

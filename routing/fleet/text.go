package fleet

import "strings"

// oneLine is an error for a table's cell: joined ones come on lines.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

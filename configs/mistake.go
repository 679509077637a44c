package configs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Mistake is one thing that is wrong in a configuration file.
type Mistake struct {
	File    string `json:"file"`
	Line    int    `json:"line"` // from 1
	Col     int    `json:"col"`  // from 1, in characters
	Key     string `json:"key"`  // the path to it, such as origins.shop.servers[0]; empty for the file as a whole
	Problem string `json:"problem"`
}

func (m Mistake) String() string {
	if m.Key == "" {
		return fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Col, m.Problem)
	}
	return fmt.Sprintf("%s:%d:%d: %s: %s", m.File, m.Line, m.Col, m.Key, m.Problem)
}

// Mistakes are all that is wrong in a configuration file, in the order of the file.
type Mistakes []Mistake

// Error has one mistake a line.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, one := range m {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// Sort puts mistakes into the order of the file.
func (m Mistakes) Sort() {
	slices.SortStableFunc(m, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Key, b.Key))
	})
}

package configs

import (
	"fmt"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// maxMistakes bounds what is said of one file: aliases can repeat a mistake without end, and nobody reads on.
const maxMistakes = 1000

// told is what the operator sees of a mistake: a text that aliases use twice is wrong once.
type told struct {
	line, col int
	problem   string
}

// tell adds a mistake.
func (d *decoder) tell(line, col int, key, problem string) {
	line, col = max(line, 1), max(col, 1)
	if t := (told{line, col, problem}); !d.told[t] && !d.full() {
		d.told[t] = true
		d.mistakes = append(d.mistakes, Mistake{d.file, line, col, key, problem})
	}
}

// full says that there are too many mistakes to go on.
func (d *decoder) full() bool { return len(d.mistakes) >= maxMistakes }

// aside tells of a key that is not to be there: whatever else is said of path stays right.
func (d *decoder) aside(n *yaml.Node, path, problem string) { d.tell(n.Line, n.Column, path, problem) }

// wrong tells of a value, of which nothing more is said then.
func (d *decoder) wrong(n *yaml.Node, path, problem string) {
	d.tell(n.Line, n.Column, path, problem)
	d.bad[path] = true
}

// report says what is wrong at path, at the nearest place that the file has, unless it follows from a mistake that is
// told already: one mistake must not look like two.
func (d *decoder) report(path, problem string) {
	if d.follows(path, problem) {
		return
	}
	for p := path; p != ""; p = d.parent(p) {
		n := d.positions[p]
		if n == nil {
			continue
		}
		d.tell(n.Line, n.Column, path, problem)
		d.bad[path] = d.bad[path] || n.Kind == yaml.ScalarNode && p == path
		return
	}
	d.tell(1, 1, path, problem)
}

// follows says whether path or something around it has a mistake, or a key beside it or below it that the problem names.
func (d *decoder) follows(path, problem string) bool {
	for p := path; p != ""; p = d.parent(p) {
		if d.bad[p] {
			return true
		}
	}
	for _, w := range words(problem) {
		if d.bad[join(path, w)] || d.bad[join(d.parent(path), w)] {
			return true
		}
	}
	return d.bad[""]
}

// words are the words of a problem that may be keys.
func words(s string) []string {
	return strings.FieldsFunc(s, func(c rune) bool { return c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c) })
}

// result is every mistake in the file's order, or nil.
func (d *decoder) result() error {
	if len(d.mistakes) == 0 {
		return nil
	}
	d.mistakes.Sort()
	if d.full() {
		last := d.mistakes[len(d.mistakes)-1]
		d.mistakes = append(d.mistakes, Mistake{d.file, last.Line, last.Col, "", fmt.Sprintf("there may be more than these %d mistakes", maxMistakes)})
	}
	return d.mistakes
}

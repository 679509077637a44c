package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Table is a table in Markdown whose columns are aligned, so that it reads well as text too.
type Table struct {
	Head []string
	Rows [][]string
}

// Add adds a row. Cells that are missing are empty.
func (t *Table) Add(cells ...string) { t.Rows = append(t.Rows, cells) }

// WriteAny writes the table and an empty line, or nothing where it has no rows.
func (t *Table) WriteAny(w io.Writer) error {
	if len(t.Rows) == 0 {
		return nil
	}
	if err := t.Write(w); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// Write writes the table.
func (t *Table) Write(w io.Writer) error {
	widths := make([]int, len(t.Head))
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	line := func(row []string, fill string) string {
		var b strings.Builder
		for i, width := range widths {
			cell := ""
			if i < len(row) {
				cell = row[i]
			}
			pad := strings.Repeat(fill, width-utf8.RuneCountInString(cell))
			fmt.Fprintf(&b, "| %s%s ", cell, pad)
		}
		return b.String() + "|\n"
	}
	text := line(t.Head, " ") + line(nil, "-")
	for _, row := range t.Rows {
		text += line(row, " ")
	}
	_, err := io.WriteString(w, text)
	return err
}

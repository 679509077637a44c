package configs

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// row is one of the reference: key, type, default.
var row = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\| ([^|]*) \\|")

// The reference has every key of the schema, no other, with its type and default.
func TestReference(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	stated := map[string][2]string{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		if _, twice := stated[m[1]]; twice {
			t.Errorf("README.md has %s twice", m[1])
		}
		stated[m[1]] = [2]string{strings.TrimSpace(m[2]), strings.TrimSpace(m[3])}
	}
	for _, k := range schema() {
		got, ok := stated[k.path]
		delete(stated, k.path)
		if plain := k.typ == "mapping" || k.typ == "list of mapping"; plain && !ok {
			continue // its keys are listed
		}
		if want := [2]string{wantedType(k), wantedDefault(k)}; got != want {
			t.Errorf("README.md says of %s: %q; it is %q", k.path, got, want)
		}
	}
	for path := range stated {
		t.Errorf("README.md has %s, which is no key", path)
	}
}

func wantedType(k key) string {
	if k.later != "" {
		return "not supported yet"
	}
	return k.typ
}

func wantedDefault(k key) string {
	if k.later != "" || !isScalarType(k.value.Type()) || k.value.IsZero() && k.typ != "boolean" {
		return "–"
	}
	unit := ""
	if k.typ == "size" || k.typ == "ratio" {
		unit = k.typ
	}
	return "`" + format(k.value, unit) + "`"
}

// The file that the reference opens with is one that serves.
func TestReferenceOpensWithAFileThatServes(t *testing.T) {
	for _, readme := range []string{"README.md", "../README.md"} {
		text, err := os.ReadFile(readme)
		if err != nil {
			t.Fatal(err)
		}
		_, example, _ := strings.Cut(string(text), "```yaml\n")
		if readme == "../README.md" {
			_, example, _ = strings.Cut(string(text), "   ```yaml\n")
		}
		example, _, _ = strings.Cut(example, "```")
		if _, err := Parse(readme, []byte(example)); err != nil {
			t.Error(err)
		}
	}
}

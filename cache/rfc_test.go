package cache_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What RFC.md names exists: files, tests and scenarios. And every scenario of an RFC is named.
func TestRFCTable(t *testing.T) {
	text, err := os.ReadFile("RFC.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := sources(t, "*_test.go") + sources(t, "httpfield/*_test.go") + sources(t, "encoding/*_test.go")
	named := map[string]bool{}
	for _, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 5 {
			continue
		}
		for _, name := range names(cells[len(cells)-3]) {
			if _, err := os.Stat(name); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, name := range names(cells[len(cells)-2]) {
			named[name] = true
			if _, err := os.Stat("testdata/" + name + ".txt"); err != nil && !strings.Contains(tests, "func "+name+"(") {
				t.Errorf("%s is neither a scenario nor a test", name)
			}
		}
	}
	for _, file := range glob(t, "testdata/rfc*.txt") {
		if name := strings.TrimSuffix(filepath.Base(file), ".txt"); !named[name] {
			t.Errorf("the scenario %s shows nothing", name)
		}
	}
}

var quotedName = regexp.MustCompile("`([^`]+)`")

func names(cell string) (names []string) {
	for _, m := range quotedName.FindAllStringSubmatch(cell, -1) {
		names = append(names, m[1])
	}
	return names
}

func sources(t *testing.T, pattern string) string {
	var all strings.Builder
	for _, file := range glob(t, pattern) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

func glob(t *testing.T, pattern string) []string {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(files), err)
	}
	return files
}

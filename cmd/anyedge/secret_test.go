package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestSecretCommands(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "fleet.secret")
	for _, step := range []struct {
		verb  string
		code  int
		words []string
	}{
		{"show", exitBad, []string{"read the fleet secret: open " + file}},
		{"rotate", exitBad, []string{"read the fleet secret: open " + file}},
		{"new", exitGood, []string{file + ": secret 1, fingerprint ", "copy it to every node"}},
		{"new", exitBad, []string{"is there already"}},
		{"show", exitGood, []string{"current  secret 1, "}},
		{"rotate", exitGood, []string{"added secret 2, ", "copy " + file + " to every node and reload each", "call rotate again"}},
		{"show", exitGood, []string{"current  secret 1, ", "next     secret 2, "}},
		{"rotate", exitGood, []string{"promoted secret 2, ", "restart"}},
		{"show", exitGood, []string{"current   secret 2, ", "previous  secret 1, "}},
		{"rotate", exitGood, []string{"dropped secret 1, ", "complete"}},
		{"show", exitGood, []string{"current  secret 2, "}},
	} {
		code, out := command(t, "secret", step.verb, file)
		if code != step.code {
			t.Fatalf("%s: exit code %d: %s", step.verb, code, out)
		}
		for _, w := range step.words {
			if !strings.Contains(out, w) {
				t.Errorf("%s: no %q in %q", step.verb, w, out)
			}
		}
		for _, key := range secretsIn(file) {
			if strings.Contains(out, key) {
				t.Errorf("%s gives a secret away: %s", step.verb, out)
			}
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// secretsIn are the secrets of a file that may not be there.
func secretsIn(file string) []string {
	text, _ := os.ReadFile(file)
	return regexp.MustCompile(`[0-9a-f]{64}`).FindAllString(string(text), -1)
}

func TestSecretUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"secret", "make", "x"}, {"secret", "new"}, {"secret", "show", "a", "b"}} {
		if code, out := command(t, args...); code != exitUsage {
			t.Errorf("%v: exit code %d: %s", args, code, out)
		}
	}
	if code, out := command(t, "secret"); code != exitGood || !strings.Contains(out, "three steps") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

package configs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/configs"
)

// mistakes are those of text, which must have some.
func mistakes(t *testing.T, text string) configs.Mistakes {
	t.Helper()
	_, err := configs.Parse("f", []byte(text))
	var m configs.Mistakes
	if !errors.As(err, &m) {
		t.Fatalf("not mistakes: %v", err)
	}
	return m
}

// What isn't a configuration ends in one mistake, before it is in memory as nodes of many times its size.
func TestTooLargeIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"octets": "# " + strings.Repeat("x", 9<<20),
		"items":  "{" + strings.Repeat("a,", 1<<20) + "}",
		"lines":  strings.Repeat("\n", 1<<20),
	} {
		if m := mistakes(t, text); len(m) != 1 || !strings.HasSuffix(m[0].Problem, "is this a configuration file?") {
			t.Errorf("%s: %s", name, m)
		}
	}
}

func TestLoadReadsNoMoreThanItTakes(t *testing.T) {
	if _, err := configs.Load("/dev/zero"); err == nil || !strings.Contains(err.Error(), "is larger than 8MiB") {
		t.Errorf("%v", err)
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "missing.yaml")
	if _, err := configs.Load(file); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), file) {
		t.Errorf("%v", err)
	}
}

// A mistake in a mapping that thousands of aliases use, in a mapping that thousands use, is nine million mistakes.
func TestAliasesCantMultiplyMistakes(t *testing.T) {
	const times = 3000
	var b strings.Builder
	b.WriteString("sites:\n  s0: &s {hosts: [x], paths: {/0: &p {bogus: 1}")
	for i := range times {
		fmt.Fprintf(&b, ", /p%d: *p", i)
	}
	b.WriteString("}}\n")
	for i := range times {
		fmt.Fprintf(&b, "  t%d: *s\n", i)
	}
	seen := map[string]bool{}
	m := mistakes(t, b.String())
	if text := m.Error(); !strings.Contains(text, "is too large or too deep: do aliases multiply?") || !strings.Contains(text, "bogus: unknown key") {
		t.Errorf("%.500s", text)
	}
	for _, one := range m {
		place := fmt.Sprint(one.Line, one.Col, one.Problem)
		if seen[place] {
			t.Fatalf("twice: %s", one)
		}
		seen[place] = true
	}
	if len(m) > 1001 {
		t.Errorf("%d mistakes", len(m))
	}
}

func TestMistakesAreBounded(t *testing.T) {
	m := mistakes(t, good+"cache:\n"+strings.Repeat("  a: 1\n", 5000))
	if last := m[len(m)-1]; len(m) != 1001 || last.Problem != "there may be more than these 1000 mistakes" {
		t.Errorf("%d mistakes, at last: %s", len(m), last)
	}
}

// Ten thousand sites are a file like any other; ten thousand references to nothing take no minutes either.
func TestManySites(t *testing.T) {
	const sites = 10_000
	var b strings.Builder
	b.WriteString("node: {name: a}\nvips: {www: {addresses: [198.51.100.10], https: 443}}\norigins:\n")
	for i := range sites {
		fmt.Fprintf(&b, "  shop-%05d: {servers: [\"http://192.0.2.80\"]}\n", i)
	}
	b.WriteString("sites:\n")
	for i := range sites {
		fmt.Fprintf(&b, "  shop-%05d: {hosts: [shop-%05d.example.com], origin: shop-%05dx}\n", i, i, i)
	}
	text := b.String()
	cfg, err := configs.Parse("f", []byte(strings.ReplaceAll(text, "x}\n", "}\n")))
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Sites) != sites || len(cfg.Origins) != sites {
		t.Errorf("%d sites, %d origins", len(cfg.Sites), len(cfg.Origins))
	}
	m := mistakes(t, text)
	if want := `origins has no "shop-00000x"; did you mean "shop-00000"?`; m[0].Problem != want {
		t.Errorf("%s, want %s", m[0].Problem, want)
	}
}

// Every mistake comes at once: that a certificate is missing doesn't wait until the rest is right.
func TestMissingCertificateComesWithTheRest(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.yaml")
	if err := os.WriteFile(file, []byte(good+"cach: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := configs.Load(file)
	for _, want := range []string{"tls.certificates: is missing", `cach: unknown key; did you mean "cache"?`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}

// A byte order mark and the line ends of other systems are nobody's mistake.
func TestForeignText(t *testing.T) {
	if _, err := configs.Parse("f", []byte("\ufeff"+strings.ReplaceAll(good, "\n", "\r\n"))); err != nil {
		t.Error(err)
	}
}

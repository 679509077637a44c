package configs_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/configs"
)

// The design's example is the contract: nothing of it is a mistake.
func TestDesignExample(t *testing.T) {
	if _, err := configs.Load("testdata/design.yaml"); err != nil {
		t.Fatal(err)
	}
}

func TestMetrosLoad(t *testing.T) {
	files, err := filepath.Glob("metros/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		cfg, err := configs.Load(f)
		if err != nil {
			t.Error(err)
			continue
		}
		if want := strings.TrimSuffix(filepath.Base(f), ".yaml"); cfg.Node.Name != want {
			t.Errorf("%s is the node %s", f, cfg.Node.Name)
		}
		testRoundTrip(t, cfg)
	}
}

// What Print writes is the same configuration.
func testRoundTrip(t *testing.T, cfg *configs.Config) {
	t.Helper()
	var text bytes.Buffer
	if err := configs.Print(&text, cfg); err != nil {
		t.Fatal(err)
	}
	again, err := configs.Parse("printed.yaml", text.Bytes())
	if err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	configs.Forget(cfg)
	configs.Forget(again)
	if !reflect.DeepEqual(cfg, again) {
		t.Errorf("not the same after printing:\n%s", text.String())
	}
}

const good = `node: {name: a, address: 192.0.2.11}
vips: {www: {addresses: [198.51.100.10], announce: [198.51.100.0/24], https: 443}}
origins: {shop: {servers: ["http://192.0.2.80"]}}
sites: {shop: {hosts: [shop.example.com], origin: shop}}
`

func TestDefaultsServe(t *testing.T) {
	cfg, err := configs.Parse("good.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Admin.Listen != "127.0.0.1:9180" || cfg.Origins["shop"].ConnectTimeout != 3*time.Second || cfg.Log.Access != "stdout" {
		t.Errorf("%+v", cfg)
	}
	testRoundTrip(t, cfg)
}

func TestHostRoutesByDefault(t *testing.T) {
	text := strings.Replace(good, "addresses: [198.51.100.10], announce: [198.51.100.0/24]", `addresses: [198.51.100.10, "2001:db8::10"]`, 1)
	cfg, err := configs.Parse("x", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range cfg.VIPs["www"].Announce {
		got = append(got, p.String())
	}
	if want := []string{"198.51.100.10/32", "2001:db8::10/128"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A level that the file gives replaces that level; the others keep their defaults.
func TestLevelsOverride(t *testing.T) {
	cfg, err := configs.Parse("x", []byte(good+"bgp: {levels: {1: {prepend: 7}}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if l := cfg.BGP.Levels; l[1].Prepend != 7 || l[1].LocalPref != nil || !l[2].GracefulShutdown {
		t.Errorf("%+v", l)
	}
}

func TestAliases(t *testing.T) {
	text := strings.Replace(good, "hosts: [shop.example.com]", "hosts: &h [shop.example.com]", 1) +
		"  # the same policy twice\n"
	text = strings.Replace(text, "origin: shop}", "origin: shop, cache: &c {stale_if_error: 1d}, paths: {/a: {cache: *c}}}", 1)
	cfg, err := configs.Parse("x", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if d := cfg.Sites["shop"].Paths["/a"].Cache.StaleIfError; d != 24*time.Hour {
		t.Errorf("%s", d)
	}
}

// What Print writes has every key that the file had, in the operator's notation.
func TestPrintUsesTheOperatorsNotation(t *testing.T) {
	cfg, err := configs.Parse("x", []byte(good+`cache: {memory: 4GiB, max_object: 1500B}
health: {signals: {fill_errors: {warn: 0.5%, crit: 0.25}}}
routing: {rise: 90s, drain_lead: 0s}
admin: {listen: "unix:/run/anyedge.sock"}
log: {access: "null"}
`+`tls: {certificates: [{cert: "~", key: "Null"}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := configs.Print(&text, cfg); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"memory: 4GiB", "max_object: 1500B", "warn: 0.5%", "crit: 25%", "rise: 1m30s", "drain_lead: 0s", "listen: unix:/run/anyedge.sock", `access: "null"`,
	} {
		if !strings.Contains(text.String(), want+"\n") {
			t.Errorf("%s is missing in\n%s", want, text.String())
		}
	}
	testRoundTrip(t, cfg)
}

func TestCertificateIsNeeded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.yaml")
	if err := os.WriteFile(file, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := configs.Load(file); err == nil || !strings.Contains(err.Error(), "tls.certificates: is missing") {
		t.Errorf("%v", err)
	}
}

var rewrite = flag.Bool("rewrite", false, "write what is found into testdata/*.bad.yaml, for review by diff")

// Each testdata/*.bad.yaml begins with the mistakes that it must give, as comments: `# LINE:COL: key: problem`, all of
// them, in order.
func TestMistakes(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if *rewrite {
				data = annotate(t, data)
				if err := os.WriteFile(file, data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got, want := mistakesOf(t, data), wanted(data); !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// mistakesOf are the mistakes in data without the file's name.
func mistakesOf(t *testing.T, data []byte) (lines []string) {
	t.Helper()
	_, err := configs.Parse("f", data)
	var mistakes configs.Mistakes
	if !errors.As(err, &mistakes) {
		t.Fatalf("not mistakes: %v", err)
	}
	for _, m := range mistakes {
		lines = append(lines, strings.TrimPrefix(m.String(), "f:"))
	}
	return lines
}

var wantedLine = regexp.MustCompile(`^# (\d+:\d+: .*)$`)

// wanted are the mistakes that data begins with.
func wanted(data []byte) (lines []string) {
	for line := range strings.Lines(string(data)) {
		m := wantedLine.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if m == nil {
			break
		}
		lines = append(lines, m[1])
	}
	return lines
}

// annotate puts the mistakes of data in front of it, each at the line where it is then.
func annotate(t *testing.T, data []byte) []byte {
	t.Helper()
	old := len(wanted(data))
	for range old {
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	head := strings.Repeat("#\n", len(mistakesOf(t, data)))
	var text strings.Builder
	for _, line := range mistakesOf(t, append([]byte(head), data...)) {
		text.WriteString("# " + line + "\n")
	}
	return append([]byte(text.String()), data...)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	for _, pattern := range []string{"testdata/*.yaml", "metros/*.yaml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			if data, err := os.ReadFile(file); err == nil {
				f.Add(data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := configs.Parse("f", data)
		if err == nil {
			testRoundTrip(t, cfg)
			return
		}
		var mistakes configs.Mistakes
		if !errors.As(err, &mistakes) || len(mistakes) == 0 {
			t.Fatalf("%T %v", err, err)
		}
		for _, m := range mistakes {
			if m.Line < 1 || m.Col < 1 || m.Problem == "" {
				t.Errorf("%+v", m)
			}
		}
	})
}

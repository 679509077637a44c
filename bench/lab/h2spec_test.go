//go:build lab

package lab_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
)

// Every test of h2spec holds over what is answered from memory, and over what a handler answers.
func TestH2Spec(t *testing.T) {
	l := lab.New(t)
	host := l.Host("edge")
	host.Serve(l.Authority())
	cert, key := l.Authority().Issue("localhost")
	host.StartNode(fmt.Sprintf(`
node: {name: edge, metro: lab, address: 127.0.0.1}
vips:
  www: {addresses: [127.0.0.1], https: 443}
tls:
  certificates: [{cert: %s, key: %s}]
origins:
  site: {servers: ["http://127.0.0.1:8080"]}
sites:
  www: {hosts: ["*"], origin: site}
`, cert, key))
	h2spec := buildH2Spec(t)
	for name, path := range map[string]string{"from memory": "/bytes/1000", "by the handler": "/fresh/1000"} {
		t.Run(name, func(t *testing.T) {
			if out, err := host.Exec(within(t, 10*time.Second), "curl", "--silent", "--fail", "--insecure", "https://localhost"+path); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			out, err := host.Exec(within(t, 3*time.Minute), h2spec, "--host", "localhost", "--port", "443", "--tls", "--insecure", "--path", path)
			if err != nil || !strings.Contains(out, " 0 skipped, 0 failed") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// buildH2Spec builds h2spec from the tools' module.
func buildH2Spec(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "h2spec")
	c := exec.CommandContext(within(t, 2*time.Minute), "go", "build", "-modfile=.ci/tools/go.mod", "-o", path, "github.com/summerwind/h2spec/cmd/h2spec")
	c.Dir = filepath.Join("..", "..")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build h2spec: %v\n%s", err, out)
	}
	return path
}

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

const edgePackage = "github.com/anyedge/anyedge/cmd/anyedge"

// edges are the builds that are named, or one of this checkout.
func edges(c *cobra.Command, dir string, named []string) ([]build, error) {
	var list []build
	for _, n := range named {
		name, binary, ok := strings.Cut(n, "=")
		if !ok || name == "" {
			return nil, usage("--edge %s: it must be NAME=PROGRAM", n)
		}
		binary, err := filepath.Abs(binary)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(binary); err != nil {
			return nil, fmt.Errorf("--edge %s: %w", n, err)
		}
		list = append(list, build{name, binary})
	}
	if len(list) > 0 {
		return list, nil
	}
	binary := filepath.Join(dir, "anyedge")
	return []build{{"anyedge", binary}}, buildEdge(c, ".", binary)
}

// buildEdge builds anyedge of a checkout.
func buildEdge(c *cobra.Command, checkout, binary string) error {
	cmd := exec.CommandContext(c.Context(), "go", "build", "-o", binary, edgePackage)
	cmd.Dir = checkout
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build anyedge (run it within a checkout of anyedge): %w\n%s", err, out)
	}
	return nil
}
